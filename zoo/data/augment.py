"""Random views of a photograph and its label map, drawn together, through Pillow."""

import math

import numpy as np
from PIL import Image, ImageEnhance

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
    height, width = crop
    zoom = math.exp(rng.uniform(*np.log(scale)))
    top, left = (
        rng.uniform(*sorted((0.0, size - length / zoom)))
        for size, length in zip(label.shape, crop, strict=True)
    )
    if ignore_label is None and (min(top, left) < 0):
        raise ValueError("scale: expected views inside of the photograph where no label is ignored")
    # Output pixel -> input pixel; a mirrored view runs from right to left.
    flip = rng.random() < 0.5
    across = (-1 / zoom, 0, left + width / zoom) if flip else (1 / zoom, 0, left)
    view = {"size": (width, height), "method": Image.Transform.AFFINE, "data": (*across, 0, 1 / zoom, top)}
    image = Image.fromarray(image).transform(**view, resample=Image.Resampling.BILINEAR, fillcolor=_GREY)
    label = Image.fromarray(label).transform(
        **view, resample=Image.Resampling.NEAREST, fillcolor=ignore_label or 0
    )
    return np.asarray(_tint(image, rng, colour)), np.asarray(label)


def _tint(image, rng, strength):
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color, ImageEnhance.Sharpness)
    for enhance in rng.permutation(kinds):
        image = enhance(image).enhance(1 + strength * rng.uniform(-1, 1))
    cast = 1 + strength / 4 * rng.uniform(-1, 1, 3)  # a light that is not quite white
    gamma = math.exp(strength * rng.uniform(-1, 1))
    table = np.clip(255 * (np.arange(256)[None] / 255) ** gamma * cast[:, None], 0, 255).astype("uint8")
    return image.point(table.ravel().tolist())
