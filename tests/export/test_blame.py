"""Who is to blame: the operator, the layer, the line of its call and the remedy, for every operator of the table."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_segattn.export import export_model
from keras_segattn.export.blame import blame
from keras_segattn.export.convert import ConversionError
from keras_segattn.export.rules import INSTEAD
from keras_segattn.export.serving import Signature
from keras_segattn.export.tflite import write_tflite

SQUARE, IMAGE, VOLUME = (4, 4), (4, 6, 3), (4, 4, 4, 2)


def is_positive(x):
    return ops.cast(x[0, 0, 0] > 0, "int32")


def definite(x):
    return x @ ops.transpose(x, (0, 2, 1)) + 9 * ops.eye(4)


# Operator -> (a format that has it not, or a precision of one, shape of the input, what the layer does with it).
CULPRITS = {
    "AvgPool3D": ("tflite", VOLUME, lambda x: ops.average_pool(x, 2)),
    "Bitcast": ("onnx", SQUARE, lambda x: ops.argmax(x, axis=-1)),
    "BitwiseAnd": ("tflite", SQUARE, lambda x: ops.argmax(x, axis=-1)),
    "Cholesky": ("tflite", SQUARE, lambda x: ops.cholesky(definite(x))),
    "CombinedNonMaxSuppression": (
        *("tflite", SQUARE),
        lambda x: tf.image.combined_non_max_suppression(x[:, :, None], x[:, :, :1], 2, 2).nmsed_scores,
    ),
    "Complex": ("onnx", SQUARE, lambda x: ops.fft((x, x))[0]),
    "Conv2DBackpropInput": ("tflite", IMAGE, lambda x: ops.conv_transpose(x, tf.ones((3, 3, 2, 3)), dilation_rate=2)),
    "CropAndResize": ("tflite", IMAGE, lambda x: tf.image.crop_and_resize(x, [[0.1, 0.1, 0.7, 0.8]], [0], (2, 2))),
    "Erf": ("tflite", SQUARE, lambda x: ops.erf(x)),
    "ExtractImagePatches": ("tflite", IMAGE, lambda x: tf.image.extract_patches(x, *[[1, 2, 2, 1]] * 3, "VALID")),
    "FFT": ("tflite", SQUARE, lambda x: ops.fft((x, x))[0]),
    "ImageProjectiveTransformV3": ("tflite", IMAGE, lambda x: ops.image.affine_transform(x, tf.ones((1, 8)) / 9)),
    "MatrixInverse": ("onnx", SQUARE, lambda x: ops.inv(definite(x))),
    "MatrixSolve": ("onnx", SQUARE, lambda x: ops.solve(definite(x), x)),
    "MatrixTriangularSolve": ("onnx", SQUARE, lambda x: ops.solve_triangular(definite(x), x, lower=True)),
    "MaxPool3D": ("tflite", VOLUME, lambda x: ops.max_pool(x, 2)),
    "MaxPoolWithArgmax": ("tflite", IMAGE, lambda x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")[0]),
    "Qr": ("onnx", SQUARE, lambda x: ops.qr(x)[0]),
    "RFFT": ("onnx", SQUARE, lambda x: ops.rfft(x)[0]),
    "ResizeBicubic": ("tflite", IMAGE, lambda x: ops.image.resize(x, (5, 5), interpolation="bicubic")),
    "Roll": ("tflite", SQUARE, lambda x: tf.roll(x, is_positive(x), 1)),
    "ScaleAndTranslate": ("onnx", IMAGE, lambda x: ops.image.resize(x, (3, 3), antialias=True)),
    "SelfAdjointEigV2": ("onnx", SQUARE, lambda x: ops.eigh(definite(x))[0]),
    "StatelessRandomGetKeyCounter": ("tflite", SQUARE, lambda x: x + tf.random.stateless_normal((1, 4, 4), [1, 2])),
    "StatelessRandomNormalV2": ("tflite", SQUARE, lambda x: x + tf.random.stateless_normal((1, 4, 4), [1, 2])),
    "StatelessRandomUniformV2": ("tflite", SQUARE, lambda x: x + tf.random.stateless_uniform((1, 4, 4), [1, 2])),
    "StatelessWhile": (
        *("int8 tflite", SQUARE),
        lambda x: tf.while_loop(lambda y: y[0, 0, 0] < 3, lambda y: [y + 1], [x])[0],
    ),
    "Svd": ("onnx", SQUARE, lambda x: ops.svd(x, compute_uv=False)),
    "While": (
        *("int8 onnx", SQUARE),
        lambda x: tf.while_loop(lambda y: y[0, 0, 0] < 3, lambda y: [y + tf.random.uniform(())], [x])[0],
    ),
    "XlaDynamicUpdateSlice": ("onnx", SQUARE, lambda x: ops.slice_update(x, (0, is_positive(x), 0), x[:, :2])),
}


class Doubtful(layers.Layer):
    """A layer that does what it is told."""

    def __init__(self, does, **kwargs):
        super().__init__(**kwargs)
        self.does = does

    def call(self, x):
        return self.does(x)


@pytest.mark.parametrize("operator", CULPRITS)
def test_the_operator_the_layer_its_line_and_the_remedy_are_told(operator, here, tmp_path):
    format, shape, does = CULPRITS[operator]
    x = keras.Input(shape, batch_size=1, name="x")
    model = keras.Model(x, Doubtful(does, name="doubtful")(x), name="whole")
    samples = np.random.default_rng(0).normal(size=(8, *shape))
    precision, file = format.split() if " " in format else ("float32", format)
    with pytest.raises(ConversionError) as caught:
        export_model(model, tmp_path, samples=samples, format=file, precision=precision)
    line = does.__code__.co_firstlineno
    told = f"; {operator} of layer doubtful (test_blame.py:{line}) is no operator of {format}. {INSTEAD[operator]}"
    assert told in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_list_that_grows_in_a_batch_of_any_size_is_told():
    cell = layers.RNN(layers.GRUCell(3), name="cell")
    cell.build((None, 4, 4))
    served = {"call": Signature(lambda inputs: {"y": cell(inputs["x"])}, {"x": tf.TensorSpec((None, 4, 4), name="x")})}
    with pytest.raises(Exception, match="TensorListReserve") as caught:
        write_tflite(served, "never.tflite")
    told = blame(served, str(caught.value), "tflite", ["cell"])
    assert "TensorListReserve of layer cell" in told
    assert INSTEAD["TensorListReserve"] in told


def test_every_operator_of_the_table_has_its_test():
    assert {*CULPRITS, "TensorListReserve"} == set(INSTEAD)
