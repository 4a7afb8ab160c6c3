"""RNN Encoder-Decoder: translation through one vector, before attention.

Reference: Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio, Learning Phrase Representations using
RNN Encoder-Decoder for Statistical Machine Translation, EMNLP 2014.
"""

import keras
from keras import layers

from ...layers import AttentionDecoderCell, Maxout, MeanAttention
from .sentences import embed, sentence, word_embedding, words_of


def rnn_encoder_decoder(source_size, target_size, *, embedding=256, units=512, dropout=0.3):
    """A GRU reads the sentence into one vector; another, which is given that vector in every step, writes from it.

    Args:
        source_size: tokens of the source language, see ``layers.Tokens``.
        target_size: tokens of the target language, V.
        embedding: size of a word's vector.
        units: of both GRUs.
        dropout: rate of dropout on what is embedded and on what is scored, 0..1.

    Returns:
        keras.Model: ``source`` int (B, T) and ``target`` int (B, S), which begins with START, both filled up with
        PAD -> ``logits`` (B, S, V) of the tokens that follow.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> rnn_encoder_decoder(60, 50, embedding=4, units=6).output_shape
        (None, None, 50)
    """
    source, target = sentence("source"), sentence("target")                # (B, T), (B, S)
    x = embed(source, source_size, embedding, dropout)                     # (B, T, E)
    read = layers.GRU(units, name="encoder")(x)                            # (B, U), after the last word
    summary = layers.Dense(units, "tanh", name="summary")(read)            # (B, U), c in the paper
    state = layers.Dense(units, "tanh", name="bridge")(summary)
    written = word_embedding(target_size, embedding)
    y = words_of(target, written, dropout)                                 # (B, S, E)
    decoder = AttentionDecoderCell(
        layers.GRUCell(units), MeanAttention(), readout=Maxout(embedding), name="decoder"
    )
    memory = layers.Reshape((1, units), name="memory")(summary)            # (B, 1, U)
    output, _ = decoder([y, memory, state], return_attention_scores=True)  # (B, S, E)
    logits = written(layers.Dropout(dropout)(output), reverse=True)        # (B, S, V)
    return keras.Model({"source": source, "target": target}, logits, name="rnn_encoder_decoder")
