"""Data sets are found, checked, read and augmented; an image and its labels always move together."""

import doctest
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from keras_segattn import zoo
from keras_segattn.zoo import data as module
from keras_segattn.zoo.data import DATASETS, DataError, augment, builder, camvid, data_folder, dataset, pipeline
from keras_segattn.zoo.data.augment import random_view
from keras_segattn.zoo.data.builder import open_split, read_pair
from keras_segattn.zoo.data.pipeline import training_batches

CAMVID, VOID = DATASETS["camvid"], 11
RECIPE = replace(zoo.info("fcn32s_mobilenet_camvid"), crop=(64, 64), batch_size=4)


@pytest.fixture
def camvid_copy(drawn_camvid, tmp_path):
    """A drawn CamVid of one's own, to break."""
    shutil.copytree(drawn_camvid / "CamVid", tmp_path / "CamVid")
    return tmp_path


@pytest.fixture
def train_split(drawn_camvid):
    return open_split(CAMVID, "train", drawn_camvid)


# Where data are


def test_the_data_folder_is_the_one_given_or_the_one_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_DATA", str(tmp_path))
    (tmp_path / "other").mkdir()
    assert data_folder() == tmp_path
    assert data_folder(tmp_path / "other") == tmp_path / "other"


@pytest.mark.parametrize("value", ["", "no/such/folder"])
def test_no_data_folder_is_told_with_what_to_set(monkeypatch, value):
    monkeypatch.setenv("KERAS_SEGATTN_DATA", value)
    expected = f"--data-dir or KERAS_SEGATTN_DATA. Received: {repr(value) if value else 'nothing'}"
    with pytest.raises(DataError, match=expected):
        data_folder()


@pytest.mark.parametrize("inside", ["camvid/CamVid", "CamVid", "."])
def test_camvid_is_found_in_the_folder_or_below_it(drawn_camvid, tmp_path, inside):
    target = tmp_path / "data" / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(drawn_camvid / "CamVid", target, dirs_exist_ok=True)
    found = camvid.files(tmp_path / "data", "val")
    assert [key for key, _, _ in found] == ["val00", "val01", "val02", "val03"]
    assert found[2][1:] == (target / "val" / "val02.png", target / "valannot" / "val02.png")


def test_files_come_in_the_order_of_the_list_and_blank_lines_are_skipped(camvid_copy):
    path = camvid_copy / "CamVid" / "val.txt"
    path.write_text("\n".join(["", *reversed(path.read_text().splitlines()), "", ""]))
    assert [key for key, _, _ in camvid.files(camvid_copy, "val")] == ["val03", "val02", "val01", "val00"]


def test_a_folder_without_camvid_is_told_with_the_places_and_the_source(tmp_path):
    with pytest.raises(DataError, match="expected train.txt in .*github.com/alexgkendall") as caught:
        open_split(CAMVID, "train", tmp_path)
    for place in (tmp_path / "camvid" / "CamVid", tmp_path / "CamVid", tmp_path):
        assert str(place) in str(caught.value)


@pytest.mark.parametrize("kind", ["train", "trainannot"])
def test_a_missing_file_is_named_with_the_list_that_names_it(camvid_copy, kind):
    path = camvid_copy / "CamVid" / kind / "train07.png"
    path.unlink()
    with pytest.raises(DataError, match=f"expected {path}, which train.txt names"):
        open_split(CAMVID, "train", camvid_copy)


def test_an_unknown_split_is_told_with_those_there_are(drawn_camvid):
    with pytest.raises(DataError, match="expected one of train, val, test. Received: 'validation'"):
        open_split(CAMVID, "validation", drawn_camvid)


# What is in them


def test_every_example_is_the_pixels_of_its_files(drawn_camvid):
    examples = open_split(CAMVID, "val", drawn_camvid)
    files = {key: (image, label) for key, image, label in camvid.files(drawn_camvid, "val")}
    assert sorted(examples[i]["key"] for i in range(len(examples))) == sorted(files)
    for example in (examples[i] for i in range(len(examples))):
        image, label = files[example["key"]]
        np.testing.assert_array_equal(example["image"], Image.open(image))
        np.testing.assert_array_equal(example["label"], Image.open(label))


def test_splits_do_not_share_an_example(drawn_camvid):
    splits = [open_split(CAMVID, split, drawn_camvid) for split in CAMVID.splits]
    keys = [examples[i]["key"] for examples in splits for i in range(len(examples))]
    assert [len(examples) for examples in splits] == [12, 4, 4]
    assert len(set(keys)) == 20


def test_a_changed_file_is_prepared_anew_even_if_it_is_no_longer(camvid_copy):
    path = camvid_copy / "CamVid" / "valannot" / "val00.png"

    def write(label):
        Image.fromarray(label).save(path)
        path.write_bytes(path.read_bytes().ljust(10_000, b"\0"))  # a PNG may have a tail

    def prepared():
        examples = open_split(CAMVID, "val", camvid_copy)
        return next(e["label"] for e in (examples[i] for i in range(4)) if e["key"] == "val00")

    label = (np.arange(96 * 128).reshape(96, 128) // 1111).astype("uint8")
    for each in (label, label[::-1]):
        write(each)
        np.testing.assert_array_equal(prepared(), each)


def break_label(camvid_copy, label):
    """Write another label map for the first training image. Returns (image path, label path)."""
    path = camvid_copy / "CamVid" / "trainannot" / "train00.png"
    Image.fromarray(label).save(path)
    return camvid_copy / "CamVid" / "train" / "train00.png", path


LABELS = np.arange(96 * 128).reshape(96, 128) % 12  # every class and void

BROKEN = {
    "a label out of range": (np.where(LABELS == 3, 12, LABELS).astype("uint8"), r"0\.\.10 or 11.*also: \[12\]"),
    "another size": (LABELS[:95].astype("uint8"), r"\(96, 128\). Received: \(95, 128\)"),
    "turned by a quarter": (LABELS.T.astype("uint8"), r"\(96, 128\). Received: \(128, 96\)"),
    "16 bits": (LABELS.astype("uint16"), r"8-bit index image. Received: uint16 \(96, 128\)"),
    "colours": (np.stack([LABELS] * 3, -1).astype("uint8"), r"8-bit index image. Received: uint8 \(96, 128, 3\)"),
}


@pytest.mark.parametrize("label, message", BROKEN.values(), ids=BROKEN)
def test_a_label_map_that_cannot_be_right_is_named_with_what_was_expected(camvid_copy, label, message):
    image_path, label_path = break_label(camvid_copy, label)
    with pytest.raises(DataError, match=f"{label_path}: expected .*{message}"):
        read_pair(CAMVID, image_path, label_path)


def test_a_label_map_that_is_cut_off_is_named(camvid_copy):
    image_path, label_path = break_label(camvid_copy, LABELS.astype("uint8"))
    label_path.write_bytes(label_path.read_bytes()[:60])
    with pytest.raises(DataError, match=f"{label_path}: expected an 8-bit index image. Pillow cannot read it"):
        read_pair(CAMVID, image_path, label_path)


def test_a_bad_label_map_stops_the_preparation_and_leaves_nothing_that_looks_prepared(camvid_copy):
    _, label_path = break_label(camvid_copy, np.full((96, 128), 200, "uint8"))
    for _ in range(2):
        with pytest.raises(DataError, match=f"{label_path}: .*also: \\[200\\]"):
            open_split(CAMVID, "train", camvid_copy)


def test_a_palette_image_gives_its_indices_not_its_colours(camvid_copy):
    image_path, label_path = break_label(camvid_copy, LABELS.astype("uint8"))
    picture = Image.fromarray(LABELS.astype("uint8"))
    picture.putpalette(np.array(CAMVID.palette, "uint8").tobytes())
    picture.save(label_path)
    np.testing.assert_array_equal(read_pair(CAMVID, image_path, label_path)["label"][..., 0], LABELS)


@pytest.mark.real_data
def test_camvid_is_what_its_facts_say():
    if not os.path.isdir(os.environ.get("KERAS_SEGATTN_DATA", "")):
        pytest.skip("KERAS_SEGATTN_DATA names no folder")
    folder = data_folder()
    for split, count in CAMVID.splits.items():
        found = camvid.files(folder, split)
        assert len({key for key, _, _ in found}) == len(found) == count
        pair = read_pair(CAMVID, *found[0][1:])
        assert pair["image"].shape[:2] == pair["label"].shape[:2] == CAMVID.image_size
        assert len(np.unique(pair["label"])) > 5


# Random views


ROWS, COLUMNS = np.mgrid[:96, :128].astype("uint8")
COORDINATES = np.stack([ROWS, COLUMNS, ROWS // 2 + COLUMNS // 2], axis=-1)  # an image that says where it is


def view(label, seed, **changes):
    arguments = {"crop": (48, 64), "scale": (1.0, 2.0), "colour": 0.0, "ignore_label": 255, **changes}
    return random_view(COORDINATES, label, np.random.default_rng(seed), **arguments)


@pytest.mark.parametrize("scale", [(1.0, 1.0), (1.0, 2.0), (0.3, 0.9)], ids=["crop", "zoom in", "zoom out"])
@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_an_image_and_its_labels_move_together(axis, scale):
    """The label is the pixel's row or column, and so is one channel of the image."""
    channel, label = {"rows": (0, ROWS), "columns": (1, COLUMNS)}[axis]
    for seed in range(20):
        image, found = view(label, seed, scale=scale)
        inside = found != 255
        # One source pixel apart where the view shrinks: nearest against bilinear.
        assert np.abs(image[inside, channel].astype(int) - found[inside]).max() <= 1
        assert (image[~inside] == 127).all()
        assert inside.mean() > 0.05


def test_views_differ_in_place_size_and_side():
    corners = [view(COLUMNS, seed)[1][0, [0, -1]].astype(int) for seed in range(40)]
    widths = [abs(right - left) for left, right in corners]
    mirrored = sum(left > right for left, right in corners)
    assert 10 < mirrored < 30
    assert 30 < min(widths) < 40  # a view of 64 pixels, up to twice magnified
    assert 50 < max(widths) < 64
    assert len({tuple(pair) for pair in corners}) > 35


def test_a_view_at_scale_one_is_the_photograph_itself():
    for seed in range(4):
        image, label = view(COLUMNS, seed, crop=(96, 128), scale=(1.0, 1.0))
        turned = slice(None, None, -1 if label[0, 0] > label[0, -1] else 1)
        np.testing.assert_array_equal(image, COORDINATES[:, turned])
        np.testing.assert_array_equal(label, COLUMNS[:, turned])


def test_magnification_by_two_shows_half_of_the_width():
    _, label = view(COLUMNS, 0, scale=(2.0, 2.0))
    assert abs(int(label[0, 0]) - int(label[0, -1])) in (31, 32)


@pytest.mark.parametrize("ignore_label", [255, 11, 0])
def test_the_margin_is_the_label_to_ignore(ignore_label):
    label = np.full_like(ROWS, 5)
    _, found = view(label, 1, crop=(96, 128), scale=(0.5, 0.5), ignore_label=ignore_label)
    assert set(np.unique(found)) == {5, ignore_label}
    assert (found == 5).mean() == pytest.approx(0.25, abs=0.02)


def test_no_label_lies_between_two_labels():
    stripes = np.where(COLUMNS % 8 < 4, 0, 10).astype("uint8")
    for seed in range(5):
        _, found = view(stripes, seed, scale=(0.6, 1.7))
        assert set(np.unique(found)) <= {0, 10, 255}


def test_a_margin_without_a_label_to_ignore_is_refused():
    with pytest.raises(ValueError, match="scale: expected views inside of the photograph"):
        view(ROWS, 0, crop=(96, 128), scale=(0.5, 0.5), ignore_label=None)
    view(ROWS, 0, scale=(1.0, 2.0), ignore_label=None)


def test_colour_changes_the_image_and_never_the_labels():
    plain, tinted = (view(COLUMNS, 3, colour=strength) for strength in (0.0, 0.5))
    assert np.abs(plain[0].astype(int) - tinted[0]).mean() > 5
    np.testing.assert_array_equal(plain[1], tinted[1])


def test_the_same_random_state_gives_the_same_view():
    first, again, other = view(ROWS, 5, colour=0.5), view(ROWS, 5, colour=0.5), view(ROWS, 6, colour=0.5)
    for part in range(2):
        np.testing.assert_array_equal(first[part], again[part])
        assert (first[part] != other[part]).mean() > 0.5


# Batches


def batches(examples, recipe=RECIPE, epoch=0):
    images, labels = zip(*training_batches(examples, recipe, VOID, epoch), strict=True)
    return np.stack(images), np.stack(labels)


def test_an_epoch_is_the_same_bit_by_bit_whenever_it_comes(train_split):
    for first, again in zip(batches(train_split, epoch=7), batches(train_split, epoch=7), strict=True):
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("other", [{"epoch": 1}, {"recipe": replace(RECIPE, seed=1)}], ids=["epoch", "seed"])
def test_another_epoch_or_seed_gives_other_views(train_split, other):
    for first, second in zip(batches(train_split), batches(train_split, **other), strict=True):
        different = (first != second).reshape(3, 4, -1).mean(axis=-1)
        assert different.min() > 0.1


WHOLE = replace(RECIPE, crop=(96, 128), scale=(1.0, 1.0), colour=0.0, batch_size=3)  # mirrored at most


def signatures(labels):
    """What tells one label map from another, mirrored or not."""
    return [tuple(np.bincount(label.ravel(), minlength=12)) for label in labels]


def test_an_epoch_holds_every_image_once_in_whole_batches(train_split):
    images, labels = batches(train_split, WHOLE)
    assert (images.shape, images.dtype) == ((4, 3, 96, 128, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((4, 3, 96, 128), np.uint8)
    stored = signatures(train_split[i]["label"] for i in range(12))
    assert sorted(signatures(labels.reshape(12, 96, 128))) == sorted(stored)


def test_every_epoch_has_an_order_of_its_own(train_split):
    orders = [signatures(batches(train_split, WHOLE, epoch)[1].reshape(12, 96, 128)) for epoch in range(3)]
    orders.append(signatures(train_split[i]["label"] for i in range(12)))
    assert len({tuple(order) for order in orders}) == 4


def test_views_are_scaled_and_tinted_as_the_recipe_says(train_split):
    plain, labels = batches(train_split, replace(WHOLE, scale=(0.5, 0.5)))
    assert ((plain == 127).all(axis=-1) & (labels == VOID)).mean() == pytest.approx(0.75, abs=0.02)
    tinted, same = batches(train_split, replace(WHOLE, scale=(0.5, 0.5), colour=0.5))
    np.testing.assert_array_equal(same, labels)
    assert np.abs(tinted.astype(int) - plain).mean() > 5


def test_the_incomplete_last_batch_is_left_out(train_split):
    images, _ = batches(train_split, replace(RECIPE, batch_size=5))
    assert images.shape[:2] == (2, 5)


def test_fewer_images_than_a_batch_holds_are_refused(train_split):
    with pytest.raises(ValueError, match="batch_size: expected at most the 12 training images. Received: 13"):
        training_batches(train_split, replace(RECIPE, batch_size=13), VOID, 0)


@pytest.mark.parametrize("part", [module, augment, builder, camvid, dataset, pipeline], ids=lambda part: part.__name__)
def test_the_examples_run(part):
    assert doctest.testmod(part).failed == 0
