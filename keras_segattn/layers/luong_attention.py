"""Multiplicative attention, global or through a window."""

import keras
from keras import ops

from .additive_score import additive_score
from .masked_softmax import masked_softmax
from .memory import (
    check_memory,
    check_projectable,
    memory_mask,
    output_shapes,
    output_specs,
    query_mask,
    read,
    start_reading,
)
from .parts import fresh

SCORES = ("dot", "general", "concat")
SCOPES = ("global", "local-m", "local-p")


@keras.saving.register_keras_serializable(package="keras_segattn")
class LuongAttention(keras.layers.Layer):
    """Attention with the three scores of Luong, over the whole memory or through a window.

    The score of a query ``q`` and a position ``h`` is ``q^T h`` ("dot"), ``q^T W h`` ("general") or
    ``v^T tanh(W [q; h])`` ("concat"). Called as ``BahdanauAttention`` is, with ``[query, memory]`` or
    ``[query, memory, keys]``, ``keys = project(memory)``.

    The scope is the whole memory ("global"), or the positions at most ``window`` from a center. For query number t the
    center is position t, or the last real one ("local-m", monotonic); or the query itself says where it is ("local-p",
    predictive), ``length * sigmoid(v^T tanh(W q))``, and the weights are multiplied by a Gaussian around it of standard
    deviation ``window / 2``. Positions count from 0, and only the real ones count.

    Args:
        score: "dot", "general" or "concat".
        scope: "global", "local-m" or "local-p".
        units: int >= 1, size of the hidden layers of "concat" and "local-p", or None for that of the query.
        window: int >= 1, D in the paper.
        scaled: bool, whether "dot" and "general" are divided by the square root of Q, as of Vaswani et al. 2017. Else a
            few steps of Adam make a general score of hundreds of units look at one place for good.
        kernel_initializer: what ``keras.initializers.get`` takes, for every kernel.

    Input shape: query (B, Q) or (B, S, Q), memory (B, T, M), keys as ``project`` gives them. ``mask`` is bool (B, T),
    True at real positions, or ``[query mask, memory mask]``. ``position``, int (B,) or (B, S), are the numbers of the
    queries, which "local-m" needs; None: 0..S-1.
    Output shape: context (B, M) or (B, S, M); with ``return_attention_scores=True`` a tuple of that and the weights
    (B, T) or (B, S, T), 0 on padding and outside of the window. They sum to 1, or to 0 where all is padding; after the
    Gaussian of "local-p" to at most 1.

    Raises:
        ValueError: if an argument is outside of its range, an input of another rank, query and memory of different
            sizes for "dot", or ``position`` is missing.

    Reference:
        Luong, Pham and Manning, Effective Approaches to Attention-based Neural Machine Translation, EMNLP 2015; Vaswani
        et al., Attention Is All You Need, NIPS 2017, section 3.2.1.

    Example:
        >>> import numpy as np
        >>> memory = np.array([[0.0], [2.0], [9.0]], "float32")[None]
        >>> query = np.zeros((1, 3, 1), "float32")
        >>> context = LuongAttention("dot", "local-m", window=1)([query, memory])
        >>> [round(float(mean), 3) for mean in context[0, :, 0]]
        [1.0, 3.667, 5.5]
    """

    def __init__(
        self,
        score="general",
        scope="global",
        *,
        units=None,
        window=10,
        scaled=False,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        if score not in SCORES:
            raise ValueError(f"score: expected one of {', '.join(SCORES)}. Received: {score!r}")
        if scope not in SCOPES:
            raise ValueError(f"scope: expected one of {', '.join(SCOPES)}. Received: {scope!r}")
        if units is not None and (not isinstance(units, int) or units < 1):
            raise ValueError(f"units: expected an integer >= 1 or None. Received: {units!r}")
        if not isinstance(window, int) or window < 1:
            raise ValueError(f"window: expected an integer >= 1. Received: {window!r}")
        if scaled and score == "concat":
            raise ValueError("scaled: expected False for concat, which does not grow with the size of the query")
        super().__init__(**kwargs)
        self.score = score
        self.scope = scope
        self.units = units
        self.window = window
        self.scaled = scaled
        self.kernel_initializer = kernel_initializer
        self.supports_masking = True

    def build(self, input_shape):
        check_memory(input_shape)
        query, memory = input_shape[0][-1], input_shape[1][-1]
        units = self.units or query
        if self.score == "dot" and query != memory:
            raise ValueError(f"score: dot expects query and memory of one size. Received: {query} and {memory}")
        if self.score == "general":
            self.key_kernel = self._kernel("key_kernel", memory, query)
        if self.score == "concat":
            self.query_kernel = self._kernel("query_kernel", query, units)
            self.key_kernel = self._kernel("key_kernel", memory, units)
            self.score_kernel = self._kernel("score_kernel", units, 1)
        if self.scope == "local-p":
            # Half a float is too short for a position.
            self.place_kernel = self._kernel("place_kernel", query, units, autocast=False)
            self.place_score_kernel = self._kernel("place_score_kernel", units, 1, autocast=False)

    def _kernel(self, name, *shape, **arguments):
        return self.add_weight(name=name, shape=shape, initializer=fresh(self.kernel_initializer), **arguments)

    def project(self, memory):
        """The keys of a memory (B, T, M): what of the score does not depend on the query."""
        check_projectable(self, memory)
        memory = ops.cast(memory, self.compute_dtype)
        return memory if self.score == "dot" else ops.matmul(memory, ops.cast(self.key_kernel, self.compute_dtype))

    def call(self, inputs, mask=None, position=None, return_attention_scores=False):
        query, memory, *keys = inputs
        (keys,) = keys or (self.project(memory),)
        queries = query if len(query.shape) == 3 else ops.expand_dims(query, 1)    # (B, S, Q)
        mask = memory_mask(mask)
        mask = None if mask is None else ops.expand_dims(mask, 1)                  # (B, 1, T)
        weights = self._weights(queries, keys, mask, self._position(query, position))
        weights = weights if len(query.shape) == 3 else ops.squeeze(weights, 1)
        context = read(weights, memory)
        return (context, weights) if return_attention_scores else context

    def _position(self, query, position):
        """Numbers of the queries, (B, S) or (1, S)."""
        if self.scope != "local-m":
            return None
        if position is not None:
            return position if len(position.shape) == 2 else ops.expand_dims(position, 1)
        if len(query.shape) == 2:
            raise ValueError("position: expected the number of the query (B,), for local-m looks there. Received: None")
        return ops.expand_dims(ops.arange(ops.shape(query)[1], dtype="int32"), 0)

    def _weights(self, queries, keys, mask, position):
        if self.score == "concat":
            scores = additive_score(ops.matmul(queries, self.query_kernel), keys, self.score_kernel)
        else:
            scores = ops.matmul(queries, ops.swapaxes(keys, 1, 2))                 # (B, S, T)
            scores = scores * queries.shape[-1] ** -0.5 if self.scaled else scores
        if self.scope == "global":
            return masked_softmax(scores, mask)
        places, length = self._places(keys, mask)
        if self.scope == "local-m":
            center = ops.minimum(ops.cast(position, places.dtype), length - 1)
        else:
            center = length * self._share(queries)                                 # (B, S)
        distance = places - ops.expand_dims(center, -1)                            # (B, S, T)
        near = ops.abs(distance) <= self.window
        weights = masked_softmax(scores, near if mask is None else ops.logical_and(near, mask))
        if self.scope == "local-p":
            weights = weights * ops.cast(ops.exp(-2 * ops.square(distance / self.window)), weights.dtype)
        return weights

    def _places(self, keys, mask):
        """The position of each key among the real ones, (B, 1, T) or (1, 1, T), and how many there are."""
        if mask is None:
            length = ops.cast(ops.shape(keys)[1], self.variable_dtype)
            return ops.reshape(ops.arange(ops.shape(keys)[1], dtype=self.variable_dtype), (1, 1, -1)), length
        places = ops.cumsum(ops.cast(mask, self.variable_dtype), axis=-1)
        return places - 1, places[..., -1]                                         # (B, 1, T), (B, 1)

    def _share(self, queries):
        """How far into the memory each query looks, 0..1, (B, S)."""
        queries = ops.cast(queries, self.variable_dtype)
        hidden = ops.tanh(ops.matmul(queries, self.place_kernel))
        return ops.sigmoid(ops.squeeze(ops.matmul(hidden, self.place_score_kernel), -1))

    def start(self, memory, mask=None, steps=None):
        """What ``step`` carries from query to query: a dict of tensors, the keys among them.

        Args:
            memory: (B, T, M).
            mask: bool (B, T) or None.
            steps: int or None; for ``HardAttention``.
        """
        state = start_reading(memory, self.project(memory), mask)
        if self.scope == "local-m":
            state["position"] = ops.zeros_like(memory[:, 0, 0], dtype="int32")     # (B,)
        return state

    def step(self, query, state):
        """The context (B, M) of a query (B, Q), and the new state, with the weights (B, T) as ``scores``."""
        inputs, mask = [query, state["memory"], state["keys"]], [None, state.get("mask")]
        position = state.get("position")
        context, weights = self(inputs, mask=mask, position=position, return_attention_scores=True)
        state = state if position is None else {**state, "position": position + 1}
        return context, {**state, "scores": weights}

    def compute_mask(self, inputs, mask=None):
        return query_mask(mask)

    def compute_output_shape(self, input_shape):
        return output_shapes(input_shape)[0]

    def compute_output_spec(self, inputs, mask=None, position=None, return_attention_scores=False):
        context, weights = output_specs(inputs, self.compute_dtype)
        return (context, weights) if return_attention_scores else context

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "scope": self.scope,
            "units": self.units,
            "window": self.window,
            "scaled": self.scaled,
            "kernel_initializer": keras.saving.serialize_keras_object(self.kernel_initializer),
        }
