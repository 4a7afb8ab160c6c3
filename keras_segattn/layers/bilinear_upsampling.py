"""Learnable upsampling that starts as bilinear interpolation."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_segattn")
class BilinearUpsampling2D(keras.layers.Layer):
    """Transposed convolution whose kernel starts as exact bilinear interpolation.

    Each channel begins as its own interpolation, with pixel centres aligned as in
    ``keras.layers.UpSampling2D(interpolation="bilinear")``; training may then mix channels. What lies
    outside of the input counts as zero, so the outermost ``factor / 2`` pixels fade.

    Args:
        factor: int >= 2, how many times higher and wider the output is.
        trainable: bool. ``False`` keeps the interpolation fixed, as the paper does in its last layer.

    Input shape: (B, H, W, C). Output shape: (B, H * factor, W * factor, C).

    Raises:
        ValueError: if ``factor`` is not an integer >= 2, or the input is not of rank 4 with a known C.

    Reference:
        Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation,
        CVPR 2015, section 4.

    Example:
        >>> import numpy as np
        >>> row = np.array([0.0, 1.0, 0.0], "float32").reshape(1, 1, 3, 1)
        >>> up = BilinearUpsampling2D(2)(np.repeat(row, 3, axis=1))
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
        return ops.conv_transpose(  # (B, H, W, C) -> (B, fH, fW, C)
            inputs, self.kernel, strides=self.factor, padding="same", data_format="channels_last"
        )

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(size and size * self.factor for size in (height, width)), channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def bilinear_kernel(factor, channels):
    """Kernel of a transposed convolution that interpolates every channel bilinearly.

    Args:
        factor: int >= 1, the stride.
        channels: int >= 1.

    Returns:
        float32 array (2 * factor - factor % 2, same, channels, channels), zero between channels.

    Example:
        >>> bilinear_kernel(2, 1)[:, 1, 0, 0].tolist()
        [0.1875, 0.5625, 0.5625, 0.1875]
    """
    size = 2 * factor - factor % 2
    distance = np.abs(np.arange(size) - (size - 1) / 2) / factor  # from the kernel's centre, in input pixels
    hat = np.maximum(0.0, 1.0 - distance)
    return np.einsum("h,w,io->hwio", hat, hat, np.eye(channels)).astype("float32")
