"""The image as the models of captions see it: a grid of features."""

from keras import layers

from ..encoders import MAX_STRIDE, encode


def grid_of(image, encoder, weights=None):
    """The last feature map of an encoder, its places in a row. ``model.get_layer("grid")`` gives it.

    Args:
        image: symbolic tensor (B, H, W, 3), RGB, 0..255, H and W known.
        encoder: key of ``ENCODERS``.
        weights: see ``encoders.encode``.

    Returns:
        symbolic tensor (B, L, D), L = ceil(H / 32) * ceil(W / 32), row by row.

    Raises:
        ValueError: if the size is unknown.

    Example:
        >>> import keras
        >>> grid_of(keras.Input((224, 224, 3)), "mobilenet_0.75").shape
        (None, 49, 768)
    """
    if None in image.shape[1:]:
        raise ValueError(f"image_shape: expected (H, W, 3), H and W known. Received: {image.shape[1:]}")
    features = encode(image, encoder, weights=weights)[MAX_STRIDE]         # (B, h, w, D)
    return layers.Reshape((-1, features.shape[-1]), name="grid")(features)


def places_of(model):
    """(h, w) of the places of the image that a model of captions can look at; None of a model that reads text.

    Example:
        >>> from keras_segattn.models import neuraltalk
        >>> places_of(neuraltalk((64, 96, 3), 50, embedding=4, units=6))
        (2, 3)
    """
    return tuple(model.get_layer("grid").input.shape[1:3]) if "image" in model.input else None
