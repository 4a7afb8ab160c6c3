"""Files that write sentences: strings and images in, the sentences of Keras out, in a runtime without it."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import onnx
import pytest

from keras_segattn.export.lint import lint
from keras_segattn.export.metadata import Metadata, attach, read_archive
from keras_segattn.export.runtime import Runner, RunnerError
from keras_segattn.models import Writer
from keras_segattn.vocabulary import END, PAD, START, Vocabulary

slow = pytest.mark.slow
KINDS = ["rnnsearch", "soft", *(pytest.param(x, marks=slow) for x in ("luong", "encoder_decoder", "neuraltalk"))]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_format = pytest.mark.parametrize("format", ["tflite", "onnx"])


@pytest.fixture
def runners(written):
    """Function: kind, format -> dict: name of a function -> ``Runner`` of the file that has it."""

    def opened(kind, format):
        report = written(kind, format)
        return {name: one for one in map(Runner, (report.path, *report.beside)) for name in one.signatures}

    return opened


@each_kind
@pytest.mark.parametrize("format", ["tflite", "onnx", "saved_model"])
def test_a_file_writes_what_keras_writes(kind, format, writers, asked, runners):
    found = runners(kind, format)["generate"].write(asked(kind)[:12])
    expected = writers(kind).write(asked(kind)[:12])
    assert len({sentence.log_probability for sentence in expected}) > 3
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.pieces, one.source) == (other.text, other.pieces, other.source)
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
        if other.attention is None:
            assert one.attention is None
        else:
            np.testing.assert_allclose(one.attention, other.attention, atol=1e-4)
            assert one.attention.shape == other.attention.shape


@each_kind
@each_format
def test_step_by_step_the_likeliest_word_is_that_of_a_search_of_one(kind, format, writers, asked, runners):
    files, writer = runners(kind, format), writers(kind)
    greedy = Writer(writer.model, beams=1, max_length=writer.max_length)
    for given in asked(kind)[:5]:
        state = files["encode"].run("encode", **files["encode"].read(given))
        tokens = [START]
        while len(tokens) <= writer.max_length and tokens[-1] != END:
            answer = files["step"].run("step", token=np.array(tokens[-1:], "int32"), **state)
            logits = answer["logits"][0]
            logits[[PAD, 1, START]] = -np.inf
            tokens.append(int(logits.argmax()))
            state |= {name.removeprefix("next_"): x for name, x in answer.items() if name.startswith("next_")}
        (expected,) = greedy.write([given] if isinstance(given, str) else given[None])
        assert writer.model.get_layer("target_tokens").vocabulary.decode(tokens) == expected.text


def test_the_functions_of_a_file_and_what_they_take(runners):
    files = runners("rnnsearch", "tflite")
    assert {name: set(outputs) for name, outputs in files["step"].signatures.items()} == {
        "generate": {"tokens", "log_probability", "attention"},
        "encode": {"memory", "keys", "mask", "cell_0"},
        "step": {"logits", "next_cell_0", "attention"},
    }
    assert len(set(files.values())) == 1
    apart = runners("rnnsearch", "onnx")
    assert {name: runner.path.name for name, runner in apart.items()} == {
        name: f"rnnsearch_float32_{name}.onnx" for name in ("generate", "encode", "step")
    }
    with pytest.raises(RunnerError, match="expected one that .*_step.onnx serves, step. Received: 'generate'"):
        apart["step"].write(["saa"])


@pytest.mark.parametrize("kind", ["rnnsearch", "soft"])
@each_format
def test_no_rule_is_broken(kind, format, written):
    report = written(kind, format)
    assert [lint(path) for path in (report.path, *report.beside)] == [()] * (1 + len(report.beside))
    names = {function for path in (report.path, *report.beside) for function in Runner(path).signatures}
    assert names == {"generate", "encode", "step"}


def test_the_weights_of_all_functions_are_stored_once(written, writers):
    weights = 4 * writers("soft").model.count_params()
    assert 0.95 * weights < written("soft", "tflite").size < 1.1 * weights  # batch norm is folded into kernels


@each_format
@pytest.mark.parametrize("kind", ["rnnsearch", "soft"])
def test_neither_tensorflow_nor_keras_is_imported(kind, format, written, asked, tmp_path):
    inputs = asked(kind)[:3]
    np.save(tmp_path / "inputs.npy", inputs)
    code = """
import json, sys, numpy as np
from keras_segattn.export import Runner
inputs = list(np.load(sys.argv[2]))
found = Runner(sys.argv[1]).write([str(x) if x.ndim == 0 else x for x in inputs])
print(json.dumps([one.text for one in found]), {"tensorflow", "keras", "torch", "jax"} & set(sys.modules))
"""
    path = written(kind, format).path
    arguments = [sys.executable, "-c", code, path, tmp_path / "inputs.npy"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    expected = [one.text for one in Runner(path).write(inputs)]
    assert done.stdout == f"{json.dumps(expected)} set()\n"


# What is refused

TEXTS = {
    "a text in the place of a list": ("saa", "inputs: expected a list. Received: 'saa'"),
    "nothing": ([""], "text: expected 1 to 9 tokens. Received: 0, of ''"),
    "no token": (["saa", " \t\n"], r"text: expected 1 to 9 tokens. Received: 0, of ' \\t\\n'"),
    "punctuation alone": (["...!"], "text: expected 1 to 9 tokens. Received: 0, of '...!'"),
    "control characters alone": (["\x1b\x07"], r"text: expected 1 to 9 tokens. Received: 0, of '\\x1b\\x07'"),
    "500 words": (["saa " * 500], r"text: expected 1 to 9 tokens. Received: 500, of 'saa saa .*\.\.\."),
    "one too many": (["saa " * 10], "text: expected 1 to 9 tokens. Received: 10, of"),
    "bytes": ([b"saa"], "text: expected str that UTF-8 can write. Received: b'saa'"),
    "a number": ([7], "text: expected str that UTF-8 can write. Received: 7"),
    "half of a pair": (["saa \ud800"], "text: expected str that UTF-8 can write. Received: "),
    "an image": ([np.zeros((2, 2, 3), "uint8")], "text: expected str that UTF-8 can write. Received: array"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_what_is_no_sentence_is_refused(case, written):
    inputs, message = TEXTS[case]
    with pytest.raises(RunnerError, match=message):
        Runner(written("rnnsearch", "tflite").path).write(inputs)


@pytest.mark.parametrize("text", ["saa zzz", "saa кот 猫", "SAA, sab?", "saa\x00\x07 sab", "e\u0301 " * 3])
def test_words_never_seen_and_other_scripts_are_read_as_unknown_ones(text, written, writers):
    found = Runner(written("rnnsearch", "tflite").path).write([text])
    assert [one.text for one in found] == [one.text for one in writers("rnnsearch").write([text])]


@pytest.mark.parametrize(
    "wrong", [lambda x: x[:, :95], lambda x: x / 255, lambda x: x[None], lambda x: "a dog", lambda x: x[..., 0]]
)
def test_another_image_is_refused(wrong, written, photographs):
    with pytest.raises(RunnerError, match=r"image: expected uint8 \(64, 96, 3\). Received: "):
        Runner(written("soft", "tflite").path).write([photographs[0], wrong(photographs[1])])


def test_a_file_of_another_task_says_so(written, exported, photographs):
    with pytest.raises(RunnerError, match="small_float32.tflite: expected a file that writes. It is one of segm"):
        Runner(exported("tflite").path).write(photographs[:1])
    translator, captioner = (Runner(written(kind, "tflite").path) for kind in ("rnnsearch", "soft"))
    with pytest.raises(RunnerError, match="rnnsearch_float32.tflite: expected a file of labels. It is one of transl"):
        translator.labels(photographs[0])
    with pytest.raises(RunnerError, match="soft_float32.tflite: expected a file of labels. It is one of captioning"):
        captioner.labels(photographs[0])


# What a file says of itself


@pytest.mark.parametrize("format", ["tflite", "onnx", "saved_model"])
def test_vocabularies_and_search_come_back_from_a_file(format, written, writers):
    path = written("rnnsearch", format).path
    facts = Runner(path).metadata if format == "onnx" else read_archive(path)
    assert (facts.task, facts.languages, facts.tail, facts.image_size) == ("translation", ("de", "en"), "", None)
    model, writing = writers("rnnsearch").model, facts.writing
    assert (writing.max_tokens, writing.max_length, writing.beams, writing.length_power) == (9, 8, 3, 1.0)
    for name in ("source", "target"):
        assert Vocabulary(writing.vocabularies[name]) == model.get_layer(f"{name}_tokens").vocabulary


def test_a_captioner_says_what_its_places_are(written):
    facts = Runner(written("soft", "tflite").path).metadata
    assert (facts.task, facts.image_size, facts.writing.places) == ("captioning", (64, 96), (2, 3))
    assert (facts.writing.max_tokens, list(facts.writing.vocabularies)) == (None, ["target"])


def test_unzip_shows_the_vocabularies(written, writers):
    with zipfile.ZipFile(written("rnnsearch", "tflite").path) as archive:
        assert set(archive.namelist()) == {"source.spm", "target.spm", "keras_segattn.json"}
        vocabulary = Vocabulary(archive.read("source.spm"))
        assert archive.testzip() is None
    assert vocabulary.pieces(vocabulary.encode("sab saa")) == [" sab", " saa"]


def test_metadata_of_language_are_refused_without_their_vocabularies(written, tmp_path):
    graph = onnx.load(written("rnnsearch", "onnx").path)
    kept = [entry for entry in graph.metadata_props if entry.key != "target"]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    onnx.save(graph, tmp_path / "cut.onnx")
    with pytest.raises(RunnerError, match="cut.onnx: expected an exported file .* metadata: expected the JSON"):
        Runner(tmp_path / "cut.onnx")


def test_a_file_of_before_there_was_language_still_reads():
    facts = Metadata(name="two", classes=("no", "yes"), palette=((0, 0, 0), (9, 9, 9)), image_size=(4, 6))
    older = {key: value for key, value in json.loads(facts.to_json()).items() if key not in ("languages", "writing")}
    assert Metadata.from_json(json.dumps(older)) == facts


def test_attached_twice_the_same_metadata_make_the_same_file(written, tmp_path):
    from .conftest import strip

    report = written("rnnsearch", "tflite")
    facts, files = Runner(report.path).metadata, []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        files.append(strip(report.path, tmp_path / str(number)))
        attach(files[-1], replace(facts))
    assert files[0].read_bytes() == files[1].read_bytes() == report.path.read_bytes()
