"""Sentences as the models of language take them: ids, and a vector for each."""

import keras
from keras import layers

from ...layers import Tokens


def sentence(name):
    """The input of a sentence, int32 (B, T) of any length.

    Args:
        name: of the input.

    Example:
        >>> sentence("source").shape
        (None, None)
    """
    return keras.Input((None,), dtype="int32", name=name)


def embed(tokens, size, units, dropout):
    """The vectors of a sentence that is only read.

    Args:
        tokens: symbolic int32 (B, T), of which ``name`` gives that of its layers.
        size: of the vocabulary.
        units: E, size of a vector.
        dropout: rate, 0..1.

    Returns:
        symbolic tensor (B, T, E), masked where the sentence is filled up.

    Example:
        >>> embed(sentence("source"), 10, 4, 0.1).shape
        (None, None, 4)
    """
    table = layers.Embedding(size, units, mask_zero=True, name="source_embedding")
    return layers.Dropout(dropout)(table(Tokens(size, name="source_tokens")(tokens)))


def word_embedding(size, units):
    """The vectors of the words that a model writes, which score its answers too when it is called in reverse.

    Args:
        size: V, of the vocabulary.
        units: E, size of a vector.

    Example:
        >>> word_embedding(10, 4).output_dim
        4
    """
    return layers.ReversibleEmbedding(size, units, mask_zero=True, name="target_embedding")


def words_of(tokens, table, dropout):
    """The vectors of the sentence that is written, shifted by one: it begins with START.

    Args:
        tokens: symbolic int32 (B, S).
        table: ``word_embedding``, or another embedding.
        dropout: rate, 0..1.

    Returns:
        symbolic tensor (B, S, E).

    Example:
        >>> words_of(sentence("target"), word_embedding(10, 4), 0.1).shape
        (None, None, 4)
    """
    return layers.Dropout(dropout)(table(Tokens(table.input_dim, name="target_tokens")(tokens)))


def vocabularies_of(model):
    """The vocabularies that a model of language reads and writes with.

    Args:
        model: keras.Model of language.

    Returns:
        dict: "source" of a model that reads text, and "target" -> ``Vocabulary``.

    Raises:
        ValueError: if a layer has none.

    Example:
        >>> from keras_segattn.models import neuraltalk
        >>> vocabularies_of(neuraltalk((64, 64, 3), 50, embedding=4, units=6))
        Traceback (most recent call last):
        ValueError: model: expected a vocabulary in its layer target_tokens. It comes with trained weights, or set it
    """
    layers = {name: model.get_layer(f"{name}_tokens") for name in ("source", "target") if name in model.input}
    for layer in layers.values():
        if layer.vocabulary is None:
            hint = "It comes with trained weights, or set it"
            raise ValueError(f"model: expected a vocabulary in its layer {layer.name}. {hint}")
    return {name: layer.vocabulary for name, layer in layers.items()}
