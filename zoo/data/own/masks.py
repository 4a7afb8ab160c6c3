"""Masks of one's own: what their pixel values mean, found by looking at all of them."""

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ....images import READ_FORMATS
from ..dataset import DataError

VOID = 255
MOST_CLASSES = 64  # more values, or colours, are no classes
APART = 16  # greys that far from each other were chosen to be seen, and are no indices
KINDS = {
    "index": "each value a class",
    "foreground": "dark and light",
    "instances": "numbers of the objects of one class, or name the classes in classes.txt",
    "grey": "each grey a class",
    "colour": "each colour a class",
}  # what masks mean, in words
# Colours of classes that have none of their own: far from each other, light and dark.
COLOURS = (
    (0, 0, 0), (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48), (145, 30, 180),
    (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212), (0, 128, 128), (220, 190, 255), (170, 110, 40),
    (255, 250, 200), (128, 0, 0), (170, 255, 195), (128, 128, 0), (255, 215, 180), (0, 0, 128), (128, 128, 128),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MaskKind:
    """How a mask becomes a label map.

    Args:
        kind: key of ``KINDS``:

            - "index": each value is a class, 255 is void;
            - "foreground": what is below ``keys[0]`` is background, all else the object;
            - "instances": 0 is background, every other value one object of the same class: so are masks with the values
              0 to n, where n is another in many of them;
            - "grey": each grey is a class, in the order of ``keys``;
            - "colour": each colour is a class, in the order of ``keys``.
        classes: names, in the order of their labels.
        palette: colours (red, green, blue), 0..255, in that order.
        keys: greys or colours of the classes; of "foreground" the least grey of the object.

    Example:
        >>> kind = MaskKind(kind="foreground", classes=("background", "object"), palette=COLOURS[:2], keys=(128,))
        >>> kind.labels(np.array([[0, 255]], "uint8")).tolist()
        [[0, 1]]
    """

    kind: str
    classes: tuple
    palette: tuple
    keys: tuple = ()

    def label_of(self, value):
        """The label of a value of a mask; ``VOID`` or the value itself of what is no class, see ``labels``.

        Example:
            >>> MaskKind(kind="grey", classes=("a", "b"), palette=COLOURS[:2], keys=(7, 90)).label_of(90)
            1
        """
        return int(self.labels(np.array([[value]], "uint8"))[0, 0])

    def labels(self, mask):
        """The label map of a mask.

        Args:
            mask: uint8 (H, W), or (H, W, 3) of "colour", see ``read_mask``.

        Returns:
            uint8 (H, W); what is no class is ``VOID``, or left as it is of "index".
        """
        if self.kind == "index":
            return mask
        if self.kind in ("foreground", "instances"):
            return (mask >= (*self.keys, 1)[0]).astype("uint8")
        if self.kind == "colour" and mask.ndim == 2:
            mask = mask[..., None].repeat(3, -1)
        labels = np.full(mask.shape[:2], VOID, "uint8")
        for label, key in enumerate(self.keys):
            labels[(mask == key) if self.kind == "grey" else (mask == key).all(-1)] = label
        return labels


def read_mask(path, in_colour=False):
    """The pixel values of a mask: indices where it has a palette, else its greys or colours.

    Args:
        path: of an image.
        in_colour: whether the colours of a palette are meant, see ``colours_are_meant``.

    Returns:
        uint8 (H, W), or (H, W, 3) of a mask in colour.

    Raises:
        DataError: if it cannot be read, or has more than 8 bits.

    Example:
        >>> Image.new("1", (3, 2), 1).save("mask.png")
        >>> read_mask("mask.png").tolist()
        [[1, 1, 1], [1, 1, 1]]
    """
    try:
        with Image.open(path, formats=READ_FORMATS) as picture:
            if picture.mode in ("RGBA", "LA", "CMYK", "YCbCr") or in_colour and picture.mode == "P":
                picture = picture.convert("L" if picture.mode == "LA" else "RGB")
            mask = np.array(picture)
    except Exception as error:  # Pillow raises nearly anything on a damaged file
        raise DataError(f"{path}: expected a mask. Pillow cannot read it: {error}") from error
    if mask.dtype == bool:
        return mask.astype("uint8")
    if mask.dtype != np.uint8:
        if mask.ndim != 2 or mask.min() < 0 or mask.max() > VOID:
            raise DataError(f"{path}: expected 8-bit values. Received: {mask.dtype}, {mask.min()} to {mask.max()}")
        mask = mask.astype("uint8")
    if mask.ndim == 3 and (mask[..., :1] == mask).all():
        return mask[..., 0]
    return mask


def counts_of(mask):
    """The values in a mask: dict, int or (red, green, blue) -> pixels; of colours no more than 256.

    Example:
        >>> counts_of(np.array([[0, 3], [3, 0]], "uint8"))
        {0: 2, 3: 2}
    """
    if mask.ndim == 2:
        counts = np.bincount(mask.ravel())
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    packed = mask.astype("uint32") @ np.array([65536, 256, 1], "uint32")
    found = zip(*(part[: 4 * MOST_CLASSES].tolist() for part in np.unique(packed, return_counts=True)), strict=True)
    return {(value >> 16, value >> 8 & 255, value & 255): count for value, count in found}


def colours_of(path, values):
    """The colours that the palette of a mask gives to its values.

    Args:
        path: of an image that ``read_mask`` reads.
        values: of its pixels.

    Returns:
        dict: value -> (red, green, blue), empty if it has no palette.

    Example:
        >>> picture = Image.new("P", (3, 2), 1)
        >>> picture.putpalette([0, 0, 0, 64, 0, 128])
        >>> picture.save("mask.png")
        >>> colours_of("mask.png", [1])
        {1: (64, 0, 128)}
    """
    with Image.open(path, formats=READ_FORMATS) as picture:
        flat = (picture.getpalette("RGB") or ()) if picture.mode == "P" else ()
    return {value: tuple(flat[3 * value : 3 * value + 3]) for value in values if flat and 3 * value < len(flat)}


def colours_are_meant(palettes, named=None):
    """Whether the palettes of masks say what is meant, and not the indices.

    So it is where an index has one colour in this mask and another in that, as those who save fewer colours make it, or
    the colour of another class than its own.

    Args:
        palettes: list of what ``colours_of`` says of each mask.
        named: see ``kind_of``.

    Example:
        >>> colours_are_meant([{1: (64, 0, 128)}, {1: (0, 0, 0), 2: (64, 0, 128)}])
        True
        >>> colours_are_meant([{1: (64, 0, 128)}], [("car", (64, 0, 128)), ("road", (0, 0, 0))])
        True
    """
    given = [colour for _, colour in named or ()]
    if None in given:
        return False
    pairs = {pair for palette in palettes for pair in palette.items()}
    if len({index for index, _ in pairs}) < len(pairs):
        return True
    return any(colour in given and given[index : index + 1] != [colour] for index, colour in pairs)


def kind_of(counts, named=None):
    """What masks mean, by the values of each.

    Args:
        counts: list of what ``counts_of`` says of each mask that can be read.
        named: list of (name, colour or None) of the classes, or None if nobody names them.

    Returns:
        ``MaskKind``.

    Raises:
        DataError: if there are too many values for classes, or fewer than two.

    Example:
        >>> kind_of([{0: 9, 255: 3}, {0: 12}]).classes
        ('background', 'object')
        >>> kind_of([{0: 9, 1: 3}, {0: 7, 1: 2, 2: 3}, {0: 7, 1: 2, 2: 3, 3: 1}]).kind
        'instances'
        >>> kind_of([{0: 9, 2: 3}, {0: 9, 1: 2, 255: 1}]).classes
        ('class 0', 'class 1', 'class 2')
    """
    found = set().union(*counts)
    in_colour = any(isinstance(value, tuple) for value in found)
    if in_colour:
        found = {value if isinstance(value, tuple) else (value,) * 3 for value in found}
    if named is not None:
        return _named(named, counts, found, in_colour)
    foreground = {"kind": "foreground", "classes": ("background", "object"), "palette": COLOURS[:2]}
    if not in_colour and _is_nearly_two(counts):
        return MaskKind(**foreground, keys=(128,))
    if len(found) > MOST_CLASSES + 1:
        raise DataError(
            f"masks: expected at most {MOST_CLASSES} classes. Found {len(found)} values or more: "
            "JPEG and smooth resizing make new ones; or name the classes with their colours in classes.txt"
        )
    if in_colour:
        return _numbered("colour", sorted(found))
    if found <= {0, 1}:
        return MaskKind(**foreground, keys=(1,))
    if min(np.diff(sorted(found)), default=0) >= APART:
        return _numbered("grey", sorted(found))
    classes = found - {VOID}
    if _are_numbered(counts):
        return MaskKind(**{**foreground, "kind": "instances"})
    if max(classes) >= MOST_CLASSES:
        many = sum(max(classes) in one for one in counts)
        raise DataError(
            f"masks: expected values of classes, below {MOST_CLASSES}, or their names in classes.txt. "
            f"Found {max(classes)}, in {many} of {len(counts)} masks"
        )
    names = tuple(f"class {index}" for index in range(max(classes) + 1))
    return MaskKind(kind="index", classes=names, palette=palette(len(names)))


def _are_numbered(counts):
    """Whether each mask has the values 0..n, n its own: the objects of one class, counted.

    One to three objects must have been counted: a tumour in a liver is none of them.
    """
    return len({*map(len, counts)} - {1}) > 2 and all({*one} == {*range(len(one))} for one in counts)


def _is_nearly_two(counts):
    """Whether there are but black and white, or greys that are nearly all nearly one of these, as JPEG makes them."""
    found = set().union(*counts)
    if not any(239 < value < VOID for value in found):
        return VOID in found and found <= {0, VOID}
    total = sum(sum(one.values()) for one in counts)
    outer = sum(pixels for one in counts for value, pixels in one.items() if value < 16 or value > 239)
    return outer > 0.9 * total


def palette(count, given=()):
    """Colours of classes: those that are given, else ``COLOURS``, over and over.

    Example:
        >>> palette(2, [(1, 2, 3), None])
        ((1, 2, 3), (230, 25, 75))
    """
    given = [*given, *[None] * count][:count]
    return tuple(colour or COLOURS[index % len(COLOURS)] for index, colour in enumerate(given))


def _numbered(kind, keys):
    what = "grey" if kind == "grey" else "colour"
    names = tuple(f"{what} {key if kind == 'grey' else ' '.join(map(str, key))}" for key in keys)
    colours = keys if kind == "colour" else palette(len(keys))
    return MaskKind(kind=kind, classes=names, palette=tuple(colours), keys=tuple(keys))


def _named(named, counts, found, in_colour):
    names, colours = tuple(name for name, _ in named), tuple(colour for _, colour in named)
    if in_colour:
        if None in colours:
            raise DataError("classes.txt: expected a colour for each class, as 'car 64 0 128', for masks in colour")
        return MaskKind(kind="colour", classes=names, palette=colours, keys=colours)
    facts = {"classes": names, "palette": palette(len(names), colours)}
    greys = tuple(colour[0] for colour in colours if colour and len({*colour}) == 1)
    if len(greys) == len(names) and found <= {*greys, VOID}:
        return MaskKind(kind="grey", keys=greys, **facts)
    if not found - {VOID} <= {*range(len(names))} or found == {0, VOID}:  # else they are the indices of the classes
        if len(names) == 2 and _is_nearly_two(counts):
            if greys == tuple(sorted(greys, reverse=True)) and len(greys) == 2:  # black comes first, whatever its line
                facts = {key: value[::-1] for key, value in facts.items()}
            return MaskKind(kind="foreground", keys=(128,), **facts)
        if len(names) == 2 and _are_numbered(counts):
            return MaskKind(kind="instances", **facts)
        if len(names) == len(found) and min(np.diff(sorted(found))) >= APART:
            return MaskKind(kind="grey", keys=tuple(sorted(found)), **facts)
    return MaskKind(kind="index", **facts)


def read_classes(text):
    """The classes of a ``classes.txt``: a line each, a name, perhaps with its colour before or behind it.

    A line that begins with # says nothing. CVAT's ``labelmap.txt``, as ``car:64,0,128::``, is understood, too.

    Args:
        text: str.

    Returns:
        list of (name, (red, green, blue) or None).

    Raises:
        DataError: if a name comes twice, or there are fewer than two.

    Example:
        >>> read_classes("background\\ncar 64 0 128\\n255 0 0\\tsign post")
        [('background', None), ('car', (64, 0, 128)), ('sign post', (255, 0, 0))]
    """
    classes = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        of_cvat = re.fullmatch(r"([^:]+):(\d+),(\d+),(\d+):.*", line)
        words, colour = list(of_cvat.groups()) if of_cvat else re.split(r"[\s,;]+", line), None
        for part, rest in ((words[-3:], words[:-3]), (words[:3], words[3:])):
            if rest and len(part) == 3 and all(word.isdecimal() and int(word) < 256 for word in part):
                colour, words = tuple(map(int, part)), rest
                break
        name = " ".join(words)
        if name in dict(classes):
            raise DataError(f"classes.txt: expected another name in line {number}. Received: {name!r}, once more")
        classes.append((name, colour))
    if len(classes) < 2:
        raise DataError(f"classes.txt: expected at least two classes. Received: {len(classes)}")
    return classes
