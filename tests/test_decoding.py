"""Greedy, beam search and sampling against a plain search in numpy, id by id."""

import functools
import math
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn import decoding

from .backends import on_each_backend, run_on

VOCABULARY, HISTORIES, START, END, LENGTH, SENTENCES = 9, 61, 0, 2, 7, 5


class Chain:
    """A decoder that remembers: what may come next depends on all that came before.

    The state is a number, of the sentence at first and then of its whole history, and stands for a row of a table of
    logits. ``seen`` is what a step looked at.
    """

    def __init__(self, seed=0, vocabulary=VOCABULARY, histories=HISTORIES, masked=0.0, logits=None):
        rng = np.random.default_rng(seed)
        table = rng.normal(0, 2, (histories, vocabulary)) if logits is None else logits
        lost = rng.uniform(size=table.shape) < masked
        lost[np.arange(len(table)), rng.integers(vocabulary, size=len(table))] = False  # one at least may come
        self.table = np.where(lost, -np.inf, table).astype("float32")
        self.steps = 0

    def encode(self, sentences=SENTENCES):
        history = ops.arange(sentences, dtype="int32")
        return {"history": history, "still": ops.cast(history, "float32"), "seen": ops.zeros((sentences, 2))}

    def step(self, token, state):
        self.steps += 1
        history = (state["history"] * 5 + token * 11 + 1) % len(self.table)
        seen = ops.stack([ops.cast(history, "float32"), state["still"]], axis=-1)
        logits = ops.take(ops.convert_to_tensor(self.table), history, axis=0)
        return logits, {"history": history, "still": state["still"], "seen": seen}

    def next(self, history, token):
        """The same for the oracle: history and log-probabilities of what may come after it."""
        history = (history * 5 + token * 11 + 1) % len(self.table)
        return history, self.log_probabilities()[history]

    def log_probabilities(self):
        table = self.table.astype("float64")
        return table - np.log(np.exp(table - table.max(-1, keepdims=True)).sum(-1, keepdims=True)) - table.max(
            -1, keepdims=True
        )


def beam_oracle(chain, sentence, beams, power=1.0, forbidden=(), length=LENGTH, start=START, number=float):
    """The hypotheses of a beam search, the best first: (tokens, log-probability, histories)."""
    live, finished = [((), number(0), sentence, ())], []
    for step in range(1, length + 1):
        candidates = []
        for place, (tokens, total, history, seen) in enumerate(live):
            history, scores = chain.next(history, tokens[-1] if tokens else start)
            for token, score in enumerate(scores):
                if token not in forbidden and score > -math.inf:
                    after = ((*tokens, token), number(total + number(score)), history, (*seen, history))
                    candidates.append((-after[1], place, token, after))
        best = [after for *_, after in sorted(candidates, key=lambda candidate: candidate[:3])]
        finished += [(after[1] / step**power, after) for after in best[:beams] if after[0][-1] == END]
        finished = sorted(finished, key=lambda pair: -pair[0])[:beams]
        live = [after for after in best if after[0][-1] != END][:beams]
        if not live or (len(finished) == beams and finished[-1][0] >= live[0][1] / step**power):
            live = []
            break
    finished += [(after[1] / length**power, after) for after in live]
    ranked = sorted(finished, key=lambda pair: -pair[0])[:beams]
    return [(tokens, total, seen) for _, (tokens, total, _, seen) in ranked]


def greedy_oracle(chain, sentence, forbidden=(), length=LENGTH):
    tokens, total, history, seen = [], 0.0, sentence, []
    while len(tokens) < length and END not in tokens:
        history, scores = chain.next(history, tokens[-1] if tokens else START)
        token = max(set(range(len(scores))) - set(forbidden), key=lambda token: (scores[token], -token))
        tokens, total, seen = [*tokens, token], total + scores[token], [*seen, history]
    return tokens, total, seen


def padded(tokens, length=LENGTH):
    return [*tokens, *[END] * (length - len(tokens))]


def compare(found, sentence, expected, length=LENGTH, watched=True):
    """The n best of one sentence, id by id; what there is no sentence for has probability 0."""
    tokens, lengths, totals = (ops.convert_to_numpy(x)[sentence] for x in found[:3])
    for place, (words, total, seen) in enumerate(expected[: len(tokens)]):
        assert tokens[place].tolist() == padded(words, length)
        assert lengths[place] == sum(word != END for word in words)
        assert totals[place] == pytest.approx(total, abs=1e-4)
        if watched:
            histories = ops.convert_to_numpy(found.watched)[sentence, place]
            assert histories[:, 0].tolist() == [*seen, *[0] * (length - len(seen))]
            assert histories[:, 1].tolist() == [*[sentence] * len(seen), *[0] * (length - len(seen))]
    assert (totals[len(expected) :] == -np.inf).all()
    assert (tokens[len(expected) :] == END).all()


def search(chain, beams, sentences=SENTENCES, **arguments):
    arguments = {"start": START, "end": END, "max_length": LENGTH, "n_best": beams, **arguments}
    watch = arguments.pop("watch", lambda state: state["seen"])
    return decoding.beam_search(chain.step, chain.encode(sentences), beams=beams, watch=watch, **arguments)


@pytest.mark.parametrize("beams", range(1, 11))
def test_a_beam_search_is_that_of_the_oracle_for_every_number_of_beams(beams):
    for seed, power, forbidden in ((0, 1.0, ()), (1, 0.0, (1,)), (2, 0.7, (3, 4))):
        chain = Chain(seed, masked=0.3)
        found = search(chain, beams, length_power=power, forbidden=forbidden)
        assert found.tokens.shape == (SENTENCES, beams, LENGTH)
        for sentence in range(SENTENCES):
            compare(found, sentence, beam_oracle(chain, sentence, beams, power, forbidden))


@pytest.mark.parametrize("beams", range(1, 11))
def test_of_equal_hypotheses_the_one_of_lower_index_wins(beams):
    logits = np.random.default_rng(0).integers(0, 2, (HISTORIES, VOCABULARY)) * math.log(3)
    even = np.zeros((HISTORIES, VOCABULARY))
    for table, power in ((even, 1.0), (logits, 0.0), (logits, 1.0)):
        chain = Chain(logits=table)
        # The sums of the oracle are those of float32, for equal ones to stay equal.
        scores = ops.convert_to_numpy(ops.log_softmax(ops.convert_to_tensor(chain.table)))
        chain.log_probabilities = lambda scores=scores: scores
        found = search(chain, beams, length_power=power)
        for sentence in range(SENTENCES):
            compare(found, sentence, beam_oracle(chain, sentence, beams, power, number=np.float32))


@pytest.mark.parametrize("beams", range(1, 11))
def test_fewer_tokens_than_beams_are_no_trouble(beams):
    chain = Chain(3, vocabulary=3)
    found = search(chain, beams, forbidden=(1,), max_length=3)
    for sentence in range(SENTENCES):
        expected = beam_oracle(chain, sentence, beams, forbidden=(1,), length=3)
        assert len(expected) == min(beams, 4)
        compare(found, sentence, expected, length=3)


@pytest.mark.parametrize("beams", range(1, 11))
def test_the_search_is_over_when_all_hypotheses_have_ended(beams):
    logits = np.random.default_rng(4).normal(size=(HISTORIES, VOCABULARY))
    logits[:, END] += np.where(np.arange(HISTORIES) % 3 == 0, 9, 0)
    logits[7] = np.where(np.arange(VOCABULARY) == END, 0, -np.inf)
    chain = Chain(logits=logits)
    found = search(chain, beams, max_length=40)
    assert chain.steps < 30
    for sentence in range(SENTENCES):
        compare(found, sentence, beam_oracle(chain, sentence, beams, length=40), length=40)


def test_every_hypothesis_that_must_end_at_once_does():
    logits = np.where(np.arange(VOCABULARY) == END, 0, -np.inf)[None].repeat(HISTORIES, 0)
    chain = Chain(logits=logits)
    found = search(chain, 4)
    assert chain.steps == 1
    assert (ops.convert_to_numpy(found.tokens) == END).all()
    np.testing.assert_array_equal(found.log_probabilities, [[0, *[-np.inf] * 3]] * SENTENCES)


@pytest.mark.parametrize("forbidden", [(), (1, 5)])
def test_greedy_is_the_likeliest_token_in_every_step_and_a_beam_of_one(forbidden):
    for seed in range(4):
        chain = Chain(seed, masked=0.3)
        arguments = {"start": START, "end": END, "max_length": LENGTH, "forbidden": forbidden}
        found = decoding.greedy(chain.step, chain.encode(), watch=lambda state: state["seen"], **arguments)
        assert found.tokens.shape == (SENTENCES, LENGTH)
        alone = search(chain, 1, forbidden=forbidden)
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_allclose(one, ops.squeeze(other, 1), atol=1e-6)
        for sentence in range(SENTENCES):
            expected = greedy_oracle(chain, sentence, forbidden)
            compare(decoding.Decoded(*(ops.expand_dims(x, 1) for x in found)), sentence, [expected])


def test_greedy_stops_when_every_sentence_has_ended():
    logits = np.random.default_rng(4).normal(size=(HISTORIES, VOCABULARY))
    logits[:, END] += np.where(np.arange(HISTORIES) % 3 == 0, 9, 0)
    chain = Chain(logits=logits)
    found = decoding.greedy(chain.step, chain.encode(), start=START, end=END, max_length=500)
    longest = max(len(greedy_oracle(chain, sentence, length=500)[0]) for sentence in range(SENTENCES))
    assert 1 < longest < 100
    assert chain.steps == longest
    assert found.watched is None


def test_a_sentence_does_not_depend_on_its_neighbours():
    chain = Chain(1, masked=0.3)
    together, fewer = search(chain, 4), search(chain, 4, sentences=2)
    for one, other in zip(together, fewer, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one)[:2], other)


def test_each_sentence_can_have_a_start_of_its_own():
    chain, starts = Chain(2), np.array([0, 1, 3, 4, 8], "int32")
    found = search(chain, 3, start=starts)
    for sentence, start in enumerate(starts):
        compare(found, sentence, beam_oracle(chain, sentence, 3, start=int(start)))


def test_more_beams_and_a_longer_search_find_likelier_sentences():
    chain = Chain(5)
    found = [search(chain, beams, length_power=0.0, n_best=1) for beams in (1, 3, 10)]
    totals = [float(ops.sum(one.log_probabilities)) for one in found]
    assert totals[0] < totals[1] <= totals[2]


def test_length_power_prefers_longer_sentences():
    chain = Chain(6)
    lengths = [float(ops.sum(search(chain, 5, length_power=power, n_best=1).lengths)) for power in (0.0, 1.0, 4.0)]
    assert lengths[0] < lengths[1] <= lengths[2]


def test_what_is_watched_may_be_several_things():
    chain = Chain(0)
    found = search(chain, 2, watch=lambda state: {"one": state["seen"], "other": state["history"]})
    assert found.watched["one"].shape == (SENTENCES, 2, LENGTH, 2)
    np.testing.assert_array_equal(found.watched["other"], ops.convert_to_numpy(found.watched["one"])[..., 0])


def draw(chain, noise, **arguments):
    noise = ops.convert_to_tensor(np.asarray(noise, "float32"))
    return decoding.sample(chain.step, chain.encode(len(noise)), noise, start=START, end=END, **arguments)


def drawn_by_hand(scores, number, temperature=1.0, top_k=None, top_p=1.0, forbidden=()):
    """The token of one row of log-probabilities, by a number in [0, 1)."""
    tokens = [token for token in np.argsort(-scores, kind="stable") if token not in forbidden][:top_k]
    shares = np.exp(scores[tokens] / temperature)
    shares = shares / shares.sum()
    kept = 1 + int((np.cumsum(shares) < top_p - 1e-9).sum())
    tokens, shares = tokens[:kept], shares[:kept] / shares[:kept].sum()
    return tokens[int((np.cumsum(shares) <= number).sum())]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0, "forbidden": (4,)},
        {"top_k": 3},
        {"top_p": 0.8},
        {"top_k": 4, "top_p": 0.6, "temperature": 1.5},
        {"top_k": 100},
    ],
    ids=str,
)
def test_a_sample_is_that_of_the_oracle_by_the_same_random_numbers(arguments):
    chain = Chain(0, masked=0.2)
    noise = np.random.default_rng(1).uniform(size=(SENTENCES, LENGTH)).astype("float32")
    found = draw(chain, noise, **arguments)
    for sentence in range(SENTENCES):
        tokens, total, history = [], 0.0, sentence
        while len(tokens) < LENGTH and END not in tokens:
            history, scores = chain.next(history, tokens[-1] if tokens else START)
            tokens.append(int(drawn_by_hand(scores, noise[sentence, len(tokens)], **arguments)))
            total += scores[tokens[-1]]
        assert ops.convert_to_numpy(found.tokens)[sentence].tolist() == padded(tokens)
        assert float(found.log_probabilities[sentence]) == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [0.1, 0.4, 0.2, 0.3]),
        ({"temperature": 0.5}, np.array([1, 16, 4, 9]) / 30),
        ({"top_k": 2}, np.array([0, 4, 0, 3]) / 7),
        ({"top_p": 0.75}, np.array([0, 4, 2, 3]) / 9),
        ({"top_p": 0.65}, np.array([0, 4, 0, 3]) / 7),
        ({"forbidden": (1,)}, np.array([1, 0, 2, 3]) / 6),
    ],
    ids=str,
)
def test_tokens_come_as_often_as_their_probability_says(arguments, expected):
    chain = Chain(logits=np.log([[0.1, 0.4, 0.2, 0.3]]))
    noise = keras.random.uniform((8000, 1), seed=5)
    found = draw(chain, noise, **arguments)
    often = np.bincount(ops.convert_to_numpy(found.tokens)[:, 0], minlength=4) / 8000
    np.testing.assert_allclose(often, expected, atol=0.017)                        # three deviations
    assert (often[np.equal(expected, 0)] == 0).all()
    even = draw(chain, (np.arange(900)[:, None] + 0.5) / 900, **arguments)
    often = np.bincount(ops.convert_to_numpy(even.tokens)[:, 0], minlength=4) / 900
    np.testing.assert_allclose(often, expected, atol=2 / 900)


def test_a_sample_near_temperature_0_or_of_one_token_is_greedy():
    chain = Chain(3)
    noise = keras.random.uniform((SENTENCES, LENGTH), seed=2)
    expected = decoding.greedy(chain.step, chain.encode(), start=START, end=END, max_length=LENGTH)
    for arguments in ({"temperature": 1e-3}, {"top_k": 1}, {"top_p": 1e-6}):
        found = draw(chain, noise, **arguments)
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.log_probabilities, expected.log_probabilities, atol=1e-4)
    assert (ops.convert_to_numpy(draw(chain, noise).tokens) != ops.convert_to_numpy(expected.tokens)).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: search(c, 0), "beams: expected an integer >= 1. Received: 0"),
        (lambda c: search(c, 2, n_best=3), "n_best: expected an integer in 1..beams, 2. Received: 3"),
        (lambda c: search(c, 2, max_length=0), "max_length: expected an integer >= 1. Received: 0"),
        (lambda c: search(c, 2, length_power=-1), "length_power: expected a number >= 0. Received: -1"),
        (lambda c: search(c, 2, forbidden=(9,)), r"forbidden: expected tokens in 0..8. Received: \(9,\)"),
        (lambda c: search(c, 2, end=9), r"end: expected tokens in 0..8. Received: \[9\]"),
        (lambda c: draw(c, [[0.5]], temperature=0), "temperature: expected a number > 0. Received: 0"),
        (lambda c: draw(c, [[0.5]], top_k=0), "top_k: expected an integer >= 1 or None. Received: 0"),
        (lambda c: draw(c, [[0.5]], top_p=0), r"top_p: expected a number in \(0, 1\]. Received: 0"),
        (lambda c: decoding.greedy(c.step, {}, start=0, end=2, max_length=3), "state: expected tensors"),
    ],
)
def test_an_argument_out_of_range_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(Chain())


@functools.cache
def answers():
    """Sentences of every kind, compiled where the backend compiles, ties among them."""
    even = Chain(logits=np.zeros((HISTORIES, VOCABULARY)))
    noise = np.random.default_rng(1).uniform(size=(SENTENCES, LENGTH)).astype("float32")

    def of_all(history):
        found = {}
        for name, chain in (("table", Chain(1, masked=0.3)), ("even", even)):
            state = {**chain.encode(), "history": history}
            arguments = {"start": START, "end": END, "watch": lambda state: state["seen"]}
            searching = {"max_length": LENGTH, **arguments}
            found[f"{name}/beam"] = decoding.beam_search(chain.step, state, beams=4, n_best=4, **searching)
            found[f"{name}/greedy"] = decoding.greedy(chain.step, state, **searching)
            found[f"{name}/sample"] = decoding.sample(chain.step, state, ops.convert_to_tensor(noise), **arguments)
        return {f"{name}/{part}": x for name, all in found.items() for part, x in all._asdict().items()}

    history = ops.arange(SENTENCES, dtype="int32")
    return {name: ops.convert_to_numpy(x) for name, x in compiled(of_all)(history).items()}


def compiled(function):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


@on_each_backend
def test_the_sentences_are_those_of_backend_ties_included(backend, tmp_path):
    run_on(backend, "-m", __spec__.name, tmp_path / "answers.npz")
    theirs, ours = np.load(tmp_path / "answers.npz"), answers()
    assert set(theirs) == set(ours)
    for name, expected in ours.items():
        np.testing.assert_allclose(theirs[name], expected, atol=1e-5, err_msg=name)


if __name__ == "__main__":  # on another backend
    np.savez(sys.argv[1], **answers())
