"""Padding reaches the next multiple, not one further, and leaves the image where it was."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.layers import PadToMultiple
from keras_segattn.layers import pad_to_multiple as module

RNG = np.random.default_rng(0)


def pad(x, multiple):
    return ops.convert_to_numpy(PadToMultiple(multiple)(x))


@pytest.mark.parametrize("multiple", [1, 2, 5, 32])
def test_every_size_reaches_the_next_multiple(multiple):
    for height in range(1, 2 * multiple + 2):
        width = height + 3
        found = PadToMultiple(multiple).compute_output_shape((1, height, width, 2))
        for before, after in zip((height, width), found[1:3], strict=True):
            assert after % multiple == 0
            assert before <= after < before + multiple


@pytest.mark.parametrize("size", [(31, 33), (1, 64), (50, 2)])
def test_the_image_stays_at_the_top_left_and_the_rest_is_zero(size):
    height, width = size
    x = RNG.uniform(1, 2, (2, height, width, 3)).astype("float32")
    found = pad(x, 32)
    np.testing.assert_array_equal(found[:, :height, :width], x)
    assert found.sum() == pytest.approx(x.sum(), rel=1e-5)
    assert found.min() == 0


def test_a_size_that_is_a_multiple_stays_as_it_is():
    x = RNG.normal(size=(2, 6, 9, 2)).astype("float32")
    np.testing.assert_array_equal(pad(x, 3), x)


def test_a_model_of_any_size_pads_each_as_it_comes():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, PadToMultiple(4)(image))
    assert model.output_shape == (None, None, None, 1)
    for height, width in [(4, 4), (5, 3), (8, 9)]:
        x = RNG.normal(size=(1, height, width, 1)).astype("float32")
        np.testing.assert_array_equal(model.predict_on_batch(x), pad(x, 4))


@pytest.mark.parametrize("multiple", [0, -4, 4.0, "4", None, True])
def test_a_multiple_that_cannot_be_is_refused(multiple):
    with pytest.raises(ValueError, match=f"multiple: expected an integer >= 1. Received: {multiple!r}"):
        PadToMultiple(multiple)


def test_an_input_of_another_rank_is_refused():
    with pytest.raises(ValueError, match="ndim=4, found ndim=3"):
        PadToMultiple(4)(np.zeros((3, 3, 2), "float32"))


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0
