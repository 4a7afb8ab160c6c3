"""The page of what exports speaks of every builder and of many layers, and says why of all that does not."""

import re
from pathlib import Path

import pytest

FORMATS = ("saved_model", "tflite", "onnx")


@pytest.fixture(scope="module")
def page():
    return (Path(__file__).parent.parent / "docs" / "coverage.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table(page):
    """Model -> what came of it in each format."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {name: dict(zip(FORMATS, cells, strict=True)) for name, *cells in rows[1:]}


def test_every_builder_of_keras_and_forty_small_models_went_through(table):
    import keras

    builders = {name for name, one in vars(keras.applications).items() if callable(one) and name[0].isupper()}
    assert builders <= table.keys()
    assert len(table.keys() - builders) >= 40


def test_nineteen_files_of_twenty_are_proven_and_none_ends_the_process(page, table):
    cells = [cell for formats in table.values() for cell in formats.values()]
    proven = [cell for cell in cells if re.fullmatch(r"\de-\d\d|0e\+00", cell)]
    assert len(proven) >= 0.95 * len(cells)
    assert max(map(float, proven)) <= 1e-4
    assert "0 because the answers differ. 0 ended the process" in " ".join(page.split())


def test_each_of_the_others_names_the_layer_and_the_remedy_or_wants_more_memory(page, table):
    reasons = dict(re.findall(r"^- (.+, \w+), refused: (.+)$", page, re.M))
    refused = {f"{name}, {format}" for name, formats in table.items() for format in FORMATS
               if formats[format] == "refused"}  # fmt: skip
    assert reasons.keys() == refused
    assert all(re.search(r" of layer \w+|memory runs out", reason) for reason in reasons.values())
