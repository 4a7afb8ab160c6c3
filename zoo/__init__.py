"""The zoo: trained entries to list, look at, load and download.

    >>> from keras_segattn import zoo
    >>> zoo.list_models("fcn*_camvid")
    ['fcn16s_mobilenet_camvid', 'fcn32s_mobilenet_camvid', 'fcn8s_mobilenet_camvid']
"""

import difflib
import fnmatch

from . import data
from .recipe import Recipe

__all__ = ["Recipe", "UnknownEntry", "data", "download", "info", "list_models", "load"]


class UnknownEntry(ValueError):
    """A name that no entry of the zoo has; the message suggests near ones.

    Example:
        >>> info("fcn8s_mobilnet_camvid")
        Traceback (most recent call last):
        keras_segattn.zoo.UnknownEntry: no entry 'fcn8s_mobilnet_camvid' in the zoo; did you mean \
fcn8s_mobilenet_camvid?
    """


def list_models(pattern="*"):
    """Names of the zoo's entries: the recipes that have been trained and published.

    Args:
        pattern: shell wildcard, e.g. ``"fcn8s_*"``.

    Returns:
        sorted list of names.

    Example:
        >>> list_models("fcn8s_*")
        ['fcn8s_mobilenet_camvid']
    """
    from .recipes import RECIPES
    from .weights import recorded

    files = recorded()
    return sorted(name for name in fnmatch.filter(RECIPES, pattern) if f"{name}.weights.h5" in files)


def info(name):
    """The recipe of an entry, or of one that is yet to be trained.

    Args:
        name: name of an entry.

    Returns:
        ``Recipe``.

    Raises:
        UnknownEntry: if there is no such entry.

    Example:
        >>> info("fcn8s_mobilenet_camvid").image_size
        (360, 480)
    """
    from .recipes import RECIPES

    if name not in RECIPES:
        near = difflib.get_close_matches(str(name), RECIPES, n=3, cutoff=0.5) or sorted(RECIPES)
        raise UnknownEntry(f"no entry {name!r} in the zoo; did you mean {' or '.join(near)}?")
    return RECIPES[name]


def download(name, progress=False):
    """The weights file of an entry, from the zoo's folder or mirror, the checkout or the cache.

    Args:
        name: name of an entry.
        progress: draw a progress bar while it is fetched.

    Returns:
        pathlib.Path of a file whose SHA-256 was checked.

    Raises:
        UnknownEntry: if there is no such entry.
        keras_segattn.zoo.weights.WeightsError: if the file cannot be had, or is not what it should be.

    Example:
        >>> download("fcn8s_mobilenet_camvid").name
        'fcn8s_mobilenet_camvid.weights.h5'
    """
    from .weights import find

    return find(f"{info(name).name}.weights.h5", progress=progress)


def load(name, weights=True, num_classes=None, image_size=None):
    """An entry as a plain ``keras.Model``: ``image`` (B, H, W, C), 0..255 -> ``logits``.

    The logits are (B, H, W, K) for segmentation, a class for every pixel, and (B, K) for recognition. A model of
    language takes a dict and gives (B, S, V), a score for every word; ``models.Writer`` makes sentences of it.

    Args:
        name: name of an entry.
        weights: True for the pretrained weights, False for random ones.
        num_classes: another K than the entry's own: everything is kept but the score layers, which start
            anew. The way to fine-tune on classes of your own.
        image_size: another (H, W), or for segmentation (None, None) for any; the default is the entry's own.

    Returns:
        keras.Model, not compiled.

    Raises:
        UnknownEntry: if there is no such entry.
        ValueError: if ``num_classes`` or ``image_size`` is out of range.
        keras_segattn.zoo.weights.WeightsError: if the weights cannot be had.

    Example:
        >>> load("fcn8s_mobilenet_camvid", num_classes=2, image_size=(96, 128)).output_shape
        (None, 96, 128, 2)
    """
    from ..models import load_weights, transfer_weights
    from .build import build

    recipe = info(name)
    model = build(recipe, image_size=image_size, num_classes=num_classes)
    if not weights:
        return model
    pretrained = model
    if num_classes not in (None, len(data.dataset_of(recipe).classes)):
        pretrained = build(recipe, image_size=image_size)
    load_weights(pretrained, download(name))
    if pretrained is not model:
        transfer_weights(pretrained, model)
    return model
