"""The plain CNN beside ST-CNN, translated and cluttered MNIST (Jaderberg et al. 2015).

About 45 minutes on two cores, 25 with --policy mixed_bfloat16 where it is fast.

segattn train cnn_mnist_cluttered
"""

from dataclasses import replace

from .cnn_mnist_r import RECIPE as ROTATED

RECIPE = replace(
    ROTATED,
    name="cnn_mnist_cluttered",
    epochs=40,
    operators={"tflite": 18, "onnx": 18},
    dataset="mnist_cluttered",
    image_size=(60, 60),
    arguments={"filters": (32, 64), "kernel_sizes": (5, 5), "units": (43,), "dropout": 0.3},
)
