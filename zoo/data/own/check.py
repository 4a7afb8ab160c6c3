"""The doctor of data: everything that is wrong in a folder, file by file, before a training finds it."""

import json
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ....images import UPRIGHT, read_image, write_mask
from ..dataset import DataError, Dataset
from . import data_of, mask_kind, split_of
from .layouts import Defect, Found, home_of, look_into
from .masks import VOID, MaskKind
from .survey import name_beneath, orientation_of, survey


@dataclass(frozen=True)
class Kind:
    """A kind of defect.

    Args:
        stops: whether training cannot be right with it.
        remedy: what to do about it.
        mended: whether ``repair`` does that.

    Example:
        >>> KINDS["no-mask"].stops
        False
    """

    stops: bool
    remedy: str
    mended: bool = True


ORDER = ("train", "val", "test")
TEXTS = ("classes.txt", "label*.txt", "captions.*", "*.tsv", "*.json", "train*.txt", "val*.txt", "test*.txt")
KINDS = {
    "unreadable": Kind(True, "leave the file out, or fetch it anew"),
    "no-mask": Kind(False, "it is left out: make a mask of the same name, or take it away"),
    "no-image": Kind(False, "it is left out: add the photograph of the same name, or take it away"),
    "other-size": Kind(True, "make the mask anew, pixel by pixel over its photograph", mended=False),
    "turned": Kind(True, "turn the mask as the photograph is, or store the photograph upright"),
    "no-class": Kind(True, "draw it anew with the values of the classes, or name every class in classes.txt"),
    "two-splits": Kind(True, "keep it in one split: what was seen in training says nothing about the model"),
    "not-there": Kind(True, "add the file, or take its name from the list"),
    "no-column": Kind(True, "write the row as the others are"),
    "no-caption": Kind(False, "it is left out: write a caption, or take the row away"),
    "no-utf8": Kind(True, "save the text as UTF-8", mended=False),
    "perhaps-turned": Kind(False, "see whether its mask stands upright, and store both so", mended=False),
    "same-name": Kind(True, "rename one of the two, and its mask"),
    "in-no-list": Kind(False, "it is left out: write its name into a list, or take it away"),
    "no-polygon": Kind(False, "draw its outline as a polygon"),
    "unseen-class": Kind(False, "put photographs of it into the split, for nobody can tell how well it is learned"),
    "empty-mask": Kind(False, "it teaches nothing: draw its classes"),
    "classes": Kind(True, "name the classes in classes.txt as the data have them", mended=False),
}


@dataclass
class Report:
    """What the doctor found.

    Args:
        folder: path.
        found: ``Found``, or None if nothing fits.
        dataset: ``Dataset`` of what can be used, or None if there is none.
        kind: ``MaskKind`` of its masks, or None.
        seen: list of ``Seen``.
        defects: list of ``Defect``.
        classes: dict: split -> {class: pixels of it, or images of recognition}.

    Example:
        >>> Report(Path("holiday"), None, None).can_train
        False
    """

    folder: Path
    found: Found | None
    dataset: Dataset | None
    kind: MaskKind | None = None
    seen: list = field(default_factory=list)
    defects: list = field(default_factory=list)
    classes: dict = field(default_factory=dict)

    @property
    def can_train(self):
        """Whether a training can be right: there are data, and no defect that stops one."""
        return self.dataset is not None and not any(KINDS[defect.kind].stops for defect in self.defects)


def check(folder, layout=None, track=iter):
    """Look at every file of a folder of data.

    Args:
        folder: path.
        layout: key of ``LAYOUTS``, or None to find out.
        track: see ``survey``.

    Returns:
        ``Report``.

    Raises:
        DataError: if there is no such folder, or nothing in it is data.

    Example:
        >>> check("holiday").can_train                                       # doctest: +SKIP
        True
    """
    folder = home_of(folder)
    report = Report(folder, None, None)
    texts = [Defect("no-utf8", name_beneath(folder, path), "it is no UTF-8") for path in _texts(folder)]
    if texts:
        report.defects += texts
        return report
    report.found = found = look_into(folder, layout)
    report.seen = survey(folder, found, track)
    report.defects += found.defects
    for one in report.seen:
        report.defects += one.defects
    whole = [one for one in report.seen if not any(KINDS[defect.kind].stops for defect in one.defects)]
    try:
        report.kind = mask_kind(folder, found, whole)
        report.dataset = data_of(folder, found, whole)
    except DataError as error:
        report.defects.append(Defect("classes", folder.name, str(error)))
        return report
    splits = {key: split for split, part in split_of(found, [one.key for one in whole]).items() for key in part}
    report.defects += _doubles(folder, whole, splits)
    if found.task == "segmentation":
        report.defects += _strange_labels(folder, report, whole)
    report.classes = _classes(report, whole, splits)
    report.defects += _unseen(report)
    return report


def _texts(folder):
    """The files of text in a folder that are no UTF-8."""
    for path in sorted({path for pattern in TEXTS for path in folder.rglob(pattern)}):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            yield path


def _doubles(folder, seen, splits):
    """Photographs that are in two splits."""
    places = defaultdict(list)
    for one in seen:
        if one.digest:
            places[one.digest].append(one)
    for same in places.values():
        first, *others = sorted(same, key=lambda one: ORDER.index(splits[one.key]))
        for other in others:
            if splits[other.key] != splits[first.key]:
                name = name_beneath(folder, first.parts[0])
                what = f"it is in {splits[other.key]}, and the same photograph in {splits[first.key]}, as {name}"
                yield Defect("two-splits", name_beneath(folder, other.parts[0]), what)


def _strange_labels(folder, report, seen):
    """Masks with values that are no class, and masks of nothing but void."""
    count = len(report.dataset.classes)
    for one in seen:
        labels = _labels(report, one)
        if isinstance(one.parts[1], Path):
            name = name_beneath(folder, one.parts[1])
            strange = sorted(value for value in _counts(report, one) if not _is_label(report.kind, value, count))
            if strange:
                shown = ", ".join(map(str, strange[:5]))
                yield Defect("no-class", name, f"it has values that are no class of 0..{count - 1}: {shown}")
            elif not set(labels) - {VOID}:
                yield Defect("empty-mask", name, "all of it is void")


def _is_label(kind, value, count):
    label, void = kind.label_of(value), [VOID, (0, 0, 0), (VOID,) * 3]
    return label < count or label == VOID and value in [*void, *([0] if kind.kind == "colour" else [])]


def _counts(report, one):
    return one.in_colour() if report.kind.kind == "colour" else one.counts


def _labels(report, one):
    """dict: label -> pixels of a mask, polygons, or images of recognition."""
    if report.kind is None:
        return {one.parts[1]: 1} if report.dataset.classes else {}
    if not isinstance(one.parts[1], Path):
        return one.counts
    labels = Counter()
    for value, pixels in _counts(report, one).items():
        labels[report.kind.label_of(value)] += pixels
    return labels


def _classes(report, seen, splits):
    """dict: split -> {class: pixels, or images of recognition}."""
    found = {split: Counter() for split in ("train", "val", "test")}
    names = report.dataset.classes
    for one in seen:
        for label, count in _labels(report, one).items():
            if label < len(names):
                found[splits[one.key]][names[label]] += count
    return {split: dict(counts) for split, counts in found.items()}


def _unseen(report):
    """Classes that training sees and validation does not."""
    for name in report.dataset.classes:
        if report.classes["train"].get(name) and not report.classes["val"].get(name):
            yield Defect("unseen-class", name, "no validation image has it")


def repair(report, output):
    """Write what can be used of a folder anew, in the plainest layout of its task; the original stays as it is.

    Photographs are upright, masks are index images with a palette, each split has its list.

    Args:
        report: ``Report``.
        output: folder, which must not be there yet.

    Returns:
        int, the number of examples.

    Raises:
        DataError: if there is nothing to use.
        FileExistsError: if the folder is there.

    Example:
        >>> repair(check("holiday"), "holiday_repaired")                     # doctest: +SKIP
        187
    """
    if report.dataset is None:
        raise DataError(f"{report.folder}: expected data that can be used. There are none")
    output = Path(output)
    if output.exists():
        raise FileExistsError(f"fix: expected a folder that is not there yet. There is {output}")
    doubles = {defect.file for defect in report.defects if defect.kind == "two-splits"}
    write = _WRITE[report.found.task]
    with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix=".repaired-") as folder:
        made, count = Path(folder) / "data", 0
        made.mkdir()
        used = {one.key: one for one in report.seen if _can_be_used(one, report.folder, doubles)}
        for split, keys in split_of(report.found, list(used)).items():
            write(made, split, [(key, *used[key].parts) for key in keys], report)
            count += len(keys)
        os.replace(made, output)
    return count


def _can_be_used(one, folder, doubles):
    """Whether nothing is wrong with an example, or what ``repair`` mends."""
    if isinstance(one.parts[0], Path) and name_beneath(folder, one.parts[0]) in doubles:
        return False
    return all(defect.kind == "turned" or not KINDS[defect.kind].stops for defect in one.defects)


def _write_pairs_of_images(made, split, rows, report):
    names = []
    for key, photograph, mask in rows:
        name = key.replace("/", "_")
        names.append(name)
        _write_upright(photograph, made / "images" / name)
        size = read_image(photograph).shape[:2]
        labels = report.dataset.read_label(mask, size)
        if labels.shape != size:
            labels = np.array(Image.fromarray(labels).transpose(UPRIGHT[orientation_of(photograph)]))
        labels = np.where(labels < len(report.dataset.classes), labels, VOID).astype("uint8")
        (made / "masks").mkdir(exist_ok=True)
        write_mask(made / "masks" / f"{name}.png", labels, report.dataset.palette)
    _write_lines(made / f"{split}.txt", names)
    colours = zip(report.dataset.classes, report.dataset.palette, strict=True)
    _write_lines(made / "classes.txt", [f"{name} {' '.join(map(str, colour))}" for name, colour in colours])


def _write_class_folders(made, split, rows, report):
    for key, photograph, label in rows:
        _write_upright(photograph, made / split / report.dataset.classes[label] / key.replace("/", "_"))


def _write_captions(made, split, rows, report):
    names = []
    with (made / "captions.jsonl").open("a", encoding="utf-8") as file:
        for key, photograph, captions in rows:
            names.append(_write_upright(photograph, made / "images" / key.replace("/", "_")))
            json.dump({"image": names[-1], "captions": list(captions)}, file, ensure_ascii=False)
            file.write("\n")
    _write_lines(made / f"{split}.txt", names)


def _write_sentences(made, split, rows, report):
    _write_lines(made / f"{split}.tsv", ["\t".join(columns) for _, *columns in rows])


def _write_upright(photograph, stem):
    """A copy of a photograph; one that its EXIF turns is turned, and written anew. Returns the name of the file."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    turned = orientation_of(photograph) in UPRIGHT
    file = stem.with_name(f"{stem.name}{'.jpg' if turned else photograph.suffix}")
    if turned:
        Image.fromarray(read_image(photograph)).save(file, quality=95, subsampling=0)
    else:
        shutil.copyfile(photograph, file)
    return file.name


def _write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


_WRITE = {
    "segmentation": _write_pairs_of_images,
    "recognition": _write_class_folders,
    "captioning": _write_captions,
    "translation": _write_sentences,
}
