"""What a file says of itself comes back from it as it went in."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import onnx
import pytest

from keras_segattn.export.metadata import KEY, Metadata, attach, read_archive
from keras_segattn.export.runtime import Runner

TWO = {"classes": ("no", "yes"), "palette": ((0, 0, 0), (255, 0, 0)), "image_size": (64, 96)}


def test_metadata_come_back_from_json_as_they_went_in(metadata):
    metadata = as_exported(metadata, tail="probabilities")
    assert Metadata.from_json(metadata.to_json()) == metadata
    assert json.loads(metadata.to_json())["classes"] == ["sky", "road", "car", "tree", "person"]


def as_exported(metadata, **facts):
    """What an export adds to the metadata that it is given."""
    provenance = {**metadata.provenance, "operators": None, "float_layers": []}
    signatures = {"segment": ("labels",), "logits": ("logits",)}
    return replace(metadata, provenance=provenance, signatures=signatures, **facts)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_tflite_file_gives_its_metadata_with_its_own_precision(exported, metadata, precision):
    path = exported("tflite", precision).path
    assert Runner(path).metadata == read_archive(path) == as_exported(metadata, precision=precision)


def test_an_onnx_file_gives_its_metadata(exported, metadata):
    assert Runner(exported("onnx").path).metadata == as_exported(metadata)


def test_a_saved_model_gives_its_metadata(exported, metadata):
    path = exported("saved_model").path
    assert read_archive(path) == as_exported(metadata)
    assert (path / "assets.extra" / "labels.txt").read_text().split("\n") == list(metadata.classes)


def test_unzip_shows_the_labels_of_a_tflite_file(exported, metadata):
    # The command of everyone who gets the file; here Python's own.
    path = str(exported("tflite").path)
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-l", path], capture_output=True, text=True, check=True)
    assert f"{KEY}.json" in listed.stdout
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().split("\n") == list(metadata.classes)
        assert archive.testzip() is None


def test_an_onnx_file_lists_its_labels_as_a_property(exported, metadata):
    properties = {entry.key: entry.value for entry in onnx.load(exported("onnx").path).metadata_props}
    assert set(properties) == {KEY, "labels"}
    assert properties["labels"].split("\n") == list(metadata.classes)


def test_the_same_metadata_make_the_same_file_at_any_time(bare, metadata, monkeypatch):
    one, other = bare("tflite"), bare("tflite")
    attach(one, metadata)
    monkeypatch.setattr(zipfile.time, "localtime", lambda *_: (2000, 1, 2, 3, 4, 5, 6, 2, 0))
    attach(other, metadata)
    assert one.read_bytes() == other.read_bytes()


def test_labels_in_any_script_survive(bare, metadata):
    path = bare("tflite")
    facts = replace(metadata, classes=("небо", "道路", "bil", "arbre", "Fußgänger"))
    attach(path, facts)
    assert read_archive(path) == facts


def test_files_without_metadata_have_none(bare, tmp_path):
    assert read_archive(bare("tflite")) is None
    assert read_archive(bare("saved_model")) is None
    (tmp_path / "empty.tflite").touch()
    assert read_archive(tmp_path / "empty.tflite") is None


def test_a_palette_of_another_length_is_refused():
    with pytest.raises(ValueError, match="palette: expected a colour for each of the 2 classes. Received: 1"):
        Metadata(name="two", **{**TWO, "palette": ((0, 0, 0),)})


@pytest.mark.parametrize("name", ["", "../two", "a/two", "/two"])
def test_a_name_that_would_leave_the_folder_is_refused(name):
    with pytest.raises(ValueError, match=f"name: expected the name of a file, without folders. Received: '{name}'"):
        Metadata(name=name, **TWO)


@pytest.mark.parametrize("text", ["", "null", "[]", '{"name": "two"}', '{"palette": [[0, 0, 0]], "classes": 1}'])
def test_a_text_that_is_not_ours_is_refused(text):
    with pytest.raises(ValueError, match="metadata: expected the JSON of keras_segattn"):
        Metadata.from_json(text)
