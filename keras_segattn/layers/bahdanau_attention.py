"""Additive attention."""

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


@keras.saving.register_keras_serializable(package="keras_segattn")
class BahdanauAttention(keras.layers.Layer):
    """Additive attention: reads from a memory what a small network finds fit for a query.

    ``e_t = v^T tanh(W q + U h_t)``, and the context is the mean of the memory ``h`` under the softmax of ``e``. Called
    with ``[query, memory]`` or ``[query, memory, keys]``, where ``keys = project(memory)`` are ``U h``. They belong to
    the memory, so whoever asks query after query makes them once. ``start`` and ``step`` do.

    Args:
        units: int >= 1, size of the hidden layer of the score (n' in the paper).
        kernel_initializer: what ``keras.initializers.get`` takes, for every kernel.

    Input shape: query (B, Q) or (B, S, Q), memory (B, T, M), keys (B, T, U). ``mask`` is bool (B, T), True at real
    positions, or ``[query mask, memory mask]`` as Keras hands it on.
    Output shape: context (B, M) or (B, S, M); with ``return_attention_scores=True`` a tuple of that and the weights
    (B, T) or (B, S, T), which are 0 on padding and sum to 1, or to 0 where all is padding.

    Raises:
        ValueError: if ``units`` is out of its range, or an input is of another rank.

    Reference:
        Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015.

    Example:
        >>> import numpy as np
        >>> memory = np.arange(6, dtype="float32").reshape(1, 3, 2)
        >>> mask = np.array([[False, True, False]])
        >>> context, weights = BahdanauAttention(4)([memory[:, 0], memory], mask=mask, return_attention_scores=True)
        >>> ops.convert_to_numpy(context).tolist(), ops.convert_to_numpy(weights).tolist()
        ([[2.0, 3.0]], [[0.0, 1.0, 0.0]])
    """

    def __init__(self, units, kernel_initializer="glorot_uniform", **kwargs):
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"units: expected an integer >= 1. Received: {units!r}")
        super().__init__(**kwargs)
        self.units = units
        self.kernel_initializer = kernel_initializer
        self.supports_masking = True

    def build(self, input_shape):
        check_memory(input_shape)
        query, memory, *_ = input_shape
        self.query_kernel = self._kernel("query_kernel", query[-1], self.units)
        self.key_kernel = self._kernel("key_kernel", memory[-1], self.units)
        self.score_kernel = self._kernel("score_kernel", self.units, 1)

    def _kernel(self, name, *shape):
        return self.add_weight(name=name, shape=shape, initializer=fresh(self.kernel_initializer))

    def project(self, memory):
        """The keys (B, T, U) of a memory (B, T, M): what of the score does not depend on the query."""
        check_projectable(self, memory)
        return ops.matmul(ops.cast(memory, self.compute_dtype), ops.cast(self.key_kernel, self.compute_dtype))

    def call(self, inputs, mask=None, return_attention_scores=False):
        query, memory, *keys = inputs
        (keys,) = keys or (self.project(memory),)
        queries = query if len(query.shape) == 3 else ops.expand_dims(query, 1)    # (B, S, Q)
        scores = additive_score(ops.matmul(queries, self.query_kernel), keys, self.score_kernel)
        mask = memory_mask(mask)
        weights = masked_softmax(scores, None if mask is None else ops.expand_dims(mask, 1))  # (B, S, T)
        weights = weights if len(query.shape) == 3 else ops.squeeze(weights, 1)
        context = read(weights, memory)
        return (context, weights) if return_attention_scores else context

    def start(self, memory, mask=None, steps=None):
        """What ``step`` carries from query to query: a dict of tensors, the keys among them.

        Args:
            memory: (B, T, M).
            mask: bool (B, T) or None.
            steps: int or None; for ``HardAttention``.
        """
        return start_reading(memory, self.project(memory), mask)

    def step(self, query, state):
        """The context (B, M) of a query (B, Q), and the new state, with the weights (B, T) as ``scores``."""
        inputs, mask = [query, state["memory"], state["keys"]], [None, state.get("mask")]
        context, weights = self(inputs, mask=mask, return_attention_scores=True)
        return context, {**state, "scores": weights}

    def compute_mask(self, inputs, mask=None):
        return query_mask(mask)

    def compute_output_shape(self, input_shape):
        return output_shapes(input_shape)[0]

    def compute_output_spec(self, inputs, mask=None, return_attention_scores=False):
        context, weights = output_specs(inputs, self.compute_dtype)
        return (context, weights) if return_attention_scores else context

    def get_config(self):
        initializer = keras.saving.serialize_keras_object(self.kernel_initializer)
        return {**super().get_config(), "units": self.units, "kernel_initializer": initializer}
