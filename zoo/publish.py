"""Putting trained weights into the zoo: ``python -m keras_segattn.zoo.publish NAME WEIGHTS``."""

import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import keras
import numpy as np

from ..files import replacing
from ..models import load_weights
from . import info, load
from .recipe import read_recipe
from .weights import CHECKOUT, record


def publish(name, weights, folder=CHECKOUT):
    """Store the trained weights of an entry: kernels in float16, vectors (biases, batch norm) in float32.

    They are those of which a float16 file loses nothing, see ``absorb_normalization`` and ``round_vectors``.

    Args:
        name: name of an entry.
        weights: .weights.h5 file of a training.
        folder: where the zoo keeps its weights.

    Returns:
        pathlib.Path of the file, whose SHA-256 is now in the table.

    Raises:
        ValueError: if the weights are not those of the entry's model, or were trained by another recipe than the
            entry's, as recipe.json beside them tells.

    Example:
        >>> publish("fcn8s_mobilenet_camvid", "runs/fcn8s_mobilenet_camvid/best.weights.h5")  # doctest: +SKIP
    """
    _check_recipe(name, Path(weights).with_name("recipe.json"))
    model = load(name, weights=False)
    load_weights(model, weights)
    absorb_normalization(model)
    round_vectors(model)
    path = Path(folder) / f"{name}.weights.h5"
    with tempfile.TemporaryDirectory() as scratch, replacing(path) as partial:
        model.save_weights(Path(scratch) / path.name)
        with h5py.File(Path(scratch) / path.name) as whole, h5py.File(partial, "w") as half:
            whole.visititems(lambda key, item: _copy(key, item, half))
    record(path)
    return path


_LATER = ("beams", "length_power", "float_layers", "operators", "impossible")  # of a recipe: chosen after training


def _check_recipe(name, path):
    """Raise ValueError if a training was not by the recipe of the entry, but for what comes after training."""
    if not path.is_file():
        return
    later = {key: getattr(info(name), key) for key in _LATER}
    trained, stated = (json.loads(json.dumps(asdict(one)))
                       for one in (replace(read_recipe(path.parent), **later), info(name)))  # fmt: skip
    others = [f"{key}: {trained[key]!r}" for key in stated if trained[key] != stated[key]]
    if others:
        raise ValueError(f"weights: expected those of a training by the recipe of {name}. It had {', '.join(others)}")


def absorb_normalization(model):
    """Scale each convolution before a batch normalisation so that folding the two rounds nothing in float16.

    A converter folds the normalisation into the kernel, and a float16 file rounds the product, although the kernel
    was rounded before. Here the kernel takes over the size of the factor, ``|gamma| / sqrt(variance + epsilon)``,
    before it is rounded, and the moving statistics follow: the answer stays the same, and the factor that is left
    is 1 or -1.

    Args:
        model: keras.Model whose convolutions before a batch normalisation have no bias; changed in place.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 3, use_bias=False),
        ...                           keras.layers.BatchNormalization()])
        >>> model.layers[1].set_weights([np.ones(1), np.zeros(1), np.zeros(1), 4 * np.ones(1)])
        >>> absorb_normalization(model)
        >>> [round(float(weight[0]), 2) for weight in model.layers[1].get_weights()]
        [1.0, 0.0, 0.0, 1.0]
    """
    for layer in _normalizations(model):
        _absorb(layer.input._keras_history.operation, layer)


def round_vectors(model):
    """Round biases so that a file of float16 has them as they are.

    A converter rounds every constant: biases, and of a batch normalisation the bias that is left when it is folded.
    Here they are rounded before, so that the file is the model, and not one that is a thousandth off in every layer.

    Args:
        model: keras.Model; changed in place.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, bias_initializer="ones")])
        >>> model.layers[0].bias.assign([1.0001])                            # doctest: +SKIP
        >>> round_vectors(model)
        >>> float(model.layers[0].bias[0])
        1.0
    """
    norms = list(_normalizations(model))
    for norm in norms:
        gamma, beta, mean, variance = (np.asarray(value, "float64") for value in norm.get_weights())
        shift = mean * gamma / np.sqrt(variance + norm.epsilon)
        norm.set_weights([gamma, _to_half(beta - shift) + shift, mean, variance])
    theirs = {id(variable) for norm in norms for variable in norm.weights}
    for variable in model.weights:
        if len(variable.shape) == 1 and variable.dtype == "float32" and id(variable) not in theirs:
            variable.assign(_to_half(np.asarray(variable)).astype("float32"))


def _normalizations(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _normalizations(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer


def _to_half(values):
    return values.astype("float16").astype("float64")


def _absorb(convolution, norm):
    gamma, beta, mean, variance = (np.asarray(value, "float64") for value in norm.get_weights())
    scale = np.abs(gamma) / np.sqrt(variance + norm.epsilon)
    # Where epsilon counts, training would feel the change of scale: such channels stay as they are.
    scale[np.minimum(variance, gamma**2) < 10 * norm.epsilon] = 1.0
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    *others, kernel = convolution.get_weights()  # a separable convolution has two; the last one is meant
    convolution.set_weights([*others, kernel * (scale[:, None] if depthwise else scale)])
    norm.set_weights([gamma, beta, mean * scale, (variance + norm.epsilon) * scale**2 - norm.epsilon])


def _copy(key, item, target):
    if isinstance(item, h5py.Group):
        group = target.require_group(key)
        group.attrs.update(item.attrs)
        return
    value = item[()]
    is_kernel = value.ndim > 1 and value.dtype == np.float32
    stored = target.create_dataset(
        key, data=value.astype("float16") if is_kernel else value, compression="gzip" if value.ndim else None
    )
    stored.attrs.update(item.attrs)


def _main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: python -m keras_segattn.zoo.publish NAME WEIGHTS")
    try:
        print(publish(*arguments))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(sys.argv[1:])
