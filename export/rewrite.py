"""Rewriting: layers that a format has no operator for become others of Keras that compute the same.

Every rule is exact but for rounding, and what they make of a model is held against its own answers all the same.
"""

import copy

from .call_parity import answers_of_model, hold_together
from .process import first_line

EXACT = 1e-5  # largest difference of an output that rounding makes, of its range


def rewrite(model, interface, arrays):
    """A model that more formats can hold, and gives the same answer.

    Args:
        model: functional or sequential keras.Model; it stays as it is.
        interface: ``calls.Interface``.
        arrays: list of arrays (N, ...), samples that prove it; see ``interface_of``.

    Returns:
        (keras.Model, which shares nothing with the given one unless it is that; tuple of str, what was changed,
        layer by layer).

    Raises:
        ValueError: if the model cannot be taken apart.
        ParityError: if the model differs from what it was made of, by more than ``EXACT`` of the range of an output.

    Example:
        >>> import keras, numpy as np
        >>> from keras_segattn.export.calls import interface_of
        >>> up = keras.layers.UpSampling2D(2, interpolation="bicubic", name="up")
        >>> model = keras.Sequential([keras.Input((4, 5, 3)), up])
        >>> rewrite(model, *interface_of(model, np.random.default_rng(0).normal(size=(8, 4, 5, 3))))[1]
        ('up: UpSampling2D, as two products with matrices',)
    """
    import keras

    if not getattr(model, "inputs", None):
        kind = type(model).__name__
        raise ValueError(f"rewrite: expected a functional or sequential model, to be taken apart. Received: {kind}")
    changes = []

    def swapped(layer):
        rule, words = RULES.get(type(layer).__name__, (None, "")) if _is_of_keras(layer) else (None, "")
        new = rule(layer) if rule else None
        if new is None:
            return layer
        changes.append(f"{layer.name}: {type(layer).__name__}, as {words}")
        return new

    try:
        whole = copy.deepcopy(model)  # its layers are used again; in the model itself they would have two outputs
        new = keras.models.clone_model(whole, clone_function=swapped, recursive=True)
    except Exception as error:  # of whatever the model is made of
        raise ValueError(f"rewrite: expected a model that Keras can copy. {first_line(error)}") from error
    if not changes:
        return model, ()
    expected, found = (answers_of_model(one, interface, arrays) for one in (model, new))
    hold_together(f"{model.name}, rewritten", expected, found, EXACT, least=1)
    return new, tuple(changes)


def _is_of_keras(layer):
    return type(layer).__module__.split(".")[0] == "keras"


def _shapes(layer):
    """Shapes of input and output without the batch; None unless there is one of each, of known sizes."""
    try:
        shapes = layer.input.shape[1:], layer.output.shape[1:]
    except (AttributeError, ValueError):  # it is used twice, or has several
        return None
    return None if None in (*shapes[0], *shapes[1]) else shapes


def _built(layer, parts, shape, weights=()):
    """Layers in the place of one, under its name."""
    import keras

    new = keras.Sequential([keras.Input(shape), *parts], name=layer.name)
    new.set_weights(list(weights))
    new.trainable = getattr(layer, "trainable", True)
    return new


def _resizing(layer):
    """Each row of the answer is a weighted sum of rows, and each column one of columns."""
    import keras

    plain = layer.interpolation in ("nearest", "bilinear") and not getattr(layer, "antialias", False)
    cuts = getattr(layer, "crop_to_aspect_ratio", False) or getattr(layer, "pad_to_aspect_ratio", False)
    shapes = _shapes(layer)
    if plain or cuts or layer.data_format == "channels_first" or shapes is None or len(shapes[0]) != 3:
        return None
    (height, width, channels), (rows, columns, _) = shapes

    def matrix(length, size):                                              # (length, size)
        one_each = keras.ops.eye(length)[..., None]                        # (length, length, 1)
        how = {"interpolation": layer.interpolation, "antialias": getattr(layer, "antialias", False)}
        sums = keras.ops.image.resize(one_each, (size, length), data_format="channels_last", **how)
        return keras.ops.convert_to_numpy(sums)[..., 0].T

    parts = [
        keras.layers.EinsumDense("bhwc,hr->brwc", (rows, width, channels), trainable=False, name="rows"),
        keras.layers.EinsumDense("brwc,wq->brqc", (rows, columns, channels), trainable=False, name="columns"),
    ]
    return _built(layer, parts, shapes[0], [matrix(height, rows), matrix(width, columns)])


def _transposed(layer):
    """Without strides it is a convolution with the kernel turned around."""
    import keras

    shapes, dilation = _shapes(layer), layer.dilation_rate
    if set(dilation) == {1} or set(layer.strides) != {1} or layer.data_format == "channels_first" or shapes is None:
        return None
    kernel, *bias = layer.get_weights()                                    # (h, w, C out, C in)
    reach = [(size - 1) * step for size, step in zip(layer.kernel_size, dilation, strict=True)]
    same = layer.padding == "same"
    padding = tuple((far - far // 2, far // 2) if same else (far, far) for far in reach)
    convolution = keras.layers.Conv2D(
        layer.filters,
        layer.kernel_size,
        dilation_rate=dilation,
        activation=layer.activation,
        use_bias=layer.use_bias,
        name="convolution",
    )
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return _built(layer, [keras.layers.ZeroPadding2D(padding), convolution], shapes[0], [turned, *bias])


def _pooling(layer):
    """Pooled over rows and columns first, then over the depth."""
    import keras

    shapes = _shapes(layer)
    if layer.data_format == "channels_first" or shapes is None:
        return None
    (depth, height, width, channels), (_, rows, columns, _) = shapes
    flat = getattr(keras.layers, type(layer).__name__.replace("3D", "2D"))
    (deep, *size), (far, *strides) = layer.pool_size, layer.strides
    parts = [
        keras.layers.Permute((2, 3, 1, 4)),                                # (B, H, W, D, C)
        keras.layers.Reshape((height, width, depth * channels)),
        flat(tuple(size), tuple(strides), layer.padding),
        keras.layers.Reshape((rows * columns, depth, channels)),
        flat((1, deep), (1, far), layer.padding),
        keras.layers.Reshape((rows, columns, -1, channels)),
        keras.layers.Permute((3, 1, 2, 4)),                                # (B, D, H, W, C)
    ]
    return _built(layer, parts, shapes[0])


def _argmax(operation):
    """Both take the first of equals. Keras puts -0.0 below 0.0, which here are equal."""
    from keras import ops

    axis = operation.axis
    if axis is None:
        return None

    def best(x):
        index = ops.squeeze(ops.top_k(ops.moveaxis(x, axis, -1), 1)[1], axis=-1)
        return ops.expand_dims(index, axis) if operation.keepdims else index

    return best


# Class of Keras, of a layer or an operation -> (function: layer -> what takes its place or None, what that is).
RULES = {
    "UpSampling2D": (_resizing, "two products with matrices"),
    "Resizing": (_resizing, "two products with matrices"),
    "Resize": (_resizing, "two products with matrices"),
    "Conv2DTranspose": (_transposed, "a convolution with the kernel turned around"),
    "MaxPooling3D": (_pooling, "pooling of rows and columns, and then of the depth"),
    "AveragePooling3D": (_pooling, "pooling of rows and columns, and then of the depth"),
    "Argmax": (_argmax, "the index of top_k"),
}
