"""Carrying weights from one model to another by layer name."""


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


def _shapes(layer):
    return [tuple(variable.shape) for variable in layer.weights]
