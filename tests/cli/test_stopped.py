"""A training on data of one's own that is stopped: what was good stays, one line says why, and it goes on."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ..scenes import NAMES, of_masks

NAME, EPOCHS, KILLS = "fcn8s_mobilenet_camvid", 12, 10
MODEL = ("model.keras", "scores.json", "card.md", "curve.png", "predictions.png", "best.weights.h5")


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    return of_masks(tmp_path_factory.mktemp("stopped") / "streets")


def start(data, run, **options):
    """``segattn train`` in a process of its own."""
    words = ["train", NAME, "--data", data, "--output", run]
    if not (run / "recipe.json").exists():
        words += ["--epochs", EPOCHS]
    else:
        words.append("--resume")
    command = [sys.executable, "-m", "keras_segattn.cli.main", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)


def finish(process):
    """(exit code, its last words)."""
    _, said = process.communicate(timeout=600)
    return process.returncode, said.strip().rpartition("\n")[2]


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def checkpoints(run):
    return sorted(path.name for path in run.glob("checkpoint-*"))


def curve(run):
    with (run / "log.csv").open(newline="") as file:
        return [[float(value or "nan") for value in row.values()] for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(streets, tmp_path_factory):
    """A run that nothing stopped, the seconds until its first checkpoint, and those of an epoch."""
    run, began = tmp_path_factory.mktemp("stopped") / "whole", time.monotonic()
    process = start(streets, run)
    wait_for(run / "checkpoint-0001.weights.h5", process)
    first = time.monotonic()
    wait_for(run / f"checkpoint-{EPOCHS:04d}.weights.h5", process)
    last = time.monotonic()
    assert finish(process)[0] == 0
    return run, first - began, (last - first) / (EPOCHS - 1)


@pytest.mark.endurance
def test_a_training_that_is_killed_ten_times_is_the_one_that_was_not(whole, streets, tmp_path):
    expected, until_first, epoch = whole
    rng, run = np.random.default_rng(0), tmp_path / "run"
    for _ in range(KILLS):
        process = start(streets, run)
        time.sleep(until_first + rng.uniform(-1, 2) * epoch)
        process.send_signal(signal.SIGKILL)
        finish(process)
    assert finish(start(streets, run))[0] == 0
    np.testing.assert_allclose(curve(run), curve(expected), rtol=1e-4)
    assert {path.name for path in run.iterdir()} == {path.name for path in expected.iterdir()}
    assert json.loads((run / "scores.json").read_text()) == pytest.approx(
        json.loads((expected / "scores.json").read_text()), abs=0.01
    )


def test_ctrl_c_leaves_a_usable_model(streets, segattn, tmp_path):
    run = tmp_path / "run"
    # A shell that runs this in the background lets its children ignore Ctrl-C.
    process = start(streets, run, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    wait_for(run / "predictions.png", process)
    process.send_signal(signal.SIGINT)
    code, said = finish(process)
    assert code == 0, said
    assert all((run / name).is_file() for name in MODEL)
    assert len(curve(run)) < EPOCHS
    code, out, _ = segattn("predict", run / "model.keras", streets / "images" / f"{NAMES[0]}.jpg", "--json",
                           "--output", tmp_path)  # fmt: skip
    assert code == 0
    assert sum(json.loads(out)[0]["classes"].values()) == pytest.approx(1, abs=0.01)


def test_a_full_disk_is_told_in_one_line_and_the_last_checkpoint_stays(streets, tmp_path):
    run = tmp_path / "run"
    process = start(streets, run)
    wait_for(run / "checkpoint-0001.weights.h5", process)
    process.send_signal(signal.SIGKILL)
    finish(process)
    before, kept = curve(run), checkpoints(run)

    def full():  # no file may grow beyond a megabyte, and a checkpoint has more
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    code, said = finish(start(streets, run, preexec_fn=full))
    assert code == 1
    assert said.startswith("segattn: ")
    assert "File too large" in said
    assert checkpoints(run) == kept
    assert curve(run)[: len(before)] == before


@pytest.mark.endurance
def test_a_photograph_that_vanishes_while_training_does_not_stop_it(streets, tmp_path):
    """The photographs are read once, when a training begins."""
    data, run = of_masks(tmp_path / "data"), tmp_path / "run"
    process = start(data, run)
    wait_for(run / "checkpoint-0001.weights.h5", process)
    gone = data / "images" / f"{NAMES[-1]}.jpg"  # one of the test split
    gone.unlink()
    code, said = finish(process)
    assert code == 1
    assert gone.name in said
    assert (run / "model.keras").is_file()
    assert len(curve(run)) == EPOCHS


def test_a_place_that_cannot_be_written_to_is_named(streets, tmp_path):
    (tmp_path / "file").write_text("no folder")
    code, said = finish(start(streets, tmp_path / "file" / "run"))
    assert code == 1
    assert str(tmp_path / "file") in said
    if os.geteuid():  # root writes anywhere
        (tmp_path / "closed").mkdir(mode=0o500)
        code, said = finish(start(streets, tmp_path / "closed" / "run"))
        assert (code, str(tmp_path / "closed") in said) == (1, True)
