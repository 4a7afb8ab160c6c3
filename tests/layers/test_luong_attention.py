"""The three scores and the three scopes of Luong against numpy."""

import numpy as np
import pytest

from keras_segattn.layers import LuongAttention

from ..contracts import to_numpy

QUERY, MEMORY, STEPS, LENGTHS = 4, 4, 6, (7, 4)


def softmax(scores):
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()


def weights_of_the_paper(attention, queries, memory, number):
    """Of query of this number and one sentence without padding: queries (S, Q), memory (T, M)."""
    kernels = {weight.name: to_numpy(weight).astype("float64") for weight in attention.weights}
    query, length = queries[number], len(memory)
    scores = []
    for h in memory:
        if attention.score == "dot":
            scores.append(query @ h)
        elif attention.score == "general":
            scores.append(query @ kernels["key_kernel"].T @ h)
        else:
            w = np.concatenate([kernels["query_kernel"], kernels["key_kernel"]])
            scores.append(np.tanh(np.concatenate([query, h]) @ w) @ kernels["score_kernel"][:, 0])
    scores, places = np.array(scores) / (2 if attention.scaled else 1), np.arange(length)  # the root of QUERY
    if attention.scope == "global":
        return softmax(scores)
    if attention.scope == "local-m":
        center = min(number, length - 1)
    else:
        hidden = np.tanh(query @ kernels["place_kernel"])
        center = length / (1 + np.exp(-hidden @ kernels["place_score_kernel"][:, 0]))
    inside = np.abs(places - center) <= attention.window
    weights = np.zeros(length)
    weights[inside] = softmax(scores[inside])
    if attention.scope == "local-p":
        deviation = attention.window / 2
        weights = weights * np.exp(-((places - center) ** 2) / (2 * deviation**2))
    return weights


@pytest.mark.parametrize("scope", ["global", "local-m", "local-p"])
@pytest.mark.parametrize(
    ("score", "scaled"), [("dot", False), ("dot", True), ("general", False), ("general", True), ("concat", False)]
)
def test_the_weights_are_those_of_the_paper(score, scaled, scope):
    rng = np.random.default_rng(0)
    queries, memory = rng.normal(size=(2, STEPS, QUERY)), rng.normal(size=(2, max(LENGTHS), MEMORY))
    mask = np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]
    attention = LuongAttention(score, scope, window=2, scaled=scaled)
    attention.build([(None, None, QUERY), (None, None, MEMORY)])
    attention.set_weights([rng.normal(size=weight.shape) for weight in attention.weights])
    _, found = attention([queries, memory], mask=mask, return_attention_scores=True)
    for sentence, length in enumerate(LENGTHS):
        for number in range(STEPS):
            expected = weights_of_the_paper(attention, queries[sentence], memory[sentence, :length], number)
            np.testing.assert_allclose(to_numpy(found)[sentence, number, :length], expected, atol=1e-5)


def test_an_additive_score_is_not_scaled():
    with pytest.raises(ValueError, match="scaled: expected False for concat"):
        LuongAttention("concat", scaled=True)


def test_units_are_the_size_of_the_hidden_layers():
    attention = LuongAttention("concat", "local-p", units=9)
    attention.build([(None, 3), (None, None, 5)])
    shapes = {weight.name: tuple(weight.shape) for weight in attention.weights}
    assert shapes == {
        "query_kernel": (3, 9),
        "key_kernel": (5, 9),
        "score_kernel": (9, 1),
        "place_kernel": (3, 9),
        "place_score_kernel": (9, 1),
    }


def test_a_monotonic_window_stays_at_the_last_word_when_the_translation_is_longer():
    memory = np.eye(3)[None].astype("float32")
    attention = LuongAttention("dot", "local-m", window=1)
    queries = np.zeros((1, 6, 3), "float32")
    _, weights = attention([queries, memory], return_attention_scores=True)
    expected = [[0.5, 0.5, 0], [1 / 3] * 3, [0, 0.5, 0.5], [0, 0.5, 0.5], [0, 0.5, 0.5], [0, 0.5, 0.5]]
    np.testing.assert_allclose(to_numpy(weights)[0], expected, atol=1e-6)


def test_the_number_of_a_query_can_be_given():
    memory = np.eye(4)[None].astype("float32")
    attention = LuongAttention("dot", "local-m", window=1)
    _, weights = attention([np.zeros((1, 4), "float32"), memory], position=np.array([3]), return_attention_scores=True)
    np.testing.assert_allclose(to_numpy(weights), [[0, 0, 0.5, 0.5]], atol=1e-6)
