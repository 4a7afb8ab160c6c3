"""Everything that is in the files of a folder of one's own, read once."""

import hashlib
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ....images import READ_FORMATS, UPRIGHT, ImageError, read_image
from ..dataset import DataError
from .layouts import Defect
from .masks import VOID, colours_of, counts_of, read_mask

ORIENTATION = 274  # the EXIF tag


@dataclass
class Seen:
    """What is in the files of one example.

    Args:
        key: of the example.
        parts: its files and what else it is of, see ``Dataset.files``.
        size: (H, W) of the photograph, upright; None without one, or if it cannot be read.
        digest: of its pixels, the same for the same photograph under another name.
        counts: of a mask, dict: value -> pixels.
        colours: of a mask with a palette, dict: value -> (red, green, blue).
        turned: the mask belongs to the photograph as it is stored, and its EXIF orientation turns it.
        defects: list of ``Defect``.

    Example:
        >>> Seen("1", ("a dog", "ein Hund")).size is None
        True
    """

    key: str
    parts: tuple
    size: tuple | None = None
    digest: str = ""
    counts: dict = field(default_factory=dict)
    colours: dict = field(default_factory=dict)
    turned: bool = False
    defects: list = field(default_factory=list)

    def in_colour(self):
        """``counts`` by colour: dict, (red, green, blue) -> pixels.

        Example:
            >>> Seen("1", (), counts={0: 9, 1: 3}, colours={0: (0, 0, 0), 1: (64, 0, 128)}).in_colour()
            {(0, 0, 0): 9, (64, 0, 128): 3}
        """
        counts = Counter()
        for value, pixels in self.counts.items():
            counts[value if isinstance(value, tuple) else self.colours.get(value, (value,) * 3)] += pixels
        return dict(counts)


def survey(folder, found, track=iter):
    """Read every file of a folder.

    Args:
        folder: path, that names of files are told beneath.
        found: ``layouts.Found``.
        track: function, iterable -> the same one, which may show how far it is.

    Returns:
        list of ``Seen``, in the order of the splits.

    Example:
        >>> from .layouts import Found
        >>> survey(".", Found("pairs", "translation", {"train": [("1", "ein Hund", "a dog")]}))[0].key
        '1'
    """
    rows = [example for examples in found.examples.values() for example in examples]
    see = _SEE[found.task]
    seen = []
    for key, *parts in track(rows):
        one = Seen(key, tuple(parts))
        see(one, Path(folder))
        told = found.sizes.get(key, one.size)
        if one.size and told != one.size:
            (height, width), (h, w) = told, one.size
            what = f"its outlines are of {width} x {height}, and it is {w} x {h}"
            one.defects.append(Defect("other-size", name_beneath(Path(folder), parts[0]), what))
        seen.append(one)
    return seen


def _photograph(one, folder):
    """Read the photograph of an example; its orientation, 1 for upright, or None if it cannot be read."""
    path = one.parts[0]
    try:
        image = read_image(path)
    except ImageError as error:
        reason = str(error).partition(": ")[2]
        one.defects.append(Defect("unreadable", name_beneath(folder, path), f"it cannot be read: {reason}"))
        return None
    one.size = image.shape[:2]
    one.digest = hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()
    return orientation_of(path)


def orientation_of(path):
    """The EXIF orientation of a photograph, 1..8; 1 if it has none, or a broken one.

    Example:
        >>> Image.new("RGB", (2, 2)).save("photo.jpg")
        >>> orientation_of("photo.jpg")
        1
    """
    try:
        with warnings.catch_warnings(), Image.open(path, formats=READ_FORMATS) as picture:
            warnings.simplefilter("ignore")
            found = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # Pillow raises nearly anything on a broken EXIF
        return 1
    return found if found in UPRIGHT else 1


def _pair(one, folder):
    orientation, mask = _photograph(one, folder), one.parts[1]
    if not isinstance(mask, Path):  # polygons
        _polygons(one, folder)
        return
    name = name_beneath(folder, mask)
    try:
        values = read_mask(mask)
    except DataError as error:
        one.defects.append(Defect("unreadable", name, f"it cannot be read: {str(error).partition(': ')[2]}"))
        return
    one.counts = counts_of(values)
    one.colours = colours_of(mask, one.counts)
    if one.size is None:
        return
    stored = one.size[::-1] if orientation in (5, 6, 7, 8) else one.size
    one.turned = values.shape[:2] == stored != one.size
    if orientation in UPRIGHT and stored == one.size == values.shape[:2]:
        what = f"EXIF orientation {orientation} turns it; whether its mask is turned, too, its size does not tell"
        one.defects.append(Defect("perhaps-turned", name_beneath(folder, one.parts[0]), what))
    if one.turned:
        what = f"EXIF orientation {orientation} turns it, and its mask is not turned"
        one.defects.append(Defect("turned", name_beneath(folder, one.parts[0]), what))
    elif values.shape[:2] != one.size:
        (height, width), (h, w) = one.size, values.shape[:2]
        one.defects.append(Defect("other-size", name, f"it is {w} x {h}, and its photograph is {width} x {height}"))


def _polygons(one, folder):
    one.counts = dict(Counter(label for label, _ in one.parts[1] if label != VOID))
    if one.size is None:
        return
    height, width = one.size
    for label, polygons in one.parts[1]:
        for corners in polygons or ():
            beyond = max(corners[0::2], default=0) > width + 1 or max(corners[1::2], default=0) > height + 1
            if beyond or len(corners) < 6 or len(corners) % 2 or min(corners) < -1:
                what = f"a polygon of class {label} leaves it, or has fewer than three corners"
                one.defects.append(Defect("other-size", name_beneath(folder, one.parts[0]), what))
                return


def name_beneath(folder, path):
    """The name of a file as a message has it.

    Example:
        >>> name_beneath(Path("data"), Path("data/images/a.jpg"))
        'images/a.jpg'
    """
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


_SEE = {
    "segmentation": _pair,
    "recognition": _photograph,
    "captioning": _photograph,
    "translation": lambda one, folder: None,
}
