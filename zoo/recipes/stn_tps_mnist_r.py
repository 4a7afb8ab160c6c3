"""ST-CNN with a thin-plate spline of 4 x 4 control points, rotated MNIST (R of Jaderberg et al. 2015).

About 15 minutes on two cores.

segattn train stn_tps_mnist_r
"""

from dataclasses import replace

from .stn_affine_mnist_r import RECIPE as AFFINE

RECIPE = replace(
    AFFINE,
    name="stn_tps_mnist_r",
    epochs=60,
    seed=0,
    policy="mixed_bfloat16",
    operators={"tflite": 138, "onnx": 38},
    arguments={**AFFINE.arguments, "transform": "thin_plate_spline"},
)
