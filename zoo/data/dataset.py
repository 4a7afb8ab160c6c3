"""What a data set is to this project: its facts, and how its files are found."""

from collections.abc import Callable
from dataclasses import dataclass


class DataError(ValueError):
    """Data that is missing, incomplete or out of range; the message says where and what was expected.

    Example:
        >>> raise DataError("CamVid: expected the folder CamVid/train")
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: CamVid: expected the folder CamVid/train
    """


@dataclass(frozen=True)
class Dataset:
    """The facts of one segmentation data set.

    Args:
        name: key of ``DATASETS``, lower case.
        title: its name in prose.
        classes: K class names, in the order of their indices.
        palette: K colours (red, green, blue), 0..255.
        ignore_label: label value of pixels that count nothing, or None.
        image_size: (H, W) of its photographs.
        splits: number of images by official split.
        files: function (folder, split) -> list of (key, image path, label path); raises DataError.
        terms: licence and terms of use of the data.
        source: where it comes from, and whom to cite.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> DATASETS["camvid"].classes[:3]
        ('sky', 'building', 'pole')
    """

    name: str
    title: str
    classes: tuple
    palette: tuple
    ignore_label: int | None
    image_size: tuple
    splits: dict
    files: Callable
    terms: str
    source: str
