"""The plain CNN beside ST-CNN, rotated, scaled and translated MNIST (RTS of Jaderberg et al. 2015).

About 20 minutes on two cores.

segattn train cnn_mnist_rts
"""

from dataclasses import replace

from .cnn_mnist_r import RECIPE as ROTATED

RECIPE = replace(
    ROTATED,
    name="cnn_mnist_rts",
    operators={"tflite": 18, "onnx": 18},
    dataset="mnist_rts",
    image_size=(42, 42),
    arguments={"filters": (32, 64), "kernel_sizes": (5, 5), "units": (51,), "dropout": 0.3},
)
