"""Data sets: the facts of each (classes or languages, splits, terms), and readers that serve every backend.

    >>> from keras_segattn.zoo import data
    >>> data.DATASETS["camvid"].splits
    {'train': 367, 'val': 101, 'test': 233}
"""

import os
from pathlib import Path

import platformdirs

from .camvid import CAMVID
from .dataset import TASKS, DataError, Dataset
from .flickr8k import FLICKR8K
from .mnist import MNISTS
from .multi30k import MULTI30KS

DATASETS = {dataset.name: dataset for dataset in (CAMVID, *MNISTS, *MULTI30KS, FLICKR8K)}

__all__ = [
    "DATASETS",
    "TASKS",
    "DataError",
    "Dataset",
    "cache_folder",
    "data_folder",
    "dataset_named",
    "dataset_of",
    "remember",
]


def dataset_of(recipe):
    """The data set of a recipe, see ``dataset_named``; images of one's own are as the entry sees them that learns them.

    Example:
        >>> from keras_segattn import zoo
        >>> dataset_of(zoo.info("fcn8s_mobilenet_camvid")).title
        'CamVid (SegNet version, 11 classes)'
    """
    from .. import info

    dataset = dataset_named(recipe.dataset)
    return dataset.seen(recipe.image_size, dataset_of(info(recipe.start)).channels) if dataset.is_own else dataset


def dataset_named(name):
    """A data set of the zoo, or a folder of one's own.

    Args:
        name: key of ``DATASETS``, or path of a folder.

    Returns:
        ``Dataset``.

    Raises:
        DataError: if it is neither.

    Example:
        >>> dataset_named("camvid").splits["test"]
        233
    """
    if name not in DATASETS and not Path(name).is_dir():
        raise DataError(f"data set: expected one of {', '.join(DATASETS)}, or a folder. Received: {name!r}")
    if name in DATASETS:
        return DATASETS[name]
    if name not in _OWN:
        from .own import own_dataset

        _OWN[name] = own_dataset(name)
    return _OWN[name]


def remember(folder, dataset):
    """Let ``dataset_named`` give what was found in a folder, which need not be read again.

    Args:
        folder: str, its path.
        dataset: ``Dataset``.

    Example:
        >>> remember("holiday", DATASETS["camvid"])
    """
    _OWN[folder] = dataset


_OWN = {}  # by folder


def data_folder(data_dir=None):
    """The folder that holds the data sets.

    Args:
        data_dir: path, or None for what the environment variable ``KERAS_SEGATTN_DATA`` says.

    Returns:
        pathlib.Path of a folder that exists.

    Raises:
        DataError: if neither names a folder.

    Example:
        >>> data_folder("no/such/folder")
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: data folder: expected an existing folder from --data-dir \
or KERAS_SEGATTN_DATA. Received: 'no/such/folder'
    """
    chosen = data_dir or os.environ.get("KERAS_SEGATTN_DATA")
    if not chosen or not Path(chosen).is_dir():
        received = repr(str(chosen)) if chosen else "nothing"
        raise DataError(
            "data folder: expected an existing folder from --data-dir or KERAS_SEGATTN_DATA. "
            f"Received: {received}"
        )
    return Path(chosen)


def cache_folder():
    """The folder for what can be made again from the data: prepared splits, and features of their images.

    Returns:
        pathlib.Path, what the environment variable ``KERAS_SEGATTN_CACHE`` says or the user's own; it may not exist.

    Example:
        >>> cache_folder().is_absolute()
        True
    """
    return Path(os.environ.get("KERAS_SEGATTN_CACHE") or platformdirs.user_cache_dir("keras_segattn")).expanduser()
