"""Sentences out of a decoder, inside the graph: greedy, beam search and sampling.

A decoder is a pair of functions: ``encode(inputs) -> state`` and ``step(token, state) -> (logits, state)``, where token
is int32 (B,), logits are (B, V), and a state is any nested structure of tensors with the batch first, of shapes and
types that ``step`` does not change. The functions here take ``step`` and the state that ``encode`` made, and are one
``keras.ops.while_loop`` of operations that TFLite and ONNX have: they run in eager mode and compiled on every backend,
and in an exported file.

Of equal scores the one of lower index wins: the lower token, and among tokens of one score the better hypothesis.

    >>> after_start, later = [0.1, 0.5, 0.2, 0.2], [0.1, 0.1, 0.1, 0.7]
    >>> def step(token, state):
    ...     return ops.take(ops.log(ops.array([after_start, later])), ops.cast(token != 0, "int32"), axis=0), state
    >>> found = beam_search(step, ops.zeros((1, 1)), start=0, end=3, max_length=3, beams=2, n_best=2)
    >>> ops.convert_to_numpy(found.tokens).tolist(), ops.convert_to_numpy(found.lengths).tolist()
    ([[[1, 3, 3], [2, 3, 3]]], [[1, 1]])
"""

import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops, tree


class Decoded(NamedTuple):
    """Sentences, B of them or the N best of B.

    Args:
        tokens: int32 (B, L) or (B, N, L), filled with ``end`` from where the sentence ends.
        lengths: int32 (B,) or (B, N), tokens before the end.
        log_probabilities: float32 (B,) or (B, N), the sum of the log-probabilities that the decoder gives to the
            tokens, that of ``end`` among them where it came; -inf where there is no such sentence.
        watched: what ``watch`` saw in the state after each step, (B, L, ...) or (B, N, L, ...), 0 behind the end; None
            without ``watch``.

    Example:
        >>> Decoded(tokens=[[5, 2]], lengths=[1], log_probabilities=[-0.5]).watched is None
        True
    """

    tokens: Any
    lengths: Any
    log_probabilities: Any
    watched: Any = None


def greedy(step, state, *, start, end, max_length, forbidden=(), watch=None):
    """The likeliest token in every step.

    Args:
        step: function, token int32 (B,) and state -> logits (B, V) and state.
        state: nested structure of tensors, the batch first.
        start: token that goes before the first one: int, or int32 (B,).
        end: int, the token that ends a sentence.
        max_length: int >= 1, the most tokens, ``end`` among them: L.
        forbidden: ints, tokens that never come. The probabilities of the others stay what they are. (``step`` may
            forbid tokens of its own by logits of -inf; one of each row must be finite.)
        watch: function, state -> tensor (B, ...) to keep of every step, such as ``lambda state: state["scores"]``, or
            a nested structure of them; None: nothing. The first state has it too.

    Returns:
        ``Decoded`` of (B, L). It ends when every sentence has.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> logits = ops.array([[0.0, 1.0, 2.0]])
        >>> found = greedy(lambda token, state: (logits, state), ops.zeros((1, 1)), start=0, end=1, max_length=3)
        >>> ops.convert_to_numpy(found.tokens).tolist()
        [[2, 2, 2]]
    """

    def likeliest(scores, number):
        return _top_k(scores, 1)[1][:, 0]

    return _one_by_one(step, state, likeliest, start, end, max_length, forbidden, watch)


def sample(
    step, state, noise, *, start, end, temperature=1.0, top_k=None, top_p=1.0, forbidden=(), watch=None
):
    """Tokens drawn at random, by given random numbers: the same ones draw the same sentences, on every runtime.

    ``top_k`` and then ``top_p`` leave only the likeliest tokens at that temperature, which share their probability
    anew. The log-probabilities that it returns are those of the decoder itself, at temperature 1 and over all tokens.

    Args:
        step, state, start, end, forbidden, watch: see ``greedy``.
        noise: uniform numbers in [0, 1), float (B, L), as of ``keras.random.uniform((B, L), seed=1)``. Their L is the
            most tokens.
        temperature: float > 0; the logits are divided by it. Near 0 it is greedy.
        top_k: int >= 1, how many tokens may come, or None for all.
        top_p: float in (0, 1], the probability that the tokens which may come have together at least.

    Returns:
        ``Decoded`` of (B, L).

    Raises:
        ValueError: if an argument is outside of its range.

    Reference:
        Holtzman, Buys, Du, Forbes and Choi, The Curious Case of Neural Text Degeneration, ICLR 2020 (top_p).

    Example:
        >>> logits = ops.log(ops.array([[0.25, 0.15, 0.6]]))
        >>> noise = ops.array([[0.5, 0.65, 0.9]])
        >>> found = sample(lambda token, state: (logits, state), ops.zeros((1, 1)), noise, start=0, end=1)
        >>> ops.convert_to_numpy(found.tokens).tolist()
        [[2, 0, 1]]
    """
    if temperature <= 0:
        raise ValueError(f"temperature: expected a number > 0. Received: {temperature!r}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k: expected an integer >= 1 or None. Received: {top_k!r}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p: expected a number in (0, 1]. Received: {top_p!r}")
    noise = ops.convert_to_tensor(noise)

    def drawn(scores, number):
        vocabulary = scores.shape[-1]
        best, tokens = _top_k(scores, min(top_k or vocabulary, vocabulary))        # (B, k), the likeliest first
        shares = ops.softmax(best / temperature)
        sums = ops.cumsum(shares, axis=-1)
        kept = ops.where(sums - shares < top_p, shares, 0)                         # the first one always
        sums = ops.cumsum(kept, axis=-1)
        now = ops.sum(ops.where(_is(number, noise.shape[1]), noise, 0), axis=1, keepdims=True)     # (B, 1)
        place = ops.sum(ops.cast(sums <= now * sums[:, -1:], "int32"), axis=-1, keepdims=True)
        last = ops.sum(ops.cast(kept > 0, "int32"), axis=-1, keepdims=True) - 1    # where rounding steps behind it
        return ops.sum(ops.where(_is(ops.minimum(place, last), tokens.shape[1]), tokens, 0), axis=-1)

    return _one_by_one(step, state, drawn, start, end, noise.shape[1], forbidden, watch)


def beam_search(
    step,
    state,
    *,
    start,
    end,
    max_length,
    beams=5,
    n_best=1,
    length_power=1.0,
    forbidden=(),
    watch=None,
):
    """The likeliest sentences that a search of several hypotheses at once finds.

    The score of a hypothesis is ``log-probability / tokens ** length_power``, ``end`` counted. In every step, of all
    continuations of the hypotheses, the best ``beams`` that do not end go on; those among the best ``beams`` that do
    end are finished, and the best ``beams`` of all finished ones are kept. The search of a sentence is over when as
    many are finished and none that goes on has a better score than the last of them, or at ``max_length``, where those
    that have not ended count too. With ``beams=1`` it is ``greedy``.

    Args:
        step, state, start, end, max_length, forbidden, watch: see ``greedy``. ``step`` is called with a batch of
            B * beams, and the state is repeated for that; entries that ``step`` returns as they came are moved no more.
        beams: int >= 1, hypotheses.
        n_best: int in 1..beams, N, how many to return.
        length_power: float >= 0; 0 is the log-probability itself, which prefers short sentences, 1 its mean.

    Returns:
        ``Decoded`` of (B, N, L), the best first.

    Raises:
        ValueError: if an argument is outside of its range.

    Reference:
        Wu et al., Google's Neural Machine Translation System, 2016, section 7 (length normalization).

    Example:
        >>> logits = ops.array([[0.0, 1.0, 2.0]])
        >>> found = beam_search(
        ...     lambda token, state: (ops.repeat(logits, len(token), axis=0), state),
        ...     ops.zeros((1, 1)), start=0, end=1, max_length=2, beams=3, n_best=3, length_power=0.0,
        ... )
        >>> ops.convert_to_numpy(found.tokens).tolist()
        [[[2, 2], [1, 1], [2, 1]]]
    """
    _check(max_length=max_length, beams=beams, n_best=n_best)
    if n_best > beams:
        raise ValueError(f"n_best: expected an integer in 1..beams, {beams}. Received: {n_best!r}")
    if length_power < 0:
        raise ValueError(f"length_power: expected a number >= 0. Received: {length_power!r}")
    batch = _batch(state)
    state = tree.map_structure(lambda x: _flat(_repeat(x, beams)), state)          # (B * beams, ...)
    alone = ops.convert_to_tensor([0.0] + [-math.inf] * (beams - 1), "float32")    # all hypotheses are one at first
    live = {
        "tokens": ops.full((batch, beams, max_length), end, dtype="int32"),
        "total": _repeat(ops.zeros((batch,), "float32"), beams) + alone,
        "watched": tree.map_structure(lambda x: _split(_blank(x, max_length), beams), watch(state)) if watch else (),
    }
    none = live["total"] - math.inf
    done = {**live, "total": none, "score": none}
    last = _repeat(_starts(start, batch), beams)                                   # (B, beams)

    def searching(number, last, live, done, state):
        return ops.logical_and(number < max_length, ops.any(live["total"] > -math.inf))

    def advance(number, last, live, done, state):
        logits, new = step(_flat(last), state)
        scores = _split(_log_probabilities(logits, end, forbidden), beams)         # (B, beams, V)
        vocabulary = scores.shape[-1]
        totals = ops.reshape(ops.expand_dims(live["total"], -1) + scores, (-1, beams * vocabulary))
        totals, places = _top_k(totals, 2 * beams)                                 # as many do not end
        parents, tokens = places // vocabulary, places % vocabulary
        # What each of these would be.
        seen = tree.map_structure(lambda x: _split(x, beams), watch(new)) if watch else ()
        next_ones = {
            "tokens": _write(_pick(live["tokens"], parents), number, tokens, 2),
            "total": totals,
            "watched": tree.map_structure(
                lambda x, now: _write(_pick(x, parents), number, _pick(now, parents), 2), live["watched"], seen
            ),
        }
        ends = ops.equal(tokens, end)
        norm = ops.power(ops.cast(number + 1, "float32"), length_power)
        finished = {name: tree.map_structure(lambda x: x[:, :beams], part) for name, part in next_ones.items()}
        finished["score"] = ops.where(ends, totals, -math.inf)[:, :beams] / norm
        done = _best(_join(done, finished), beams)
        best, chosen = _top_k(ops.where(ends, -math.inf, totals), beams)           # (B, beams)
        over = done["score"][:, -1:] >= best[:, :1] / norm
        live = {name: tree.map_structure(lambda x: _pick(x, chosen), part) for name, part in next_ones.items()}
        live["total"] = ops.where(over, -math.inf, best)
        parents = _flat_index(_pick(parents, chosen), beams)
        # All hypotheses of a sentence share what a step leaves alone.
        state = tree.map_structure(lambda old, x: x if x is old else ops.take(x, parents, axis=0), state, new)
        return number + 1, _pick(tokens, chosen), live, done, state

    first = (ops.zeros((), "int32"), last, live, done, state)
    number, _, live, done, _ = ops.while_loop(searching, advance, first)
    norm = ops.power(ops.cast(number, "float32"), length_power)
    found = _best(_join(done, {**live, "score": live["total"] / norm}), n_best)
    tokens = ops.where(ops.expand_dims(found["total"], -1) > -math.inf, found["tokens"], end)
    return _decoded(tokens, found["total"], found["watched"] if watch else None, end)


def _one_by_one(step, state, choose, start, end, max_length, forbidden, watch):
    """Sentences of one hypothesis each; choose: log-probabilities (B, V) and number of the step -> tokens (B,)."""
    _check(max_length=max_length)
    batch = _batch(state)
    kept = {
        "tokens": ops.full((batch, max_length), end, dtype="int32"),
        "total": ops.zeros((batch,), "float32"),
        "watched": tree.map_structure(lambda x: _blank(x, max_length), watch(state)) if watch else (),
    }
    going = ops.equal(kept["total"], 0)                                            # (B,), all

    def unfinished(number, last, going, kept, state):
        return ops.logical_and(number < max_length, ops.any(going))

    def advance(number, last, going, kept, state):
        logits, state = step(last, state)
        scores = _log_probabilities(logits, end, forbidden)                        # (B, V)
        token = ops.where(going, choose(scores, number), end)
        score = ops.squeeze(_pick(scores, ops.expand_dims(token, 1)), 1)
        seen = tree.map_structure(lambda x: ops.where(_like(going, x), x, 0), watch(state)) if watch else ()
        kept = {
            "tokens": _write(kept["tokens"], number, token, 1),
            "total": kept["total"] + ops.where(going, score, 0),
            "watched": tree.map_structure(lambda x, now: _write(x, number, now, 1), kept["watched"], seen),
        }
        return number + 1, token, ops.logical_and(going, token != end), kept, state

    first = (ops.zeros((), "int32"), _starts(start, batch), going, kept, state)
    kept = ops.while_loop(unfinished, advance, first)[3]
    return _decoded(kept["tokens"], kept["total"], kept["watched"] if watch else None, end)


def _decoded(tokens, total, watched, end):
    lengths = ops.sum(ops.cast(tokens != end, "int32"), axis=-1)
    return Decoded(tokens, lengths, total, watched)


def _check(**arguments):
    for name, value in arguments.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: expected an integer >= 1. Received: {value!r}")


def _batch(state):
    leaves = tree.flatten(state)
    if not leaves:
        raise ValueError(f"state: expected tensors with the batch first. Received: {state!r}")
    return ops.shape(leaves[0])[0]


def _starts(start, batch):
    return ops.full((batch,), start, dtype="int32") if isinstance(start, int) else ops.cast(start, "int32")


def _log_probabilities(logits, end, forbidden):
    """Of logits (B, V), float32, -inf at the forbidden tokens."""
    vocabulary = logits.shape[-1]
    for name, tokens in (("end", [end]), ("forbidden", forbidden)):
        if not all(0 <= token < vocabulary for token in tokens):
            raise ValueError(f"{name}: expected tokens in 0..{vocabulary - 1}. Received: {tokens}")
    scores = ops.log_softmax(ops.cast(logits, "float32"))
    if not len(forbidden):
        return scores
    never = np.isin(np.arange(vocabulary), list(forbidden))
    return ops.where(ops.convert_to_tensor(never), -math.inf, scores)


def _top_k(x, k):
    """The k largest of each row, the largest first, and of equal ones that of lower index; and their indices, int32."""
    if keras.backend.backend() != "torch":
        return ops.top_k(x, k)
    order = ops.argsort(-x)[..., :k]  # stable, while torch's top_k takes equal ones as it finds them
    return ops.take_along_axis(x, order, axis=-1), order


def _is(number, size):
    """Which of 0..size-1 is the number, a bool (..., size)."""
    return ops.equal(ops.arange(size, dtype="int32"), number)


def _like(x, other):
    """x with axes of size 1 behind its own, as many as the other has."""
    return ops.reshape(x, (*ops.shape(x), *[1] * (len(other.shape) - len(x.shape))))


def _blank(x, length):
    """Room for as many of x (B, ...), (B, length, ...)."""
    return _repeat(ops.zeros_like(x), length)


def _write(buffer, number, value, axis):
    """The buffer with the value as entry of this number along an axis; by comparison, as ONNX cannot assign."""
    here = ops.reshape(_is(number, buffer.shape[axis]), (-1, *[1] * (len(buffer.shape) - axis - 1)))
    return ops.where(here, ops.expand_dims(value, axis), buffer)


def _repeat(x, times):
    """(B, ...) to (B, times, ...)."""
    x = ops.expand_dims(x, 1)
    return ops.tile(x, (1, times, *[1] * (len(x.shape) - 2)))


def _flat(x):
    """(B, N, ...) to (B * N, ...)."""
    return ops.reshape(x, (-1, *ops.shape(x)[2:]))


def _split(x, beams):
    """(B * beams, ...) to (B, beams, ...)."""
    return ops.reshape(x, (-1, beams, *ops.shape(x)[1:]))


def _flat_index(index, size):
    """Indices (B, n) into the N = size entries of each sentence, as indices into those of all, (B * n,)."""
    first = ops.arange(ops.shape(index)[0], dtype="int32") * size
    return ops.reshape(ops.expand_dims(first, 1) + index, (-1,))


def _pick(x, index):
    """Entries (B, n, ...) of x (B, N, ...), by indices (B, n)."""
    picked = ops.take(_flat(x), _flat_index(index, x.shape[1]), axis=0)
    return ops.reshape(picked, (-1, index.shape[1], *ops.shape(x)[2:]))


def _join(first, second):
    """The hypotheses (B, n, ...) of both."""
    return tree.map_structure(lambda *both: ops.concatenate(both, axis=1), first, second)


def _best(hypotheses, number):
    """As many hypotheses with the best scores, the best first."""
    scores, index = _top_k(hypotheses["score"], number)
    best = tree.map_structure(lambda x: _pick(x, index), hypotheses)
    return {**best, "score": scores}
