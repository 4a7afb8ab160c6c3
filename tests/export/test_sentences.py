"""The contract of models of language: files are written when their sentences are proven, and otherwise nothing is."""

import json
import shutil

import keras
import numpy as np
import psutil
import pytest

from keras_segattn.export import Metadata, sentences
from keras_segattn.export.contract import IMPOSSIBLE_IN_LANGUAGE, PRECISIONS, check_kind
from keras_segattn.export.language import of_sentences
from keras_segattn.export.lint import read_artifact
from keras_segattn.export.onnx import write_onnx
from keras_segattn.export.parity import ParityError
from keras_segattn.export.process import ProcessError, run_python
from keras_segattn.export.runtime import Runner
from keras_segattn.export.sentence_parity import (
    LIMITS,
    SentenceParity,
    _hold,
    _scores,
    _ties,
    check_inputs,
    length,
)
from keras_segattn.export.sentences import export_writer
from keras_segattn.export.tflite import write_tflite
from keras_segattn.models import Writer
from keras_segattn.vocabulary import Vocabulary

from .conftest import LENGTH, LONGEST, strip, words

slow = pytest.mark.slow
FILES = [
    ("rnnsearch", "tflite", "float32", ["rnnsearch_float32.tflite"]),
    ("rnnsearch", "onnx", "float32", [f"rnnsearch_float32_{name}.onnx" for name in ("generate", "encode", "step")]),
    ("rnnsearch", "saved_model", "float32", ["rnnsearch_saved_model"]),
    ("soft", "tflite", "float32", ["soft_float32.tflite"]),
    ("soft", "onnx", "float32", [f"soft_float32_{name}.onnx" for name in ("generate", "encode", "step")]),
    pytest.param("rnnsearch", "tflite", "float16", ["rnnsearch_float16.tflite"], marks=slow),
    pytest.param("rnnsearch", "tflite", "dynamic", ["rnnsearch_dynamic.tflite"], marks=slow),
    pytest.param(
        *("rnnsearch", "onnx", "float16"),
        [f"rnnsearch_float16_{name}.onnx" for name in ("generate", "encode", "step")],
        marks=slow,
    ),
]


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["rnnsearch", "soft"])
def test_the_sentences_of_the_models_vary(writers, asked, kind):
    # What all agreement below rests on: a constant answer would agree with anything.
    found = writers(kind).write(asked(kind))
    assert len({one.text for one in found}) > 5
    assert min(len(one.pieces) for one in found) < LENGTH or kind == "soft"


def test_another_sentence_is_a_tie_if_the_model_finds_it_as_likely_within_the_error_of_its_logits(writers, asked):
    writer = writers("rnnsearch")
    arrays = check_inputs(asked("rnnsearch"), writer.model, LONGEST)
    found = writer.predict_on_batch({"source": arrays["source"][:2]})
    own, other = found["tokens"]
    told = {"tokens": other, "log_probability": 0.0}
    scores = _scores(writer, {"source": arrays["source"][[0, 0]]}, found["tokens"])
    assert scores[0] * length(own) ** writer.length_power == pytest.approx(found["log_probability"][0], abs=1e-4)
    error = (scores[0] - scores[1]) / 4
    assert error > 0
    for share, ties in ((0.99, 0), (1.01, 1)):
        assert _ties(writer, arrays, found["tokens"], {0: told}, share * error)[0] == ties
    turned = found["tokens"][::-1]  # now the model's is the less likely one: another search found what it did not
    assert _ties(writer, arrays, turned, {0: {**told, "tokens": own}}, 0.99 * error)[0] == 0


def test_no_more_than_one_sentence_in_two_hundred_may_be_a_tie():
    near = {"worst": 0.0, "mean": 0.0, "log_probability": 0.0}
    _hold(SentenceParity(64, 63 / 64, ties=1 / 64, **near), "float32", "m.onnx")
    _hold(SentenceParity(1000, 0.995, ties=0.005, **near), "float32", "m.onnx")
    with pytest.raises(ParityError, match="99.40 % of the sentences"):
        _hold(SentenceParity(1000, 0.994, ties=0.006, **near, example=("a", "b")), "float32", "m.onnx")


@pytest.mark.parametrize("name", ["tflite", "onnx"])
def test_a_step_needs_no_more_memory_the_longer_a_sentence_is(written, texts, name):
    report = written("rnnsearch", name)
    runners = {"encode": Runner(report.path), "step": Runner(report.path)}
    if name == "onnx":
        runners = {key: Runner(report.path.with_name(f"rnnsearch_float32_{key}.onnx")) for key in runners}
    state = runners["encode"].run("encode", **runners["encode"].read(texts[0]))
    shapes = {key: array.shape for key, array in state.items()}

    def megabytes_after(steps):
        for _ in range(steps):
            found = runners["step"].run("step", token=np.array([5], "int32"), **state)
            state.update({key.removeprefix("next_"): x for key, x in found.items() if key.startswith("next_")})
        return psutil.Process().memory_info().rss / 1e6

    after = [megabytes_after(100), *(megabytes_after(900) for _ in range(3))]
    assert {key: array.shape for key, array in state.items()} == shapes
    assert min(np.diff(after)) < 2


@pytest.mark.parametrize(("kind", "format", "precision", "names"), FILES)
def test_an_exported_model_is_in_its_place_and_its_report_says_how_far_it_is(written, kind, format, precision, names):
    report = written(kind, format, precision)
    facts = json.loads(json.dumps(report.to_dict()))
    agreement, worst, log_probability = LIMITS[precision]
    assert (facts["file"], facts["beside"], facts["tail"]) == (names[0], names[1:], "")
    assert facts["limits"] == {"agreement": agreement, "worst": worst, "log_probability": log_probability}
    assert facts["inputs"] == "of the test"
    assert facts["parity"]["inputs"] == 64
    assert facts["parity"]["agreement"] >= agreement
    assert facts["size"] > 50_000
    if precision == "float32":
        assert facts["parity"]["agreement"] == 1
        assert facts["parity"]["worst"] <= worst / 2
        assert facts["parity"]["log_probability"] <= log_probability / 2
        assert facts["parity"]["attention"] <= 1e-4
    assert set(names) <= set(listing(report.path.parent))
    assert not [left for left in listing(report.path.parent) if left.startswith(".unproven")]


# Files that are not the model's


@pytest.fixture
def is_refused(written, asked, monkeypatch, tmp_path):
    """Function: writer, message -> the file of rnnsearch is refused as that writer's, and nothing is left."""

    def check(writer, message, format="onnx"):
        report = written("rnnsearch", format)

        def give(model, to, **options):
            for path in (report.path, *report.beside):
                bare = strip(path, to.parent.parent.parent / "given")
                shutil.move(bare, to.parent / path.name)

        (tmp_path / "given").mkdir(exist_ok=True)
        monkeypatch.setattr(sentences, "convert", give)
        with pytest.raises(ParityError, match=message):
            export_writer(
                writer,
                tmp_path / "files",
                Metadata(name="rnnsearch"),
                format=format,
                max_tokens=LONGEST,
                inputs=asked("rnnsearch"),
                inputs_source="of the test",
            )
        assert listing(tmp_path / "files") == []

    return check


@pytest.fixture
def changed(writers):
    """Function: change of the layers -> a writer like that of rnnsearch whose model is a changed copy."""

    def change(what, **search):
        writer = writers("rnnsearch")
        model = keras.models.clone_model(writer.model)
        model.set_weights(writer.model.get_weights())
        for name in ("source_tokens", "target_tokens"):
            model.get_layer(name).vocabulary = writer.model.get_layer(name).vocabulary
        what(model)
        return Writer(model, **{"beams": writer.beams, "max_length": writer.max_length, **search})

    return change


def nothing(model):
    pass


def a_little_of_a_weight(model):
    kernel = model.get_layer("bridge").kernel
    kernel.assign(np.asarray(kernel) + 1e-3 * np.eye(*kernel.shape))


def two_words_swapped(model):
    table = model.get_layer("target_embedding").embeddings
    order = np.arange(30)
    order[[7, 8]] = 8, 7
    table.assign(np.asarray(table)[order])


def a_weight_that_is_not_a_number(model):
    kernel = model.get_layer("bridge").kernel
    kernel.assign(np.full(kernel.shape, np.nan))


def always_the_same(model):
    table = model.get_layer("source_embedding").embeddings
    table.assign(np.zeros(table.shape))
    for layer in ("encoder", "bridge"):
        model.get_layer(layer).set_weights([0 * x for x in model.get_layer(layer).get_weights()])


HARM = {
    "a little of a weight": (a_little_of_a_weight, {}, "logits of step, .* differ by|sentences are those"),
    "two words swapped": (two_words_swapped, {}, r"of the sentences are those of the model, at least 100 % expected"),
    "not a number": (a_weight_that_is_not_a_number, {}, "expected a model with finite logits"),
    "always the same": (always_the_same, {}, "expected sentences that vary"),
    "another length": (nothing, {"max_length": 5}, r"expected tokens, finite int32 \(5,\). Received: int32 \(8,\)"),
    "another search": (nothing, {"beams": 1}, r"of the sentences are those of the model, at least 100 % expected"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_file_of_another_model_is_refused(harm, changed, is_refused):
    what, search, message = HARM[harm]
    is_refused(changed(what, **search), message)


@pytest.mark.parametrize("format", ["tflite", "saved_model"])
def test_in_every_runtime(format, changed, is_refused):
    is_refused(changed(two_words_swapped), "of the sentences are those of the model", format)


def test_the_same_model_is_not_refused(changed, is_refused):
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_refused(changed(nothing), "anything")


@pytest.mark.parametrize("format", ["tflite", "onnx", "saved_model"])
def test_a_file_with_a_swapped_vocabulary_is_refused(format, changed, is_refused, written, monkeypatch):
    written("rnnsearch", format)                               # the file of the model itself, with its own
    other = Vocabulary.learn([" ".join(reversed(words(26, "x")))], 30, "words").data
    described = sentences.described

    def swapped(*arguments):
        facts = described(*arguments)
        facts.writing.vocabularies["target"] = other
        return facts

    monkeypatch.setattr(sentences, "described", swapped)
    is_refused(changed(nothing), "expected the vocabularies of the model. Another one or none: target", format)


# What does not fit

UNFIT = {
    "too few": ({"inputs": lambda x: x[:63]}, "inputs: expected at least 64 different ones. Received: 63 among 63"),
    "two texts": ({"inputs": lambda x: ["saa", "saa sab"] * 40}, "at least 64 different ones. Received: 2 among 80"),
    "one length": ({"inputs": lambda x: words(36, "s")[:36] * 2}, "texts of different lengths. Received: one length"),
    "a long one": ({"inputs": lambda x: [*x, "saa " * 10]}, "expected texts of 1 to 9 tokens. Received: 'saa saa"),
    "an empty one": ({"inputs": lambda x: [*x, ""]}, "expected texts of 1 to 9 tokens. Received: ''"),
    "int8": ({"precision": "int8"}, "precision: expected one of float32, float16, dynamic for tflite. .* in a loop"),
    "mixed in ONNX": (
        {"format": "onnx", "precision": "mixed"},
        "precision: expected one of float32, float16 for onnx. Received: 'mixed'. It writes in a loop",
    ),
    "no format": ({"format": "coreml"}, "format: expected one of saved_model, tflite, onnx. Received: 'coreml'"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_argument_that_does_not_fit_is_named_before_anything_is_converted(
    case, writers, texts, tmp_path, monkeypatch
):
    monkeypatch.setattr(sentences, "convert", lambda *_, **options: pytest.fail("converted"))
    changes, message = UNFIT[case]
    changes = {name: value(texts) if callable(value) else value for name, value in changes.items()}
    arguments = {"format": "tflite", "max_tokens": LONGEST, "inputs": texts, "inputs_source": "here", **changes}
    with pytest.raises(ValueError, match=message):
        export_writer(writers("rnnsearch"), tmp_path / "new", Metadata(name="new"), **arguments)
    assert listing(tmp_path) == []


def test_a_model_without_a_vocabulary_is_refused(changed, texts, tmp_path):
    bare = changed(nothing)
    bare.model.get_layer("target_tokens")._vocabulary = None
    with pytest.raises(ValueError, match="model: expected a vocabulary in its layer target_tokens. It comes"):
        export_writer(bare, tmp_path, Metadata(name="new"), format="tflite", inputs=texts, inputs_source="here")


def test_images_of_another_size_are_refused(writers, photographs, tmp_path):
    with pytest.raises(ValueError, match=r"inputs: expected uint8 \(N, 64, 96, 3\). Received: uint8 \(64, 32, 96, 3\)"):
        options = {"format": "tflite", "inputs": photographs[:, :32], "inputs_source": "here"}
        export_writer(writers("soft"), tmp_path, Metadata(name="new"), **options)


# What cannot be


@pytest.fixture
def searching(writers):
    """What ``generate`` alone is of a captioner, whose calibration is images."""
    writer = writers("soft")
    search = {"beams": 3, "max_length": LENGTH, "length_power": 1.0}
    return {"generate": of_sentences(writer.model, **search)["generate"]}


@slow
def test_litert_dies_of_an_int8_loop(searching, photographs, tmp_path):
    write_tflite(searching, tmp_path / "loop.tflite", precision="int8", calibration=photographs[:4])
    run = "import sys, ai_edge_litert.interpreter as litert; litert.Interpreter(sys.argv[1]).allocate_tensors()"
    with pytest.raises(ProcessError, match="killed by SIGABRT"):
        run_python("-c", run, tmp_path / "loop.tflite")


@slow
def test_onnxruntime_makes_nothing_inside_of_a_loop_int8(searching, photographs, tmp_path):
    write_onnx(searching, tmp_path / "loop.onnx", precision="int8", calibration=photographs[:4])
    whole, *bodies = read_artifact(tmp_path / "loop.onnx").functions
    assert "DequantizeLinear" in {operator.kind for operator in whole.operators}
    (body,) = bodies
    kinds = {operator.kind for operator in body.operators}
    assert {"MatMul", "Gemm"} & kinds and "DequantizeLinear" not in kinds


def test_every_precision_has_a_limit_or_a_reason():
    for format, precisions in PRECISIONS.items():
        possible = [one for one in precisions if f"{format} {one}" not in IMPOSSIBLE_IN_LANGUAGE]
        assert set(possible) <= set(LIMITS)
        for precision in possible:
            check_kind(format, precision, "", task="translation")
    assert LENGTH < LONGEST  # so that no test takes one for the other
