"""Folders of one's own: what lies in them is found, what is wrong with them is told, and a copy is repaired."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_segattn.zoo.data import DataError, own
from keras_segattn.zoo.data.builder import open_split
from keras_segattn.zoo.data.own.check import KINDS, check, repair
from keras_segattn.zoo.data.own.masks import kind_of, read_classes, read_mask
from keras_segattn.zoo.data.own.sheet import histogram, sheet

from ..scenes import CLASSES, COLOURS, NAMES, SIZE, of_masks, scene, write_lists, write_scenes


def with_palette(labels):
    picture = Image.fromarray(labels, "P")
    picture.putpalette([value for colour in COLOURS for value in colour])
    return picture


def of_voc(folder):
    write_scenes(folder, "JPEGImages", "SegmentationClass", write=with_palette)
    write_lists(folder, "ImageSets/Segmentation")
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    return folder


def of_colours(folder):
    coloured = np.array(COLOURS, "uint8")
    write_scenes(folder, "photos", "labels", "_L", write=lambda labels: Image.fromarray(coloured[labels]))
    write_lists(folder)
    lines = (f"{' '.join(map(str, colour))}\t{name}" for name, colour in zip(CLASSES, COLOURS, strict=True))
    (folder / "label_colors.txt").write_text("\n".join(lines))
    return folder


SEGMENTATIONS = {"masks": of_masks, "voc": of_voc, "colours": of_colours}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Function: key of ``SEGMENTATIONS`` -> folder, which nobody may change."""
    made = {}

    def folder(key):
        if key not in made:
            made[key] = SEGMENTATIONS[key](tmp_path_factory.mktemp(key) / "streets")
        return made[key]

    return folder


# What lies in a folder


@pytest.mark.parametrize("key", SEGMENTATIONS)
def test_photographs_and_masks_are_found_with_their_splits_and_classes(key, clean, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path))
    dataset = own.own_dataset(clean(key))
    assert (dataset.task, dataset.title, dataset.classes) == ("segmentation", "streets", CLASSES)
    assert dataset.splits == {"train": 28, "val": 6, "test": 6}
    assert dataset.image_size == (32, 64)
    for example in open_split(dataset, "test", clean(key)):
        np.testing.assert_array_equal(example["label"], scene(NAMES.index(example["key"]))[1])
        assert example["image"].shape == (*SIZE, 3)


def test_the_layout_of_camvid_is_found(tmp_path):
    write_scenes(tmp_path, "train", "trainannot")
    write_scenes(tmp_path / "other", "val", "valannot")
    for place in ("val", "valannot"):
        shutil.move(tmp_path / "other" / place, tmp_path / place)
    found = own.look_into(tmp_path)
    assert found.layout == "camvid"
    assert {split: len(part) for split, part in found.examples.items()} == {"train": 40, "val": 40}


def test_folders_named_after_splits_split(tmp_path):
    for split, part in (("training", NAMES[:30]), ("valid", NAMES[30:])):
        write_scenes(tmp_path / "all")
        for place in ("images", "masks"):
            (tmp_path / place / split).mkdir(parents=True)
            for name in part:
                (file,) = (tmp_path / "all" / place).glob(f"{name}.*")
                shutil.move(file, tmp_path / place / split / file.name)
        shutil.rmtree(tmp_path / "all")
    dataset = own.own_dataset(tmp_path)
    assert sum(dataset.splits.values()) == 40
    assert dataset.splits["val"] == 10
    assert {Path(path).parent.name for _, path, _ in dataset.files(None, "val")} == {"valid"}


def test_polygons_of_coco_are_drawn_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "coco"
    write_scenes(data)
    shutil.rmtree(data / "masks")
    square = [10, 10, 29, 10, 29, 29, 10, 29]
    facts = {
        "images": [{"id": i, "file_name": f"{name}.jpg", "height": 40, "width": 56} for i, name in enumerate(NAMES)],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
        "annotations": [
            {"image_id": i, "category_id": category, "segmentation": [[x + shift for x in square]]}
            for i in range(40) for category, shift in ((7, 0), (3, 5))
        ],
    }  # fmt: skip
    (data / "annotations.json").write_text(json.dumps(facts))
    dataset = own.own_dataset(data)
    assert dataset.classes == ("background", "dog", "cat")
    label = open_split(dataset, "train", data)[0]["label"]
    assert [label[12, 12], label[20, 20], label[32, 32], label[2, 2]] == [2, 1, 1, 0]
    assert check(data).can_train


def test_a_photograph_that_two_json_of_coco_name_is_in_two_splits(tmp_path):
    write_scenes(tmp_path)
    shutil.rmtree(tmp_path / "masks")
    shape = {"category_id": 1, "segmentation": [[10, 10, 29, 10, 29, 29]]}
    for split, places in {"train": range(30), "valid": range(30, 36), "test": (2, *range(36, 40))}.items():
        rows = [{"id": i, "file_name": f"{NAMES[i]}.jpg", "height": 40, "width": 56} for i in places]
        facts = {"images": rows, "categories": [{"id": 1, "name": "cat"}],
                 "annotations": [{"image_id": i, **shape} for i in places]}  # fmt: skip
        (tmp_path / f"{split}_devices.json").write_text(json.dumps(facts))     # whose name says neither dev nor test
    report = check(tmp_path)
    twice = f"it names {NAMES[2]}.jpg, which test_devices.json names, too"
    assert [str(defect) for defect in report.defects] == [f"train_devices.json: {twice}"]
    assert not report.can_train
    assert report.dataset.splits == {"train": 29, "val": 6, "test": 5}


@pytest.mark.parametrize("told", [(80, 112), (56, 40)], ids=["twice as large", "not turned"])
def test_polygons_that_were_drawn_on_another_size_are_told(tmp_path, told):
    write_scenes(tmp_path)
    shutil.rmtree(tmp_path / "masks")
    height, width = told
    facts = {
        "images": [{"id": i, "file_name": f"{name}.jpg", "height": 40, "width": 56} for i, name in enumerate(NAMES)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"image_id": 0, "category_id": 1, "segmentation": []}],  # nor has it a box
    }
    facts["images"][3] |= {"height": height, "width": width}
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    report = check(tmp_path)
    what = f"its outlines are of {width} x {height}, and it is 56 x 40"
    assert [str(one) for one in report.defects if one.kind == "other-size"] == [f"images/{NAMES[3]}.jpg: {what}"]
    assert not report.can_train


def test_a_class_called_background_is_not_taken_for_masks(tmp_path):
    names = ("background", "cat")
    for index in range(30):
        folder = tmp_path / names[index % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(scene(index)[0]).save(folder / f"{index // 2}.png")
    found = own.look_into(tmp_path)
    assert (found.layout, found.classes) == ("class-folders", names)


def test_class_folders_are_classes(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    for index, name in enumerate(NAMES):
        folder = tmp_path / "pets" / ("cat", "dog")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene(index)[0]).save(folder / f"{name}.png")
    dataset = own.own_dataset(tmp_path / "pets")
    assert (dataset.task, dataset.classes) == ("recognition", ("cat", "dog"))
    examples = list(open_split(dataset, "train", tmp_path))
    assert {(example["key"].split("/")[0], int(example["label"])) for example in examples} == {("cat", 0), ("dog", 1)}
    assert examples[0]["image"].shape == (32, 64, 3)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_captions_are_read_from_rows_of_one_or_of_many(kind, tmp_path):
    write_scenes(tmp_path)
    shutil.rmtree(tmp_path / "masks")
    if kind == "jsonl":
        rows = [json.dumps({"image": f"{name}.jpg", "captions": ["a road", "ein Weg, größer"]}) for name in NAMES]
        (tmp_path / "captions.jsonl").write_text("\n".join(rows), encoding="utf-8")
    else:
        with (tmp_path / "captions.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("image", "caption"))
            writer.writerows((f"images/{name}.jpg", text) for name in NAMES for text in ("a road", "ein Weg, größer"))
    found = own.look_into(tmp_path)
    assert (found.layout, found.task, found.defects) == ("captions", "captioning", [])
    assert len(found.examples[""]) == 40
    assert {texts for *_, texts in found.examples[""]} == {("a road", "ein Weg, größer")}


def test_two_columns_are_pairs_of_sentences(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "pairs"
    data.mkdir()
    for split, count in (("train", 20), ("dev", 3), ("test", 4)):
        (data / f"{split}.tsv").write_text("".join(f"ein Hund {i}\ta dog {i}\n" for i in range(count)))
    dataset = own.own_dataset(data)
    assert dataset.splits == {"train": 20, "val": 3, "test": 4}
    assert open_split(dataset, "val", data)[2]["target"] == "a dog 2"


@pytest.mark.parametrize(("make", "message"), [
    (lambda folder: None, "expected images/ and masks/ .* Found: nothing"),
    (lambda folder: (folder / "notes.pdf").write_text("x"), "Found: notes.pdf"),
    (lambda folder: (folder / "images").mkdir(), "Found: images"),
])  # fmt: skip
def test_a_folder_without_data_says_what_was_looked_for(make, message, tmp_path):
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        own.look_into(tmp_path)


def test_a_split_is_decided_by_the_name_alone(clean):
    names = [str(index) for index in range(2000)]
    rows = [(name, "ja", "yes") for name in names]

    def split(rows):
        found = own.split_of(own.Found("pairs", "translation", {"": rows}), [name for name, *_ in rows])
        return {name: split for split, part in found.items() for name in part}

    whole, part = split(rows), split(rows[::3])
    counts = [list(whole.values()).count(split) for split in ("train", "val", "test")]
    assert abs(counts[1] - 180) < 40 and abs(counts[2] - 200) < 40 and sum(counts) == 2000
    assert all(whole[name] == split for name, split in part.items())


def test_a_pair_of_sentences_stays_in_its_split_wherever_its_row_stands(tmp_path):
    rows = [f"ein Hund {number}\ta dog {number}" for number in range(200)]

    def split(rows):
        (tmp_path / "pairs.tsv").write_text("\n".join(rows))
        dataset = own.own_dataset(tmp_path)
        return {source: split for split in dataset.splits for _, source, _ in dataset.files(None, split)}

    before, after = split(rows), split(["eine Katze\ta cat", *reversed(rows)])
    assert len(before) == 200
    assert before.items() <= after.items()


@pytest.mark.parametrize("layout", ["folders", "tsv"])
def test_what_is_of_no_split_is_left_out_and_told_where_others_are_of_one(layout, tmp_path):
    if layout == "folders":
        write_scenes(tmp_path)
        for number, name in enumerate(NAMES[1:]):
            for place in ("images", "masks"):
                (file,) = (tmp_path / place).glob(f"{name}.*")
                home = tmp_path / place / ("train", "test")[number % 2]
                home.mkdir(exist_ok=True)
                shutil.move(file, home / file.name)
        stray = f"images/{NAMES[0]}.jpg: it is in no folder of a split"
    else:
        for name, count in (("train", 20), ("test", 4), ("glossary", 3)):
            (tmp_path / f"{name}.tsv").write_text("".join(f"ein Hund {i} {name}\ta dog {i}\n" for i in range(count)))
        stray = "glossary.tsv: it is of no split, and others are"
    report = check(tmp_path)
    assert [str(one) for one in report.defects if one.kind == "in-no-list"] == [stray]
    assert report.dataset.splits["test"] == (19 if layout == "folders" else 4)


def test_the_same_name_in_two_splits_is_two_examples(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    for place, shift in (("train", 0), ("test", 100)):
        for folder in (place, f"{place}annot"):
            (tmp_path / "data" / folder).mkdir(parents=True)
        for index in range(12):
            image, labels = scene(index + shift)
            Image.fromarray(image).save(tmp_path / "data" / place / f"{index:04}.png")
            Image.fromarray(labels).save(tmp_path / "data" / f"{place}annot" / f"{index:04}.png")
    dataset = own.own_dataset(tmp_path / "data")
    assert sum(dataset.splits.values()) == 24
    for split, shift in (("train", 0), ("test", 100)):
        for example in open_split(dataset, split, tmp_path):
            index = int(example["key"].split("/")[-1]) + shift
            np.testing.assert_array_equal(example["image"], scene(index)[0])
            np.testing.assert_array_equal(example["label"], scene(index)[1])


def test_classes_whose_photographs_have_the_same_names_are_kept_apart(tmp_path):
    for place, name in enumerate(("daisy", "rose", "tulip")):
        (tmp_path / name).mkdir()
        for index in range(12):
            Image.fromarray(scene(12 * place + index)[0]).save(tmp_path / name / f"{index}.jpg")
    report = check(tmp_path)
    assert report.defects == []
    assert report.dataset.classes == ("daisy", "rose", "tulip")
    assert sum(report.dataset.splits.values()) == 36
    assert repair(report, tmp_path / "copy") == 36
    again = check(tmp_path / "copy")
    assert (again.defects, again.dataset.splits) == ([], report.dataset.splits)


@pytest.mark.parametrize(("before", "behind"), [("mask_", ""), ("", "_gt"), ("m ", " 1")])
def test_masks_may_have_something_around_their_names(before, behind, tmp_path):
    write_scenes(tmp_path)
    for file in (tmp_path / "masks").iterdir():
        file.rename(file.with_name(f"{before if behind == '' else ''}{file.stem}{behind}.png"))
    assert len(own.look_into(tmp_path).examples[""]) == 40


def test_lists_name_files_with_blanks_with_folders_or_with_endings(tmp_path):
    write_scenes(tmp_path)
    for folder in ("images", "masks"):
        for file in (tmp_path / folder).iterdir():
            file.rename(file.with_name(file.name.replace("_", " ")))
    names = [name.replace("_", " ") for name in NAMES]
    (tmp_path / "train.txt").write_text("\n".join(names[:20]))
    (tmp_path / "val.txt").write_text("\n".join(f"images/{name}.jpg" for name in names[20:30]))
    (tmp_path / "test.txt").write_text("\n".join(f"{name}.jpg" for name in names[30:]))
    report = check(tmp_path)
    assert report.defects == []
    assert report.dataset.splits == {"train": 20, "val": 10, "test": 10}
    repair(report, tmp_path / "copy")
    assert check(tmp_path / "copy").dataset.splits == report.dataset.splits


def test_captions_are_repaired(tmp_path):
    write_scenes(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "masks")
    rows = [json.dumps({"image": f"images/{name}.jpg", "caption": f"road {name}"}) for name in NAMES]
    (tmp_path / "data" / "captions.jsonl").write_text("\n".join(rows))
    exif = Image.Exif()
    exif[274] = 6
    with Image.open(tmp_path / "data" / "images" / f"{NAMES[0]}.jpg") as picture:
        picture.save(tmp_path / "data" / "images" / f"{NAMES[0]}.jpg", exif=exif)
    report = check(tmp_path / "data")
    assert repair(report, tmp_path / "copy") == 40
    again = check(tmp_path / "copy")
    assert (again.defects, again.dataset.splits) == ([], report.dataset.splits)


def test_labels_are_prepared_anew_when_classes_are_named(clean, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    folder = shutil.copytree(clean("colours"), tmp_path / "copy")
    for order in (CLASSES, CLASSES[::-1]):
        colours = dict(zip(CLASSES, COLOURS, strict=True))
        lines = (f"{name} {' '.join(map(str, colours[name]))}" for name in order)
        (folder / "label_colors.txt").write_text("\n".join(lines))
        example = open_split(own.own_dataset(folder), "val", folder)[0]
        labels = scene(NAMES.index(example["key"]))[1]
        np.testing.assert_array_equal(example["label"], labels if order == CLASSES else 2 - labels)


def test_a_photograph_on_its_head_is_a_warning_and_its_mask_is_left(clean, tmp_path):
    folder = shutil.copytree(clean("masks"), tmp_path / "copy")
    exif = Image.Exif()
    exif[274] = 3
    with Image.open(folder / "images" / f"{NAMES[4]}.jpg") as picture:
        picture.save(folder / "images" / f"{NAMES[4]}.jpg", exif=exif)
    report = check(folder)
    assert [(defect.kind, defect.file) for defect in report.defects] == [("perhaps-turned", f"images/{NAMES[4]}.jpg")]
    assert report.can_train
    repair(report, tmp_path / "repaired")
    np.testing.assert_array_equal(read_mask(tmp_path / "repaired" / "masks" / f"{NAMES[4]}.png"), scene(4)[1])


def test_an_unpacked_archive_keeps_its_classes(clean, tmp_path):
    shutil.copytree(clean("masks"), tmp_path / "zip" / "streets")
    report = check(tmp_path / "zip")
    assert (report.dataset.classes, report.defects) == (CLASSES, [])


# What masks mean


@pytest.mark.parametrize(("counts", "kind", "classes"), [
    ([{0: 5, 255: 5}], "foreground", ("background", "object")),
    ([{0: 5, 1: 5}, {0: 5}], "foreground", ("background", "object")),
    ([{0: 5, 1: 5, 255: 1}], "index", ("class 0", "class 1")),
    ([{0: 5, 1: 1}, {0: 5, 1: 1, 2: 1}, {0: 5, 1: 1, 2: 1, 3: 1}], "instances", ("background", "object")),
    ([{0: 5, 1: 1}, {0: 5, 1: 1, 2: 1}], "index", ("class 0", "class 1", "class 2")),
    ([{0: 5, 128: 1, 255: 1}], "grey", ("grey 0", "grey 128", "grey 255")),
    ([{0: 500, 1: 5, 3: 1, 251: 1, 254: 3, 255: 90}], "foreground", ("background", "object")),
    ([{0: 5, 1: 1, 2: 1}, {0: 5, 2: 1}], "index", ("class 0", "class 1", "class 2")),
    ([{0: 5, 76: 1, 150: 1}], "grey", ("grey 0", "grey 76", "grey 150")),
    ([{(0, 0, 0): 5, (255, 0, 0): 1}], "colour", ("colour 0 0 0", "colour 255 0 0")),
    ([{0: 9000, **dict.fromkeys(range(1, 255), 1), 255: 900}], "foreground", ("background", "object")),
])  # fmt: skip
def test_the_kind_of_masks_is_found_by_their_values(counts, kind, classes):
    found = kind_of(counts)
    assert (found.kind, found.classes) == (kind, classes)
    assert len(found.palette) == len(classes)


@pytest.mark.parametrize(("counts", "count", "kind"), [
    ([{0: 5, 1: 5, 255: 1}], 2, "index"),
    ([{0: 5, 255: 5}], 2, "foreground"),
    ([{0: 5, 255: 5}], 3, "index"),  # and void
    ([{0: 500, 1: 5, 3: 1, 251: 1, 254: 3, 255: 90}], 2, "foreground"),
    ([{0: 5, 1: 1}, {0: 5, 1: 1, 2: 1}, {0: 5, 1: 1, 2: 1, 3: 1}], 2, "instances"),
    ([{0: 5, 1: 1}, {0: 5, 1: 1, 2: 1}, {0: 5}], 3, "index"),
    ([{0: 5, 128: 1, 255: 1}], 3, "grey"),
    ([{0: 5, 1: 1, 7: 1}], 3, "index"),  # with a value that is no class
])  # fmt: skip
def test_masks_are_of_their_kind_when_their_classes_are_named_too(counts, count, kind):
    named = [(f"thing {index}", None) for index in range(count)]
    found = kind_of(counts, named)
    assert (found.kind, found.classes) == (kind, tuple(name for name, _ in named))
    assert len(found.palette) == count


@pytest.mark.parametrize(("counts", "greys", "values", "labels"), [
    ([{0: 5, 255: 5}], {"object": 255, "background": 0}, [0, 255], [1, 0]),
    ([{0: 5, 64: 5, 128: 2}, {255: 3}], {"sky": 128, "road": 64, "void": 0}, [0, 64, 128, 255], [2, 1, 0, 255]),
    ([{0: 500, 1: 5, 251: 1, 254: 3, 255: 90}], {"object": 255, "background": 0}, [0, 251], [0, 1]),  # in dark order
])  # fmt: skip
def test_grey_masks_mean_what_the_colours_of_their_classes_say(counts, greys, values, labels):
    found = kind_of(counts, [(name, (grey,) * 3) for name, grey in greys.items()])
    assert [found.label_of(value) for value in values] == labels
    assert {found.classes[label] for label in labels if label < len(greys)} <= greys.keys()
    for name, colour in zip(found.classes, found.palette, strict=True):
        assert colour == (greys[name],) * 3


def test_palettes_that_contradict_each_other_or_the_classes_are_read_by_their_colours(tmp_path, clean):
    folder = shutil.copytree(clean("colours"), tmp_path / "quantized")
    for turn, path in enumerate((folder / "labels").iterdir()):
        with Image.open(path) as picture:
            picture = picture.quantize()
            used = picture.getcolors()
            picture.remap_palette([(index + turn) % len(used) for index in range(len(used))]).save(path)
    assert len({read_mask(path)[0, 0] for path in (folder / "labels").iterdir()}) > 1
    report = check(folder)
    assert (report.defects, report.kind.kind, report.dataset.classes) == ([], "colour", CLASSES)
    for key, _, mask in report.dataset.files(folder, "test"):
        np.testing.assert_array_equal(report.dataset.read_label(mask, SIZE), scene(NAMES.index(Path(key).stem))[1])
    folder = shutil.copytree(clean("voc"), tmp_path / "turned")
    lines = [f"{name} {' '.join(map(str, colour))}" for name, colour in zip(CLASSES, COLOURS, strict=True)]
    (folder / "classes.txt").write_text("\n".join(lines))
    assert check(folder).kind.kind == "index"
    (folder / "classes.txt").write_text("\n".join(lines[::-1]))
    dataset = check(folder).dataset
    (key, _, mask), *_ = dataset.files(folder, "test")
    assert dataset.classes == CLASSES[::-1]
    np.testing.assert_array_equal(dataset.read_label(mask, SIZE), 2 - scene(NAMES.index(Path(key).stem))[1])


def test_a_part_within_a_part_is_a_class_and_no_second_object():
    assert kind_of([{0: 5}, {0: 5, 1: 1}, {0: 5, 1: 1, 2: 1}]).classes == ("class 0", "class 1", "class 2")


def test_a_value_that_makes_too_many_classes_is_told_with_its_number():
    with pytest.raises(DataError, match="masks: expected values of classes, below 64.* Found 77, in 1 of 3 masks"):
        kind_of([{0: 5, 1: 1}, {0: 5, 2: 1}, {0: 5, 77: 1}])


def test_the_list_of_classes_of_cvat_is_understood():
    text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad sign:128,64,128::\n"
    assert read_classes(text) == [("background", (0, 0, 0)), ("road sign", (128, 64, 128))]


def test_too_many_values_are_no_classes():
    with pytest.raises(DataError, match="masks: expected at most 64 classes. Found 200 values or more: JPEG"):
        kind_of([dict.fromkeys(range(200), 1)])


def test_masks_of_one_bit_of_16_and_with_transparency_are_read(tmp_path):
    labels = scene(0)[1]
    for name, picture in {
        "bit": Image.fromarray(labels > 1),
        "deep": Image.fromarray(labels.astype("uint16")),
        "clear": Image.fromarray(np.dstack([labels] * 3 + [np.full(SIZE, 9, "uint8")])),
    }.items():
        picture.save(tmp_path / f"{name}.png")
        expected = labels > 1 if name == "bit" else labels
        np.testing.assert_array_equal(read_mask(tmp_path / f"{name}.png"), expected)


@pytest.mark.parametrize(("text", "message"), [
    ("sky\nroad\nsky", "expected another name in line 3. Received: 'sky', once more"),
    ("sky\n\n", "expected at least two classes. Received: 1"),
])  # fmt: skip
def test_a_list_of_classes_that_is_none_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        read_classes(text)


# The doctor


def places(folder):
    """(folder of photographs, of masks, their ending, of lists)."""
    homes = (
        ("images", "masks", "", "."),
        ("JPEGImages", "SegmentationClass", "", "ImageSets/Segmentation"),
        ("photos", "labels", "_L", "."),
    )
    images, masks, ending, lists = next(home for home in homes if (folder / home[0]).is_dir())
    return folder / images, folder / masks, ending, folder / lists


def spoil(folder, rng):
    """Plant ten kinds of defect and say where: set of (kind, name of the file)."""
    images, masks, ending, lists = places(folder)
    train = [NAMES[index] for index in rng.permutation(28)]
    photograph = {name: images / f"{name}.jpg" for name in NAMES}
    mask = {name: masks / f"{name}{ending}.png" for name in NAMES}

    def beneath(path):
        return path.relative_to(folder).as_posix()

    garbage, cut, no_mask, no_image, other, turned, strange, twice, empty, broken = train[:10]
    photograph[garbage].write_bytes(b"no photograph")
    photograph[cut].write_bytes(photograph[cut].read_bytes()[:400])
    mask[broken].write_bytes(mask[broken].read_bytes()[:30])
    mask[no_mask].unlink()
    photograph[no_image].unlink()
    with Image.open(mask[other]) as picture:
        picture.resize((28, 20), Image.Resampling.NEAREST).save(mask[other])
    exif = Image.Exif()
    exif[274] = 6
    with Image.open(photograph[turned]) as picture:
        picture.save(photograph[turned], exif=exif)
    with Image.open(mask[strange]) as picture:
        values = np.array(picture)
        values[3:5, 3:5] = 77
        Image.fromarray(values).save(mask[strange])
    held = NAMES[28 + rng.integers(12)]
    shutil.copy(photograph[twice], photograph[held])
    with Image.open(mask[empty]) as picture:
        Image.fromarray(np.full_like(np.array(picture), 255)).save(mask[empty])
    (lists / "test.txt").write_text((lists / "test.txt").read_text() + "scene_99\n")
    for name in NAMES[28:34]:
        with Image.open(mask[name]) as picture:
            values = np.array(picture)
            car = (values == 2) if values.ndim == 2 else (values == COLOURS[2]).all(-1)
            values[car] = 1 if values.ndim == 2 else COLOURS[1]
            Image.fromarray(values).save(mask[name])
    return {
        ("unreadable", beneath(photograph[garbage])),
        ("unreadable", beneath(photograph[cut])),
        ("unreadable", beneath(mask[broken])),
        ("no-mask", beneath(photograph[no_mask])),
        ("no-image", beneath(mask[no_image])),
        ("other-size", beneath(mask[other])),
        ("turned", beneath(photograph[turned])),
        ("no-class", beneath(mask[strange])),
        ("two-splits", beneath(photograph[held])),
        ("not-there", beneath(lists / "test.txt")),
        ("unseen-class", "car"),
        ("empty-mask", beneath(mask[empty])),
    }


@pytest.fixture
def spoilt(clean, tmp_path):
    """Function: key of ``SEGMENTATIONS`` -> (a spoilt copy, what was planted)."""

    def made(key):
        folder = shutil.copytree(clean(key), tmp_path / "spoilt")
        return folder, spoil(folder, np.random.default_rng(len(key)))

    return made


@pytest.mark.parametrize("key", SEGMENTATIONS)
def test_every_planted_defect_is_found_and_no_other(key, spoilt):
    folder, planted = spoilt(key)
    report = check(folder)
    assert len({kind for kind, _ in planted}) >= 10
    assert {(defect.kind, defect.file) for defect in report.defects} == planted
    assert not report.can_train


@pytest.mark.parametrize("key", SEGMENTATIONS)
def test_a_clean_folder_has_no_defect(key, clean):
    report = check(clean(key))
    assert report.defects == []
    assert report.can_train
    assert sum(report.classes["train"].values()) == 28 * 40 * 56
    assert sheet(report).shape == (960, 1440, 3)
    assert histogram(report).ndim == 3


@pytest.mark.parametrize("key", SEGMENTATIONS)
def test_a_repaired_copy_is_clean_but_for_what_is_only_a_warning(key, spoilt, tmp_path):
    folder, planted = spoilt(key)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    count = repair(check(folder), tmp_path / "repaired")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    report = check(tmp_path / "repaired")
    assert {defect.kind for defect in report.defects} <= {"unseen-class", "empty-mask"}
    assert report.can_train
    assert sum(report.dataset.splits.values()) == count >= 40 - 8
    assert report.dataset.classes == CLASSES
    (turned,) = (name.removesuffix(".jpg").split("/")[-1] for kind, name in planted if kind == "turned")
    (_, photograph, mask), = (row for row in report.dataset.files(None, "train") if row[0] == turned)  # fmt: skip
    expected = np.rot90(scene(NAMES.index(turned))[1], -1)
    np.testing.assert_array_equal(report.dataset.read_label(mask, expected.shape), expected)
    assert Image.open(photograph).size == expected.shape[::-1]
    with pytest.raises(FileExistsError, match="expected a folder that is not there yet"):
        repair(report, tmp_path / "repaired")


def test_text_that_is_no_utf8_is_told_before_it_is_read(clean, tmp_path):
    folder = shutil.copytree(clean("masks"), tmp_path / "copy")
    (folder / "classes.txt").write_bytes("Straße\nHäuser\nAuto".encode("latin-1"))
    report = check(folder)
    assert [(defect.kind, defect.file) for defect in report.defects] == [("no-utf8", "classes.txt")]
    assert not report.can_train


def test_a_list_in_another_folder_that_is_no_utf8_is_told_too(clean, tmp_path):
    shutil.copytree(clean("masks"), tmp_path / "copy")
    (tmp_path / "copy" / "splits").mkdir()
    (tmp_path / "copy" / "splits" / "train.txt").write_bytes("Straße".encode("latin-1"))
    assert [one.file for one in check(tmp_path / "copy").defects if one.kind == "no-utf8"] == ["splits/train.txt"]


def test_rows_that_are_none_are_told(tmp_path):
    rows = [f"ein Hund {number}\ta dog {number}" for number in range(30)]
    (tmp_path / "data.tsv").write_text("\n".join([*rows, "eine Katze", "ein Haus\t", "a\tb\tc"]))
    report = check(tmp_path)
    assert [str(defect) for defect in report.defects] == [
        f"data.tsv: row {31 + place} has {count} columns: expected two, with a tab between"
        for place, count in enumerate((1, 1, 3))
    ]
    assert not report.can_train


def test_a_name_in_two_lists_is_told(clean, tmp_path):
    folder = shutil.copytree(clean("masks"), tmp_path / "copy")
    with (folder / "val.txt").open("a") as file:
        file.write(f"{NAMES[3]}\n")
    (defect,) = check(folder).defects
    assert defect.kind == "two-splits"
    assert str(defect) == f"val.txt: it names {NAMES[3]}, which train.txt names, too"


def test_every_kind_of_defect_has_its_remedy():
    assert all(kind.remedy for kind in KINDS.values())
