"""Layers and initializers that are given to layers."""

import keras


def config_of(part):
    """The configuration of a layer within another: what it was made with, and not what it has become since.

    Args:
        part: keras layer or None.

    Returns:
        What ``keras.saving.deserialize_keras_object`` makes the layer of, or None.

    Example:
        >>> layer = keras.layers.Dense(3)
        >>> before = config_of(layer)
        >>> layer.build((None, 2))
        >>> config_of(layer) == before
        True
    """
    return _as_made(keras.saving.serialize_keras_object(part))


def _as_made(config):
    """Without the shapes that layers were built for, on every level: who owns a part builds it."""
    if isinstance(config, dict):
        return {key: _as_made(value) for key, value in config.items() if key != "build_config"}
    return [_as_made(value) for value in config] if isinstance(config, list) else config


def fresh(initializer):
    """An initializer for one weight of several; a single one would give those of equal shape equal values.

    Args:
        initializer: what ``keras.initializers.get`` takes.

    Returns:
        keras initializer or function.

    Example:
        >>> given = keras.initializers.RandomNormal()
        >>> bool(keras.ops.all(fresh(given)((2, 2)) == fresh(given)((2, 2))))
        False
    """
    initializer = keras.initializers.get(initializer)
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer
