"""The plain CNN beside ST-CNN, rotated MNIST (R of Jaderberg et al. 2015).

About 10 minutes on two cores.

segattn train cnn_mnist_r
"""

from ..recipe import Recipe

RECIPE = Recipe(
    name="cnn_mnist_r",
    model="cnn",
    arguments={"filters": (32, 68), "kernel_sizes": (5, 5), "units": (128,), "dropout": 0.3},
    dataset="mnist_r",
    image_size=(28, 28),
    batch_size=256,
    epochs=60,
    learning_rate=2e-3,
    weight_decay=0.01,
    label_smoothing=0.05,
    validate_every=4,
    operators={"tflite": 18, "onnx": 18},
)
