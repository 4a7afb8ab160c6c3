"""Additive attention against the paper's formula."""

import numpy as np

from keras_segattn.layers import BahdanauAttention

from ..contracts import to_numpy


def test_context_and_weights_are_those_of_the_formula_of_the_paper():
    rng = np.random.default_rng(0)
    query, memory = rng.normal(size=(2, 3)), rng.normal(size=(2, 4, 5))
    attention = BahdanauAttention(6)
    attention.build([(None, 3), (None, 4, 5)])
    kernels = [rng.normal(size=weight.shape) for weight in attention.weights]
    attention.set_weights(kernels)
    (w, u, v) = kernels
    context, weights = attention([query, memory], return_attention_scores=True)
    for sentence in range(2):
        energies = [
            v[:, 0] @ np.tanh(w.T @ query[sentence] + u.T @ memory[sentence, position]) for position in range(4)
        ]
        alphas = np.exp(energies) / np.exp(energies).sum()
        assert alphas.max() > 0.4
        np.testing.assert_allclose(to_numpy(weights)[sentence], alphas, atol=1e-5)
        expected = sum(alpha * h for alpha, h in zip(alphas, memory[sentence], strict=True))
        np.testing.assert_allclose(to_numpy(context)[sentence], expected, atol=1e-5)


def test_the_query_decides_where_it_looks():
    attention = BahdanauAttention(1)
    attention.build([(None, 1), (None, 3, 1)])
    attention.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.full((1, 1), 50.0)])
    memory = np.array([[[-3.0], [0.0], [1.0]]])
    _, weights = attention([np.array([[0.0]]), memory], return_attention_scores=True)
    assert to_numpy(weights)[0].argmax() == 2
    attention.set_weights([np.ones((1, 1)), -np.ones((1, 1)), np.full((1, 1), -50.0)])
    _, weights = attention([np.array([[-2.0]]), memory], return_attention_scores=True)
    assert to_numpy(weights)[0].argmax() == 2
    _, weights = attention([np.array([[-9.0]]), memory], return_attention_scores=True)
    assert np.ptp(to_numpy(weights)[0]) < 1e-2
