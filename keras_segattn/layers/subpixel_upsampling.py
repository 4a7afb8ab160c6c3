"""Learnable upsampling that starts as bilinear interpolation, computed as convolution and depth to space."""

import keras
from keras import ops

from .bilinear_upsampling import bilinear_kernel
from .subpixel import subpixel_conv_transpose


@keras.saving.register_keras_serializable(package="keras_segattn")
class SubpixelUpsampling2D(keras.layers.Layer):
    """The same function of the same weights as ``BilinearUpsampling2D``, without a transposed convolution.

    An exported file has CONV_2D, RESHAPE and TRANSPOSE instead of TRANSPOSE_CONV, which is faster there and which
    more runtimes read. ``set_weights`` takes the weights of one to the other; ``models.convert_upsampling`` does so
    for a whole model.

    Args:
        factor: int >= 2, how many times higher and wider the output is.
        trainable: bool. ``False`` keeps the interpolation fixed.

    Input shape: (B, H, W, C). Output shape: (B, H * factor, W * factor, C).

    Raises:
        ValueError: if ``factor`` is not an integer >= 2, or the input is not of rank 4 with a known C.

    Reference:
        Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
        Convolutional Neural Network, CVPR 2016.

    Example:
        >>> import numpy as np
        >>> row = np.array([0.0, 1.0, 0.0], "float32").reshape(1, 1, 3, 1)
        >>> up = SubpixelUpsampling2D(2)(np.repeat(row, 3, axis=1))
        >>> [round(float(v), 4) for v in up[0, 2, :, 0]]
        [0.0, 0.25, 0.75, 0.75, 0.25, 0.0]
    """

    def __init__(self, factor, *, trainable=True, **kwargs):
        if not isinstance(factor, int) or factor < 2:
            raise ValueError(f"factor: expected an integer >= 2. Received: {factor!r}")
        super().__init__(trainable=trainable, **kwargs)
        self.factor = factor
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(f"input: expected a known number of channels. Received shape: {input_shape}")
        kernel = bilinear_kernel(self.factor, channels)
        self.kernel = self.add_weight(
            name="kernel", shape=kernel.shape, initializer=lambda shape, dtype: ops.cast(kernel, dtype)
        )

    def call(self, inputs):
        kernel = ops.convert_to_tensor(self.kernel)
        return subpixel_conv_transpose(inputs, kernel, (self.factor, self.factor))  # (B, fH, fW, C)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(size and size * self.factor for size in (height, width)), channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
