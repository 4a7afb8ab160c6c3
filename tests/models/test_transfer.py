"""Weights go from model to model by the name and the shapes of their layer."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.models import fcn8s, fcn32s, transfer_weights
from keras_segattn.models import transfer as module


def dense(*layers, inputs=2):
    """A stack of Dense layers from (units, name)."""
    stack = [keras.layers.Dense(units, name=name) for units, name in layers]
    return keras.Sequential([keras.Input((inputs,)), *stack])


def same(source, target, name):
    pairs = zip(source.get_layer(name).get_weights(), target.get_layer(name).get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_layers_of_one_name_and_shape_are_copied_wherever_they_stand():
    source, target = dense((2, "a"), (2, "b")), dense((2, "b"), (2, "a"))
    assert transfer_weights(source, target) == []
    assert same(source, target, "a")
    assert same(source, target, "b")


def test_layers_of_another_name_or_shape_stay_as_they_are_and_are_named():
    source, target = dense((2, "a"), (3, "b")), dense((2, "c"), (4, "b"))
    before = target.get_weights()
    assert transfer_weights(source, target) == ["c", "b"]
    for now, was in zip(target.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, was)


def test_the_source_stays_as_it_is():
    source, target = dense((2, "a")), dense((2, "a"))
    before = source.get_weights()
    transfer_weights(source, target)
    target.get_layer("a").kernel.assign(np.zeros((2, 2)))
    np.testing.assert_array_equal(source.get_weights()[0], before[0])
    assert before[0].std() > 0


def test_a_layer_that_is_frozen_in_one_of_the_models_is_copied_too():
    source, target = fcn32s((32, 32, 3), 3, head_filters=4), fcn32s((32, 32, 3), 3, head_filters=4)
    source.get_layer("fc6_bn").moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    target.get_layer("encoder").trainable = target.get_layer("fc6_bn").trainable = False
    assert transfer_weights(source, target) == []
    for name in ("encoder", "fc6_bn"):
        assert same(source, target, name)


@pytest.mark.parametrize("size", [(32, 32), (None, None)])
def test_a_model_for_other_classes_keeps_everything_but_what_depends_on_them(size):
    source, target = fcn8s((64, 64, 3), 3, head_filters=8), fcn8s((*size, 3), 5, head_filters=8)
    kept = transfer_weights(source, target)
    assert sorted(kept) == [
        "score_16", "score_32", "score_8", "upsample_16_to_8", "upsample_32_to_16", "upsample_8_to_1",
    ]  # fmt: skip
    copied = [layer.name for layer in target.layers if layer.weights and layer.name not in kept]
    assert copied == ["encoder", "fc6", "fc6_bn", "fc7", "fc7_bn"]
    assert all(same(source, target, name) for name in copied)


def test_another_encoder_keeps_its_own_weights():
    source, target = (
        fcn32s((32, 32, 3), 3, head_filters=4),
        fcn32s((32, 32, 3), 3, head_filters=4, encoder="mobilenet_v2"),
    )
    assert "encoder" in transfer_weights(source, target)


def test_the_copy_answers_as_the_original():
    source, target = dense((4, "a"), (3, "b")), dense((4, "a"), (3, "b"))
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    assert np.abs(ops.convert_to_numpy(source(x) - target(x))).max() > 0.1
    transfer_weights(source, target)
    np.testing.assert_array_equal(ops.convert_to_numpy(source(x)), ops.convert_to_numpy(target(x)))


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0
