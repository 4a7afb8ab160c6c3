"""Resizing is the fixed upsampling without weights; with a convolution behind it, it learns."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.layers import BilinearResizing2D, BilinearUpsampling2D, ResizeConv2D
from keras_segattn.layers import bilinear_resizing as module
from keras_segattn.layers import resize_conv as conv_module

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize("make", [BilinearResizing2D, ResizeConv2D])
@pytest.mark.parametrize("size", [(4, 5), (None, None)])
@pytest.mark.parametrize("factor", [2, 3, 8])
def test_it_starts_as_bilinear_upsampling_2d_up_to_the_border(factor, size, make):
    x = normal(2, 4, 5, 3)
    model = keras.Sequential([keras.Input((*size, 3)), make(factor)])
    expected = ops.convert_to_numpy(BilinearUpsampling2D(factor)(x))
    np.testing.assert_allclose(model.predict_on_batch(x), expected, atol=1e-5 * np.ptp(expected))


def test_resizing_has_no_weights():
    layer = BilinearResizing2D(2)
    layer(normal(1, 2, 2, 3))
    assert layer.weights == []


def test_the_convolution_sees_the_enlarged_image():
    x, layer = normal(1, 3, 4, 2), ResizeConv2D(2)
    layer(x)
    layer.set_weights([normal(3, 3, 2, 2)])
    enlarged = np.pad(ops.convert_to_numpy(BilinearResizing2D(2)(x)), [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(enlarged, (3, 3), axis=(1, 2))
    expected = np.einsum("bhwcij,ijcf->bhwf", windows, layer.get_weights()[0])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("make", [BilinearResizing2D, ResizeConv2D])
@pytest.mark.parametrize("factor", [1, 0, 2.0, "2", None, True])
def test_a_factor_that_cannot_be_is_refused(make, factor):
    with pytest.raises(ValueError, match=f"factor: expected an integer >= 2. Received: {factor!r}"):
        make(factor)


@pytest.mark.parametrize("size", [0, 2, -3, 3.0, None])
def test_a_kernel_without_a_centre_is_refused(size):
    with pytest.raises(ValueError, match=f"kernel_size: expected an odd integer >= 1. Received: {size!r}"):
        ResizeConv2D(2, size)


def test_an_input_of_another_rank_or_without_known_channels_is_refused():
    with pytest.raises(ValueError, match="ndim=4, found ndim=3"):
        BilinearResizing2D(2)(np.zeros((3, 3, 2), "float32"))
    with pytest.raises(ValueError, match=r"known number of channels. Received shape: \(None, 3, 3, None\)"):
        ResizeConv2D(2)(keras.Input((3, 3, None)))


@pytest.mark.parametrize("part", [module, conv_module])
def test_the_examples_run(part):
    assert doctest.testmod(part).failed == 0
