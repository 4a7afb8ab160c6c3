"""The other verbs of ``segattn``: what they print, write and refuse."""

import csv
import json

import pytest

from keras_segattn import zoo
from keras_segattn.zoo import results

NAME = "fcn8s_mobilenet_camvid"


def test_list_prints_objects_with_a_name(segattn):
    code, out, _ = segattn("list", "fcn*_camvid", "--json")
    assert code == 0
    assert [entry["name"] for entry in json.loads(out)] == zoo.list_models("fcn*_camvid")


def test_list_of_a_pattern_that_nothing_matches_is_empty(segattn):
    assert json.loads(segattn("list", "unet*", "--json")[1]) == []


def test_info_tells_recipe_classes_and_terms(segattn):
    code, out, _ = segattn("info", NAME, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["recipe"]["model"] == "fcn8s"
    assert facts["classes"][0] == "sky"
    assert "CC BY-NC" in facts["terms"]


def test_info_in_words_gives_a_line_to_the_score_of_each_file(segattn):
    code, out, _ = segattn("info", NAME)
    scores = [line.split() for line in out.splitlines() if line.startswith("test mean_iou")]
    assert code == 0
    assert ["keras", "float32"] in [line[3:] for line in scores]
    assert ["tflite", "int8", "labels"] in [line[3:] for line in scores]


def test_download_prints_a_file_that_is_there(segattn):
    code, out, _ = segattn("download", NAME, "--json")
    assert code == 0
    assert json.loads(out)["path"].endswith(f"{NAME}.weights.h5")


def test_export_writes_the_file_and_its_report(exports, tflite):
    (facts,) = json.loads((exports / "report.json").read_text())["artifacts"]
    assert facts["entry"] == NAME
    assert facts["file"] == tflite.name
    assert facts["size"] == tflite.stat().st_size
    assert facts["parity"]["inputs"] >= 64
    assert facts["parity"]["worst"] <= 1e-4
    assert facts["parity"]["agreement"] >= 0.9999
    assert "free photographs" in facts["inputs"]
    assert {path.name for path in exports.iterdir()} == {tflite.name, "report", "report.html", "report.json"}


def test_export_refuses_a_precision_that_the_format_has_not(segattn, tmp_path):
    code, _, err = segattn("export", NAME, "--format", "onnx", "--precision", "dynamic", "--output", tmp_path)
    assert code == 2
    assert "expected one of float32, float16, int8, mixed for onnx. Received: 'dynamic'" in " ".join(err.split())


@pytest.mark.parametrize("verb", ["info", "export", "evaluate", "train", "benchmark", "download"])
def test_an_unknown_entry_is_an_error_that_suggests_near_names(verb, segattn, drawn_camvid, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_DATA", str(drawn_camvid))
    code, _, err = segattn(verb, "fcn8s_mobilenet_camvit")
    assert code == 1
    assert "fcn8s_mobilenet_camvid" in err


def test_evaluate_of_a_file_writes_its_scores_once(segattn, tflite, drawn_camvid, tmp_path):
    table = tmp_path / "results.csv"
    for _ in range(2):
        code, out, err = segattn("evaluate", tflite, "--data-dir", drawn_camvid, "--results", table, "--json")
        assert code == 0, err
    answer = json.loads(out)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert answer["entry"] == NAME
    assert [answer[name] for name in ("metric", "split", "format")] == ["mean_iou", "test", "tflite"]
    assert 0 <= answer["value"] <= 100
    assert len(rows) == 13
    row = results.latest(rows, entry=NAME, metric="mean_iou")
    assert float(row["value"]) == pytest.approx(answer["value"], abs=1e-4)


@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_a_missing_data_folder_says_what_is_expected_where(verb, segattn, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_SEGATTN_DATA", raising=False)
    code, _, err = segattn(verb, NAME)
    assert (code, "KERAS_SEGATTN_DATA" in err) == (1, True)
    code, _, err = segattn(verb, NAME, "--data-dir", tmp_path)
    assert (code, "expected" in err, "CamVid" in err) == (1, True, True)


def test_evaluate_of_an_unknown_split_names_the_splits(segattn, tflite, drawn_camvid):
    code, _, err = segattn("evaluate", tflite, "--data-dir", drawn_camvid, "--split", "dev")
    assert code == 1
    assert "train, val, test" in err


def test_train_from_the_weights_of_another_architecture_is_refused(segattn, drawn_camvid, tmp_path):
    wrong = zoo.download("fcn8s_mobilenet_camvid")  # the recipe of fcn8s starts from fcn16s
    arguments = ("train", NAME, "--data-dir", drawn_camvid, "--output", tmp_path / "run", "--epochs", 1)
    code, _, err = segattn(*arguments, "--start", wrong)
    assert code == 1
    assert "expected those of fcn16s" in err


@pytest.mark.slow
def test_train_runs_a_recipe_and_refuses_to_overwrite_the_run(segattn, drawn_camvid, tmp_path):
    arguments = ("train", NAME, "--data-dir", drawn_camvid, "--output", tmp_path / "run", "--epochs", 1)
    code, out, err = segattn(*arguments)
    assert code == 0, err
    assert (tmp_path / "run" / "best.weights.h5").is_file()
    assert "best.weights.h5" in out
    code, _, err = segattn(*arguments)
    assert (code, "resume" in err) == (1, True)
    run = ("train", NAME, "--data-dir", drawn_camvid, "--output", tmp_path / "run", "--resume")
    before = (tmp_path / "run" / "recipe.json").read_text()
    code, _, err = segattn(*run, "--seed", 1, "--policy", "float32")
    assert (code, "--resume: expected no --seed or --policy beside it, for the run has its own" in err) == (2, True)
    code, _, err = segattn("train", "cnn_mnist_r", *run[2:])
    assert (code, f"expected a training of cnn_mnist_r. {tmp_path / 'run'} is one of {NAME}" in err) == (2, True)
    code, _, err = segattn(*run)
    assert code == 0, err
    assert (tmp_path / "run" / "recipe.json").read_text() == before  # with its one epoch


def test_benchmark_gives_every_format_a_ratio_to_keras(segattn, exports):
    arguments = ("--formats", "tflite-float32", "--runs", 3, "--output", exports, "--json")
    code, out, err = segattn("benchmark", NAME, *arguments)
    assert code == 0, err
    rows = {row["format"]: row for row in json.loads(out)}
    assert set(rows) == {"keras call", "keras predict", "tflite-float32"}
    assert all(row["ms"] > 0 and row["peak_mb"] > 0 for row in rows.values())
    assert max(rows[kind]["times_as_fast"] for kind in ("keras call", "keras predict")) == 1.0


def test_benchmark_of_an_unknown_format_names_the_known(segattn):
    code, _, err = segattn("benchmark", NAME, "--formats", "coreml")
    assert (code, "tflite-float32" in err) == (2, True)
