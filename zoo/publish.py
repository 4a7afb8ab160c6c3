"""Putting trained weights into the zoo: ``python -m keras_segattn.zoo.publish NAME WEIGHTS``."""

import os
import sys
from pathlib import Path

import h5py
import numpy as np

from ..models import load_weights
from . import load
from .weights import CHECKOUT, record


def publish(name, weights, folder=CHECKOUT):
    """Store the trained weights of an entry: kernels in float16, vectors (biases, batch norm) in float32.

    Args:
        name: name of an entry.
        weights: .weights.h5 file of a training.
        folder: where the zoo keeps its weights.

    Returns:
        pathlib.Path of the file, whose SHA-256 is now in the table.

    Raises:
        ValueError: if the weights are not those of the entry's model.

    Example:
        >>> publish("fcn8s_mobilenet_camvid", "runs/fcn8s_mobilenet_camvid/best.weights.h5")  # doctest: +SKIP
    """
    model = load(name, weights=False)
    load_weights(model, weights)
    path = Path(folder) / f"{name}.weights.h5"
    partial = path.with_name(f".partial-{path.name}")
    model.save_weights(partial)
    with h5py.File(partial, "r") as whole, h5py.File(path.with_name(f".half-{path.name}"), "w") as half:
        whole.visititems(lambda key, item: _copy(key, item, half))
    os.replace(path.with_name(f".half-{path.name}"), path)
    partial.unlink()
    record(path)
    return path


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


if __name__ == "__main__":
    print(publish(*sys.argv[1:3]))
