"""Bilinear interpolation, then a convolution that learns."""

import keras
import numpy as np
from keras import ops

from .bilinear_resizing import resize_bilinear


@keras.saving.register_keras_serializable(package="keras_segattn")
class ResizeConv2D(keras.layers.Layer):
    """Enlarges by bilinear interpolation and convolves; the convolution starts as the identity.

    Unlike a transposed convolution it cannot draw a checkerboard, and an exported file of it travels further.

    Args:
        factor: int >= 2, how many times higher and wider the output is.
        kernel_size: odd int >= 1, of the convolution.

    Input shape: (B, H, W, C). Output shape: (B, H * factor, W * factor, C).

    Raises:
        ValueError: if an argument is outside of its range, or the input is not of rank 4 with a known C.

    Reference:
        Odena, Dumoulin and Olah, Deconvolution and Checkerboard Artifacts, Distill 2016.

    Example:
        >>> import numpy as np
        >>> row = np.array([0.0, 1.0, 0.0], "float32").reshape(1, 1, 3, 1)
        >>> up = ResizeConv2D(2)(np.repeat(row, 3, axis=1))
        >>> [round(float(v), 4) for v in up[0, 2, :, 0]]
        [0.0, 0.25, 0.75, 0.75, 0.25, 0.0]
    """

    def __init__(self, factor, kernel_size=3, **kwargs):
        if not isinstance(factor, int) or factor < 2:
            raise ValueError(f"factor: expected an integer >= 2. Received: {factor!r}")
        if not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected an odd integer >= 1. Received: {kernel_size!r}")
        super().__init__(**kwargs)
        self.factor = factor
        self.kernel_size = kernel_size
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(f"input: expected a known number of channels. Received shape: {input_shape}")
        identity = centred(np.eye(channels, dtype="float32"), self.kernel_size)
        self.kernel = self.add_weight(
            name="kernel", shape=identity.shape, initializer=lambda shape, dtype: ops.cast(identity, dtype)
        )

    def call(self, inputs):
        x = resize_bilinear(inputs, self.factor)                           # (B, fH, fW, C)
        return ops.conv(x, self.kernel, padding="same", data_format="channels_last")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(size and size * self.factor for size in (height, width)), channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "kernel_size": self.kernel_size}


def centred(matrix, size):
    """Kernel of a convolution that sees only the pixel itself, and mixes its channels.

    Args:
        matrix: float32 array (C, F).
        size: odd int >= 1.

    Returns:
        float32 array (size, size, C, F).

    Example:
        >>> centred(np.array([[2.0]], "float32"), 3)[:, :, 0, 0].tolist()
        [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    """
    kernel = np.zeros((size, size, *matrix.shape), "float32")
    kernel[size // 2, size // 2] = matrix
    return kernel
