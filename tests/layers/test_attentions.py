"""What every attention promises, whatever its score: of masks, of order, and of one query after the other."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn import decoding
from keras_segattn.layers import BahdanauAttention, HardAttention, LuongAttention
from keras_segattn.layers.masked_softmax import masked_softmax

from ..contracts import gradients, to_numpy

WHOLE = {
    "bahdanau": lambda: BahdanauAttention(6),
    "luong_dot": lambda: LuongAttention("dot"),
    "luong_general": lambda: LuongAttention("general"),
    "luong_concat": lambda: LuongAttention("concat"),
    "luong_scaled": lambda: LuongAttention("general", scaled=True),
    "hard": lambda: HardAttention(BahdanauAttention(6)),
}
LOCAL = {
    "local_m": lambda: LuongAttention("general", "local-m", window=2),
    "local_p": lambda: LuongAttention("dot", "local-p", window=2),
}
ATTENTIONS = {**WHOLE, **LOCAL}
# Two sentences of 5 and 3 words, and one of none.
MASK = np.arange(6) < np.array([[5], [3], [0]])


@pytest.fixture
def arrays():
    """Queries (3, 4, 5) and memory (3, 6, 5)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 4, 5)).astype("float32"), rng.normal(size=(3, 6, 5)).astype("float32")


class Masked(keras.layers.Layer):
    """An attention under a mask, so that the gradient of the contracts can be asked for."""

    def __init__(self, attention, mask):
        super().__init__()
        self.attention, self.mask = attention, mask

    def call(self, inputs):
        return self.attention(inputs, mask=ops.convert_to_tensor(self.mask))


@pytest.mark.parametrize("make", ATTENTIONS.values(), ids=ATTENTIONS)
def test_weights_are_a_distribution_over_the_real_positions_and_exactly_0_on_padding(make, arrays):
    context, weights = (to_numpy(x) for x in make()(list(arrays), mask=MASK, return_attention_scores=True))
    assert (weights[:, :, ~MASK.any(0)] == 0).all()
    assert (weights[1, :, 3:] == 0).all()
    total = weights.sum(-1)
    if make in WHOLE.values() or make is LOCAL["local_m"]:
        np.testing.assert_allclose(total, [[1] * 4, [1] * 4, [0] * 4], atol=1e-6)
    assert (total <= 1 + 1e-6).all()
    assert (total[:2] > 0.1).all()
    np.testing.assert_allclose(context, weights @ arrays[1], atol=1e-5)


@pytest.mark.parametrize("make", ATTENTIONS.values(), ids=ATTENTIONS)
def test_a_row_that_is_all_padding_gives_0_and_neither_it_nor_its_gradient_is_nan(make, arrays):
    attention = make()
    context = to_numpy(attention(list(arrays), mask=MASK))
    assert (context[2] == 0).all()
    x = [part.astype("float32") for part in arrays]
    found = gradients(Masked(attention, MASK), x, np.ones((3, 4, 5), "float32"), many_inputs=True)
    assert all(np.isfinite(gradient).all() for gradient in found)
    assert (found[1][2] == 0).all()


@pytest.mark.parametrize("make", ATTENTIONS.values(), ids=ATTENTIONS)
def test_padding_changes_nothing_and_has_no_gradient(make, arrays):
    queries, memory = arrays
    attention = make()
    padded = to_numpy(attention([queries, memory], mask=MASK))
    other = np.where(MASK[..., None], memory, 100).astype("float32")
    np.testing.assert_array_equal(to_numpy(attention([queries, other], mask=MASK)), padded)
    short = to_numpy(attention([queries[1:2], memory[1:2, :3]]))
    np.testing.assert_allclose(padded[1:2], short, atol=1e-6)
    left = np.concatenate([other[1:2, 3:], memory[1:2, :3]], axis=1)
    np.testing.assert_allclose(to_numpy(attention([queries[1:2], left], mask=MASK[1:2, ::-1])), short, atol=1e-6)
    sensitivity = np.random.default_rng(1).normal(size=padded.shape).astype("float32")
    _, by_memory, *_ = gradients(Masked(attention, MASK), [queries, memory], sensitivity, many_inputs=True)
    assert (by_memory[~MASK] == 0).all()
    assert (np.abs(by_memory[MASK]).max(-1) > 1e-6).any()


@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE)
def test_permuting_the_positions_permutes_the_weights_and_keeps_the_context(make, arrays):
    queries, memory = arrays
    order = np.array([3, 0, 5, 1, 4, 2])
    attention = make()
    context, weights = attention([queries, memory], mask=MASK, return_attention_scores=True)
    permuted = attention([queries, memory[:, order]], mask=MASK[:, order], return_attention_scores=True)
    assert np.ptp(to_numpy(weights)[0]) > 0.05
    np.testing.assert_allclose(to_numpy(permuted[1]), to_numpy(weights)[:, :, order], atol=1e-6)
    np.testing.assert_allclose(to_numpy(permuted[0]), to_numpy(context), atol=1e-6)


@pytest.mark.parametrize("make", ATTENTIONS.values(), ids=ATTENTIONS)
def test_one_query_after_the_other_is_all_of_them_at_once(make, arrays):
    queries, memory = arrays
    attention = make()
    context, weights = attention([queries, memory], mask=MASK, return_attention_scores=True)
    state = attention.start(ops.convert_to_tensor(memory), ops.convert_to_tensor(MASK))
    assert (to_numpy(state["scores"]) == 0).all()
    for number in range(queries.shape[1]):
        found, state = attention.step(ops.convert_to_tensor(queries[:, number]), state)
        np.testing.assert_allclose(to_numpy(found), to_numpy(context)[:, number], atol=1e-6)
        np.testing.assert_allclose(to_numpy(state["scores"]), to_numpy(weights)[:, number], atol=1e-6)


@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE)
def test_keys_that_are_given_are_those_that_it_would_make(make, arrays):
    attention = make()
    expected = to_numpy(attention(list(arrays)))
    keys = attention.project(ops.convert_to_tensor(arrays[1]))
    np.testing.assert_allclose(to_numpy(attention([*arrays, keys])), expected, atol=1e-6)
    assert np.abs(to_numpy(attention([*arrays, 0 * keys])) - expected).max() > 1e-3


def test_a_sentence_of_seven_tokens_projects_its_memory_once(arrays, monkeypatch):
    attention = BahdanauAttention(6)
    attention.build([(None, 5), (None, 6, 5)])
    calls = []
    project = attention.project
    monkeypatch.setattr(attention, "project", lambda memory: calls.append(1) or project(memory))

    def step(token, state):
        context, seen = attention.step(ops.one_hot(token, 5), state)
        return context, seen

    found = decoding.greedy(step, attention.start(ops.convert_to_tensor(arrays[1])), start=0, end=4, max_length=7)
    assert found.tokens.shape == (3, 7)
    assert len(calls) == 1


def test_keras_hands_the_mask_of_an_embedding_to_the_attention():
    tokens = np.array([[1, 2, 3, 0, 0]])
    memory = keras.layers.Embedding(5, 4, mask_zero=True)(tokens)
    _, weights = BahdanauAttention(6)([np.ones((1, 4), "float32"), memory], return_attention_scores=True)
    assert (to_numpy(weights)[0, 3:] == 0).all()
    assert (to_numpy(weights)[0, :3] > 0).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_masked_softmax_keeps_to_the_real_positions_in_every_precision(dtype):
    scores = ops.cast([[-5e4, -5e4, 6e4, 6e4], [1, 2, 3, 4]], dtype)
    mask = ops.convert_to_tensor([[True, True, False, False], [False] * 4])
    found = to_numpy(ops.cast(masked_softmax(scores, mask), "float32"))
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": "cosine"}, "score: expected one of dot, general, concat. Received: 'cosine'"),
        ({"scope": "local"}, "scope: expected one of global, local-m, local-p. Received: 'local'"),
        ({"units": 0}, "units: expected an integer >= 1 or None. Received: 0"),
        ({"window": 0}, "window: expected an integer >= 1. Received: 0"),
    ],
)
def test_an_argument_out_of_range_is_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        LuongAttention(**arguments)


def test_what_does_not_fit_together_is_an_error():
    with pytest.raises(ValueError, match="units: expected an integer >= 1. Received: 2.5"):
        BahdanauAttention(2.5)
    with pytest.raises(ValueError, match="dot expects query and memory of one size. Received: 4 and 5"):
        LuongAttention("dot")([ops.ones((2, 4)), ops.ones((2, 3, 5))])
    with pytest.raises(ValueError, match=r"expected \[query \(B, Q\) or \(B, S, Q\), memory \(B, T, M\)"):
        BahdanauAttention(4)([ops.ones((2, 4)), ops.ones((2, 5))])
    with pytest.raises(ValueError, match="position: expected the number of the query"):
        LuongAttention("dot", "local-m")([ops.ones((2, 4)), ops.ones((2, 3, 4))])
    with pytest.raises(ValueError, match="expected to be built before it projects a memory"):
        BahdanauAttention(4).project(ops.ones((2, 3, 5)))
    attention = BahdanauAttention(4)
    attention.build([(None, 4), (None, 3, 5)])
    with pytest.raises(ValueError, match="memory: expected a tensor"):
        attention.project(keras.Input((3, 5)))
    with pytest.raises(ValueError, match="attention: expected a layer with project, start and step"):
        HardAttention(keras.layers.Dense(3))
    with pytest.raises(ValueError, match=r"mean_rate: expected a number in 0..1. Received: 1.5"):
        HardAttention(attention, mean_rate=1.5)
