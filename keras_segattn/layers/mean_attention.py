"""Attention that has no choice."""

import keras
from keras import ops

from .memory import check_memory, memory_mask, output_shapes, output_specs, query_mask, read, start_reading


@keras.saving.register_keras_serializable(package="keras_segattn")
class MeanAttention(keras.layers.Layer):
    """Looks everywhere alike: the context is the mean of the real positions, whatever the query.

    It has no weights. Over a memory of one position it is that position: so a decoder that reads one vector of the
    whole sentence, as those before attention did, is an ``AttentionDecoderCell`` too.

    Input shape: query (B, Q) or (B, S, Q), memory (B, T, M), as a list. ``mask`` is bool (B, T), True at real
    positions, or ``[query mask, memory mask]`` as Keras hands it on.
    Output shape: context (B, M) or (B, S, M); with ``return_attention_scores=True`` a tuple of that and the weights
    (B, T) or (B, S, T), which are 0 on padding and sum to 1, or to 0 where all is padding.

    Raises:
        ValueError: if an input is of another rank.

    Reference:
        Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio, Learning Phrase Representations using
        RNN Encoder-Decoder for Statistical Machine Translation, EMNLP 2014.

    Example:
        >>> import numpy as np
        >>> memory = np.arange(6, dtype="float32").reshape(1, 3, 2)
        >>> ops.convert_to_numpy(MeanAttention()([memory[:, 0], memory])).tolist()
        [[2.0, 3.0]]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        check_memory(input_shape)

    def project(self, memory):
        """The keys of a memory (B, T, M), of which it has no need: the memory."""
        return memory

    def call(self, inputs, mask=None, return_attention_scores=False):
        query, memory, *_ = inputs
        mask = memory_mask(mask)
        real = ops.ones_like(memory[..., 0]) if mask is None else ops.cast(mask, memory.dtype)  # (B, T)
        weights = real / ops.maximum(ops.sum(real, axis=-1, keepdims=True), 1)
        if len(query.shape) == 3:
            weights = ops.expand_dims(weights, 1) * ops.ones_like(query[..., :1])              # (B, S, T)
        context = read(weights, memory)
        return (context, weights) if return_attention_scores else context

    def start(self, memory, mask=None, steps=None):
        """What ``step`` carries from query to query: a dict of tensors.

        Args:
            memory: (B, T, M).
            mask: bool (B, T) or None.
            steps: int or None; for ``HardAttention``.
        """
        return start_reading(memory, None, mask)

    def step(self, query, state):
        """The context (B, M) of a query (B, Q), and the new state, with the weights (B, T) as ``scores``."""
        context, weights = self(
            [query, state["memory"]], mask=[None, state.get("mask")], return_attention_scores=True
        )
        return context, {**state, "scores": weights}

    def compute_mask(self, inputs, mask=None):
        return query_mask(mask)

    def compute_output_shape(self, input_shape):
        return output_shapes(input_shape)[0]

    def compute_output_spec(self, inputs, mask=None, return_attention_scores=False):
        context, weights = output_specs(inputs, self.compute_dtype)
        return (context, weights) if return_attention_scores else context
