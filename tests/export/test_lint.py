"""Operators are counted as they stand in the file, and delegated ones as LiteRT plans them."""

from collections import Counter

import pytest

from keras_segattn.export.lint import Operators, operators


def write(path, function, flex=False):
    """A .tflite file of a TensorFlow function of one (1, 8, 8, 3) tensor."""
    import tensorflow as tf

    traced = tf.function(function, input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if flex:
        converter.target_spec.supported_ops.append(tf.lite.OpsSet.SELECT_TF_OPS)
    path.write_bytes(converter.convert())
    return path


def convolved(x):
    import tensorflow as tf

    return tf.nn.relu(tf.nn.conv2d(x, tf.ones((3, 3, 3, 3)), 1, "SAME"))


def summed(x):
    import tensorflow as tf

    return tf.cumsum(x, axis=1)  # not an operator of XNNPACK


def resized(x):
    import tensorflow as tf

    return tf.image.resize(x, (16, 16), "bicubic")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (convolved, Operators({"main": Counter(CONV_2D=1)}, (), Counter(), 1.0)),
        (summed, Operators({"main": Counter(CUMSUM=1)}, (), Counter(CUMSUM=1), 0.0)),
        (
            lambda x: convolved(summed(convolved(summed(convolved(x))))),
            Operators({"main": Counter(CONV_2D=3, CUMSUM=2)}, (), Counter(CUMSUM=2), 0.6),
        ),
    ],
)
def test_what_is_not_delegated_is_named_and_the_rest_is_a_share(tmp_path, function, expected):
    assert operators(write(tmp_path / "model.tflite", function)) == expected


@pytest.mark.parametrize("function", [convolved, summed])
def test_litert_itself_says_whether_all_is_delegated(tmp_path, function):
    from ai_edge_litert.compiled_model import CompiledModel

    path = write(tmp_path / "model.tflite", function)
    assert CompiledModel.from_file(str(path)).is_fully_accelerated() == (not operators(path).left)


def test_an_operator_of_tensorflow_is_found_by_its_name(tmp_path):
    found = operators(write(tmp_path / "flex.tflite", lambda x: resized(x) + 1, flex=True))
    assert found.custom == ("FlexResizeBicubic",)
    assert found.counts == {"main": found.left} == {"main": Counter(FlexResizeBicubic=1, ADD=1)}
    assert found.delegated == 0


@pytest.mark.parametrize("content", [b"", b"not a model", b"\0\0\0\0TFL3" * 9])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "text.tflite").write_bytes(content)
    with pytest.raises(ValueError):
        operators(tmp_path / "text.tflite")
