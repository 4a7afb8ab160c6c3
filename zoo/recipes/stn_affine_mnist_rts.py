"""ST-CNN with an affine transformer, rotated, scaled and translated MNIST (RTS of Jaderberg et al. 2015).

About 40 minutes on two cores.

segattn train stn_affine_mnist_rts
"""

from dataclasses import replace

from .stn_affine_mnist_r import RECIPE as ROTATED

RECIPE = replace(
    ROTATED,
    name="stn_affine_mnist_rts",
    operators={"tflite": 156, "onnx": 37},
    seed=0,
    epochs=120,
    policy="mixed_bfloat16",
    dataset="mnist_rts",
    image_size=(42, 42),
    arguments={**ROTATED.arguments, "output_size": (28, 28), "dropout": 0.2},
)
