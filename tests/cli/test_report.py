"""What report.json and report.html say of exported files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_segattn.cli.report import comparison, page, read_report, write_report
from keras_segattn.export.contract import ExportReport
from keras_segattn.export.parity import Parity
from keras_segattn.export.sentence_parity import SentenceParity

NAME = "fcn8s_mobilenet_camvid"
LABELS = np.arange(12, dtype="uint8").reshape(3, 4) % 11


@pytest.fixture
def report():
    example = np.full((3, 4, 3), 100, "uint8"), LABELS, np.where(LABELS == 5, 0, LABELS).astype("uint8")
    parity = Parity(inputs=64, worst=2e-6, mean=1e-7, agreement=0.99999, example=example)
    kept = {"conv1": "it <changes> 0.2 % of the labels"}
    return ExportReport(Path("m_int8.tflite"), "tflite", "int8", "labels", 3_000_000, parity, "scenes", "train", kept)


def test_a_report_of_two_files_has_both_and_the_newer_word_of_each(report, tmp_path):
    other = replace(report, path=Path("m.onnx"), format="onnx", precision="float32")
    for one in (report, other, replace(report, size=2_500_000)):
        write_report(tmp_path, NAME, one)
    files = read_report(tmp_path)
    assert [(facts["file"], facts["size"]) for facts in files] == [("m.onnx", 3_000_000), ("m_int8.tflite", 2_500_000)]
    assert files == json.loads((tmp_path / "report.json").read_text())["artifacts"]
    text = (tmp_path / "report.html").read_text()
    assert text.count("<img") == 2
    assert "2.50" in text and "3.00" in text
    assert "it &lt;changes&gt; 0.2 % of the labels" in text
    for facts in files:
        assert Image.open(tmp_path / "report" / f"{facts['file']}.png").size == (16, 3)


def test_a_report_of_before_there_were_tails_is_one_of_labels(report, tmp_path):
    write_report(tmp_path, NAME, report)
    told = json.loads((tmp_path / "report.json").read_text())
    (older,) = told["artifacts"]
    for name in ("task", "tail", "float_layers", "drop"):
        del older[name]
    older["images"], older["parity"]["images"] = older.pop("inputs"), older["parity"].pop("inputs")
    (tmp_path / "report.json").write_text(json.dumps(told))
    (facts,) = read_report(tmp_path)
    assert (facts["task"], facts["tail"], facts["float_layers"]) == ("segmentation", "labels", {})
    assert (facts["inputs"], facts["parity"]["inputs"]) == ("scenes", 64)
    write_report(tmp_path, NAME, replace(report, path=Path("m.onnx"), format="onnx"))
    assert (tmp_path / "report.html").read_text().count("<td>labels</td>") == 2


def test_a_report_of_sentences_shows_those_of_least_agreement(monkeypatch, tmp_path):
    monkeypatch.setattr("keras_segattn.zoo.weights.checksum", lambda name: "0" * 64)
    parity = SentenceParity(64, 0.98, 2e-6, 1e-7, 1e-6, example=("a <dog> runs", "a cat runs"))
    report = ExportReport(Path("m.tflite"), "tflite", "float16", "", 3_000_000, parity, "sentences of the test split")
    write_report(tmp_path, "rnnsearch_multi30k_de_en", report)
    (facts,) = read_report(tmp_path)
    assert (facts["task"], facts["example"]) == ("translation", ["a <dog> runs", "a cat runs"])
    text = (tmp_path / "report.html").read_text()
    assert "Keras: a &lt;dog&gt; runs" in text and "file: a cat runs" in text
    assert "<img" not in text and not (tmp_path / "report").exists()


def test_pixels_of_different_labels_are_red_and_all_others_are_grey(report):
    palette = [(index, 0, 0) for index in range(11)]
    image, expected, found = report.parity.example
    picture = comparison(image, expected, found, palette)
    np.testing.assert_array_equal(picture[:, :4], image)
    difference = picture[:, 12:].astype(int)
    red = (difference[..., 0] - difference[..., 1]) > 100
    np.testing.assert_array_equal(red, expected == 5)


def test_a_page_needs_nothing_from_elsewhere():
    assert "http" not in page([])
