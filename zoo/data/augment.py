"""Random views of a photograph and its label map, drawn together, through Pillow."""

import math

import numpy as np
from PIL import Image, ImageEnhance

from ...images import from_channels, to_channels

_GREY = (127, 127, 127)  # beyond the edge of a photograph


def random_view(image, label, rng, *, crop, scale, colour, ignore_label):
    """A flipped, scaled, cropped and tinted view of an image, and the same view of its labels.

    Args:
        image: uint8 (H, W, 3).
        label: uint8 (H, W).
        rng: numpy Generator; the same state gives the same view.
        crop: (h, w) of the view.
        scale: (low, high) magnification, drawn log-uniformly; below 1 the photograph may leave a margin.
        colour: 0..1, strength of the changes in brightness, contrast, saturation, sharpness, gamma and tint.
        ignore_label: label of the margin.

    Returns:
        (image uint8 (h, w, 3), label uint8 (h, w)).

    Raises:
        ValueError: if ``ignore_label`` is None and the view leaves the photograph.

    Example:
        >>> rng, image = np.random.default_rng(0), np.zeros((360, 480, 3), "uint8")
        >>> view = random_view(
        ...     image, image[..., 0], rng, crop=(64, 96), scale=(1, 2), colour=0.3, ignore_label=255
        ... )
        >>> [part.shape for part in view]
        [(64, 96, 3), (64, 96)]
    """
    zoom, top, left = _place(label.shape, rng, crop, scale)
    if ignore_label is None and (min(top, left) < 0):
        raise ValueError("scale: expected views inside of the photograph where no label is ignored")
    view = _view(crop, zoom, top, left, flip=rng.random() < 0.5)
    image = Image.fromarray(image).transform(**view, resample=Image.Resampling.BILINEAR, fillcolor=_GREY)
    label = Image.fromarray(label).transform(
        **view, resample=Image.Resampling.NEAREST, fillcolor=ignore_label or 0
    )
    return np.asarray(_tint(image, rng, colour)), np.asarray(label)


def random_look(image, rng, *, scale, colour):
    """A scaled, shifted and tinted view of an image of one thing: not mirrored, for a letter would be another.

    Args:
        image: uint8 (H, W, C), C in 1..3.
        rng: numpy Generator; the same state gives the same view.
        scale: (low, high) magnification, drawn log-uniformly; from 1 on, nothing beyond the edge is seen.
        colour: 0..1, see ``random_view``.

    Returns:
        uint8 (H, W, C).

    Example:
        >>> random_look(np.zeros((28, 28, 1), "uint8"), np.random.default_rng(0), scale=(1, 1.2), colour=0.3).shape
        (28, 28, 1)
    """
    height, width, channels = image.shape
    view = _view((height, width), *_place((height, width), rng, (height, width), scale))
    picture = Image.fromarray(from_channels(image))
    picture = picture.transform(**view, resample=Image.Resampling.BILINEAR, fillcolor=_GREY)
    return to_channels(np.asarray(_tint(picture, rng, colour)), channels)


def _place(size, rng, crop, scale):
    """Magnification of a view, and the place of its upper left corner in an image of a size."""
    zoom = math.exp(rng.uniform(*np.log(scale)))
    corner = (rng.uniform(*sorted((0.0, whole - part / zoom))) for whole, part in zip(size, crop, strict=True))
    return (zoom, *corner)


def _view(crop, zoom, top, left, flip=False):
    """How Pillow transforms an image into a view: output pixel -> input pixel; a mirrored one runs from the right."""
    height, width = crop
    across = (-1 / zoom, 0, left + width / zoom) if flip else (1 / zoom, 0, left)
    return {"size": (width, height), "method": Image.Transform.AFFINE, "data": (*across, 0, 1 / zoom, top)}


def _tint(image, rng, strength):
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color, ImageEnhance.Sharpness)
    for enhance in rng.permutation(kinds):
        image = enhance(image).enhance(1 + strength * rng.uniform(-1, 1))
    cast = 1 + strength / 4 * rng.uniform(-1, 1, 3)  # a light that is not quite white
    gamma = math.exp(strength * rng.uniform(-1, 1))
    table = np.clip(255 * (np.arange(256)[None] / 255) ** gamma * cast[:, None], 0, 255).astype("uint8")
    return image.point(table.ravel().tolist())
