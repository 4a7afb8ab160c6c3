"""Files that are not the model's: each is refused, and nothing is left behind."""

import shutil
import sys
import tempfile

import keras
import numpy as np
import onnx
import pytest

from keras_segattn.export import parity
from keras_segattn.export.contract import FORMATS, export
from keras_segattn.export.parity import ParityError
from keras_segattn.export.process import ProcessError

FORMAT = {suffix: format for format, suffix in FORMATS.items()}


@pytest.fixture
def is_refused(model, metadata, photographs, converter_gives, tmp_path):
    """Function: what the converter is to give, message -> the proof refuses it with that message, and it is gone."""

    def check(file, message, *, of=model, **options):
        converter_gives(file)
        format = FORMAT.get(file.suffix, "saved_model")
        with pytest.raises(ParityError, match=message):
            export(of, tmp_path, metadata, format=format, images=photographs, images_source="photographs", **options)
        assert [*tmp_path.iterdir()] == []

    return check


@pytest.fixture
def without_another_process(monkeypatch):
    """A SavedModel is run by the same code in this process, which has TensorFlow already: it saves five seconds."""

    def run(_, code, *arguments):
        monkeypatch.setattr(sys, "argv", ["-c", *arguments])
        try:
            exec(code, {})
        except Exception as error:
            raise ProcessError(f"{type(error).__name__}: {error}") from error

    monkeypatch.setattr(parity, "run_python", run)


# The model is another one.

CHANGED_IMAGES = {
    "another order of channels": lambda image: image[..., ::-1],
    "another normalisation": lambda image: image * (127.5 / 128),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("change", CHANGED_IMAGES)
def test_a_file_that_reads_the_image_differently_is_refused(
    model, bare, is_refused, without_another_process, format, change
):
    image = keras.Input(model.input_shape[1:])
    other = keras.Model(image, model(CHANGED_IMAGES[change](image)))
    is_refused(bare(format), "logits differ by .* of their range, at most 1e-04 expected", of=other)


def test_a_saved_model_of_another_model_is_refused(model, bare, is_refused, tmp_path_factory, monkeypatch):
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    image = keras.Input(model.input_shape[1:])
    other = keras.Model(image, model(image)[..., ::-1])
    is_refused(bare("saved_model"), "small_saved_model: logits differ by", of=other)
    assert [*temporary.iterdir()] == []


# The weights are others.


def zero_its_largest_weight(kernel):
    kernel.flat[np.abs(kernel).argmax()] = 0
    return kernel


def lose_a_weight(kernel):
    kernel.flat[0] = np.nan
    return kernel


def swap_two_classes(kernel):
    return kernel[..., [1, 0, 2, 3, 4]]


DAMAGE = {
    "a zeroed weight": ("score_8", zero_its_largest_weight, "logits differ by"),
    "two classes swapped": ("score_8", swap_two_classes, "logits differ by"),
    "a weight that is not a number": ("score_8", lose_a_weight, "expected .* finite logits .* not finite"),
    "a constant answer": ("upsample_8_to_1", np.zeros_like, "expected logits that vary"),
}
AXES = {".onnx": (3, 2, 0, 1), ".tflite": (3, 0, 1, 2)}  # of a kernel, from those of Keras


def damage(path, kernel, change):
    if path.is_dir():
        damage_variables(path / "variables" / "variables", kernel, change)
        return
    before, after = (
        np.ascontiguousarray(array.transpose(AXES[path.suffix])).tobytes() for array in (kernel, change(kernel.copy()))
    )
    content = path.read_bytes()
    assert content.count(before) == 1
    path.write_bytes(content.replace(before, after))


def damage_variables(prefix, kernel, change):
    """Written anew: with a byte changed in its place the checksum would be wrong."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    (found,) = [name for name, tensor in tensors.items() if np.array_equal(tensor, kernel)]
    tensors[found] = change(kernel.copy())
    slices, values = [""] * len(tensors), [tf.constant(tensor) for tensor in tensors.values()]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=[*tensors], shape_and_slices=slices, tensors=values)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("harm", DAMAGE)
def test_a_file_with_other_weights_is_refused(model, bare, is_refused, without_another_process, format, harm):
    layer, change, message = DAMAGE[harm]
    file = bare(format)
    damage(file, model.get_layer(layer).kernel.numpy(), change)
    is_refused(file, message)


def test_int8_has_no_limit_but_a_constant_is_refused(model, bare, photographs, is_refused):
    file = bare("tflite")
    damage(file, model.get_layer("upsample_8_to_1").kernel.numpy(), np.zeros_like)
    is_refused(file, "expected logits that vary", precision="int8", calibration=photographs[:4])


# A part of a folder is missing or broken.


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def change_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


WEIGHTS, INDEX, GRAPH = "variables/variables.data-00000-of-00001", "variables/variables.index", "saved_model.pb"
PARTS = {
    "weights missing": (WEIGHTS, lambda path: path.unlink()),
    "weights with another byte": (WEIGHTS, change_a_byte),
    "index missing": (INDEX, lambda path: path.unlink()),
    "index cut": (INDEX, cut),
    "graph missing": (GRAPH, lambda path: path.unlink()),
    "graph cut": (GRAPH, cut),
    "all variables missing": ("variables", shutil.rmtree),
}


@pytest.mark.parametrize("harm", PARTS)
def test_a_saved_model_with_a_broken_part_is_refused(bare, is_refused, without_another_process, harm):
    folder = bare("saved_model")
    part, change = PARTS[harm]
    change(folder / part)
    is_refused(folder, "small_saved_model: expected a SavedModel that runs. .*Error")


def test_a_saved_model_that_ends_its_process_with_an_error_is_refused(bare, is_refused):
    folder = bare("saved_model")
    cut(folder / WEIGHTS)
    is_refused(folder, "small_saved_model: expected a SavedModel that runs. .*Error")


# The functions are others.

FUNCTIONS = {
    "one is missing": (lambda segment, logits: {"logits": logits}, "Received: logits: logits$"),
    "one has another name": (
        lambda segment, logits: {"cut": segment, "logits": logits},
        "expected the functions logits: logits; segment: labels. Received: cut: labels; logits: logits",
    ),
    "an output has another name": (
        lambda segment, logits: {"segment": lambda image: {"mask": segment(image)["labels"]}, "logits": logits},
        "expected the functions .* segment: labels. Received: .* segment: mask",
    ),
    "labels of the next class": (
        lambda segment, logits: {"segment": lambda image: {"labels": segment(image)["labels"] + 1}, "logits": logits},
        r"labels agree on 0.000 % of the pixels, at least 99.99 % expected",
    ),
    "labels of the image upside down": (
        lambda segment, logits: {"segment": lambda image: segment(image[:, ::-1]), "logits": logits},
        "labels agree on .* % of the pixels, at least 99.99 % expected",
    ),
    "constant labels": (
        lambda segment, logits: {"segment": lambda image: {"labels": 0 * segment(image)["labels"]}, "logits": logits},
        "labels agree on .* % of the pixels, at least 99.99 % expected",
    ),
}


@pytest.mark.parametrize("harm", FUNCTIONS)
def test_a_saved_model_with_other_functions_is_refused(
    bare, is_refused, without_another_process, tmp_path_factory, harm
):
    import tensorflow as tf

    change, message = FUNCTIONS[harm]
    loaded = tf.saved_model.load(str(bare("saved_model")))
    image = tf.TensorSpec((1, 64, 96, 3), tf.uint8, name="image")
    functions = change(*(loaded.signatures[name] for name in ("segment", "logits")))
    signatures = {name: tf.function(function, input_signature=[image]) for name, function in functions.items()}
    folder = tmp_path_factory.mktemp("changed") / "small_saved_model"
    tf.saved_model.save(loaded, str(folder), signatures=signatures)
    is_refused(folder, message)


def rename(key):
    def change(definitions):
        for definition in definitions:
            if definition.signatureKey == b"segment":
                definition.signatureKey = key
        return definitions

    return change


DEFINITIONS = {
    "one is missing": (lambda all: [one for one in all if one.signatureKey != b"segment"], "Received: logits: logits$"),
    "one has another name": (rename(b"cut"), "logits; segment: labels. Received: cut: labels; logits: logits"),
}


@pytest.mark.parametrize("harm", DEFINITIONS)
def test_a_tflite_with_other_functions_is_refused(bare, is_refused, harm):
    from ai_edge_litert.tools import flatbuffer_utils

    change, message = DEFINITIONS[harm]
    file = bare("tflite")
    content = flatbuffer_utils.read_model(str(file))
    content.signatureDefs = change(content.signatureDefs)
    flatbuffer_utils.write_model(content, str(file))
    is_refused(file, message)


def test_an_onnx_file_with_another_output_is_refused(bare, is_refused):
    file = bare("onnx")
    graph = onnx.load(file)
    output = next(output for output in graph.graph.output if output.name == "labels")
    graph.graph.node.append(onnx.helper.make_node("Identity", ["labels"], ["mask"]))
    output.name = "mask"
    onnx.save(graph, file)
    is_refused(file, "expected an exported file .* It has no output labels")
