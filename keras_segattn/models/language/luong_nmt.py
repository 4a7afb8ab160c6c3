"""Attention-based translation as of Luong, with input feeding.

Reference: Luong, Pham and Manning, Effective Approaches to Attention-based Neural Machine Translation, EMNLP 2015.
"""

import keras
from keras import layers

from ...layers import AttentionDecoderCell, LuongAttention
from .sentences import embed, sentence, word_embedding, words_of


def luong_nmt(
    source_size, target_size, *, embedding=256, units=512, score="general", scope="global", window=10, dropout=0.3
):
    """An LSTM in both directions reads the sentence; an LSTM writes, and attends with the state after its step.

    The attentional vector is fed to the next step and, through one more layer, scored by the embedding of the target:
    the two stand in for the paper's matrix of scores. The paper's encoder reads in one direction and stacks four
    layers; of the small data here two directions make more. "dot" and "general" are scaled, see ``LuongAttention``.

    Args:
        source_size: tokens of the source language, see ``layers.Tokens``.
        target_size: tokens of the target language, V.
        embedding: size of a word's vector, and of the attentional vector.
        units: of the decoder, and of both directions of the encoder together; even.
        score: "dot", "general" or "concat"; see ``LuongAttention``.
        scope: "global", "local-m" or "local-p".
        window: half of the width of the local scopes (D in the paper).
        dropout: rate of dropout on what is embedded and on what is scored, 0..1.

    Returns:
        keras.Model: ``source`` int (B, T) and ``target`` int (B, S), which begins with START, both filled up with
        PAD -> ``logits`` (B, S, V) of the tokens that follow.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> luong_nmt(60, 50, embedding=4, units=6, score="dot").output_shape
        (None, None, 50)
    """
    if units % 2:
        raise ValueError(f"units: expected an even number, half for each direction. Received: {units!r}")
    source, target = sentence("source"), sentence("target")                # (B, T), (B, S)
    x = embed(source, source_size, embedding, dropout)                     # (B, T, E)
    reader = layers.LSTM(units // 2, return_sequences=True, return_state=True, name="reader")
    memory, *states = layers.Bidirectional(reader, name="encoder")(x)      # (B, T, U), four of (B, U / 2)
    hidden = layers.Concatenate(name="hidden")(states[0::2])               # (B, U)
    cell = layers.Concatenate(name="cell")(states[1::2])
    written = word_embedding(target_size, embedding)
    y = words_of(target, written, dropout)                                 # (B, S, E)
    decoder = AttentionDecoderCell(
        layers.LSTMCell(units),
        LuongAttention(score, scope, window=window, scaled=score != "concat"),
        attend="after",
        feed=layers.Dense(embedding, "tanh"),
        name="decoder",
    )
    output, _ = decoder([y, memory, hidden, cell], return_attention_scores=True)  # (B, S, E)
    scored = layers.Dense(embedding, name="scored")(layers.Dropout(dropout)(output))  # (B, S, E)
    logits = written(scored, reverse=True)                                 # (B, S, V)
    return keras.Model({"source": source, "target": target}, logits, name="luong_nmt")
