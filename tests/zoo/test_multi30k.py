"""Multi30k: pairs of lines, in their order; and what is wrong with a copy."""

import gzip
import os
import shutil

import pytest

from keras_segattn.zoo.data import DATASETS, TASKS, DataError, multi30k
from keras_segattn.zoo.data.builder import open_split

DE_EN, EN_DE = DATASETS["multi30k_de_en"], DATASETS["multi30k_en_de"]
RAW = "multi30k/data/task1/raw"


@pytest.fixture
def copy(drawn_multi30k, tmp_path):
    """A drawn Multi30k of one's own, to break: the folder of its files."""
    shutil.copytree(drawn_multi30k, tmp_path, dirs_exist_ok=True)
    return tmp_path / RAW


def write(path, text):
    path.write_bytes(gzip.compress(text if isinstance(text, bytes) else text.encode()))


def lines(path):
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def test_translation_is_scored_by_bleu_of_which_more_is_better():
    task = TASKS[DE_EN.task]
    assert (task.metric, task.title, task.direction, task.max_drop) == ("bleu", "BLEU", 1, 0.3)
    assert (DE_EN.languages, EN_DE.languages) == (("de", "en"), ("en", "de"))
    assert (DE_EN.classes, DE_EN.image_size) == ((), None)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_examples_are_the_lines_of_both_files_in_their_order(drawn_multi30k, split):
    name = "test_2016_flickr" if split == "test" else split
    german, english = (lines(drawn_multi30k / RAW / f"{name}.{code}.gz") for code in ("de", "en"))
    examples = open_split(DE_EN, split, drawn_multi30k)
    assert [example["source"] for example in examples] == german
    assert [example["target"] for example in examples] == english
    assert [example["key"] for example in examples] == [f"{split}-{n:05d}" for n in range(1, len(german) + 1)]
    assert examples[3]["source"] == german[3]


def test_the_other_direction_is_the_same_pairs_turned_round(drawn_multi30k):
    there, back = (open_split(dataset, "val", drawn_multi30k) for dataset in (DE_EN, EN_DE))
    assert [(e["source"], e["target"]) for e in there] == [(e["target"], e["source"]) for e in back]


def test_a_line_ends_at_a_line_feed_alone_and_keeps_its_blanks(copy):
    odd = ["Zwei\u2028Zeilen ", " ein\x0bTab\x85"]
    write(copy / "val.de.gz", "\n".join(odd))  # the last one does not end
    write(copy / "val.en.gz", "Two\nOne\n")
    assert [example["source"] for example in open_split(DE_EN, "val", copy)] == odd


@pytest.mark.parametrize("inside", [RAW, "data/task1/raw", "."])
def test_it_is_found_in_the_folder_or_below_it(drawn_multi30k, tmp_path, inside):
    shutil.copytree(drawn_multi30k / RAW, tmp_path / inside, dirs_exist_ok=True)
    assert len(DE_EN.files(tmp_path, "val")) == 8


def test_a_folder_without_it_is_told_with_the_places_and_the_source(tmp_path):
    with pytest.raises(DataError, match="expected val.en.gz in .*github.com/multi30k") as caught:
        open_split(EN_DE, "val", tmp_path)
    for place in (tmp_path / RAW, tmp_path / "data/task1/raw", tmp_path):
        assert str(place) in str(caught.value)


def broken(copy):
    """What may be wrong with the English of a split -> (how to make it so, what is said)."""
    path = copy / "train.en.gz"
    whole = lines(path)
    return {
        "missing": (path.unlink, "train.en.gz: expected a whole file. .*No such file"),
        "cut off": (lambda: path.write_bytes(path.read_bytes()[:-20]), "train.en.gz: expected a whole file"),
        "damaged": (
            lambda: path.write_bytes(path.read_bytes()[:10] + b"\xff" * 99),
            "train.en.gz: expected a whole file. Error -3",
        ),
        "packed wrongly": (lambda: path.write_bytes(b"A dog.\n"), "train.en.gz: expected a whole file. Not a gzipped"),
        "a line too few": (
            lambda: write(path, "\n".join(whole[:-1])),
            "as many lines in .*train.de.gz as in train.en.gz. Received: 56 and 55",
        ),
        "an empty line": (
            lambda: write(path, "\n".join([*whole[:2], " ", *whole[3:]])),
            "train.en.gz: expected a sentence in every line. Line 3 is empty",
        ),
        "nothing in it": (lambda: write(path, ""), "train.en.gz: expected a sentence in every line. Line 1 is empty"),
        "Latin-1": (lambda: write(path, "Caf\xe9\n".encode("latin-1") * 56), "train.en.gz: expected UTF-8 text"),
    }


@pytest.mark.parametrize(
    "kind",
    ["missing", "cut off", "damaged", "packed wrongly", "a line too few", "an empty line", "nothing in it", "Latin-1"],
)
def test_a_file_that_cannot_be_right_is_named_and_nothing_is_prepared(copy, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    spoil, message = broken(copy)[kind]
    spoil()
    with pytest.raises(DataError, match=message):
        open_split(DE_EN, "train", copy)
    assert not list((tmp_path / "cache").rglob("*"))


def test_a_changed_line_is_prepared_anew(copy):
    before = open_split(DE_EN, "val", copy)
    changed = lines(copy / "val.en.gz")
    write(copy / "val.en.gz", "\n".join([changed[0][::-1], *changed[1:]]))
    after = open_split(DE_EN, "val", copy)
    assert after[0]["target"] == before[0]["target"][::-1]
    assert after.stamp != before.stamp


def test_a_stamp_names_the_data_set_the_split_and_the_state_of_its_files(drawn_multi30k, copy):
    write(copy / "test_2016_flickr.de.gz", "\n".join(lines(copy / "val.de.gz")))
    write(copy / "test_2016_flickr.en.gz", "\n".join(lines(copy / "val.en.gz")))
    stamps = [open_split(dataset, split, copy).stamp for dataset in (DE_EN, EN_DE) for split in ("val", "test")]
    assert [stamp.rsplit("-", 1)[0] for stamp in stamps] == [
        *("multi30k_de_en-val", "multi30k_de_en-test"),
        *("multi30k_en_de-val", "multi30k_en_de-test"),
    ]
    assert len({stamp.rsplit("-", 1)[1] for stamp in stamps}) == 4
    assert open_split(DE_EN, "val", drawn_multi30k).stamp == stamps[0]


@pytest.mark.real_data
@pytest.mark.skipif(not os.environ.get("KERAS_SEGATTN_DATA"), reason="KERAS_SEGATTN_DATA is not set")
def test_multi30k_is_what_its_facts_say():
    folder = os.environ["KERAS_SEGATTN_DATA"]
    splits = {split: multi30k.read_pairs(folder, split, ("de", "en")) for split in DE_EN.splits}
    assert {split: len(pairs) for split, pairs in splits.items()} == DE_EN.splits == EN_DE.splits
    assert splits["test"][0][1:] == (
        "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.",
        "A man in an orange hat starring at something.",
    )
    assert open_split(EN_DE, "test", folder)[999]["source"] == splits["test"][999][2]
