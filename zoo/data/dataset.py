"""What a data set is to this project: its facts, and how its files are found."""

from collections.abc import Callable
from dataclasses import dataclass, replace


class DataError(ValueError):
    """Data that is missing, incomplete or out of range; the message says where and what was expected.

    Example:
        >>> raise DataError("CamVid: expected the folder CamVid/train")
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: CamVid: expected the folder CamVid/train
    """


@dataclass(frozen=True)
class Task:
    """What is asked of an image or a sentence, and how the answer is scored.

    Args:
        metric: the score that is quoted, of those of ``zoo.evaluate``, in points of 100.
        title: its name in prose.
        direction: 1 if more of it is better, -1 if less is.
        max_drop: the most that a file of mixed precision may lose of it.

    Example:
        >>> TASKS["recognition"].metric
        'error'
    """

    metric: str
    title: str
    direction: int
    max_drop: float


TASKS = {
    "segmentation": Task("mean_iou", "mIoU", 1, max_drop=0.3),  # a class for every pixel
    "recognition": Task("error", "error", -1, max_drop=0.1),  # one class for the image
    "translation": Task("bleu", "BLEU", 1, max_drop=0.3),  # a sentence for a sentence
    "captioning": Task("bleu_4", "BLEU-4", 1, max_drop=0.3),  # a sentence for the image
}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The facts of one data set.

    Args:
        name: key of ``DATASETS``, lower case.
        title: its name in prose.
        task: key of ``TASKS``.
        classes: of segmentation and recognition, K class names, in the order of their indices.
        palette: of segmentation, K colours (red, green, blue), 0..255.
        ignore_label: label value of pixels that count nothing, or None.
        languages: of translation, the codes of source and target.
        image_size: (H, W) of its photographs, or None if it has none.
        channels: C of its images: 1 grey, 2 red and green, 3 red, green and blue.
        splits: number of examples by official split.
        files: function (folder, split) -> list of (key, image path, label path), for translation of (key, source,
            target), for captioning of (key, path of a JPEG, captions); raises DataError.
        open: of images that are drawn instead, function (dataset, folder, split) -> their examples; see
            ``builder.open_split``.
        read_label: of segmentation, function: (third part of ``files``, (H, W) of its photograph) -> uint8 (h, w), the
            label map; None if that is an 8-bit image of them.
        terms: licence and terms of use of the data.
        source: where it comes from, and whom to cite.
        meaning: of the files, where they do not tell themselves: what was prepared under another one is not used.
        is_own: whether it is a folder of one's own, see ``zoo.data.own``.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> DATASETS["camvid"].classes[:3]
        ('sky', 'building', 'pole')
    """

    name: str
    title: str
    task: str = "segmentation"
    classes: tuple = ()
    palette: tuple = ()
    ignore_label: int | None = None
    languages: tuple = ()
    image_size: tuple | None = None
    channels: int = 3
    splits: dict
    files: Callable | None = None
    open: Callable | None = None
    read_label: Callable | None = None
    terms: str
    source: str
    meaning: str = ""
    is_own: bool = False

    @property
    def has_foreground(self):
        """Whether its masks tell one thing from all else."""
        return self.task == "segmentation" and len(self.classes) == 2

    def seen(self, image_size, channels):
        """The data set as a model sees it: all images of that size, with those channels.

        Those of segmentation keep their sizes, for its labels are scored pixel by pixel of the photographs.

        Args:
            image_size: (H, W).
            channels: C.

        Returns:
            ``Dataset``.

        Example:
            >>> from keras_segattn.zoo.data import DATASETS
            >>> DATASETS["camvid"].seen((28, 28), 1).image_size
            (360, 480)
        """
        if self.task == "segmentation":
            return replace(self, channels=channels)
        if self.task == "translation":
            return self
        return replace(self, image_size=tuple(image_size), channels=channels, meaning=f"{self.meaning} {image_size}")
