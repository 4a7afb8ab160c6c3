"""Kinds of upsampling that a decoder can be built with, and a trained model taken from one kind to another."""

from dataclasses import dataclass
from functools import partial

import keras
import numpy as np

from ..layers import (
    BilinearResizing2D,
    BilinearUpsampling2D,
    ResizeConv2D,
    SubpixelConv2DTranspose,
    SubpixelUpsampling2D,
)
from ..layers.bilinear_upsampling import bilinear_kernel
from ..layers.resize_conv import centred


@dataclass(frozen=True)
class Upsampling:
    """The layers of one kind of upsampling. Whatever the kind, both start as the same bilinear interpolation.

    Args:
        learnable: function of a factor (int >= 2) and ``name`` to a layer that learns.
        fixed: the same, to one that stays as it is.

    Example:
        >>> UPSAMPLING["depth_to_space"].fixed(8, name="last").trainable
        False
    """

    learnable: object
    fixed: object


UPSAMPLING = {
    "conv_transpose": Upsampling(BilinearUpsampling2D, partial(BilinearUpsampling2D, trainable=False)),
    "bilinear": Upsampling(ResizeConv2D, BilinearResizing2D),
    "depth_to_space": Upsampling(SubpixelUpsampling2D, partial(SubpixelUpsampling2D, trainable=False)),
}

# Layers that compute the same function of the same weights.
_INTERPOLATING = {"conv_transpose": BilinearUpsampling2D, "depth_to_space": SubpixelUpsampling2D}
_GENERAL = {"conv_transpose": keras.layers.Conv2DTranspose, "depth_to_space": SubpixelConv2DTranspose}
_KINDS = {
    **{layer: kind for table in (_INTERPOLATING, _GENERAL) for kind, layer in table.items()},
    **dict.fromkeys((BilinearResizing2D, ResizeConv2D), "bilinear"),
}


def convert_upsampling(model, kind):
    """The same model with another kind of upsampling: its answer, its weights, its names.

    Between "conv_transpose" and "depth_to_space" every trained weight is carried over as it is, also those of a
    plain ``keras.layers.Conv2DTranspose``. "bilinear" is a narrower family: an upsampling gets there, or back,
    only where it is interpolation and at most a mixing of channels.

    Args:
        model: built keras.Model, functional or sequential, with upsampling layers of this package or
            ``keras.layers.Conv2DTranspose`` in it or in models inside it. It stays as it is.
        kind: key of ``UPSAMPLING``.

    Returns:
        keras.Model, new, that shares nothing with the given one. A plain ``Conv2DTranspose`` loses what matters
        to training alone: the initializer of its bias, regularizers and constraints.

    Raises:
        ValueError: if the kind is unknown, the model cannot be taken apart, or a layer has no exact equal; the
            message names it and says why.

    Reference:
        Shi et al., Is the deconvolution layer the same as a convolutional layer?, 2016, arXiv:1609.07009.

    Example:
        >>> image = keras.Input((8, 8, 3))
        >>> model = keras.Model(image, keras.layers.Conv2DTranspose(2, 4, 2, padding="same", name="up")(image))
        >>> faster = convert_upsampling(model, "depth_to_space")
        >>> type(faster.get_layer("up")).__name__, faster.output_shape
        ('SubpixelConv2DTranspose', (None, 16, 16, 2))
    """
    if kind not in UPSAMPLING:
        raise ValueError(f"kind: expected one of {', '.join(UPSAMPLING)}. Received: {kind!r}")
    if not getattr(model, "inputs", None):
        raise ValueError(f"model: expected a built functional or sequential keras.Model. Received: {model!r}")
    weights, found = [], []

    def clone(layer):
        if _upsamples(layer):
            found.append(layer)
        if _upsamples(layer) and _KINDS[type(layer)] != kind:
            new, values = _exchanged(layer, kind)
        else:
            new, values = type(layer).from_config(layer.get_config()), getattr(layer, "get_weights", list)()
        weights.append((new, values))
        return new

    converted = keras.models.clone_model(model, clone_function=clone, recursive=True)
    if not found:
        raise ValueError(f"model: expected one with upsampling layers. Received: {model.name}, which has none")
    for layer, values in weights:
        if values:
            layer.set_weights(values)
    return converted


def _upsamples(layer):
    return type(layer) in _KINDS and not (type(layer) in _GENERAL.values() and _strides(layer) == (1, 1))


def _exchanged(layer, kind):
    """A layer of another kind that computes the same, not built, and the weights for it, [] for its initial ones."""
    common = {"name": layer.name, "dtype": layer.dtype_policy}
    if type(layer) in _GENERAL.values():
        return _general(layer, kind, common)
    if kind == "bilinear":
        return _resizing(layer, common)
    if type(layer) is BilinearResizing2D:
        return _INTERPOLATING[kind](layer.factor, trainable=False, **common), []
    kernel = _kernel_of_resizing(layer, kind) if type(layer) is ResizeConv2D else layer.get_weights()[0]
    return _INTERPOLATING[kind](layer.factor, trainable=layer.trainable, **common), [kernel]


def _general(layer, kind, common):
    if kind == "bilinear":
        raise _inexact(layer, kind, "a transposed convolution that is not made as an interpolation")
    for name, covered in {"dilation_rate": (1, 1), "output_padding": None, "data_format": "channels_last"}.items():
        value = getattr(layer, name, covered)
        if value != covered:
            raise _inexact(layer, kind, f"{name}={value}, of which only {covered} is covered")
    names = ("trainable", "filters", "kernel_size", "strides", "padding", "activation", "use_bias")
    arguments = {name: getattr(layer, name) for name in (*names, "kernel_initializer")}
    return _GENERAL[kind](**arguments, **common), layer.get_weights()


def _resizing(layer, common):
    kernel = layer.get_weights()[0]                                        # (k, k, C out, C in)
    hat = bilinear_kernel(layer.factor, 1)
    mixing = (kernel * hat).sum((0, 1)) / (hat**2).sum()                   # the nearest of its kind
    if np.abs(kernel - hat * mixing).max() > 1e-6 * np.abs(kernel).max():
        raise _inexact(layer, "bilinear", "a kernel that is no longer an interpolation")
    if not layer.trainable and np.abs(mixing - np.eye(len(mixing))).max() <= 1e-6:
        return BilinearResizing2D(layer.factor, **common), []
    new = ResizeConv2D(layer.factor, trainable=layer.trainable, **common)
    return new, [centred(mixing.T, new.kernel_size)]


def _kernel_of_resizing(layer, kind):
    kernel = layer.get_weights()[0]                                        # (k, k, C in, C out)
    mixing = kernel[layer.kernel_size // 2, layer.kernel_size // 2]
    if not np.array_equal(kernel, centred(mixing, layer.kernel_size)):
        raise _inexact(layer, kind, "a convolution that sees more than the pixel itself, and zeros at the border")
    return bilinear_kernel(layer.factor, 1) * mixing.T


def _strides(layer):
    return (layer.strides, layer.strides) if isinstance(layer.strides, int) else tuple(layer.strides)


def _inexact(layer, kind, reason):
    return ValueError(f"{layer.name}: expected a layer with an exact equal of kind {kind!r}. Received: {reason}")
