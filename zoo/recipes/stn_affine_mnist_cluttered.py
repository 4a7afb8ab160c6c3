"""ST-CNN with an affine transformer, translated and cluttered MNIST (Jaderberg et al. 2015).

About 30 minutes on two cores, 20 with --policy mixed_bfloat16 where it is fast.

segattn train stn_affine_mnist_cluttered
"""

from dataclasses import replace

from .stn_affine_mnist_r import RECIPE as ROTATED

RECIPE = replace(
    ROTATED,
    name="stn_affine_mnist_cluttered",
    epochs=40,
    operators={"tflite": 156, "onnx": 37},
    seed=0,
    dataset="mnist_cluttered",
    image_size=(60, 60),
    arguments={**ROTATED.arguments, "output_size": (40, 40)},
)
