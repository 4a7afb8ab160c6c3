"""Runner: files that run, without TensorFlow and Keras, and files that cannot."""

import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import pytest

from keras_segattn.export import metadata as metadata_module
from keras_segattn.export.runtime import Runner, RunnerError

FORMATS = ["tflite", "onnx"]


@pytest.fixture(params=[*FORMATS, "saved_model"])
def path(request, exported):
    return exported(request.param).path


@pytest.fixture(params=FORMATS)
def file(request, exported):
    return exported(request.param).path


def refusal(path, **options):
    """The message of a refused file, which is one line and names the file."""
    with pytest.raises(RunnerError) as caught:
        Runner(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: expected ")
    return message


def test_labels_are_the_largest_logits_and_both_are_those_of_keras(path, model, photographs):
    runner = Runner(path)
    expected = model.predict_on_batch(photographs[:4].astype("float32"))
    for image, scores in zip(photographs, expected, strict=False):
        logits, labels = runner.logits(image), runner.labels(image)
        assert (logits.shape, logits.dtype) == ((64, 96, 5), "float32")
        assert (labels.shape, labels.dtype) == ((64, 96), "uint8")
        np.testing.assert_array_equal(labels, logits.argmax(-1))
        np.testing.assert_allclose(logits, scores, atol=1e-4 * np.ptp(expected))


def test_an_answer_is_the_callers_to_keep(path, photographs):
    runner = Runner(path)
    first = runner.logits(photographs[0])
    kept = first.copy()
    second = runner.logits(photographs[1])
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, kept)


def test_any_number_of_threads_gives_the_same_labels(path, photographs):
    one, two = (Runner(path, threads=threads).labels(photographs[0]) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_a_function_is_run_by_its_name_with_all_of_its_outputs(path, photographs):
    runner = Runner(path, warm_up=True)
    assert {name: set(outputs) for name, outputs in runner.signatures.items()} == {
        "segment": {"labels"},
        "logits": {"logits"},
    }
    (logits,) = runner.run("logits", image=photographs[:1]).values()
    (labels,) = runner.run("segment", image=photographs[:1]).values()
    np.testing.assert_array_equal(logits[0], runner.logits(photographs[0]))
    np.testing.assert_array_equal(labels[0], runner.labels(photographs[0]))


def test_all_answers_at_once_are_those_of_each_function(path, photographs):
    runner = Runner(path)
    answers = runner.answers(photographs[0])
    assert set(answers) == {"labels", "logits"}
    np.testing.assert_array_equal(answers["logits"], runner.logits(photographs[0]))
    np.testing.assert_array_equal(answers["labels"], runner.labels(photographs[0]))


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("encode", {}, "signature: expected one that small_.* serves, .* Received: 'encode'"),
        ("segment", {}, "inputs: expected image. Received: none"),
        ("segment", {"picture": 0}, "inputs: expected image. Received: picture"),
        ("segment", {"image": np.zeros((64, 96, 3), "uint8")}, r"image: expected uint8 \(1, 64, 96, 3\)"),
        ("segment", {"image": np.zeros((1, 64, 96, 3))}, r"image: expected uint8 .*Received: float64 \(1, 64"),
    ],
)
def test_a_call_that_the_function_does_not_take_is_refused(path, signature, inputs, message):
    with pytest.raises(RunnerError, match=message):
        Runner(path).run(signature, **inputs)


@pytest.mark.parametrize("progress", [False, True])
def test_many_images_are_labelled_one_after_the_other(path, photographs, capfd, progress):
    runner = Runner(path)
    found = list(runner.labels_of(photographs[:3], progress=progress))
    assert [labels.tolist() for labels in found] == [runner.labels(image).tolist() for image in photographs[:3]]
    out, err = capfd.readouterr()
    assert (out, "small_" in err) == ("", progress)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_out_of_range_are_refused(path, threads):
    with pytest.raises(ValueError, match=f"threads: expected at least 1, or None. Received: {threads}"):
        Runner(path, threads=threads)


def test_neither_tensorflow_nor_keras_is_imported(file):
    code = """
import sys, numpy as np
from keras_segattn.export.runtime import Runner
image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), "uint8")
print(np.unique(Runner(sys.argv[1]).labels(image)).size > 1, {"tensorflow", "keras", "torch", "jax"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True)
    assert done.stdout == "True set()\n"


@pytest.mark.parametrize(
    ("format", "package", "extra"),
    [("tflite", "ai_edge_litert.interpreter", "lite"), ("onnx", "onnxruntime", "onnx")],
)
def test_a_missing_runtime_is_named_with_the_extra_that_brings_it(exported, monkeypatch, format, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs .* install keras_segattn\[{extra}\]"):
        Runner(exported(format).path)


@pytest.mark.parametrize(
    ("wrong", "received"),
    [
        (lambda image: image[:, :95], r"uint8 \(64, 95, 3\)"),
        (lambda image: image.transpose(1, 0, 2), r"uint8 \(96, 64, 3\)"),
        (lambda image: image[None], r"uint8 \(1, 64, 96, 3\)"),
        (lambda image: image[..., 0], r"uint8 \(64, 96\)"),
        (lambda image: image[..., [0, 1, 2, 2]], r"uint8 \(64, 96, 4\)"),
        (lambda image: image / 255, r"float64 \(64, 96, 3\)"),
        (lambda image: image.astype("int64"), r"int64 \(64, 96, 3\)"),
    ],
)
def test_another_image_is_refused_with_what_was_expected(path, photographs, wrong, received):
    runner = Runner(path)
    for answer in (runner.labels, runner.logits):
        with pytest.raises(RunnerError, match=rf"image: expected uint8 \(64, 96, 3\). Received: {received}"):
            answer(wrong(photographs[0]))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "There is none" in refusal(tmp_path / "missing.tflite")
    assert "There is none" in refusal(tmp_path)  # a folder


@pytest.mark.parametrize("name", ["model", "model.keras", "model.tflite.gz"])
def test_a_file_with_another_suffix_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    assert "expected a .tflite or .onnx file. Received: " in refusal(tmp_path / name)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("content", [b"", b"not a model\n" * 100, b"\0" * 1000, b"\xff" * 1000, b"\0\0\0\0TFL3" * 100])
def test_a_file_that_is_no_model_is_refused(tmp_path, format, content):
    (tmp_path / f"renamed.{format}").write_bytes(content)
    refusal(tmp_path / f"renamed.{format}")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_truncated_file_is_refused(exported, tmp_path, format, share):
    content = exported(format).path.read_bytes()
    (tmp_path / f"cut.{format}").write_bytes(content[: int(share * len(content))])
    refusal(tmp_path / f"cut.{format}")


def test_a_file_without_its_last_byte_is_refused(file, tmp_path):
    (tmp_path / file.name).write_bytes(file.read_bytes()[:-1])
    refusal(tmp_path / file.name)


@pytest.mark.parametrize("start", [0, 100, 1_000_000])
@pytest.mark.parametrize("gap", [b"", b"x" * 4000])
def test_a_tflite_with_a_hole_before_intact_metadata_is_refused(exported, tmp_path, start, gap):
    # LiteRT checks the structure of what it is given; the process does not die of it.
    content = exported("tflite").path.read_bytes()
    (tmp_path / "hole.tflite").write_bytes(content[:start] + gap + content[start + 2000 :])
    refusal(tmp_path / "hole.tflite")


@pytest.mark.parametrize("format", FORMATS)
def test_a_model_of_another_tool_is_refused(bare, format):
    assert "It has none of its metadata" in refusal(bare(format))


def test_a_tflite_with_the_metadata_of_another_tool_is_refused(bare):
    path = bare("tflite")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labelmap.txt", "sky\nroad")
    assert "It has none of its metadata" in refusal(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "small"}', '{"classes": 3, "palette": [], "image_size": 0}'])
@pytest.mark.parametrize("format", FORMATS)
def test_metadata_that_do_not_read_are_refused(bare, format, text):
    path = bare(format)
    if format == "tflite":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{metadata_module.KEY}.json", text)
    else:
        model = onnx.load(path)
        onnx.helper.set_model_props(model, {metadata_module.KEY: text})
        onnx.save(model, path)
    assert "metadata: expected the JSON of keras_segattn" in refusal(path)


def test_an_onnx_file_without_an_output_of_its_metadata_is_refused(exported, tmp_path):
    model = onnx.load(exported("onnx").path)
    kept = [output for output in model.graph.output if output.name != "labels"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, tmp_path / "cut.onnx")
    assert "It has no output labels" in refusal(tmp_path / "cut.onnx")


def test_a_file_that_may_not_be_read_is_refused(file, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / file.name).chmod(0)
    refusal(tmp_path / file.name)


def test_a_thousand_answers_take_no_more_memory_than_a_hundred(path, photographs):
    runner = Runner(path, threads=1)

    def megabytes_after(calls):
        for call in range(calls):
            runner.labels(photographs[call % 32])
        with open("/proc/self/statm") as pages:
            return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("memory is read from /proc")
    after = [megabytes_after(100), *(megabytes_after(900) for _ in range(3))]
    assert min(np.diff(after)) < 3  # an answer of 6 kB that is kept would make 5.5 each time; a cache fills once


def test_a_saved_model_of_another_tool_is_refused(exported, tmp_path):
    folder = shutil.copytree(exported("saved_model").path, tmp_path / "copy")
    shutil.rmtree(folder / "assets.extra")
    assert "It has none of its metadata" in refusal(folder)
