"""The examples of a split at random access; of photographs by way of a tensorflow-datasets builder."""

import contextlib
import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import platformdirs
import tensorflow_datasets as tfds
from PIL import Image

from ...images import read_image
from .dataset import DataError


def open_split(dataset, split, folder):
    """The examples of one official split, prepared once as array records and read without TensorFlow.

    Args:
        dataset: ``Dataset``.
        split: key of ``dataset.splits``.
        folder: data folder, see ``Dataset.files``.

    Returns:
        sequence of dict: ``key`` str, ``image`` uint8 (H, W, C), ``label`` uint8 (H, W), or () for recognition.

    Raises:
        DataError: if a file is missing, sizes differ, or a label value is out of range.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> test = open_split(DATASETS["camvid"], "test", "data")            # doctest: +SKIP
        >>> test[0]["label"].shape                                           # doctest: +SKIP
        (360, 480)
    """
    if split not in dataset.splits:
        raise DataError(f"split: expected one of {', '.join(dataset.splits)}. Received: {split!r}")
    if dataset.open is not None:
        return dataset.open(dataset, folder, split)
    folder = Path(folder).resolve()
    stamp = hashlib.sha256()  # another folder, or other files in it, are another preparation
    for _, image, label in dataset.files(folder, split):
        for path in (image, label):
            stamp.update(f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}\n".encode())
    cache = os.environ.get("KERAS_SEGATTN_CACHE") or platformdirs.user_cache_dir("keras_segattn")
    builder = _builder(dataset, split, folder)(
        data_dir=Path(cache) / "datasets" / stamp.hexdigest()[:12], file_format="array_record"
    )
    with contextlib.redirect_stdout(sys.stderr):  # it tells of its progress; stdout is for answers
        builder.download_and_prepare()
    return _Examples(builder.as_data_source(split=split))


class _Examples:
    def __init__(self, source):
        self._source = source

    def __len__(self):
        return len(self._source)

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index):
        example = self._source[index]
        return {
            "key": example["key"].decode() if isinstance(example["key"], bytes) else str(example["key"]),
            "image": example["image"],
            "label": example["label"][..., 0],
        }


def _builder(dataset, split, folder):
    """A builder class for one split: the others are neither read nor needed."""

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        name = f"segattn_{dataset.name}"

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                description=dataset.title,
                citation=dataset.source,
                features=tfds.features.FeaturesDict(
                    {
                        "key": tfds.features.Text(),
                        "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
                        "label": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
                    }
                ),
            )

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples()}

        def _generate_examples(self):
            for key, image_path, label_path in dataset.files(folder, split):
                yield key, {"key": key, **read_pair(dataset, image_path, label_path)}

    return Builder


def read_pair(dataset, image_path, label_path):
    """One photograph and its label map, checked.

    Args:
        dataset: ``Dataset``.
        image_path: photograph.
        label_path: 8-bit image whose pixel values are class indices.

    Returns:
        dict: ``image`` uint8 (H, W, 3), ``label`` uint8 (H, W, 1).

    Raises:
        DataError: if the label map cannot be read, the sizes differ, or a label is neither a class nor
            ``dataset.ignore_label``.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> pair = read_pair(DATASETS["camvid"], "scene.jpg", "labels.png")  # doctest: +SKIP
    """
    image = read_image(image_path)
    try:
        with Image.open(label_path) as picture:
            label = np.array(picture)
    except OSError as error:  # Pillow's own errors of a damaged file are of this class
        raise DataError(f"{label_path}: expected an 8-bit index image. Pillow cannot read it: {error}") from error
    if label.ndim != 2 or label.dtype != np.uint8:
        raise DataError(f"{label_path}: expected an 8-bit index image. Received: {label.dtype} {label.shape}")
    if label.shape != image.shape[:2]:
        raise DataError(f"{label_path}: expected the size of its image, {image.shape[:2]}. Received: {label.shape}")
    allowed = {*range(len(dataset.classes)), dataset.ignore_label}
    strange = sorted(set(np.unique(label).tolist()) - allowed)
    if strange:
        raise DataError(
            f"{label_path}: expected labels 0..{len(dataset.classes) - 1} or {dataset.ignore_label} (void). "
            f"Received also: {strange}"
        )
    return {"image": image, "label": label[..., None]}
