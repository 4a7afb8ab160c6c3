"""What lies in a folder of one's own: photographs with masks, class folders, captions, or pairs of sentences."""

import csv
import hashlib
import json
import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ..dataset import DataError
from .masks import VOID

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jp2", ".avif", ".ppm")
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev"), "test": ("test", "testing")}
# Folders of photographs, and of what belongs to them, by the names that people give them.
PHOTOGRAPHS = ("images", "image", "imgs", "img", "jpegimages", "pngimages", "photos", "photographs", "input", "inputs")
MASKS = re.compile("mask|label|annot|segment|target|output|(?<![a-z])ground|(?<![a-z])gt")  # not background


@dataclass(frozen=True)
class Defect:
    """Something wrong in a folder of data.

    Args:
        kind: key of ``check.KINDS``.
        file: name of the file, beneath the folder.
        what: what is wrong.

    Example:
        >>> str(Defect("no-mask", "images/a.jpg", "it has no mask"))
        'images/a.jpg: it has no mask'
    """

    kind: str
    file: str
    what: str

    def __str__(self):
        return f"{self.file}: {self.what}"


@dataclass
class Found:
    """What was found in a folder.

    Args:
        layout: key of ``LAYOUTS``.
        task: key of ``zoo.data.TASKS``.
        examples: dict: split -> list of (key, *parts), see ``Dataset.files``; "" for those of no split yet.
        classes: names of the classes, where the folder tells them.
        defects: list of ``Defect``, of files that belong to no example.
        folder: in which it lies.
        sizes: dict: key -> (H, W) that the folder tells of a photograph.

    Example:
        >>> Found("masks", "segmentation", {"": []}).is_split
        False
    """

    layout: str
    task: str
    examples: dict
    classes: tuple = ()
    defects: list = field(default_factory=list)
    folder: Path | None = None
    sizes: dict = field(default_factory=dict)

    @property
    def is_split(self):
        return "" not in self.examples


def look_into(folder, layout=None):
    """What lies in a folder.

    Args:
        folder: path.
        layout: key of ``LAYOUTS``, or None for the first that fits.

    Returns:
        ``Found``.

    Raises:
        DataError: if nothing fits; the message says what was looked for.

    Example:
        >>> look_into("nowhere")
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: nowhere: expected a folder of data. There is none
    """
    folder = home_of(folder)
    if layout is not None and layout not in LAYOUTS:
        raise DataError(f"layout: expected one of {', '.join(LAYOUTS)}. Received: {layout!r}")
    for name in [layout] if layout else LAYOUTS:
        found = LAYOUTS[name](folder)
        if found is not None and any(found.examples.values()):
            found.folder = folder
            return found
    raise DataError(
        f"{folder}: expected images/ and masks/ with files of the same names, a folder of images for each class, "
        "COCO's .json, captions.jsonl or captions.csv beside the images, or a .tsv of two columns. "
        f"Found: {', '.join(sorted(path.name for path in folder.iterdir())[:8]) or 'nothing'}"
    )


def home_of(folder):
    """The folder of data: itself, or the one inside that an archive was unpacked into.

    Args:
        folder: path.

    Returns:
        pathlib.Path.

    Raises:
        DataError: if there is no such folder.

    Example:
        >>> Path("zip/streets/images").mkdir(parents=True), Path("zip/streets/masks").mkdir()
        (None, None)
        >>> home_of("zip").name
        'streets'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of data. There is none")
    inside = [path for path in folder.iterdir() if not path.name.startswith((".", "__"))]
    if len(inside) == 1 and inside[0].is_dir() and any(inside[0].iterdir()):
        return home_of(inside[0])
    return folder


def _masks(folder):
    """``images/`` and ``masks/``, by whatever names, each perhaps with a folder or a list for each split."""
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    same = []
    pictured = {path: tree for path in folders if (tree := _tree(path, same))}
    best = None
    for masks in pictured:
        if not may_be_masks(masks.name):
            continue
        for images in pictured:
            if images == masks or may_be_masks(images.name):
                continue
            paired = _paired(pictured[images], pictured[masks])
            if paired[0] and (best is None or len(paired[0]) > len(best[0])):
                best = paired
    if best is None:
        return None
    pairs, alone, orphans = best
    examples, missing = _by_split(folder, pairs, given=[*alone, *orphans])
    defects = [*_unpaired(folder, alone, orphans), *missing, *_same(folder, same)]
    return Found("masks", "segmentation", examples, defects=defects)


def _unpaired(folder, alone, orphans):
    for path in alone.values():
        yield Defect("no-mask", _beneath(folder, path), "it has no mask")
    for path in orphans.values():
        yield Defect("no-image", _beneath(folder, path), "it is a mask of no image")


def _same(folder, files):
    for path in files:
        yield Defect("same-name", _beneath(folder, path), "another file has its name, but for the ending")


def may_be_masks(name):
    """Whether a folder has a name that people give to masks.

    Example:
        >>> may_be_masks("SegmentationClass"), may_be_masks("photos")
        (True, False)
    """
    return MASKS.search(name.lower()) is not None and name.lower() not in PHOTOGRAPHS


def _tree(folder, same=None):
    """Images beneath a folder: dict, path beneath it without the suffix -> file; those of one name go to ``same``."""
    found = {}
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(parent, name)
            if path.suffix.lower() in IMAGES and not name.startswith("."):
                key = path.relative_to(folder).with_suffix("").as_posix()
                if key in found and same is not None:
                    same.append(path)
                found.setdefault(key, path)
    return found


def _paired(images, masks):
    """[(key, image, mask)]; images without a mask, and masks without an image, by their keys.

    The names of the masks may have something before or behind them, the same for all.
    """
    around = Counter(affixes for name in masks if (affixes := _affixes(name, images)) is not None)
    if not around:
        return [], {}, {}
    (((before, behind), _),) = around.most_common(1)
    place, bare = os.path.split, {}
    for name, path in masks.items():
        home, base = place(name)
        if base.startswith(before) and base.endswith(behind):
            base = base[len(before) : len(base) - len(behind)]
        bare[os.path.join(home, base)] = path
    pairs = [(key, path, bare[key]) for key, path in images.items() if key in bare]
    alone = {key: path for key, path in images.items() if key not in bare}
    return pairs, alone, {key: path for key, path in bare.items() if key not in images}


def _affixes(name, images):
    """What stands before and behind the name of an image in that of its mask, or None."""
    home, base = os.path.split(name)
    for cut in range(len(base), 0, -1):
        if os.path.join(home, base[:cut]) in images:
            return "", base[cut:]
    for cut in range(1, len(base)):
        if os.path.join(home, base[cut:]) in images:
            return base[:cut], ""
    return None


def _by_split(folder, examples, given=()):
    """The examples by the lists of the folder, or by a folder of that name in their keys, or all under "".

    Args:
        examples: list of (key, *parts).
        given: keys that a list may hold although there is no example of them.

    Returns:
        (dict of examples, list of ``Defect`` of the lists).
    """
    lists = _lists(folder)
    if lists:
        return _by_list(folder, lists, examples, given)
    by_folder = defaultdict(list)
    for example in examples:
        parts = example[0].split("/")[:-1]
        named = [split for split, names in SPLITS.items() if any(part.lower() in names for part in parts)]
        by_folder[named[0] if named else ""].append(example)
    strays = [Defect("in-no-list", _beneath(folder, parts[0]), "it is in no folder of a split")
              for _, *parts in _strays(by_folder) if isinstance(parts[0], Path)]  # fmt: skip
    return dict(by_folder), strays


def _strays(examples):
    """Takes those of no split out of examples by split, where there is one for training, and returns them."""
    return examples.pop("", []) if "train" in examples else []


def _lists(folder):
    """The list files of the splits: dict, split -> path."""
    for home in (folder, folder / "ImageSets" / "Segmentation", folder / "splits", folder / "ImageSets" / "Main"):
        lists = {
            split: home / f"{name}.txt" for split, names in SPLITS.items() for name in names
            if (home / f"{name}.txt").is_file()
        }  # fmt: skip
        if lists:
            return lists
    return {}


def _by_list(folder, lists, examples, given):
    known, found, defects, taken = {_bare(example[0]): example for example in examples}, {}, [], {}
    names = defaultdict(list)
    for key in [*known, *map(_bare, given)]:
        names[Path(key).name].append(key)
    for split, path in lists.items():
        found[split] = []
        for line in _lines(path):
            key = _named_by(line, names)
            if key is None:
                what = f"it names {line.strip()}, which is not there"
                defects.append(Defect("not-there", _beneath(folder, path), what))
            elif key in taken:
                what = f"it names {key}, which {taken[key]} names, too"
                defects.append(Defect("two-splits", _beneath(folder, path), what))
            elif key in known:
                taken[key] = path.name
                found[split].append(known[key])
    for key, (_, *parts) in known.items():
        if key not in taken and isinstance(parts[0], Path):
            defects.append(Defect("in-no-list", _beneath(folder, parts[0]), "no list names it"))
    return found, defects


def _bare(key):
    """A key without the ending of an image."""
    path = Path(key)
    return path.with_suffix("").as_posix() if path.suffix.lower() in IMAGES else key


def _named_by(line, names):
    """The key that a line of a list names: with its folders or without, with the ending or without, or None.

    Args:
        line: str, a path, perhaps with other columns behind it.
        names: dict, last part of a key -> keys.
    """
    for text in (line.strip(), line.split()[0]):
        path = _bare(text)
        keys = names.get(Path(path).name, ())
        whole = [key for key in keys if f"/{path}".endswith(f"/{key}") or f"/{key}".endswith(f"/{path}")]
        for fitting in (whole, keys):
            if len(fitting) == 1:
                return fitting[0]
    return None


def _lines(path):
    try:
        return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8. {error}") from error


def _camvid(folder):
    """The layout of the SegNet tutorial: ``train/`` and ``trainannot/``, with lists or without."""
    examples, defects, same = {}, [], []
    for split, names in SPLITS.items():
        for name in names:
            images, masks = folder / name, folder / f"{name}annot"
            if images.is_dir() and masks.is_dir():
                pairs, alone, orphans = _paired(_tree(images, same), _tree(masks, same))
                examples[split] = [(f"{split}/{key}", *parts) for key, *parts in pairs]
                defects += _unpaired(folder, alone, orphans)
    defects += _same(folder, same)
    return Found("camvid", "segmentation", examples, defects=defects) if examples else None


def _coco(folder):
    """COCO's .json, one or one for each split: polygons of the categories, drawn over each other in their order."""
    files = [path for home in (folder, folder / "annotations") if home.is_dir() for path in sorted(home.glob("*.json"))]
    images, examples, sizes, classes, defects, taken = None, {}, {}, None, [], {}
    for path in files:
        try:
            facts = json.loads(path.read_bytes())
            names = {one["id"]: one["name"] for one in sorted(facts["categories"], key=lambda one: one["id"])}
            rows, shapes = facts["images"], facts["annotations"]
            drawn = _drawn(shapes, {number: index for index, number in enumerate(names, 1)})
            rows = [(str(row["file_name"]), row["id"], (row.get("height"), row.get("width"))) for row in rows]
        except (ValueError, KeyError, TypeError):
            continue  # it is no file of this kind
        if any("keypoints" in one for one in facts["categories"]) and classes is not None:
            continue  # of a part of the same photographs
        if classes not in (None, tuple(names.values())):
            received = ", ".join(names.values())
            raise DataError(f"{path}: expected the categories of the other .json. Received: {received}")
        classes = tuple(names.values())
        images = images or _tree(folder)
        by_name = defaultdict(list)
        for key in images:
            by_name[Path(key).name].append(key)
        words = {*re.findall("[a-z]+", path.stem.lower())}
        split = next((split for split, names in SPLITS.items() if words & {*names}), "")
        for name, number, size in rows:
            shapes_of = tuple(drawn[number])
            key = _named_by(f"{split}/{name}", by_name) or _named_by(name, by_name)
            if key is None:
                defects.append(Defect("not-there", _beneath(folder, path), f"it names {name}, which is not there"))
                continue
            if key in taken:
                what = f"it names {name}, which {taken[key]} names, too"
                defects.append(Defect("two-splits", _beneath(folder, path), what))
                continue
            taken[key] = path.name
            if any(label == VOID for label, _ in shapes_of):
                what = "a shape of it is no polygon: its box is left void"
                defects.append(Defect("no-polygon", _beneath(folder, images[key]), what))
            examples.setdefault(split, []).append((key, images[key], shapes_of))
            if None not in size:
                sizes[key] = size
    if not examples:
        return None
    for _, image, _ in _strays(examples):
        defects.append(Defect("in-no-list", _beneath(folder, image), "its .json is of no split, and others are"))
    return Found("coco", "segmentation", examples, ("background", *classes), defects, sizes=sizes)


def _drawn(shapes, labels):
    """Polygons of each image, dict: id -> list of (label, polygons); the box of a shape without any is void."""
    drawn = defaultdict(list)
    for shape in shapes:
        parts = shape.get("segmentation")
        if isinstance(parts, list) and parts:
            polygons = tuple(tuple(map(float, part)) for part in parts)
            drawn[shape["image_id"]].append((labels[shape["category_id"]], polygons))
        else:
            x, y, width, height = shape.get("bbox") or (0, 0, 0, 0)
            box = (x, y, x + width, y, x + width, y + height, x, y + height)
            drawn[shape["image_id"]].append((VOID, (box,)))
    return drawn


def _class_folders(folder):
    """A folder of images for each class, beneath a folder for each split or not."""
    splits = {split: folder / name for split, names in SPLITS.items() for name in names if (folder / name).is_dir()}
    homes = splits or {"": folder}
    found, classes, same = {}, set(), []
    for split, home in homes.items():
        found[split] = []
        for below in sorted(path for path in home.iterdir() if path.is_dir()):
            images = _tree(below, same)
            before = f"{split}/" if split else ""
            found[split] += [(f"{before}{below.name}/{key}", path, below.name) for key, path in images.items()]
            classes |= {below.name} if images else set()
    if len(classes) < 2 or any(name.lower() in PHOTOGRAPHS for name in classes):
        return None  # photographs, and what belongs to them
    named = tuple(sorted(classes))
    examples = {split: [(key, path, named.index(name)) for key, path, name in part] for split, part in found.items()}
    if not splits:
        examples, defects = _by_split(folder, examples[""])
        return Found("class-folders", "recognition", examples, classes=named, defects=[*defects, *_same(folder, same)])
    return Found("class-folders", "recognition", examples, classes=named, defects=[*_same(folder, same)])


def _captions(folder):
    """``captions.jsonl`` or ``captions.csv``: an image and its captions, a row for all or a row for each."""
    path = next((folder / name for name in ("captions.jsonl", "captions.csv") if (folder / name).is_file()), None)
    if path is None:
        return None
    captions, defects = defaultdict(list), []
    for number, row in enumerate(_rows(path), 1):
        try:
            image, told = str(row["image"]), row.get("captions", row.get("caption"))
        except (KeyError, TypeError, AttributeError):
            what = f"row {number} has no image: expected the columns image and caption"
            defects.append(Defect("no-column", path.name, what))
            continue
        told = [text for text in ([told] if isinstance(told, str) else told or []) if str(text).strip()]
        if not told:
            defects.append(Defect("no-caption", path.name, f"row {number} has no caption of {image}"))
        captions[image] += told
    examples = []
    for image, told in captions.items():
        places = [folder / image, folder / "images" / image]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            defects.append(Defect("not-there", path.name, f"it names {image}, which is not there"))
        elif told:
            examples.append((image, file, tuple(told)))
    examples, missing = _by_split(folder, examples)
    return Found("captions", "captioning", examples, defects=defects + missing)


def _rows(path):
    lines = _lines(path)
    if path.suffix == ".csv":
        return list(csv.DictReader(lines))
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            rows.append(None)
    return rows


def _pairs(folder):
    """A .tsv of two columns, or one for each split."""
    files = sorted(folder.glob("*.tsv"))
    examples, defects = {}, []
    for path in files:
        split = next((split for split, names in SPLITS.items() if path.stem.lower() in names), "")
        for number, line in enumerate(_lines(path), 1):
            columns = [column.strip() for column in line.split("\t")]
            if len(columns) != 2 or "" in columns:
                what = f"row {number} has {len([c for c in columns if c])} columns: expected two, with a tab between"
                defects.append(Defect("no-column", path.name, what))
                continue
            name = hashlib.sha256("\t".join(columns).encode()).hexdigest()[:16]  # the same wherever the row stands
            examples.setdefault(split, []).append((f"{path.stem}/{name}", *columns))
    if not examples:
        return None
    for stem in sorted({key.partition("/")[0] for key, *_ in _strays(examples)}):
        defects.append(Defect("in-no-list", f"{stem}.tsv", "it is of no split, and others are"))
    return Found("pairs", "translation", examples, defects=defects)


def _beneath(folder, path):
    return path.relative_to(folder).as_posix()


LAYOUTS = {
    "camvid": _camvid,
    "masks": _masks,  # VOC's JPEGImages and SegmentationClass, too
    "coco": _coco,
    "captions": _captions,
    "class-folders": _class_folders,
    "pairs": _pairs,
}
