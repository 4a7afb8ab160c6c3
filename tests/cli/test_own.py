"""``segattn train --data``: from a folder of photographs to a model, and to a file that runs without TensorFlow."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_segattn.export import Runner
from keras_segattn.zoo import fine_tune, info

from ..scenes import CLASSES, NAMES, of_masks, write_scenes

NAME = "fcn8s_mobilenet_camvid"


@pytest.fixture(scope="module")
def streets(once):
    return once("own_streets", lambda folder: of_masks(folder / "streets"))


@pytest.fixture(scope="module")
def run(streets, once):
    """A run of two epochs, and what was printed."""
    from click.testing import CliRunner

    from keras_segattn.cli.main import segattn

    def train(folder):
        arguments = ["train", NAME, "--data", streets, "--output", folder / "streets", "--epochs", "2"]
        done = CliRunner().invoke(segattn, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        return folder / "streets", done.output

    return once("own_run", train)


def test_a_run_leaves_a_model_its_scores_its_card_and_pictures(run, streets):
    folder, said = run
    scores = json.loads((folder / "scores.json").read_text())
    assert {"mean_iou", "pixel_accuracy", "iou_car"} <= set(scores)
    assert f"test mean_iou         {scores['mean_iou']:6.2f}" in said
    splits = json.loads((folder / "splits.json").read_text())
    assert {split: len(set(keys)) for split, keys in splits.items()} == {"train": 28, "val": 6, "test": 6}
    assert "1 of 2 epochs; " in said
    assert "2 of 2 epochs; 0 minutes left at most" in said
    assert f"next: segattn predict {folder}/model.keras PHOTO" in said
    card = (folder / "card.md").read_text()
    assert "streets: 28 train, 6 val, 6 test examples. Began as fcn8s_mobilenet_camvid" in card
    assert Image.open(folder / "curve.png").size == (640, 320)
    assert Image.open(folder / "predictions.png").size == (3 * 64, 6 * 32)
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])


def test_the_model_of_a_run_is_asked_and_exported_by_its_path(run, streets, segattn, tmp_path):
    folder, _ = run
    photograph = streets / "images" / f"{NAMES[0]}.jpg"
    code, out, _ = segattn("predict", folder / "model.keras", photograph, "--output", tmp_path, "--json")
    assert code == 0
    (answer,) = json.loads(out)
    assert list(answer["classes"]) == list(CLASSES)
    code, out, _ = segattn("export", folder / "model.keras", "--output", tmp_path / "exports")
    assert code == 0
    assert "labels agree 100.000 %" in out or "labels agree 99.99" in out
    runner = Runner(tmp_path / "exports" / "fcn8s_streets_float32.tflite")
    assert runner.metadata.classes == CLASSES
    code, out, _ = segattn("predict", runner.path, photograph, "--output", tmp_path, "--json")
    found = json.loads(out)[0]["classes"]
    assert found == pytest.approx(answer["classes"], abs=0.01)
    assert (tmp_path / "exports" / "report.html").is_file()


def test_the_scores_of_a_run_are_told_again(run, segattn, tmp_path):
    folder, _ = run
    code, out, _ = segattn("evaluate", folder / "model.keras", "--results", tmp_path / "results.csv", "--json")
    assert code == 0
    assert json.loads(out)["values"] == pytest.approx(json.loads((folder / "scores.json").read_text()), abs=0.01)
    assert not (tmp_path / "results.csv").exists()


def test_where_there_is_one_thing_to_find_the_best_threshold_is_told_too(segattn, tmp_path):
    write_scenes(tmp_path / "cars", write=lambda labels: Image.fromarray(np.where(labels == 2, 255, 0).astype("uint8")))
    run = tmp_path / "run"
    code, said, err = segattn("train", "--data", tmp_path / "cars", "--output", run, "--epochs", 2)
    assert code == 0, err
    scores = json.loads((run / "scores.json").read_text())
    assert f"test max_f_measure    {scores['max_f_measure']:6.2f}" in said
    assert scores["max_f_measure"] > scores["iou_object"] - 1e-6
    code, _, err = segattn("export", run / "model.keras", "--format", "onnx", "--output", tmp_path)
    assert code == 0, err
    for target in (run / "model.keras", tmp_path / "fcn8s_cars_float32.onnx"):
        code, said, _ = segattn("evaluate", target, "--data", tmp_path / "cars", "--json")
        assert code == 0
        assert json.loads(said)["values"]["max_f_measure"] == pytest.approx(scores["max_f_measure"], abs=0.05)


def test_a_run_goes_on_where_it_stopped(run, streets, segattn, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "again")
    facts = json.loads((folder / "recipe.json").read_text())
    (folder / "recipe.json").write_text(json.dumps({**facts, "epochs": 3}))
    code, _, err = segattn("train", NAME, "--data", streets, "--output", folder)
    assert code == 1
    assert "holds a run already; resume it, or name another folder" in err
    code, _, _ = segattn("train", NAME, "--data", streets, "--output", folder, "--resume")
    assert code == 0
    assert len((folder / "log.csv").read_text().splitlines()) == 4


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    """Class folders: photographs of a bright bar that lies, and of one that stands."""
    folder = tmp_path_factory.mktemp("own") / "bars"
    for index in range(80):
        rng = np.random.default_rng(index)
        image = rng.normal(60, 20, (40, 48, 3))
        place = rng.integers(8, 24)
        if index % 2:
            image[place : place + 8, 4:-4] += 140
        else:
            image[4:-4, place : place + 8] += 140
        home = folder / ("standing", "lying")[index % 2]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype("uint8")).save(home / f"{index:02}.png")
    return folder


def test_an_entry_of_recognition_learns_class_folders(bars, segattn, tmp_path):
    run = tmp_path / "run"
    code, said, err = segattn("train", "stn_affine_mnist_r", "--data", bars, "--output", run, "--epochs", "30")
    assert code == 0, err
    scores = json.loads((run / "scores.json").read_text())
    assert scores.keys() == {"error", "error_lying", "error_standing"}
    assert scores["error"] == 0
    assert "test error              0.00" in said
    assert "error_lying" not in said
    assert Image.open(run / "predictions.png").size == (96 + 640, 6 * 96)
    code, said, _ = segattn("evaluate", run / "model.keras", "--json")
    assert json.loads(said)["values"] == scores
    photograph = bars / "lying" / "01.png"
    code, said, _ = segattn("export", run / "model.keras", "--format", "onnx", "--output", tmp_path)
    assert code == 0
    runner = Runner(tmp_path / "st_cnn_bars_float32.onnx")
    assert (runner.metadata.classes, runner.metadata.channels) == (("lying", "standing"), 1)
    for target in (run / "model.keras", runner.path):
        code, said, _ = segattn("predict", target, photograph, "--json", "--output", tmp_path / "seen")
        assert max(json.loads(said)[0]["classes"].items(), key=lambda pair: pair[1])[0] == "lying"


def test_the_score_layer_begins_anew_though_the_classes_are_as_many(tmp_path):
    from keras_segattn.zoo import load
    from keras_segattn.zoo.lessons import ImageLesson

    for index in range(100):
        home = tmp_path / "letters" / "abcdefghij"[index % 10]
        home.mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(index).integers(0, 256, (32, 32), "uint8")
        Image.fromarray(image).save(home / f"{index}.png")
    recipe = fine_tune.own_recipe(info("cnn_mnist_r"), tmp_path / "letters", epochs=1)
    begun, entry = ImageLesson(recipe, recipe.dataset).start(), load("cnn_mnist_r")
    same = {
        layer.name: all(map(np.array_equal, layer.get_weights(), entry.get_layer(layer.name).get_weights()))
        for layer in begun.layers if layer.weights
    }  # fmt: skip
    assert same.pop("logits") is False
    assert same
    assert all(same.values())


def test_spoilt_data_are_refused_before_anything_is_written(streets, segattn, tmp_path):
    data = shutil.copytree(streets, tmp_path / "spoilt")
    (data / "images" / f"{NAMES[2]}.jpg").write_bytes(b"no photograph")
    code, _, err = segattn("train", NAME, "--data", data, "--output", tmp_path / "run")
    assert code == 1
    assert "expected data that can be trained on; segattn check" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (("--minutes", 3), "--minutes: expected --data beside it"),
    (("--data", "STREETS", "--minutes", 3, "--epochs", 2), "--minutes: expected it or --epochs. Received: both"),
])  # fmt: skip
def test_arguments_that_do_not_fit_are_named(arguments, message, streets, segattn):
    code, _, err = segattn("train", NAME, *(streets if word == "STREETS" else word for word in arguments))
    assert code == 2
    assert message in err


def test_a_task_that_the_entry_does_not_do_is_refused(tmp_path):
    (tmp_path / "data.tsv").write_text("".join(f"ein Hund {i}\ta dog {i}\n" for i in range(60)))
    with pytest.raises(ValueError, match="data: expected those of segmentation, as fcn8s.* is for translation"):
        fine_tune.own_recipe(info(NAME), tmp_path, epochs=1)


def test_masks_are_refused_by_an_entry_that_names_classes(streets):
    with pytest.raises(ValueError, match="data: expected those of recognition, as cnn_mnist_r does. .* segmentation"):
        fine_tune.own_recipe(info("cnn_mnist_r"), streets, epochs=1)


def test_without_a_name_the_usual_entry_of_the_task_is_taken(streets):
    recipe = fine_tune.own_recipe(None, streets, epochs=1, policy="mixed_bfloat16")
    assert recipe == fine_tune.own_recipe(info(NAME), streets, epochs=1, policy="mixed_bfloat16")
    assert (recipe.start, recipe.policy) == (NAME, "mixed_bfloat16")


def test_where_no_entry_is_usual_one_is_asked_for(segattn, tmp_path):
    for index in range(100):
        home = tmp_path / "letters" / "abcdefghij"[index % 10]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (32, 32), "uint8")).save(home / f"{index}.png")
    code, _, err = segattn("train", "--data", tmp_path / "letters", "--output", tmp_path / "run")
    assert code != 0
    assert "NAME: expected an entry of recognition, one of cnn_mnist_r, " in err
    assert not (tmp_path / "run").exists()


def test_neither_a_name_nor_data_are_refused(segattn):
    code, _, err = segattn("train")
    assert code == 2
    assert "NAME: expected an entry of the zoo, see segattn list; or --data" in err


def test_a_run_that_is_there_is_told_before_the_data_are_read(run, segattn, tmp_path):
    folder, _ = run
    code, _, err = segattn("train", "--data", tmp_path / "nowhere", "--output", folder)
    assert code == 1
    assert "holds a run already; resume it, or name another folder" in err


def test_the_epochs_are_those_that_there_is_time_for(streets, monkeypatch):
    asked = []
    monkeypatch.setattr(fine_tune, "_epochs_in", lambda seconds, recipe: asked.append(seconds) or 47)
    recipe = fine_tune.own_recipe(info(NAME), streets, minutes=2.5)
    assert asked == [150]
    assert (recipe.epochs, recipe.validate_every, recipe.start) == (47, 3, NAME)


def test_time_is_measured_by_a_few_steps(streets):
    recipe = fine_tune.own_recipe(info(NAME), streets, epochs=1)
    less, more = (fine_tune._epochs_in(seconds, recipe) for seconds in (30, 600))
    assert 1 <= less < more
