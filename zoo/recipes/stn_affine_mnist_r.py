"""ST-CNN with an affine transformer, rotated MNIST (R of Jaderberg et al. 2015).

About 12 minutes on two cores.

segattn train stn_affine_mnist_r
"""

from dataclasses import replace

from .cnn_mnist_r import RECIPE as CNN

RECIPE = replace(
    CNN,
    name="stn_affine_mnist_r",
    model="st_cnn",
    seed=2,  # the median of three
    arguments={
        "transform": "affine",
        "localization_filters": (32, 48),
        "localization_units": 48,
        "filters": (32, 64),
        "kernel_sizes": (5, 5),
        "units": (96,),
        "dropout": 0.3,
    },
    float_layers=("dense",),  # of the localization net: a rounded angle costs more than a rounded feature
    operators={"tflite": 153, "onnx": 37},
)
