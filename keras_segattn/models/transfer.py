"""Carrying weights into a model: from another by layer name, or whole from a file."""

from pathlib import Path


def transfer_weights(source, target):
    """Copy the weights of every layer that both models have under one name and with the same shapes.

    This is how the paper trains FCN-8s from FCN-16s from FCN-32s, and how a model for other classes
    keeps everything but its score layers.

    Args:
        source: built keras.Model to read from.
        target: built keras.Model to write to.

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
        if twin is not None and _shapes(twin) == _shapes(layer):
            layer.set_weights(twin.get_weights())
        else:
            kept.append(layer.name)
    return kept


def load_weights(model, path):
    """Load a file of weights that is this model's own, whole or with an error.

    Args:
        model: built keras.Model.
        path: .weights.h5 file.

    Raises:
        FileNotFoundError: if there is no such file.
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
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise many kinds
        model.set_weights(before)
        raise ValueError(f"weights: expected those of {model.name}. {path.name} holds others: {error}") from error


def _shapes(layer):
    return [tuple(variable.shape) for variable in layer.weights]
