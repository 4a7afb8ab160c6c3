"""Bilinear interpolation without weights."""

import keras
from keras import ops

from .bilinear_upsampling import bilinear_kernel


@keras.saving.register_keras_serializable(package="keras_segattn")
class BilinearResizing2D(keras.layers.Layer):
    """Enlarges by bilinear interpolation, as ``BilinearUpsampling2D(factor, trainable=False)`` does.

    Where H and W are known it is a resize, one of the cheapest operators of an exported file. What lies outside of
    the input counts as zero here, too, so that each kind of upsampling starts from the same answer.

    Args:
        factor: int >= 2, how many times higher and wider the output is.

    Input shape: (B, H, W, C). Output shape: (B, H * factor, W * factor, C).

    Raises:
        ValueError: if ``factor`` is not an integer >= 2, or the input is not of rank 4.

    Reference:
        Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation,
        CVPR 2015, section 4.

    Example:
        >>> import numpy as np
        >>> row = np.array([0.0, 1.0, 0.0], "float32").reshape(1, 1, 3, 1)
        >>> up = BilinearResizing2D(2)(np.repeat(row, 3, axis=1))
        >>> [round(float(v), 4) for v in up[0, 2, :, 0]]
        [0.0, 0.25, 0.75, 0.75, 0.25, 0.0]
    """

    def __init__(self, factor, **kwargs):
        if not isinstance(factor, int) or factor < 2:
            raise ValueError(f"factor: expected an integer >= 2. Received: {factor!r}")
        super().__init__(**kwargs)
        self.factor = factor
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        return resize_bilinear(inputs, self.factor)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(size and size * self.factor for size in (height, width)), channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def resize_bilinear(inputs, factor):
    """Interpolate between the pixels, and between those at the border and zeros around.

    Args:
        inputs: tensor (B, H, W, C).
        factor: int >= 2.

    Returns:
        tensor (B, H * factor, W * factor, C).

    Example:
        >>> import numpy as np
        >>> [round(float(v), 4) for v in resize_bilinear(np.ones((1, 9, 2, 1), "float32"), 2)[0, 8, :, 0]]
        [0.75, 1.0, 1.0, 0.75]
    """
    _, height, width, channels = inputs.shape
    exact = keras.backend.standardize_dtype(inputs.dtype) == "float64"
    if exact or height is None or width is None:  # ops.image.resize wants to know them, and TensorFlow's is float32
        kernel = ops.cast(bilinear_kernel(factor, channels), inputs.dtype)
        return ops.conv_transpose(inputs, kernel, factor, padding="same", data_format="channels_last")
    x = ops.pad(inputs, [(0, 0), (1, 1), (1, 1), (0, 0)])
    size = ((height + 2) * factor, (width + 2) * factor)
    x = ops.image.resize(x, size, interpolation="bilinear", data_format="channels_last")
    return x[:, factor:-factor, factor:-factor]
