"""Carrying weights into a model: from another by layer name, word by word, or whole from a file."""

from pathlib import Path

import numpy as np

from ..layers import Tokens
from ..vocabulary import require

# Layers that have something for each word: whose words, and along which axis of their weights.
OF_WORDS = {"source_embedding": ("source", 0), "target_embedding": ("target", 0), "logits": ("target", -1)}


def transfer_weights(source, target, without=()):
    """Copy the weights of every layer that both models have under one name and with the same shapes.

    This is how the paper trains FCN-8s from FCN-16s from FCN-32s, and how a model for other classes
    keeps everything but its score layers.

    Args:
        source: built keras.Model to read from.
        target: built keras.Model to write to.
        without: names of layers that are left as they are.

    Returns:
        list of the names of the target's layers that have weights and were left as they are.

    Example:
        >>> import keras
        >>> def classifier(classes):
        ...     return keras.Sequential([
        ...         keras.Input((2,)),
        ...         keras.layers.Dense(4, name="hidden"),
        ...         keras.layers.Dense(classes, name="score"),
        ...     ])
        >>> transfer_weights(classifier(3), classifier(5))
        ['score']
    """
    layers = {layer.name: layer for layer in source.layers}
    kept = []
    for layer in target.layers:
        if not layer.weights:
            continue
        twin = layers.get(layer.name)
        if twin is not None and layer.name not in without and _shapes(twin) == _shapes(layer):
            layer.set_weights(twin.get_weights())
        else:
            kept.append(layer.name)
    return kept


def transfer_words(source, target):
    """Copy what a model of language knows of the words that another one has, too; the rest of its words stay.

    Args:
        source: keras.Model of language with vocabularies, to read from.
        target: the same model for other vocabularies, to write to.

    Raises:
        ValueError: if one of them has no vocabulary.

    Example:
        >>> transfer_words(zoo.load("rnnsearch_multi30k_de_en"), mine)       # doctest: +SKIP
    """
    from .language.sentences import vocabularies_of

    theirs, mine = vocabularies_of(source), vocabularies_of(target)
    layers = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        if layer.name not in OF_WORDS or layer.name not in layers:
            continue
        side, axis = OF_WORDS[layer.name]
        places = {token: place for place, token in enumerate(theirs[side].tokens)}
        both = [(places[token], place) for place, token in enumerate(mine[side].tokens) if token in places]
        old, new = np.array(both).T
        weights = [np.array(weight) for weight in layer.get_weights()]
        for weight, known in zip(weights, layers[layer.name].get_weights(), strict=True):
            np.moveaxis(weight, axis, 0)[new] = np.moveaxis(known, axis, 0)[old]
        layer.set_weights(weights)


def load_weights(model, path):
    """Load a file of weights that is this model's own, whole or with an error.

    Args:
        model: built keras.Model.
        path: .weights.h5 file.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if the model has a vocabulary and sentencepiece is not installed.
        ValueError: if the file is damaged, or holds the weights of another architecture.

    Example:
        >>> import keras
        >>> load_weights(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), "no.weights.h5")
        Traceback (most recent call last):
        FileNotFoundError: weights: expected a .weights.h5 file. There is no no.weights.h5
    """
    path = Path(path)
    if not path.is_file() or not path.name.endswith(".weights.h5"):
        raise FileNotFoundError(f"weights: expected a .weights.h5 file. There is no {path}")
    before = model.get_weights()
    if any(isinstance(layer, Tokens) for layer in model.layers):
        require()  # Keras would say that the weights are others
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise many kinds
        model.set_weights(before)
        raise ValueError(f"weights: expected those of {model.name}. {path.name} holds others: {error}") from error


def _shapes(layer):
    return [tuple(variable.shape) for variable in layer.weights]
