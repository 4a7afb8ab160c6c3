"""RNNsearch: translation that looks for the words it needs.

Reference: Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015.
"""

import keras
from keras import layers

from ...layers import AttentionDecoderCell, BahdanauAttention, Maxout
from .sentences import embed, sentence, word_embedding, words_of


def rnnsearch(
    source_size, target_size, *, embedding=256, encoder_units=256, units=512, attention_units=256, dropout=0.3
):
    """A bidirectional GRU reads the sentence; a GRU with additive attention writes its translation.

    The deep output is a maxout layer. Its words are scored by the embedding of the target, which saves the largest
    matrix of the paper (Press and Wolf, Using the Output Embedding to Improve Language Models, EACL 2017).

    Args:
        source_size: tokens of the source language, see ``layers.Tokens``.
        target_size: tokens of the target language, V.
        embedding: size of a word's vector (m in the paper).
        encoder_units: of the GRU of each direction.
        units: of the decoder (n in the paper).
        attention_units: of the score (n' in the paper).
        dropout: rate of dropout on what is embedded and on what is scored, 0..1.

    Returns:
        keras.Model: ``source`` int (B, T) and ``target`` int (B, S), which begins with START, both filled up with
        PAD -> ``logits`` (B, S, V) of the tokens that follow. ``decoder`` and ``writer`` make sentences with it.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> rnnsearch(60, 50, embedding=4, encoder_units=5, units=6, attention_units=3).output_shape
        (None, None, 50)
    """
    source, target = sentence("source"), sentence("target")                # (B, T), (B, S)
    x = embed(source, source_size, embedding, dropout)                     # (B, T, E)
    reader = layers.GRU(encoder_units, return_sequences=True, return_state=True, name="reader")
    memory, _, backward = layers.Bidirectional(reader, name="encoder")(x)  # (B, T, 2 U'), (B, U')
    state = layers.Dense(units, "tanh", name="bridge")(backward)           # (B, U)
    written = word_embedding(target_size, embedding)
    y = words_of(target, written, dropout)                                 # (B, S, E)
    decoder = AttentionDecoderCell(
        layers.GRUCell(units), BahdanauAttention(attention_units), readout=Maxout(embedding), name="decoder"
    )
    output, _ = decoder([y, memory, state], return_attention_scores=True)  # (B, S, E)
    logits = written(layers.Dropout(dropout)(output), reverse=True)        # (B, S, V)
    return keras.Model({"source": source, "target": target}, logits, name="rnnsearch")
