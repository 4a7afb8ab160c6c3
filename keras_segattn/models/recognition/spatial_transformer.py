"""Spatial transformer networks for recognition, and the plain networks that they are compared with.

Reference: Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial Transformer Networks, NIPS 2015, section 4.1.
"""

import keras
from keras import layers

from ...layers import BilinearSampler, SpatialTransformer


def cnn(image_shape, num_classes, *, filters=(35, 64), kernel_sizes=(9, 7), units=(), dropout=0.0):
    """The paper's CNN: convolutions without padding, each followed by a ReLU and 2x2 max pooling; dense layers.

    Args:
        image_shape: (H, W, C).
        num_classes: int >= 2, K.
        filters: of each convolution.
        kernel_sizes: of each convolution.
        units: of each dense layer before the one of the classes.
        dropout: rate of dropout before each dense layer, 0..1.

    Returns:
        keras.Model: ``image`` (B, H, W, C), 0..255 -> ``logits`` (B, K), unnormalised.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> cnn((28, 28, 1), num_classes=10).output_shape
        (None, 10)
    """
    image = _image(image_shape, num_classes)
    x = layers.Rescaling(1 / 255, name="rescaling")(image)
    logits = _classify(_convolve(x, filters, kernel_sizes), num_classes, units, dropout)
    return keras.Model(image, logits, name="cnn")


def fully_connected(image_shape, num_classes, *, units=(272, 208), dropout=0.0):
    """The paper's FCN, which is short for fully connected: dense layers alone. Arguments as ``cnn``.

    Returns:
        keras.Model: ``image`` (B, H, W, C), 0..255 -> ``logits`` (B, K), unnormalised.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> fully_connected((28, 28, 1), num_classes=10).output_shape
        (None, 10)
    """
    image = _image(image_shape, num_classes)
    x = layers.Rescaling(1 / 255, name="rescaling")(image)
    return keras.Model(image, _classify(x, num_classes, units, dropout), name="fully_connected")


def st_cnn(
    image_shape,
    num_classes,
    *,
    transform="affine",
    output_size=None,
    transformers=1,
    arrangement="row",
    localization_filters=(20, 20),
    localization_units=20,
    filters=(32, 64),
    kernel_sizes=(9, 7),
    units=(),
    dropout=0.0,
):
    """ST-CNN: spatial transformers straighten the image, ``cnn`` reads what they give.

    Args:
        image_shape: (H, W, C).
        num_classes: int >= 2, K.
        transform: "affine", "attention", "projective" or "thin_plate_spline"; see ``SpatialTransformer``.
        output_size: (h, w) of what each transformer gives; None for that of the image.
        transformers: how many of them, >= 1.
        arrangement: "row", each looks at what the one before gives; or "parallel", all look at the image, and the
            CNN sees what they give as channels side by side.
        localization_filters: of the 5x5 convolutions of each localization net, which sees the image at half its size.
        localization_units: of its dense layer.
        filters: of each convolution of the CNN; this and what follows as ``cnn``.
        kernel_sizes: of each convolution.
        units: of each dense layer before the one of the classes.
        dropout: rate of dropout before each dense layer, 0..1.

    Returns:
        keras.Model: ``image`` (B, H, W, C), 0..255 -> ``logits`` (B, K), unnormalised; ``attention`` gives the grids.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> st_cnn((42, 42, 1), num_classes=10, output_size=(28, 28)).output_shape
        (None, 10)
    """
    image = _image(image_shape, num_classes)
    x = layers.Rescaling(1 / 255, name="rescaling")(image)
    look = {"transform": transform, "output_size": output_size}
    net = {"filters": localization_filters, "units": localization_units}
    x = _transform(x, transformers, arrangement, look, net)                # (B, h, w, C), or (B, h, w, n C)
    logits = _classify(_convolve(x, filters, kernel_sizes), num_classes, units, dropout)
    return keras.Model(image, logits, name="st_cnn")


def st_fully_connected(
    image_shape,
    num_classes,
    *,
    transform="affine",
    output_size=None,
    transformers=1,
    arrangement="row",
    localization_units=32,
    units=(256, 180),
    dropout=0.0,
):
    """ST-FCN: as ``st_cnn``, with dense layers alone, in the localization nets too.

    Returns:
        keras.Model: ``image`` (B, H, W, C), 0..255 -> ``logits`` (B, K), unnormalised; ``attention`` gives the grids.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> st_fully_connected((28, 28, 1), num_classes=10, transform="projective").output_shape
        (None, 10)
    """
    image = _image(image_shape, num_classes)
    x = layers.Rescaling(1 / 255, name="rescaling")(image)
    look = {"transform": transform, "output_size": output_size}
    net = {"filters": (), "units": localization_units}
    x = _transform(x, transformers, arrangement, look, net)
    return keras.Model(image, _classify(x, num_classes, units, dropout), name="st_fully_connected")


def attention(model):
    """Where each spatial transformer of a model looks.

    Args:
        model: functional keras.Model with ``SpatialTransformer`` layers called with ``return_grid=True``.

    Returns:
        keras.Model, ``image`` -> dict: ``<layer>_theta`` (B, P), the transformation, and ``<layer>_grid`` (B, h, w, 2),
        the place of each sample as x, y, -1..1 from edge to edge of what that layer sees; in a row of transformers of
        what the first one sees, and at the edge where a later one looks past what the one before gives.

    Raises:
        ValueError: if the model has no such layer.

    Example:
        >>> sorted(attention(st_cnn((28, 28, 1), num_classes=10)).output)
        ['transformer_grid', 'transformer_theta']
    """
    outputs, places = {}, {}
    for layer in transformers(model):
        warped, theta, grid = layer.output
        if id(layer.input) in places:
            chained = BilinearSampler("border", layer.align_corners, name=f"{layer.name}_places", dtype="float32")
            grid = chained([places[id(layer.input)], grid])
        places[id(warped)] = grid
        outputs |= {f"{layer.name}_theta": theta, f"{layer.name}_grid": grid}
    if not outputs:
        raise ValueError(f"model: expected SpatialTransformer layers with return_grid=True. {model.name} has none")
    return keras.Model(model.inputs, outputs)


def transformers(model):
    """The spatial transformers of a model that show their grids.

    Args:
        model: keras.Model.

    Returns:
        list of ``SpatialTransformer``, as the data flows; empty if there is none.

    Example:
        >>> [layer.name for layer in transformers(st_cnn((28, 28, 1), num_classes=10, transformers=2))]
        ['transformer_1', 'transformer_2']
    """
    layers_of = getattr(model, "layers", ())
    return [layer for layer in layers_of if isinstance(layer, SpatialTransformer) and len(layer._inbound_nodes) == 1
            and isinstance(layer.output, (tuple, list))]  # fmt: skip


def _image(image_shape, num_classes):
    if len(image_shape) != 3 or any(not isinstance(n, int) or n < 1 for n in image_shape):
        raise ValueError(f"image_shape: expected (H, W, C), each >= 1. Received: {image_shape!r}")
    if not isinstance(num_classes, int) or num_classes < 2:
        raise ValueError(f"num_classes: expected an integer >= 2. Received: {num_classes!r}")
    return keras.Input(image_shape, name="image")                          # (B, H, W, C), 0..255


def _transform(image, transformers, arrangement, look, net):
    if arrangement not in ("row", "parallel"):
        raise ValueError(f"arrangement: expected row or parallel. Received: {arrangement!r}")
    if not isinstance(transformers, int) or transformers < 1:
        raise ValueError(f"transformers: expected an integer >= 1. Received: {transformers!r}")
    names = ["transformer"] if transformers == 1 else [f"transformer_{i + 1}" for i in range(transformers)]
    x, seen = image, []
    for name in names:
        transformer = SpatialTransformer(_localization(name, **net), **look, name=name)
        x, _, _ = transformer(x if arrangement == "row" else image, return_grid=True)  # (B, h, w, C)
        seen.append(x)
    return x if len(seen) == 1 or arrangement == "row" else layers.Concatenate(name="looks")(seen)


def _localization(name, filters, units):
    """The net that finds where to look: (B, H, W, C) -> (B, units)."""
    net = [layers.AveragePooling2D(2, name="half")] if filters else []
    for i, count in enumerate(filters):
        net.append(layers.Conv2D(count, 5, activation="relu", name=f"conv_{i + 1}"))
        net.append(layers.MaxPooling2D(padding="same", name=f"pool_{i + 1}"))
    net += [layers.Flatten(name="flatten"), layers.Dense(units, activation="relu", name="dense")]
    return keras.Sequential(net, name=f"{name}_localization")


def _convolve(x, filters, kernel_sizes):
    for i, (count, size) in enumerate(zip(filters, kernel_sizes, strict=True)):
        x = layers.Conv2D(count, size, activation="relu", name=f"conv_{i + 1}")(x)
        x = layers.MaxPooling2D(name=f"pool_{i + 1}")(x)
    return x


def _classify(x, num_classes, units, dropout):
    x = layers.Flatten(name="flatten")(x)
    for i, count in enumerate(units):
        x = layers.Dropout(dropout, name=f"dropout_{i + 1}")(x)
        x = layers.Dense(count, activation="relu", name=f"dense_{i + 1}")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(num_classes, name="logits")(x)                     # (B, K)
