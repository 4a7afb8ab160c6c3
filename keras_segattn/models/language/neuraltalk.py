"""NeuralTalk: a caption from a network that is shown the image once.

Reference: Karpathy and Fei-Fei, Deep Visual-Semantic Alignments for Generating Image Descriptions, CVPR 2015; Vinyals,
Toshev, Bengio and Erhan, Show and Tell, CVPR 2015 (the LSTM).
"""

import keras
from keras import layers

from .grid import grid_of
from .sentences import sentence, words_of

CELLS = {"rnn": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}


def neuraltalk(
    image_shape,
    vocabulary_size,
    *,
    cell="lstm",
    embedding=256,
    units=512,
    dropout=0.5,
    encoder="mobilenet_0.75",
    encoder_weights=None,
):
    """The image is the first word that a recurrent network reads; the caption follows.

    Args:
        image_shape: (H, W, 3).
        vocabulary_size: tokens of the captions, V; see ``layers.Tokens``.
        cell: "rnn", "gru" or "lstm".
        embedding: size of a word's vector, and of the image's.
        units: of the recurrent network.
        dropout: rate of dropout on what it reads and writes, 0..1.
        encoder: key of ``ENCODERS``.
        encoder_weights: of the encoder, see ``encoders.encode``.

    Returns:
        keras.Model: ``image`` (B, H, W, 3), RGB, 0..255, and ``target`` int (B, S), which begins with START and is
        filled up with PAD -> ``logits`` (B, S, V) of the tokens that follow.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> neuraltalk((64, 64, 3), 50, embedding=4, units=6).output_shape
        (None, None, 50)
    """
    if cell not in CELLS:
        raise ValueError(f"cell: expected one of {', '.join(CELLS)}. Received: {cell!r}")
    image, target = keras.Input(image_shape, name="image"), sentence("target")
    grid = grid_of(image, encoder, encoder_weights)                        # (B, L, D)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling1D(name="grid_mean")(grid))
    x = layers.Dense(embedding, name="image_embedding")(x)                 # (B, E)
    network = CELLS[cell](units, return_sequences=True, return_state=True, name="decoder")
    _, *state = network(layers.Reshape((1, embedding), name="first_word")(x))
    written = layers.Embedding(vocabulary_size, embedding, name="target_embedding")
    y = words_of(target, written, dropout)                                 # (B, S, E)
    output, *_ = network(y, initial_state=state)                           # (B, S, U)
    logits = layers.Dense(vocabulary_size, name="logits")(layers.Dropout(dropout)(output))
    return keras.Model({"image": image, "target": target}, logits, name="neuraltalk")
