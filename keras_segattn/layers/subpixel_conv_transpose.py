"""Conv2DTranspose computed as convolution and depth to space."""

import keras
from keras import ops

from .subpixel import subpixel_conv_transpose


@keras.saving.register_keras_serializable(package="keras_segattn")
class SubpixelConv2DTranspose(keras.layers.Layer):
    """The same function of the same weights as ``keras.layers.Conv2DTranspose``, without its operator.

    Args:
        filters: int >= 1, F.
        kernel_size: int >= 1, or a pair (kh, kw).
        strides: int >= 1, or a pair (sh, sw).
        padding: "valid" or "same".
        activation: what ``keras.activations.get`` takes.
        use_bias: bool.
        kernel_initializer: what ``keras.initializers.get`` takes.

    Input shape: (B, H, W, C). Output shape: (B, H * sh, W * sw, F), or with "valid"
    (B, (H - 1) * sh + max(kh, sh), (W - 1) * sw + max(kw, sw), F).

    Raises:
        ValueError: if an argument is outside of its range, or the input is not of rank 4 with a known C.

    Reference:
        Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
        Convolutional Neural Network, CVPR 2016.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(1, 6, 7, 3)).astype("float32")
        >>> plain, subpixel = (make(5, 4, 2) for make in (keras.layers.Conv2DTranspose, SubpixelConv2DTranspose))
        >>> for layer in (plain, subpixel):
        ...     layer.build(x.shape)
        >>> subpixel.set_weights(plain.get_weights())
        >>> float(ops.max(ops.abs(subpixel(x) - plain(x)))) < 1e-5
        True
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        *,
        padding="valid",
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        if not isinstance(filters, int) or filters < 1:
            raise ValueError(f"filters: expected an integer >= 1. Received: {filters!r}")
        if padding not in ("valid", "same"):
            raise ValueError(f"padding: expected valid or same. Received: {padding!r}")
        _pair("kernel_size", kernel_size)
        _pair("strides", strides)
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(f"input: expected a known number of channels. Received shape: {input_shape}")
        shape = (*_pair("kernel_size", self.kernel_size), self.filters, channels)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.kernel_initializer)
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs):
        kernel = ops.convert_to_tensor(self.kernel)
        x = subpixel_conv_transpose(inputs, kernel, _pair("strides", self.strides), self.padding)
        return self.activation(x + self.bias if self.use_bias else x)

    def compute_output_shape(self, input_shape):
        batch, *sizes, _ = input_shape
        kernels, strides = _pair("kernel_size", self.kernel_size), _pair("strides", self.strides)
        beyond = [max(k - s, 0) if self.padding == "valid" else 0 for k, s in zip(kernels, strides, strict=True)]
        sizes = [size and size * s + more for size, s, more in zip(sizes, strides, beyond, strict=True)]
        return (batch, *sizes, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": _plain(self.kernel_size),
            "strides": _plain(self.strides),
            "padding": self.padding,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _pair(name, value):
    pair = (value, value) if isinstance(value, int) else value
    fits = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(n, int) and n >= 1 for n in pair)
    if not fits:
        raise ValueError(f"{name}: expected an integer >= 1 or a pair of them. Received: {value!r}")
    return tuple(pair)


def _plain(value):
    return value if isinstance(value, int) else list(value)
