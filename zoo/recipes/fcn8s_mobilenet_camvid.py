"""FCN-8s on MobileNet 0.75, CamVid: the third stage of Long et al. 2015, from FCN-16s.

About 45 minutes on two cores.

segattn train fcn8s_mobilenet_camvid
"""

from dataclasses import replace

from .fcn16s_mobilenet_camvid import RECIPE as FCN16S

RECIPE = replace(
    FCN16S,
    name="fcn8s_mobilenet_camvid",
    model="fcn8s",
    start="fcn16s_mobilenet_camvid",
    crop=(352, 480),
    epochs=48,
    learning_rate=1e-3,
    operators={"tflite": 88, "onnx": 107},
)
