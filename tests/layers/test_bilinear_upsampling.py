"""Upsampling starts as exact bilinear interpolation, channel by channel, and learns where it may."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.layers import BilinearUpsampling2D
from keras_segattn.layers import bilinear_upsampling as module

RNG = np.random.default_rng(0)
every_factor = pytest.mark.parametrize("factor", [2, 3, 4, 8, 32])


def enlarge(x, factor, **kwargs):
    return ops.convert_to_numpy(BilinearUpsampling2D(factor, **kwargs)(x.astype("float32")))


def interior(x, factor):
    """Without the outermost half of a pixel of the input."""
    border = (factor + 1) // 2
    return x[:, border:-border, border:-border]


def hats(size, factor):
    """Matrix (size * factor, size) of linear interpolation between pixel centres, zero beyond the ends."""
    centres = (np.arange(size * factor) + 0.5) / factor - 0.5
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(size)))


@every_factor
def test_the_interior_is_that_of_keras_bilinear_upsampling(factor):
    x = RNG.uniform(-0.5, 0.5, (2, 4, 5, 3)).astype("float32")
    expected = keras.layers.UpSampling2D(factor, interpolation="bilinear")(x)
    expected = interior(ops.convert_to_numpy(expected), factor)
    assert expected.std() > 0.1
    np.testing.assert_allclose(interior(enlarge(x, factor), factor), expected, atol=1e-6)


@every_factor
def test_a_plane_goes_on_as_the_same_plane(factor):
    def plane(height, width, step):
        rows, columns = ((np.arange(n) + 0.5) * step for n in (height, width))  # pixel centres
        return (2 * rows[:, None] - 3 * columns + 1)[None, :, :, None]

    found = enlarge(plane(4, 5, 1), factor)
    expected = plane(4 * factor, 5 * factor, 1 / factor)
    np.testing.assert_allclose(interior(found, factor), interior(expected, factor), atol=1e-5)


@every_factor
def test_all_of_it_is_interpolation_between_the_pixels_and_zeros_around(factor):
    x = RNG.normal(size=(2, 3, 4, 2))
    expected = np.einsum("yh,xw,bhwc->byxc", hats(3, factor), hats(4, factor), x)
    np.testing.assert_allclose(enlarge(x, factor), expected, atol=1e-6)


def test_channels_do_not_mix_at_the_start():
    x = np.zeros((1, 3, 3, 4))
    x[..., 2] = RNG.normal(size=(1, 3, 3))
    found = enlarge(x, 4)
    assert found[..., 2].std() > 0.1
    assert (found[..., [0, 1, 3]] == 0).all()


def test_learning_moves_the_kernel_and_mixes_channels():
    layer = BilinearUpsampling2D(2)
    model = keras.Sequential([keras.Input((3, 3, 2)), layer])
    before = ops.convert_to_numpy(layer.kernel)
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(RNG.normal(size=(2, 3, 3, 2)), RNG.normal(size=(2, 6, 6, 2)), verbose=0)
    moved = np.abs(ops.convert_to_numpy(layer.kernel) - before)
    assert (moved[:, :, 0, 1] > 0).all()
    assert (moved[:, :, 0, 0] > 0).all()


def test_fixed_interpolation_has_nothing_to_learn_and_answers_the_same():
    x = RNG.normal(size=(2, 3, 4, 2))
    fixed = BilinearUpsampling2D(4, trainable=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(fixed(x.astype("float32"))), enlarge(x, 4))
    assert fixed.trainable_variables == []
    assert len(fixed.non_trainable_variables) == 1
    assert BilinearUpsampling2D.from_config(fixed.get_config()).trainable is False


def test_fixed_interpolation_stays_while_other_layers_learn():
    fixed = BilinearUpsampling2D(2, trainable=False)
    model = keras.Sequential([keras.Input((3, 3, 2)), keras.layers.Conv2D(2, 1), fixed])
    before = model.get_weights()
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(RNG.normal(size=(2, 3, 3, 2)), RNG.normal(size=(2, 6, 6, 2)), verbose=0)
    moved = [np.abs(now - was).max() for now, was in zip(model.get_weights(), before, strict=True)]
    assert moved[0] > 0
    assert moved[-1] == 0


@pytest.mark.parametrize("factor", [1, 0, -2, 2.0, "2", None, True])
def test_a_factor_that_cannot_be_is_refused(factor):
    with pytest.raises(ValueError, match=f"factor: expected an integer >= 2. Received: {factor!r}"):
        BilinearUpsampling2D(factor)


def test_an_input_of_another_rank_or_without_known_channels_is_refused():
    with pytest.raises(ValueError, match="ndim=4, found ndim=3"):
        BilinearUpsampling2D(2)(np.zeros((3, 3, 2), "float32"))
    with pytest.raises(ValueError, match=r"known number of channels. Received shape: \(None, 3, 3, None\)"):
        BilinearUpsampling2D(2)(keras.Input((3, 3, None)))


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0
