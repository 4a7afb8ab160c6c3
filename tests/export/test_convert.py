"""The converting process: what it says when it fails, and what it leaves."""

import tempfile

import keras
import pytest
from keras import layers

from keras_segattn.export import convert as convert_module
from keras_segattn.export.convert import ConversionError, convert
from keras_segattn.export.process import ProcessError, run_python


class Unknown(layers.Layer):
    """A layer that no other process can know, of an operator that ONNX has not."""

    def call(self, inputs):
        return keras.ops.erfinv(inputs)


def built_with(layer):
    image = keras.Input((64, 96, 3), name="image")
    return keras.Model(image, layer(layers.Conv2D(5, 1)(image)))


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files, which is this test's own."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.mark.parametrize(
    ("format", "layer", "reason"),
    [
        ("onnx", Unknown(), "Erfinv of layer unknown"),
        # TFLite has no bicubic resizing; with TensorFlow's own the file would run in no pip runtime.
        ("tflite", layers.Resizing(64, 96, interpolation="bicubic"), "'tf.ResizeBicubic' op is neither a custom op"),
    ],
)
def test_a_model_that_does_not_convert_is_refused_in_one_line_and_leaves_nothing(
    tmp_path, temporary, format, layer, reason
):
    with pytest.raises(ConversionError) as caught:
        convert(built_with(layer), tmp_path / f"model.{format}", format=format)
    message = str(caught.value)
    assert message.startswith(f"{format} float32: ")
    assert reason in message
    assert "\n" not in message
    assert len(message) < 500
    assert "Traceback" in caught.value.__cause__.__notes__[0]  # for who wants all of it
    assert not (tmp_path / f"model.{format}").exists()
    tensorflows_own = "__autograph"  # which it removes at its end
    assert [path for path in temporary.iterdir() if not path.name.startswith(tensorflows_own)] == []


def test_a_converter_that_is_not_installed_is_named_with_the_extra_that_brings_it(tmp_path, monkeypatch):
    (tmp_path / "tf2onnx.py").write_text("raise ModuleNotFoundError('gone', name='tf2onnx')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ConversionError, match=r"tf2onnx is missing: install keras_segattn\[cpu,export\]"):
        convert(built_with(layers.ReLU()), tmp_path / "model.onnx", format="onnx")


def test_a_converter_that_dies_is_a_conversion_error(tmp_path, monkeypatch):
    def dies(*arguments, **environment):
        run_python("-c", "import os; os.abort()")

    monkeypatch.setattr(convert_module, "run_python", dies)
    with pytest.raises(ConversionError, match="tflite int8: killed by SIGABRT"):
        convert(built_with(layers.ReLU()), tmp_path / "model.tflite", format="tflite", precision="int8")


KILL = "import os, signal; os.kill(os.getpid(), signal"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('no space')", "no space"),
        ("import sys; print('warning', file=sys.stderr); sys.exit(3)", "warning"),
        ("import sys; sys.exit(3)", "exit status 3"),
        (f"{KILL}.SIGKILL)", "killed by SIGKILL, as Linux does when memory runs out"),
        (f"{KILL}.SIGSEGV)", "killed by SIGSEGV"),
    ],
)
def test_a_process_that_fails_says_how(code, reason):
    with pytest.raises(ProcessError) as caught:
        run_python("-c", code)
    assert str(caught.value) == reason


def test_a_process_gets_the_environment_and_what_is_added(monkeypatch):
    monkeypatch.setenv("ONE", "1")
    code = "import os; assert [os.environ[name] for name in ('ONE', 'TWO')] == ['1', '2']"
    run_python("-c", code, TWO="2")
