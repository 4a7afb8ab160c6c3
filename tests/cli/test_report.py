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

NAME = "fcn8s_mobilenet_camvid"
LABELS = np.arange(12, dtype="uint8").reshape(3, 4) % 11


@pytest.fixture
def report():
    example = np.full((3, 4, 3), 100, "uint8"), LABELS, np.where(LABELS == 5, 0, LABELS).astype("uint8")
    parity = Parity(images=64, worst=2e-6, mean=1e-7, agreement=0.99999, example=example)
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
    for name in ("task", "tail", "float_layers", "drop"):
        del told["artifacts"][0][name]
    (tmp_path / "report.json").write_text(json.dumps(told))
    (facts,) = read_report(tmp_path)
    assert (facts["task"], facts["tail"], facts["float_layers"]) == ("segmentation", "labels", {})
    write_report(tmp_path, NAME, replace(report, path=Path("m.onnx"), format="onnx"))
    assert (tmp_path / "report.html").read_text().count("<td>labels</td>") == 2


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
