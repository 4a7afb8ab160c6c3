"""Every entry of the zoo in every format and precision: proven here and now, and in the ledger."""

import os

import pytest

from keras_segattn import zoo
from keras_segattn.cli.entry import artifacts, export_entry, impossible, usual_tail
from keras_segattn.export.contract import PRECISIONS
from keras_segattn.zoo import results
from keras_segattn.zoo.data import DATASETS, TASKS

EVERY = [(format, precision) for format, precisions in PRECISIONS.items() for precision in precisions]
PROVEN = [(name, *pair) for name in zoo.list_models() for pair in artifacts(zoo.info(name))]
IN_PLAIN_RUNS = [file for file in PROVEN if file[0] == "stn_affine_mnist_r" and file[2] != "mixed"]  # the fastest
IMPOSSIBLE = [(name, *key.split()) for name in zoo.list_models() for key in impossible(zoo.info(name))]
LEDGER = {
    "test": set(),
    "proof": {"worst_difference", "mean_difference", "label_agreement"},
    "": {"size", "output_bytes", "times_as_fast", "ms", "peak_mb"},
}


# Points of the score of its task that a file may lose, by its precision.
MOST = {
    "segmentation": {"float32": 0.01, "float16": 0.05, "int8": 0.5, "mixed": 0.3},
    "recognition": {"float32": 0.0, "float16": 0.02, "int8": 0.2, "mixed": 0.15},
    "translation": {"float32": 0.02, "float16": 0.05, "dynamic": 0.5},
    "captioning": {"float32": 0.02, "float16": 0.05, "dynamic": 0.5},
}


def dataset(name):
    return DATASETS[zoo.info(name).dataset]


def task(name):
    return TASKS[dataset(name).task]


def drop(name, **facts):
    """Points of its score on the test split that a file lost, by the ledger."""
    table, seed = results.read(), str(zoo.info(name).seed)
    whole, file = (
        float(results.latest(table, entry=name, metric=task(name).metric, split="test", seed=seed, **same)["value"])
        for same in ({"format": "keras", "tail": ""}, {"tail": usual_tail(dataset(name)), **facts})
    )
    return task(name).direction * (whole - file)


def test_every_combination_is_proven_or_has_its_reason():
    assert sorted([*PROVEN, *IMPOSSIBLE]) == sorted((name, *pair) for name in zoo.list_models() for pair in EVERY)


@pytest.mark.parametrize(("name", "format", "precision"), PROVEN)
def test_the_ledger_has_every_file_of_every_entry(name, format, precision):
    rows = [
        row
        for row in results.read()
        if (row["entry"], row["format"], row["precision"]) == (name, format, precision)
        and row["tail"] == usual_tail(dataset(name))
    ]
    for split, metrics in LEDGER.items():
        expected = metrics or {task(name).metric}
        assert expected <= {row["metric"] for row in rows if row["split"] == split}
    if format != "saved_model":
        assert "operators" in {row["metric"] for row in rows}


@pytest.mark.parametrize(
    ("name", "format", "precision"), [file for file in PROVEN if file[2] in MOST[dataset(file[0]).task]]
)
def test_a_file_loses_no_more_than_its_precision_may(name, format, precision):
    assert drop(name, format=format, precision=precision) <= MOST[dataset(name).task][precision]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "format", "precision"),
    [pytest.param(*file, marks=[] if file in IN_PLAIN_RUNS else pytest.mark.every_entry) for file in PROVEN],
)
def test_a_file_is_made_proven_and_linted(name, format, precision, tmp_path):
    if precision == "mixed" and not os.environ.get("KERAS_SEGATTN_DATA"):
        pytest.skip("KERAS_SEGATTN_DATA is not set, and mixed precision is chosen on a validation split")
    report = export_entry(zoo.info(name), tmp_path, format=format, precision=precision)  # raises if it is not
    assert report.path.exists()
    assert report.parity.inputs >= 64


@pytest.mark.slow
@pytest.mark.parametrize(("name", "format", "precision"), IMPOSSIBLE)
def test_what_an_entry_calls_impossible_still_is(name, format, precision, tmp_path):
    with pytest.raises(Exception):  # noqa: B017  (of any kind: that nothing is made is what counts)
        export_entry(zoo.info(name), tmp_path, format=format, precision=precision)
    assert not list(tmp_path.iterdir())
