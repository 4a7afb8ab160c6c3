"""Photographs in, masks out: what stands on either side of a model, with numpy and Pillow alone.

A photograph is a ``uint8`` array ``(H, W, 3)``, RGB, 0..255, the right way up. A label map is a ``uint8``
array ``(H, W)`` of class indices; an index without a colour in the palette is void, and black.

    >>> photo = np.arange(24, dtype="uint8").reshape(2, 4, 3)
    >>> restore(fit(photo, 4, 8)[..., 0], 2, 4).shape
    (2, 4)
"""

import contextlib
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

__all__ = [
    "ImageError",
    "class_shares",
    "colorize",
    "fit",
    "from_channels",
    "overlay",
    "read_image",
    "restore",
    "to_channels",
    "write_image",
    "write_mask",
]

# Read by Pillow itself, safe on a stranger's file (EPS, for one, would start Ghostscript).
READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")

WRITE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

# What brings the picture stored under each value of the EXIF orientation tag upright; 1 is upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(ValueError):
    """A picture cannot be read or written; one line that names the file and the reason."""


def read_image(path):
    """Read any photograph as upright 8-bit RGB.

    The EXIF orientation is applied. Grey and palette pictures become RGB, transparency is laid over white,
    16-bit grey is scaled to 8 bits, CMYK is converted without its colour profile. Of an animation or a
    document the first frame or page is read.

    Args:
        path: A file in one of ``READ_FORMATS``, of at most ``2 * PIL.Image.MAX_IMAGE_PIXELS``
            (179 million) pixels. Reading takes about 14 bytes of memory a pixel.

    Returns:
        A ``uint8`` array ``(H, W, 3)``, 0..255.

    Raises:
        ImageError: The file is missing, empty, damaged or too large, is truncated (as long as nobody sets
            Pillow's ``LOAD_TRUNCATED_IMAGES``), is no picture in one of ``READ_FORMATS``, or its pixels
            have no known range (floating point, integers beyond 16 bits).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_image(f"{folder}/photo.png", np.arange(18, dtype="uint8").reshape(2, 3, 3))
        ...     read_image(f"{folder}/photo.png")[1, 2]
        array([15, 16, 17], dtype=uint8)
    """
    path = os.fspath(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken EXIF, and of 90 to 179 megapixels: both are read
            with Image.open(path, formats=READ_FORMATS) as image:
                image.load()
                return np.array(_upright(image, _rgb(image)))
    except Image.UnidentifiedImageError:
        expected = f"not a picture in a format that is read ({', '.join(READ_FORMATS)}), or a damaged one"
        reason = expected if os.path.getsize(path) else "the file is empty"
    except Exception as error:  # Pillow's readers raise nearly anything on a damaged file
        reason = _reason(error)
    raise ImageError(f"cannot read {path!r}: {reason}")


def fit(image, height, width):
    """Resize a photograph to the input size of a model: bilinear, antialiased, stretched to fill.

    Args:
        image: ``uint8`` array ``(h, w, 3)``.
        height: Height of the result in pixels, positive.
        width: Width of the result in pixels, positive.

    Returns:
        A ``uint8`` array ``(height, width, 3)``.

    Raises:
        ValueError: ``image`` has another shape or dtype, or a size is not a positive integer.

    Example:
        >>> fit(np.array([[[0, 10, 20], [100, 110, 120]]], "uint8"), 1, 1)
        array([[[50, 60, 70]]], dtype=uint8)
    """
    return _resize(_checked_image(image), height, width, Image.Resampling.BILINEAR)


def restore(label_map, height, width):
    """Resize a label map back to the size of its photograph: nearest neighbour, so no new label appears.

    Args:
        label_map: ``uint8`` array ``(h, w)`` of class indices.
        height: Height of the result in pixels, positive.
        width: Width of the result in pixels, positive.

    Returns:
        A ``uint8`` array ``(height, width)``.

    Raises:
        ValueError: ``label_map`` has another shape or dtype, or a size is not a positive integer.

    Example:
        >>> restore(np.array([[0, 7]], "uint8"), 2, 4)
        array([[0, 0, 7, 7],
               [0, 0, 7, 7]], dtype=uint8)
    """
    return _resize(_checked_label_map(label_map), height, width, Image.Resampling.NEAREST)


def to_channels(image, channels):
    """Take from a photograph the channels that a model sees.

    Args:
        image: ``uint8`` array ``(H, W, 3)``.
        channels: 1 for its luminance, 2 for red and green, 3 for all.

    Returns:
        A ``uint8`` array ``(H, W, channels)``.

    Raises:
        ValueError: ``image`` has another shape or dtype, or ``channels`` is none of these.

    Example:
        >>> to_channels(np.full((1, 1, 3), 7, "uint8"), 1)
        array([[[7]]], dtype=uint8)
    """
    image = _checked_image(image)
    if channels == 1:
        return np.array(Image.fromarray(image).convert("L"))[..., None]
    if channels not in (2, 3):
        raise ValueError(f"channels must be 1, 2 or 3. Received: {channels!r}")
    return image[..., :channels]


def from_channels(image):
    """Show what a model sees as a picture: the other way round of ``to_channels``.

    Args:
        image: ``uint8`` array ``(H, W, C)``, C in 1..3.

    Returns:
        A ``uint8`` array ``(H, W, 3)``: grey for one channel, red and green for two.

    Raises:
        ValueError: ``image`` has another shape or dtype.

    Example:
        >>> from_channels(np.array([[[200, 100]]], "uint8"))
        array([[[200, 100,   0]]], dtype=uint8)
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 2, 3):
        raise ValueError(f"image must be uint8 of shape (H, W, 1..3). Received: {image.dtype} {image.shape}")
    if image.shape[2] == 1:
        return image.repeat(3, axis=2)
    return np.pad(image, ((0, 0), (0, 0), (0, 3 - image.shape[2])))


def colorize(label_map, palette):
    """Paint a label map in the colours of its classes.

    Args:
        label_map: ``uint8`` array ``(H, W)``; labels from K on are void, and black.
        palette: Integers ``(K, 3)``, RGB, 0..255, for 1 to 256 classes.

    Returns:
        A ``uint8`` array ``(H, W, 3)``.

    Raises:
        ValueError: An argument has another shape, dtype or range.

    Example:
        >>> colorize(np.array([[1, 255]], "uint8"), [(0, 0, 9), (0, 8, 0)])
        array([[[0, 8, 0],
                [0, 0, 0]]], dtype=uint8)
    """
    return np.array(_palette_image(label_map, palette).convert("RGB"))


def overlay(image, label_map, palette, opacity=0.5):
    """Lay the colours of a label map over its photograph.

    Args:
        image: ``uint8`` array ``(H, W, 3)``.
        label_map: ``uint8`` array ``(H, W)``; labels from K on are void, and darken.
        palette: Integers ``(K, 3)``, RGB, 0..255, for 1 to 256 classes.
        opacity: Share of the colour in the result, 0..1; 0 is the photograph, 1 is ``colorize``.

    Returns:
        A ``uint8`` array ``(H, W, 3)``.

    Raises:
        ValueError: An argument has another shape, dtype or range, or photograph and label map differ in size.

    Example:
        >>> overlay(np.array([[[0, 100, 200]]], "uint8"), np.array([[0]], "uint8"), [(100, 100, 100)])
        array([[[ 50, 100, 150]]], dtype=uint8)
    """
    image, mask = _checked_image(image), _palette_image(label_map, palette)
    if mask.size != image.shape[1::-1]:
        size = mask.size[::-1]
        raise ValueError(f"label_map must be as large as image, {image.shape[:2]}. Received: {size}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must lie in 0..1. Received: {opacity}")
    return np.array(Image.blend(Image.fromarray(image), mask.convert("RGB"), opacity))


def class_shares(label_map, num_classes):
    """Measure the share of the picture that each class covers.

    Args:
        label_map: ``uint8`` array ``(H, W)``; labels from K on are void and count for no class.
        num_classes: K, 1..256.

    Returns:
        A ``float64`` array ``(K,)``, 0..1, whose sum is 1 less the share of void.

    Raises:
        ValueError: An argument has another shape, dtype or range.

    Example:
        >>> class_shares(np.array([[0, 1], [1, 255]], "uint8"), 3)
        array([0.25, 0.5 , 0.  ])
    """
    label_map = _checked_label_map(label_map)
    if not isinstance(num_classes, int | np.integer) or not 1 <= num_classes <= 256:
        raise ValueError(f"num_classes must be an integer in 1..256. Received: {num_classes!r}")
    pixels = Image.fromarray(label_map).histogram()
    return np.array(pixels[:num_classes]) / label_map.size


def write_mask(path, label_map, palette):
    """Write a label map as an 8-bit palette PNG: the pixels are class indices, shown in class colours.

    The file appears whole or not at all; an older one stays until then.

    Args:
        path: Where to write; ends in ``.png``.
        label_map: ``uint8`` array ``(H, W)``; labels from K on are kept, and shown black.
        palette: Integers ``(K, 3)``, RGB, 0..255, for 1 to 256 classes.

    Raises:
        ValueError: An argument has another shape, dtype or range, or the suffix is not ``.png``.
        ImageError: The file cannot be written there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_mask(f"{folder}/mask.png", np.array([[1, 0]], "uint8"), [(9, 0, 0), (0, 9, 0)])
        ...     np.array(Image.open(f"{folder}/mask.png"))
        array([[1, 0]], dtype=uint8)
    """
    _save(path, _palette_image(label_map, palette), formats={".png": "PNG"})


def write_image(path, image):
    """Write a picture in the format that the suffix of its path names.

    The file appears whole or not at all; an older one stays until then.

    Args:
        path: Where to write; ends in one of ``WRITE_FORMATS``. PNG is lossless.
        image: ``uint8`` array ``(H, W, 3)``.

    Raises:
        ValueError: ``image`` has another shape or dtype, or the suffix is unknown.
        ImageError: The file cannot be written there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_image(f"{folder}/photo.jpg", np.zeros((2, 3, 3), "uint8"))
        ...     os.listdir(folder)
        ['photo.jpg']
    """
    _save(path, Image.fromarray(_checked_image(image)), formats=WRITE_FORMATS)


def _rgb(image):
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; save it with 8 or 16 bits a channel")
    if image.mode.startswith("I"):  # I;16 and its byte orders, or I: Pillow would clip them at 255
        grey = np.asarray(image)
        if grey.min() < 0 or grey.max() > 65535:
            raise ValueError(f"pixels must lie in 0..65535. Received: {grey.min()}..{grey.max()}")
        image = Image.fromarray(((grey.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image)
        return paper
    return image if image.mode == "RGB" else image.convert("RGB")


def _upright(file, image):
    try:
        orientation = file.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # broken EXIF does not spoil the picture
        return image
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _resize(array, height, width, resample):
    for name, size in (("height", height), ("width", width)):
        if not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"{name} must be a positive integer. Received: {size!r}")
    return np.array(Image.fromarray(array).resize((width, height), resample))


def _palette_image(label_map, palette):
    image = Image.fromarray(_checked_label_map(label_map))
    colors = np.asarray(palette)
    shaped = colors.ndim == 2 and colors.shape[1] == 3 and 1 <= len(colors) <= 256
    if not shaped or colors.dtype.kind not in "iu":
        raise ValueError(
            f"palette must be integers of shape (K, 3), K in 1..256. Received: {colors.dtype} {colors.shape}"
        )
    if colors.min() < 0 or colors.max() > 255:
        raise ValueError(f"palette must lie in 0..255. Received: {colors.min()}..{colors.max()}")
    table = np.zeros((256, 3), np.uint8)  # whole, so that void is black and the PNG has 8 bits a pixel
    table[: len(colors)] = colors
    image.putpalette(table.tobytes())
    return image


def _checked_image(image):
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or not image.size:
        raise ValueError(f"image must be uint8 of shape (H, W, 3). Received: {image.dtype} {image.shape}")
    return image


def _checked_label_map(label_map):
    label_map = np.asarray(label_map)
    if label_map.dtype != np.uint8 or label_map.ndim != 2 or not label_map.size:
        raise ValueError(
            f"label_map must be uint8 of shape (H, W). Received: {label_map.dtype} {label_map.shape}"
        )
    return label_map


def _save(path, image, formats):
    path = Path(path)
    if path.suffix.lower() not in formats:
        raise ValueError(f"path must end in {' or '.join(formats)}. Received: {str(path)!r}")
    part = path.with_name(f".{os.urandom(8).hex()}.part")  # tempfile's would be readable by its owner alone
    try:
        with open(part, "xb") as file:
            image.save(file, formats[path.suffix.lower()], quality=95)
        os.replace(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, Exception):
            raise ImageError(f"cannot write {str(path)!r}: {_reason(error)}") from error
        raise


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
