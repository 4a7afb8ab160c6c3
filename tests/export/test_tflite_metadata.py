"""TFLite's own metadata get into a file, read back field by field, and the file stays what it was."""

import shutil
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_segattn.export.convert import convert
from keras_segattn.export.metadata import read_archive
from keras_segattn.export.tflite_metadata import BUFFER, IDENTIFIER, LABELS, attach_tflite_metadata


@pytest.fixture(scope="module")
def attached(exported):
    """The exported float32 file: ``metadata.attach`` puts them there."""
    return exported("tflite").path


@pytest.fixture(scope="module")
def converted(model, tmp_path_factory):
    """The same file as the converter leaves it."""
    path = tmp_path_factory.mktemp("converted") / "small.tflite"
    convert(model, path, format="tflite")
    return path


class Table:
    """A table of any flatbuffer by the rules of the format: field number -> string, byte, table or vector."""

    def __init__(self, data, place):
        self.data, self.place = data, place
        self.numbers = place - struct.unpack_from("<i", data, place)[0]

    def _field(self, number):
        offset = 4 + 2 * number
        if offset >= struct.unpack_from("<H", self.data, self.numbers)[0]:
            return None
        offset = struct.unpack_from("<H", self.data, self.numbers + offset)[0]
        return self.place + offset if offset else None

    def _follow(self, place):
        return place + struct.unpack_from("<I", self.data, place)[0]

    def byte(self, number):
        return self.data[self._field(number)]

    def table(self, number):
        return Table(self.data, self._follow(self._field(number)))

    def string(self, number):
        place = self._follow(self._field(number))
        return self.data[place + 4 : place + 4 + struct.unpack_from("<I", self.data, place)[0]].decode()

    def floats(self, number):
        place = self._follow(self._field(number))
        return struct.unpack_from(f"<{struct.unpack_from('<I', self.data, place)[0]}f", self.data, place + 4)

    def tables(self, number):
        place = self._follow(self._field(number))
        count = struct.unpack_from("<I", self.data, place)[0]
        return [Table(self.data, self._follow(place + 4 + 4 * index)) for index in range(count)]


def buffers(path):
    """dict: name -> bytes of the metadata buffers of a .tflite file."""
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    entries = [model.Metadata(index) for index in range(model.MetadataLength())]
    return {entry.Name().decode(): bytes(model.Buffers(entry.Buffer()).DataAsNumpy()) for entry in entries}


def root(path):
    data = buffers(path)[BUFFER]
    assert data[4:8] == IDENTIFIER
    return Table(data, struct.unpack_from("<I", data)[0])


def test_the_model_and_its_functions_have_their_names(attached):
    model = root(attached)
    assert (model.string(0), model.string(7)) == ("small", "1.0.0")  # name, min_parser_version
    assert [function.string(0) for function in model.tables(3)] == ["logits", "segment"]


def test_functions_stand_in_the_order_of_the_subgraphs(attached):
    model = schema.Model.GetRootAs(attached.read_bytes(), 0)
    subgraphs = [model.Subgraphs(index).Name().decode() for index in range(model.SubgraphsLength())]
    assert [function.string(0) for function in root(attached).tables(3)] == subgraphs


def test_the_input_is_an_rgb_image_that_wants_no_normalisation(attached):
    for function in root(attached).tables(3):
        (image,) = function.tables(2)
        content, (unit,) = image.table(3), image.tables(4)
        assert image.string(0) == "image"
        assert content.byte(0) == 2 and content.table(1).byte(0) == 1  # ImageProperties, RGB
        assert unit.byte(0) == 1 and (unit.table(1).floats(0), unit.table(1).floats(1)) == ((0.0,), (1.0,))


def test_scores_have_labels_along_their_last_axis_and_a_label_map_those_of_its_values(attached):
    for function, name, kind in zip(root(attached).tables(3), ["logits", "labels"], [2, 3], strict=True):
        (answer,) = function.tables(3)
        (file,) = answer.tables(6)
        assert (answer.string(0), file.string(0), file.byte(2)) == (name, LABELS, kind)


def test_the_model_answers_bit_for_bit_as_before(attached, converted, photographs):
    from ai_edge_litert.interpreter import Interpreter

    before, after = (Interpreter(str(path), num_threads=1) for path in (converted, attached))
    for signature, output in [("logits", "logits"), ("segment", "labels")]:
        answers = [file.get_signature_runner(signature)(image=photographs[:1])[output] for file in (before, after)]
        np.testing.assert_array_equal(*answers)


def test_what_the_converter_wrote_stays(attached, converted):
    kept = buffers(attached)
    del kept[BUFFER]
    assert kept == buffers(converted)


def test_a_bare_model_gets_its_labels_uncompressed(converted, metadata, tmp_path):
    path = shutil.copy(converted, tmp_path / "small.tflite")
    attach_tflite_metadata(path, metadata)
    with zipfile.ZipFile(path) as archive:
        (file,) = archive.infolist()
        assert (file.filename, file.compress_type) == (LABELS, zipfile.ZIP_STORED)
        assert archive.read(file).decode().split("\n") == list(metadata.classes)


def test_other_metadata_take_the_place_of_the_first_and_our_own_stay(attached, metadata, tmp_path):
    path = shutil.copy(attached, tmp_path / "small.tflite")
    attach_tflite_metadata(path, replace(metadata, name="other", classes=("a", "b", "c", "d", "e")))
    assert root(path).string(0) == "other"
    assert len(buffers(path)) == len(buffers(attached))
    assert read_archive(path) == read_archive(attached)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(attached) as before:
        assert sorted(archive.namelist()) == sorted(before.namelist())
        assert archive.read(LABELS) == b"a\nb\nc\nd\ne"


def test_the_same_metadata_make_the_same_file(converted, metadata, tmp_path):
    one, other = (shutil.copy(converted, tmp_path / name) for name in ("one.tflite", "other.tflite"))
    for path in (one, other, other):
        attach_tflite_metadata(path, metadata)
    assert one.read_bytes() == other.read_bytes()
