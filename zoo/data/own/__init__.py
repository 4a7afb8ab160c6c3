"""A folder of one's own as a data set: what lies in it says what it is.

    >>> from keras_segattn.zoo.data import own
    >>> sorted(own.LAYOUTS)
    ['camvid', 'captions', 'class-folders', 'coco', 'masks', 'pairs']
"""

import hashlib
import statistics
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..dataset import DataError, Dataset
from .layouts import LAYOUTS, Defect, Found, look_into
from .masks import VOID, MaskKind, colours_are_meant, kind_of, palette, read_classes, read_mask
from .survey import Seen, survey

__all__ = [
    "LAYOUTS",
    "Defect",
    "Found",
    "Seen",
    "data_of",
    "look_into",
    "mask_kind",
    "own_dataset",
    "split_of",
    "survey",
]

STRIDE, LONGEST = 32, 512  # pixels: sizes are multiples of the one, and no side is longer than the other
HELD_BACK = {"test": 0.1, "val": 0.1}  # shares of the examples where no list says


def own_dataset(folder, layout=None, track=iter):
    """A folder as a data set, see ``data_of``.

    Args:
        folder: path.
        layout: key of ``LAYOUTS``, or None to find out.
        track: see ``survey``.

    Returns:
        ``Dataset``.

    Raises:
        DataError: if nothing in it fits.

    Example:
        >>> own_dataset("holiday").classes                                   # doctest: +SKIP
        ('background', 'object')
    """
    found = look_into(folder, layout)
    return data_of(found.folder, found, survey(found.folder, found, track))


def data_of(folder, found, seen):
    """What was found in a folder as a data set.

    Args:
        folder: path.
        found: ``Found``.
        seen: list of ``Seen``, of its ``survey``.

    Returns:
        ``Dataset``; its size is the median one of the photographs, as multiples of 32 pixels, no side above 512.

    Raises:
        DataError: if the masks are of no kind, there is no example, or the classes of the folder do not fit.

    Example:
        >>> data_of("letters", found, seen).splits                           # doctest: +SKIP
        {'train': 820, 'val': 87, 'test': 93}
    """
    folder = Path(folder)
    splits = split_of(found, [one.key for one in seen])
    facts, kind = {"classes": found.classes}, mask_kind(folder, found, seen)
    named = _named(folder)
    if kind is not None:
        facts = {"classes": kind.classes, "palette": kind.palette, "ignore_label": VOID}
    elif named and found.task == "recognition" and set(found.classes) != {name for name, _ in named}:
        raise DataError(f"classes.txt: expected the folders' names, {', '.join(found.classes)}")
    parts = {one.key: (one.key, *one.parts) for one in seen}
    return Dataset(
        name="own",
        title=folder.resolve().name,
        task=found.task,
        **facts,
        languages=("source", "target") if found.task == "translation" else (),
        image_size=_size([one.size for one in seen if one.size]),
        splits={split: len(keys) for split, keys in splits.items()},
        files=lambda _, split: [parts[key] for key in splits[split]],
        read_label=None if kind is None else lambda part, size: _label(part, size, kind),
        meaning=f"{kind} {_size([one.size for one in seen if one.size])}",
        terms="those of whoever took or wrote them",
        source=f"the folder {folder.resolve().name}",
        is_own=True,
    )


def split_of(found, keys):
    """Which example is in which split: as the folder says, else by the hash of its name.

    A tenth each is held back for "val" and "test" where the folder has none: those whose hash is small. An example
    stays where it is if others come or go.

    Args:
        found: ``Found``.
        keys: of the examples that are used.

    Returns:
        dict: "train", "val" and "test" -> list of keys.

    Raises:
        DataError: if there are too few.

    Example:
        >>> one = Found("pairs", "translation", {"": [(str(i), "ja", "yes") for i in range(50)]})
        >>> {split: len(keys) for split, keys in split_of(one, [str(i) for i in range(50)]).items()}
        {'train': 43, 'val': 4, 'test': 3}
    """
    used = set(keys)
    splits = {split: [key for key, *_ in part if key in used] for split, part in found.examples.items()}
    train = splits.pop("", None) or splits.get("train", [])
    for split, share in HELD_BACK.items():
        if splits.get(split):
            continue
        held = sorted((key for key in train if _rank(key, split) < share), key=lambda key: _rank(key, split))
        held = held or sorted(train, key=lambda key: _rank(key, split))[:1]
        splits[split] = held
        train = [key for key in train if key not in set(held)]
    splits = {"train": train, "val": splits["val"], "test": splits["test"]}
    empty = [split for split, part in splits.items() if not part]
    if empty:
        raise DataError(f"data: expected at least one example of {', '.join(empty)}. Found {len(used)} in all")
    return splits


def _rank(key, split):
    """0..1, always the same for a name."""
    return int(hashlib.sha256(f"{split} {key}".encode()).hexdigest()[:8], 16) / 16**8


def _named(folder):
    for home in (folder, folder / "ImageSets"):
        for name in ("classes.txt", "label_colors.txt", "labelmap.txt"):
            if (home / name).is_file():
                try:
                    return read_classes((home / name).read_text(encoding="utf-8-sig"))
                except UnicodeDecodeError as error:
                    raise DataError(f"{home / name}: expected UTF-8. {error}") from error
    return None


def mask_kind(folder, found, seen):
    """What the masks of a folder mean.

    Args:
        folder: path.
        found: ``Found``.
        seen: list of ``Seen``.

    Returns:
        ``MaskKind``, or None if it has none.

    Raises:
        DataError: if they are of no kind.

    Example:
        >>> mask_kind(".", Found("pairs", "translation", {}), [])
    """
    if found.task != "segmentation":
        return None
    if found.layout == "coco":
        return MaskKind(kind="index", classes=found.classes, palette=palette(len(found.classes)))
    masks, named = [one for one in seen if one.counts], _named(Path(folder))
    if not masks:
        raise DataError("masks: expected at least one that can be read. Found none")
    in_colour = colours_are_meant([one.colours for one in masks], named)
    return kind_of([one.in_colour() if in_colour else one.counts for one in masks], named)


def _size(sizes):
    if not sizes:
        return None
    sides = [statistics.median(side) for side in zip(*sizes, strict=True)]
    shrink = min(1, LONGEST / max(sides))
    return tuple(max(STRIDE, round(shrink * side / STRIDE) * STRIDE) for side in sides)


def _label(part, size, kind):
    """The label map of a mask, or of polygons."""
    if isinstance(part, Path):
        return kind.labels(read_mask(part, in_colour=kind.kind == "colour"))
    page = Image.new("L", size[::-1], 0)
    for label, polygons in part:
        for corners in polygons or ():
            ImageDraw.Draw(page).polygon(corners, fill=label)
    return np.array(page)
