"""FCN-32s on MobileNet 0.75 (ImageNet), CamVid: the first stage of Long et al. 2015.

About 12 minutes on two cores.

segattn train fcn32s_mobilenet_camvid
"""

from ..recipe import Recipe

RECIPE = Recipe(
    name="fcn32s_mobilenet_camvid",
    model="fcn32s",
    arguments={"encoder": "mobilenet_0.75", "dropout": 0.5},
    dataset="camvid",
    image_size=(360, 480),
    crop=(288, 384),
    colour=0.5,  # most of the test split is a video that training never sees, in another light
    epochs=20,
    weight_decay=0.02,
    label_smoothing=0.05,
    operators={"tflite": 76, "onnx": 101},
)
