"""Show, Attend and Tell: a caption that looks at a place of the image for each word.

Reference: Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel and Bengio, Show, Attend and Tell: Neural Image Caption
Generation with Visual Attention, ICML 2015.
"""

import keras
from keras import layers

from ...layers import AttentionDecoderCell, BahdanauAttention, ContextGate, HardAttention, Maxout
from .grid import grid_of
from .sentences import sentence, word_embedding, words_of

ATTENTIONS = ("soft", "hard")


def show_attend_tell(
    image_shape,
    vocabulary_size,
    *,
    attention="soft",
    embedding=256,
    units=512,
    attention_units=256,
    features=None,
    dropout=0.5,
    grid_dropout=0.3,
    doubly_stochastic=0.1,
    encoder="mobilenet_0.75",
    encoder_weights=None,
):
    """An LSTM writes, and asks a grid of convolutional features where to look before every word.

    The deep output is a maxout layer, and its words are scored by their embedding, as in ``rnnsearch``.

    Args:
        image_shape: (H, W, 3).
        vocabulary_size: tokens of the captions, V; see ``layers.Tokens``.
        attention: "soft", the mean of the places; or "hard", in training one place drawn, see ``HardAttention``.
        embedding: size of a word's vector (m in the paper).
        units: of the LSTM (n in the paper).
        attention_units: of the score.
        features: size that the features of each place are brought to before anything looks at them; None: they stay
            what the encoder gives, as in the paper.
        dropout: rate of dropout on the words and on what is scored, 0..1.
        grid_dropout: rate of dropout on the grid.
        doubly_stochastic: lambda in the paper, how much training wants every place to be looked at.
        encoder: key of ``ENCODERS``.
        encoder_weights: of the encoder, see ``encoders.encode``.

    Returns:
        keras.Model: ``image`` (B, H, W, 3), RGB, 0..255, and ``target`` int (B, S), which begins with START and is
        filled up with PAD -> ``logits`` (B, S, V) of the tokens that follow.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> show_attend_tell((64, 64, 3), 50, embedding=4, units=6, attention_units=3).output_shape
        (None, None, 50)
    """
    if attention not in ATTENTIONS:
        raise ValueError(f"attention: expected one of {', '.join(ATTENTIONS)}. Received: {attention!r}")
    image, target = keras.Input(image_shape, name="image"), sentence("target")
    grid = layers.LayerNormalization(name="norm")(grid_of(image, encoder, encoder_weights))  # (B, L, D)
    if features is not None:
        grid = layers.Dense(features, "relu", name="features")(grid)
    grid = layers.Dropout(grid_dropout)(grid)
    mean = layers.GlobalAveragePooling1D(name="grid_mean")(grid)                # (B, D)
    hidden = layers.Dense(units, "tanh", name="hidden")(mean)              # (B, U)
    cell = layers.Dense(units, "tanh", name="cell")(mean)
    look = BahdanauAttention(attention_units)
    decoder = AttentionDecoderCell(
        layers.LSTMCell(units),
        look if attention == "soft" else HardAttention(look),
        gate=ContextGate(),
        readout=Maxout(embedding),
        doubly_stochastic=doubly_stochastic,
        name="decoder",
    )
    written = word_embedding(vocabulary_size, embedding)
    y = words_of(target, written, dropout)                                 # (B, S, E)
    output, _, _ = decoder([y, grid, hidden, cell], return_attention_scores=True, return_choice=True)
    logits = written(layers.Dropout(dropout)(output), reverse=True)        # (B, S, V)
    return keras.Model({"image": image, "target": target}, logits, name="show_attend_tell")
