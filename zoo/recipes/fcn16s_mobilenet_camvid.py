"""FCN-16s on MobileNet 0.75, CamVid: the second stage of Long et al. 2015, from FCN-32s.

About 7 minutes on two cores.

segattn train fcn16s_mobilenet_camvid
"""

from dataclasses import replace

from .fcn32s_mobilenet_camvid import RECIPE as FCN32S

RECIPE = replace(
    FCN32S,
    name="fcn16s_mobilenet_camvid",
    model="fcn16s",
    start="fcn32s_mobilenet_camvid",
    epochs=12,
    learning_rate=5e-4,
    operators={"tflite": 82, "onnx": 104},
)
