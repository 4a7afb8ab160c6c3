"""Tokens keep to their vocabulary and carry it with the weights of a model; what looks everywhere looks alike."""

import keras
import numpy as np
import pytest

from keras_segattn.layers import MeanAttention, Tokens
from keras_segattn.vocabulary import UNKNOWN, Vocabulary

from ..contracts import to_numpy

EIGHT = Vocabulary.learn(["to be or not to be"], 8, "words")


def test_ids_that_the_vocabulary_does_not_have_are_unknown():
    found = Tokens(8)(np.array([[0, 7, 8, -1, 10**9]]))
    assert to_numpy(found).tolist() == [[0, 7, UNKNOWN, UNKNOWN, UNKNOWN]]


def test_ids_stay_whole_numbers_under_mixed_precision():
    found = Tokens(8)(keras.Input((None,), dtype="int32"))
    assert found.dtype == "int32"
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = Tokens(2**12)(np.array([[3, 2051]]))
    finally:
        keras.config.set_dtype_policy("float32")
    assert to_numpy(found).tolist() == [[3, 2051]]  # float16 knows 2050 and 2052


def test_a_copy_from_its_configuration_has_its_size_and_no_vocabulary():
    layer = Tokens(8, name="words")
    layer.vocabulary = EIGHT
    copy = Tokens.from_config(layer.get_config())
    assert (copy.size, copy.name, copy.vocabulary) == (8, "words", None)


def test_weights_of_a_model_bring_the_vocabulary_and_those_without_leave_it(tmp_path):
    def model(vocabulary=None):
        layer = Tokens(8)
        if vocabulary:
            layer.vocabulary = vocabulary
        return keras.Sequential([keras.Input((None,), dtype="int32"), layer, keras.layers.Embedding(8, 2)])

    model(EIGHT).save_weights(tmp_path / "with.weights.h5")
    model().save_weights(tmp_path / "without.weights.h5")
    other = model()
    other.load_weights(tmp_path / "with.weights.h5")
    assert other.layers[0].vocabulary.data == EIGHT.data
    other.load_weights(tmp_path / "without.weights.h5")
    assert other.layers[0].vocabulary == EIGHT


@pytest.mark.parametrize("wrong", [Vocabulary.learn(["to be or not"], 7, "words"), "words"])
def test_a_vocabulary_of_another_size_is_an_error(wrong):
    layer = Tokens(8)
    with pytest.raises(ValueError, match="vocabulary: expected a Vocabulary of 8 tokens. Received"):
        layer.vocabulary = wrong


@pytest.mark.parametrize("size", [4, 8.0])
def test_a_size_out_of_range_is_an_error(size):
    with pytest.raises(ValueError, match="size: expected an integer >= 5. Received"):
        Tokens(size)


def test_mean_attention_looks_at_the_real_positions_alike():
    rng = np.random.default_rng(0)
    query, memory = (rng.normal(size=shape).astype("float32") for shape in ((2, 3, 5), (2, 4, 6)))
    mask = np.array([[True, True, False, True], [False] * 4])
    context, weights = (to_numpy(x) for x in MeanAttention()([query, memory], mask=mask, return_attention_scores=True))
    np.testing.assert_allclose(weights, [[[1 / 3, 1 / 3, 0, 1 / 3]] * 3, [[0] * 4] * 3], atol=1e-6)
    np.testing.assert_allclose(context[0], [memory[0][mask[0]].mean(0)] * 3, atol=1e-6)
    assert (context[1] == 0).all()


def test_mean_attention_over_one_position_is_that_position():
    memory = np.random.default_rng(0).normal(size=(2, 1, 6)).astype("float32")
    np.testing.assert_array_equal(to_numpy(MeanAttention()([np.zeros((2, 5)), memory])), memory[:, 0])
