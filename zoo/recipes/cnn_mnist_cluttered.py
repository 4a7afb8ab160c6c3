"""The plain CNN beside ST-CNN, translated and cluttered MNIST (Jaderberg et al. 2015).

About 30 minutes on two cores.

segattn train cnn_mnist_cluttered
"""

from dataclasses import replace

from .cnn_mnist_r import RECIPE as ROTATED

RECIPE = replace(
    ROTATED,
    name="cnn_mnist_cluttered",
    epochs=40,
    operators={},
    dataset="mnist_cluttered",
    image_size=(60, 60),
    arguments={"filters": (32, 64), "kernel_sizes": (5, 5), "units": (43,), "dropout": 0.3},
)
