"""Convolution and depth to space is the transposed convolution: the same sums of the same weights."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.layers import BilinearUpsampling2D, SubpixelConv2DTranspose, SubpixelUpsampling2D
from keras_segattn.layers import subpixel as function_module
from keras_segattn.layers import subpixel_conv_transpose as general_module
from keras_segattn.layers import subpixel_upsampling as module
from keras_segattn.layers.subpixel import subpixel_conv_transpose

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def scattered(x, kernel, stride, padding):
    """Every input pixel draws the kernel, times its values, onto the output: the definition."""
    (batch, height, width, _), (size_h, size_w, filters, _) = x.shape, kernel.shape
    (sh, sw), sizes = stride, (size_h, size_w)
    full = np.zeros((batch, (height - 1) * sh + max(size_h, sh), (width - 1) * sw + max(size_w, sw), filters))
    for row in range(height):
        for column in range(width):
            stamp = np.einsum("bc,hwfc->bhwf", x[:, row, column], kernel)
            full[:, row * sh : row * sh + size_h, column * sw : column * sw + size_w] += stamp
    if padding == "valid":
        return full
    top, left = (max(size - s, 0) // 2 for size, s in zip(sizes, stride, strict=True))
    return full[:, top : top + height * sh, left : left + width * sw]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_it_is_the_transposed_convolution_by_its_definition(stride, size, padding):
    x, kernel = normal(2, 3, 4, 3), normal(size, size, 2, 3)
    expected = scattered(x, kernel, (stride, stride), padding)
    found = subpixel_conv_transpose(x, ops.convert_to_tensor(kernel), (stride, stride), padding)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-5 * np.ptp(expected))


def test_height_and_width_may_have_strides_and_kernels_of_their_own():
    x, kernel = normal(1, 3, 4, 2), normal(5, 2, 3, 2)
    expected = scattered(x, kernel, (2, 3), "same")
    found = subpixel_conv_transpose(x, ops.convert_to_tensor(kernel), (2, 3))
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_the_layer_is_bilinear_upsampling_2d_for_any_weights(factor):
    slow, fast = BilinearUpsampling2D(factor), SubpixelUpsampling2D(factor)
    x = normal(2, 4, 5, 3)
    slow(x), fast(x)
    np.testing.assert_array_equal(fast.get_weights()[0], slow.get_weights()[0])  # from the start
    slow.set_weights([normal(*slow.kernel.shape)])
    fast.set_weights(slow.get_weights())
    expected = ops.convert_to_numpy(slow(x))
    np.testing.assert_allclose(ops.convert_to_numpy(fast(x)), expected, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 4, "strides": 2, "padding": "same", "activation": "relu"},
        {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "softmax"},
        {"kernel_size": (3, 5), "strides": (2, 3), "padding": "valid", "use_bias": False},
        {"kernel_size": 2, "strides": 3},
    ],
)
def test_the_general_layer_is_conv2d_transpose_for_any_weights(arguments):
    slow, fast = (make(4, **arguments) for make in (keras.layers.Conv2DTranspose, SubpixelConv2DTranspose))
    x = normal(2, 4, 5, 3)
    slow(x), fast(x)
    slow.set_weights([normal(*w.shape) for w in slow.weights])
    fast.set_weights(slow.get_weights())
    expected = ops.convert_to_numpy(slow(x))
    assert fast.compute_output_shape(x.shape) == expected.shape
    np.testing.assert_allclose(ops.convert_to_numpy(fast(x)), expected, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("factor", [2, 3])
def test_a_tflite_file_convolves_and_moves_pixels_but_computes_no_kernel(factor, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TFLite files are written under TensorFlow")
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model = keras.Sequential([keras.Input((6, 5, 4), batch_size=1), SubpixelUpsampling2D(factor)])
    model.export(tmp_path, verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    operators = [node["op_name"] for node in interpreter._get_ops_details() if node["op_name"] != "DELEGATE"]
    assert operators == ["PAD", "CONV_2D", "RESHAPE", "TRANSPOSE", "RESHAPE", "STRIDED_SLICE"]


def test_fixed_interpolation_has_nothing_to_learn():
    fixed = SubpixelUpsampling2D(4, trainable=False)
    fixed(normal(1, 2, 2, 3))
    assert fixed.trainable_variables == []
    assert SubpixelUpsampling2D.from_config(fixed.get_config()).trainable is False


@pytest.mark.parametrize("factor", [1, 0, 2.0, "2", None, True])
def test_a_factor_that_cannot_be_is_refused(factor):
    with pytest.raises(ValueError, match=f"factor: expected an integer >= 2. Received: {factor!r}"):
        SubpixelUpsampling2D(factor)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": 0}, "filters: expected an integer >= 1. Received: 0"),
        ({"kernel_size": 0}, "kernel_size: expected an integer >= 1 or a pair of them. Received: 0"),
        ({"strides": (2, 2, 2)}, r"strides: expected an integer >= 1 or a pair of them. Received: \(2, 2, 2\)"),
        ({"strides": 1.5}, "strides: expected an integer >= 1 or a pair of them. Received: 1.5"),
        ({"padding": "causal"}, "padding: expected valid or same. Received: 'causal'"),
    ],
)
def test_an_argument_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SubpixelConv2DTranspose(**{"filters": 2, "kernel_size": 3, **arguments})


@pytest.mark.parametrize("make", [lambda: SubpixelUpsampling2D(2), lambda: SubpixelConv2DTranspose(2, 3)])
def test_an_input_of_another_rank_or_without_known_channels_is_refused(make):
    with pytest.raises(ValueError, match="ndim=4, found ndim=3"):
        make()(np.zeros((3, 3, 2), "float32"))
    with pytest.raises(ValueError, match=r"known number of channels. Received shape: \(None, 3, 3, None\)"):
        make()(keras.Input((3, 3, None)))


@pytest.mark.parametrize("part", [function_module, general_module, module])
def test_the_examples_run(part):
    assert doctest.testmod(part).failed == 0
