"""The examples of a split at random access; of files by way of a tensorflow-datasets builder."""

import contextlib
import hashlib
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from ...images import fit, read_image, to_channels
from . import cache_folder
from .dataset import DataError
from .packed import read_packed


def open_split(dataset, split, folder):
    """The examples of one official split, prepared once as array records and read without TensorFlow.

    Args:
        dataset: ``Dataset``.
        split: key of ``dataset.splits``.
        folder: data folder, see ``Dataset.files``.

    Returns:
        sequence of dict, each with ``key`` str and, by the task of the data set:

        - segmentation: ``image`` uint8 (H, W, 3), ``label`` uint8 (H, W);
        - recognition: ``image`` uint8 (H, W, C), ``label`` uint8 ();
        - translation: ``source`` str, ``target`` str, in the order of the files;
        - captioning: ``image`` uint8 (H, W, 3) of ``dataset.image_size``, ``captions`` tuple of str, in that order.

        Of what was prepared from files, its ``stamp`` is a str that names data set, split and state of the files.

    Raises:
        DataError: if a file is missing or damaged, sizes differ, or a label value is out of range.

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
    files = dataset.files(Path(folder).resolve(), split)
    digest = hashlib.sha256()  # another folder, or other files in it, are another preparation
    digest.update(dataset.meaning.encode())
    for parts in files:
        digest.update("\t".join(map(_mark, parts)).encode() + b"\n")
    stamp = digest.hexdigest()[:12]
    form = _FORMS[dataset.task]
    builder = _builder(dataset, form, split, files)(
        data_dir=cache_folder() / "datasets" / stamp, file_format="array_record"
    )
    with contextlib.redirect_stdout(sys.stderr):  # it tells of its progress; stdout is for answers
        builder.download_and_prepare()
    records = builder.as_data_source(split=split)
    return _Examples(records, lambda record: form.decode(dataset, record), f"{dataset.name}-{split}-{stamp}")


def _mark(part):
    """What tells one part of an example from another: the text itself, or the state of its file."""
    if isinstance(part, Path):
        return f"{part} {part.stat().st_size} {part.stat().st_mtime_ns}"
    if isinstance(part, zipfile.Path):
        return f"{part} {part.root.getinfo(part.at).CRC}"
    return repr(part)


class _Examples:
    def __init__(self, records, decode, stamp):
        self._records, self._decode, self.stamp = records, decode, stamp

    def __len__(self):
        return len(self._records)

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index):
        record = self._records[index]
        return {"key": _text(record["key"]), **self._decode(record)}


def _text(stored):
    return stored.decode() if isinstance(stored, bytes) else str(stored)


class _Form(NamedTuple):
    """How the examples of a task are kept.

    Args:
        features: what tensorflow-datasets is told of them, beside the key.
        encode: function (dataset, *parts of ``Dataset.files`` after the key) -> dict with these features.
        decode: function (dataset, dict of what was stored) -> the example without its key.
        in_order: whether they come in the order of their files; otherwise in a shuffled one, which is always the same.
    """

    features: dict
    encode: Callable
    decode: Callable
    in_order: bool


def _encode_captioned(dataset, photograph, captions):
    if dataset.is_own:  # in any format, and perhaps turned by its EXIF
        stored = io.BytesIO()
        Image.fromarray(fit(read_image(photograph), *dataset.image_size)).save(stored, "PNG")
        return {"image": stored.getvalue(), "captions": captions}
    data = read_packed(photograph)
    _decode(data, photograph, "JPEG")
    return {"image": data, "captions": captions}


def _decode_captioned(dataset, record):
    image = fit(_decode(record["image"], record["key"], "JPEG", "PNG"), *dataset.image_size)
    return {"image": image, "captions": tuple(map(_text, record["captions"]))}


def _decode(data, name, *formats):
    try:
        with Image.open(io.BytesIO(data), formats=formats) as picture:
            return np.array(picture.convert("RGB"))
    except Exception as error:  # Pillow raises nearly anything on a damaged file
        raise DataError(f"{name}: expected a photograph, JPEG. Pillow cannot read it: {error}") from error


_FORMS = {
    "segmentation": _Form(
        features={
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "label": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
        },
        encode=lambda dataset, image, label: read_pair(dataset, image, label),
        decode=lambda dataset, record: {"image": record["image"], "label": record["label"][..., 0]},
        in_order=False,
    ),
    "recognition": _Form(
        features={
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "label": tfds.features.Scalar(dtype=np.uint8),
        },
        encode=lambda dataset, image, label: {"image": fit(read_image(image), *dataset.image_size), "label": label},
        decode=lambda dataset, record: {
            "image": to_channels(record["image"], dataset.channels),
            "label": np.uint8(record["label"]),
        },
        in_order=False,
    ),
    "translation": _Form(
        features={"source": tfds.features.Text(), "target": tfds.features.Text()},
        encode=lambda dataset, source, target: {"source": source, "target": target},
        decode=lambda dataset, record: {name: _text(record[name]) for name in ("source", "target")},
        in_order=True,
    ),
    "captioning": _Form(
        features={
            "image": tfds.features.Tensor(shape=(), dtype=np.object_),  # the bytes of the JPEG
            "captions": tfds.features.Sequence(tfds.features.Text()),
        },
        encode=_encode_captioned,
        decode=_decode_captioned,
        in_order=True,
    ),
}


def _builder(dataset, form, split, files):
    """A builder class for one split: the others are neither read nor needed."""

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        name = f"segattn_{dataset.name}"

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                description=dataset.title,
                citation=dataset.source,
                features=tfds.features.FeaturesDict({"key": tfds.features.Text(), **form.features}),
                disable_shuffling=form.in_order,
            )

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples()}

        def _generate_examples(self):
            for key, *parts in files:
                yield key, {"key": key, **form.encode(dataset, *parts)}

    return Builder


def _read_index(path, size):
    try:
        with Image.open(path) as picture:
            return np.array(picture)
    except OSError as error:  # Pillow's own errors of a damaged file are of this class
        raise DataError(f"{path}: expected an 8-bit index image. Pillow cannot read it: {error}") from error


def read_pair(dataset, image_path, label_path):
    """One photograph and its label map, checked.

    Args:
        dataset: ``Dataset``.
        image_path: photograph.
        label_path: 8-bit image whose pixel values are class indices, or what ``dataset.read_label`` takes.

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
    label = (dataset.read_label or _read_index)(label_path, image.shape[:2])
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
