"""Cropping undoes the padding and looks at nothing of the reference but its size."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.layers import CropLike, PadToMultiple
from keras_segattn.layers import crop_like as module

RNG = np.random.default_rng(0)


def crop(x, reference):
    return ops.convert_to_numpy(CropLike()([x, reference]))


def test_cropping_is_the_inverse_of_padding_for_every_size():
    for height in range(1, 17):
        x = RNG.normal(size=(2, height, 17 - height, 3)).astype("float32")
        np.testing.assert_array_equal(crop(PadToMultiple(8)(x), x), x)


def test_the_top_left_part_is_kept():
    x = RNG.normal(size=(2, 6, 7, 3)).astype("float32")
    np.testing.assert_array_equal(crop(x, np.zeros((2, 4, 5, 1), "float32")), x[:, :4, :5])


def test_neither_values_nor_channels_of_the_reference_matter():
    x = RNG.normal(size=(1, 6, 7, 3)).astype("float32")
    found = [crop(x, RNG.normal(size=(1, 5, 2, c)).astype("float32")) for c in (1, 2, 8)]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_a_model_of_any_size_crops_each_as_it_comes():
    x, reference = keras.Input((None, None, 2)), keras.Input((None, None, 3))
    model = keras.Model([x, reference], CropLike()([x, reference]))
    assert model.output_shape == (None, None, None, 2)
    for height, width in [(8, 8), (5, 3), (1, 7)]:
        parts = [RNG.normal(size=(1, *size)).astype("float32") for size in ((8, 8, 2), (height, width, 3))]
        np.testing.assert_array_equal(model.predict_on_batch(parts), parts[0][:, :height, :width])


@pytest.mark.parametrize("size", [(9, 5), (5, 9)])
def test_a_reference_larger_than_the_input_is_refused_with_both_sizes(size):
    with pytest.raises(ValueError, match=rf"at most .*of inputs, \(8, 8\). Received: \({size[0]}, {size[1]}\)"):
        CropLike()([np.zeros((1, 8, 8, 2), "float32"), np.zeros((1, *size, 2), "float32")])


@pytest.mark.parametrize("shapes", [[(1, 8, 8, 2)], [(1, 8, 8, 2)] * 3, [(1, 8, 8, 2), (8, 8, 2)]])
def test_anything_but_two_images_is_refused(shapes):
    with pytest.raises(ValueError, match=r"inputs: expected \[inputs, reference\] of rank 4. Received: "):
        CropLike()([np.zeros(shape, "float32") for shape in shapes])


@pytest.mark.parametrize("shape", [(8, 8), (2, 8, 8, 2)])
def test_a_tensor_alone_is_refused(shape):
    with pytest.raises(ValueError, match=r"inputs: expected \[inputs, reference\] of rank 4. Received: "):
        CropLike()(np.zeros(shape, "float32"))


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0
