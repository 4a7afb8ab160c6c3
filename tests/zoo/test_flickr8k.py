"""Flickr8k: photographs with five captions, packed or not; and what is wrong with a copy."""

import io
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_segattn.zoo.data import DATASETS, TASKS, DataError, flickr8k
from keras_segattn.zoo.data.builder import open_split

FLICKR8K = DATASETS["flickr8k"]
DATASET, TEXT = "Flickr8k_Dataset.zip", "Flickr8k_text.zip"
TOKENS = "Flickr8k.token.txt"
PHOTOGRAPH = "Flicker8k_Dataset/dev02.jpg"


@pytest.fixture
def copy(drawn_flickr8k, tmp_path):
    """A drawn Flickr8k of one's own, to break: the folder of its archives."""
    shutil.copytree(drawn_flickr8k / "flickr8k", tmp_path / "flickr8k")
    return tmp_path / "flickr8k"


@pytest.fixture
def unpacked(copy):
    """The same without its archives, as they were unpacked beside each other."""
    for name in (DATASET, TEXT):
        with zipfile.ZipFile(copy / name) as archive:
            archive.extractall(copy)
        (copy / name).unlink()
    return copy


def pixels(data):
    return np.array(Image.open(data).convert("RGB"))


def assert_alike(examples, others):
    assert len(examples) == len(others) > 0
    for one, other in zip(examples, others, strict=True):
        assert (one["key"], one["captions"]) == (other["key"], other["captions"])
        np.testing.assert_array_equal(one["image"], other["image"])


def test_captions_are_scored_by_bleu_4_of_which_more_is_better():
    task = TASKS[FLICKR8K.task]
    assert (task.metric, task.title, task.direction, task.max_drop) == ("bleu_4", "BLEU-4", 1, 0.3)
    assert (FLICKR8K.image_size, FLICKR8K.channels) == ((224, 224), 3)


SPLITS = [("train", "train", 12), ("val", "dev", 4), ("test", "test", 4)]


@pytest.mark.parametrize(("split", "upstream", "count"), SPLITS)
def test_examples_are_the_pixels_and_captions_of_the_list_in_its_order(drawn_flickr8k, split, upstream, count):
    examples = open_split(FLICKR8K, split, drawn_flickr8k)
    assert [example["key"] for example in examples] == [f"{upstream}{n:02d}" for n in reversed(range(count))]
    archive = zipfile.ZipFile(drawn_flickr8k / "flickr8k" / DATASET)
    for example in examples:
        np.testing.assert_array_equal(
            example["image"], pixels(archive.open(f"Flicker8k_Dataset/{example['key']}.jpg"))
        )
        assert (example["image"].shape, example["image"].dtype) == ((224, 224, 3), np.uint8)
        assert [caption.split()[2] for caption in example["captions"]] == list("01234")
    assert isinstance(examples[1]["captions"], tuple)


def test_a_split_is_prepared_in_the_cache_and_then_read_from_there(drawn_flickr8k, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path))
    first = open_split(FLICKR8K, "val", drawn_flickr8k)
    (records,) = tmp_path.rglob("*.array_record*")
    written = records.stat().st_mtime_ns
    assert capsys.readouterr().out == ""
    assert_alike(open_split(FLICKR8K, "val", drawn_flickr8k), first)
    assert list(tmp_path.rglob("*.array_record*")) == [records]
    assert records.stat().st_mtime_ns == written


@pytest.mark.parametrize("place", ["beside", "in folders"])
def test_an_unpacked_copy_has_the_same_examples(drawn_flickr8k, unpacked, place):
    if place == "in folders":
        for folder, name in (("Flickr8k_Dataset", "Flicker8k_Dataset"), ("Flickr8k_text", "*.txt")):
            (unpacked / folder).mkdir()
            for path in unpacked.glob(name):
                path.rename(unpacked / folder / path.name)
    assert_alike(open_split(FLICKR8K, "val", unpacked), open_split(FLICKR8K, "val", drawn_flickr8k))


def test_captions_come_by_their_numbers_whatever_the_order_of_the_file(drawn_flickr8k, unpacked):
    lines = (unpacked / TOKENS).read_text().splitlines()
    (unpacked / TOKENS).write_text("\n".join(reversed(lines)))
    assert_alike(open_split(FLICKR8K, "val", unpacked), open_split(FLICKR8K, "val", drawn_flickr8k))


def test_blank_lines_of_a_list_are_skipped(unpacked):
    (unpacked / "Flickr_8k.devImages.txt").write_text("\n dev03.jpg \r\n\ndev01.jpg\n\n")
    assert [example["key"] for example in open_split(FLICKR8K, "val", unpacked)] == ["dev03", "dev01"]


def test_a_photograph_of_another_size_is_resized_and_a_grey_one_becomes_rgb(unpacked):
    grey = np.tile(np.arange(100, 200, dtype="uint8"), (300, 1))  # (300, 100), brighter to the right
    Image.fromarray(grey).save(unpacked / "Flicker8k_Dataset" / "dev03.jpg")
    image = open_split(FLICKR8K, "val", unpacked)[0]["image"]
    assert image.shape == (224, 224, 3)
    assert np.ptp(image, axis=-1).max() == 0
    np.testing.assert_allclose(image[100, :, 0], np.linspace(100, 199, 224), atol=2)


@pytest.mark.parametrize(("packed", "name"), [(True, DATASET), (False, "dev01.jpg")], ids=["packed", "unpacked"])
def test_a_changed_photograph_is_prepared_anew(request, packed, name):
    folder = request.getfixturevalue("copy" if packed else "unpacked")
    before = open_split(FLICKR8K, "val", folder)
    data = io.BytesIO()
    Image.fromarray(255 - before[2]["image"]).save(data, "JPEG")
    if packed:
        replace_member(folder / DATASET, "Flicker8k_Dataset/dev01.jpg", data.getvalue())
    else:
        (folder / "Flicker8k_Dataset" / name).write_bytes(data.getvalue())
    after = open_split(FLICKR8K, "val", folder)
    assert after.stamp != before.stamp
    assert after[2]["key"] == "dev01"
    assert np.abs(255.0 - after[2]["image"] - before[2]["image"]).mean() < 3
    np.testing.assert_array_equal(after[0]["image"], before[0]["image"])


def replace_member(path, name, data):
    """Write an archive again with other bytes, or None, for one of its members."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()} | {name: data}
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in members.items():
            if content is not None:
                archive.writestr(each, content)


def photograph(copy):
    with zipfile.ZipFile(copy / DATASET) as archive:
        return archive.read(PHOTOGRAPH)


def drawing():
    data = io.BytesIO()
    Image.new("RGB", (224, 224)).save(data, "PNG")
    return data.getvalue()


def enlarged(photograph):
    """The same bytes under a header that says 65535 x 65535 pixels."""
    size = photograph.index(b"\xff\xc0") + 5  # after the marker of the frame, its length and the bits of a sample
    return photograph[:size] + b"\xff" * 4 + photograph[size + 4 :]


def edit_tokens(copy, edit):
    with zipfile.ZipFile(copy / TEXT) as archive:
        lines = archive.read(TOKENS).decode().splitlines()
    replace_member(copy / TEXT, TOKENS, "\n".join(edit(lines)).encode())


def cut(path, keep=0.5):
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])


def flip_a_byte(copy):
    """Damage the packed bytes of one photograph, of which its archive keeps a checksum."""
    with zipfile.ZipFile(copy / DATASET) as archive:
        info = archive.getinfo(PHOTOGRAPH)
    data = bytearray((copy / DATASET).read_bytes())
    data[info.header_offset + 200] ^= 255
    (copy / DATASET).write_bytes(bytes(data))


BROKEN = {
    "no photographs": (lambda copy: (copy / DATASET).unlink(), f"expected {DATASET} or Flicker8k_Dataset in .*flickr"),
    "no text": (lambda copy: (copy / TEXT).unlink(), f"expected {TEXT} or {TOKENS} in .*flickr8k"),
    "an archive cut off": (lambda copy: cut(copy / DATASET), f"{DATASET}: expected a whole .zip file"),
    "text cut off": (lambda copy: cut(copy / TEXT), f"{TEXT}: expected a whole .zip file"),
    "no list": (
        lambda copy: replace_member(copy / TEXT, "Flickr_8k.devImages.txt", None),
        "Flickr_8k.devImages.txt: expected a whole file",
    ),
    "a photograph missing": (
        lambda copy: replace_member(copy / DATASET, PHOTOGRAPH, None),
        f"expected .*{PHOTOGRAPH}, which Flickr_8k.devImages.txt names; the copy is incomplete",
    ),
    "a damaged byte": (flip_a_byte, f"{PHOTOGRAPH}: expected a whole file. Bad CRC-32"),
    "a photograph cut off": (
        lambda copy: replace_member(copy / DATASET, PHOTOGRAPH, photograph(copy)[: len(photograph(copy)) // 2]),
        f"{PHOTOGRAPH}: expected a photograph, JPEG. Pillow cannot read it",
    ),
    "a photograph that is none": (
        lambda copy: replace_member(copy / DATASET, PHOTOGRAPH, drawing()),
        f"{PHOTOGRAPH}: expected a photograph, JPEG. Pillow cannot read it",
    ),
    "a photograph too large": (
        lambda copy: replace_member(copy / DATASET, PHOTOGRAPH, enlarged(photograph(copy))),
        f"{PHOTOGRAPH}: expected a photograph, JPEG. Pillow cannot read it: Image size",
    ),
    "four captions": (
        lambda copy: edit_tokens(copy, lambda lines: [line for line in lines if "dev02.jpg#3" not in line]),
        r"captions 0..4 of dev02.jpg, which Flickr_8k.devImages.txt names. Received: \[0, 1, 2, 4\]",
    ),
    "a caption twice": (
        lambda copy: edit_tokens(copy, lambda lines: [*lines, "dev02.jpg#3\tAgain ."]),
        r"captions 0..4 of dev02.jpg, .* Received: \[0, 1, 2, 3, 3, 4\]",
    ),
    "no captions": (
        lambda copy: edit_tokens(copy, lambda lines: [line for line in lines if "dev02" not in line]),
        r"captions 0..4 of dev02.jpg, .* Received: \[\]",
    ),
    "an empty caption": (
        lambda copy: edit_tokens(copy, lambda lines: [lines[0], "a.jpg#1\t ", *lines[1:]]),
        r"NAME#NUMBER, a tab and a caption. Line 2 is 'a.jpg#1\\t '",
    ),
    "no number": (
        lambda copy: edit_tokens(copy, lambda lines: ["a.jpg\tA dog .", *lines]),
        r"NAME#NUMBER, a tab and a caption. Line 1 is 'a.jpg\\tA dog .'",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.values(), ids=BROKEN)
def test_a_copy_that_cannot_be_right_is_refused_and_nothing_half_prepared_stays(
    copy, tmp_path, monkeypatch, spoil, message
):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    spoil(copy)
    for _ in range(2):
        with pytest.raises(DataError, match=message):
            open_split(FLICKR8K, "val", copy)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_what_is_wrong_with_another_split_does_not_matter(copy):
    replace_member(copy / DATASET, "Flicker8k_Dataset/train01.jpg", None)
    assert len(open_split(FLICKR8K, "val", copy)) == 4


@pytest.mark.real_data
@pytest.mark.skipif(not os.environ.get("KERAS_SEGATTN_DATA"), reason="KERAS_SEGATTN_DATA is not set")
def test_flickr8k_is_what_its_facts_say():
    folder = os.environ["KERAS_SEGATTN_DATA"]
    splits = {split: flickr8k.files(folder, split) for split in FLICKR8K.splits}
    assert {split: len(found) for split, found in splits.items()} == FLICKR8K.splits
    assert len({key for found in splits.values() for key, *_ in found}) == 8000
    example = open_split(FLICKR8K, "test", folder)[0]
    assert example["captions"][0] == "The dogs are in the snow in front of a fence ."
    with splits["test"][0][1].open("rb") as file:
        np.testing.assert_array_equal(example["image"], pixels(file))
