"""MNIST: 70,000 handwritten digits of 28x28, distorted as in Jaderberg et al. 2015."""

import functools
import gzip
import zlib
from pathlib import Path

import numpy as np

from . import distortions
from .dataset import DataError, Dataset

VALIDATION = 5000  # the last of the 60,000 training digits
_FILES = {"train": "train", "val": "train", "test": "t10k"}
_MAGIC = {"images-idx3": 2051, "labels-idx1": 2049}
# Of each of the two files of images: the places of its digits, no two of which are alike, when they are sorted by
# their pixels. Other tools keep them in other orders, and how a digit is distorted depends on its place.
_ORDER = Path(__file__).with_name("mnist_order.npz")


def read_digits(folder, split):
    """The digits of one split, as they were written.

    Args:
        folder: data folder that holds ``mnist/train-images-idx3-ubyte.gz`` and so on, or MNIST as
            tensorflow-datasets has prepared it.
        split: "train", "val" or "test".

    Returns:
        (uint8 (N, 28, 28), uint8 (N,)).

    Raises:
        DataError: if a file is missing, or is not what it should be.

    Example:
        >>> read_digits("nowhere", "test")
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: MNIST: expected t10k-images-idx3-ubyte.gz in nowhere/mnist or \
nowhere, or mnist of tensorflow-datasets in nowhere
    """
    part = _FILES[split]
    images, roots = f"{part}-images-idx3-ubyte.gz", (Path(folder) / "mnist", Path(folder))
    root = next((root for root in roots if (root / images).is_file()), None)
    if root is not None:
        digits = _read_idx(root / images)
        labels = _read_idx(root / f"{part}-labels-idx1-ubyte.gz")
    elif list(Path(folder).glob("mnist/*/dataset_info.json")):
        digits, labels = _read_prepared(folder, "test" if part == "t10k" else "train")
    else:
        raise DataError(
            f"MNIST: expected {images} in {roots[0]} or {roots[1]}, or mnist of tensorflow-datasets in {roots[1]}"
        )
    expected = 10_000 if part == "t10k" else 60_000
    if len(digits) != expected or len(labels) != expected or labels.max() > 9:
        received = f"{len(digits)}, {len(labels)}"
        raise DataError(f"MNIST: expected {expected} digits and labels of {split}. Received: {received}")
    chosen = {"train": slice(0, -VALIDATION), "val": slice(-VALIDATION, None), "test": slice(None)}[split]
    return digits[chosen], labels[chosen]


def _read_idx(path):
    kind = next(kind for kind in _MAGIC if kind in path.name)
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected a whole .gz file. {error}") from error
    if int.from_bytes(data[:4], "big") != _MAGIC[kind]:
        raise DataError(f"{path}: expected an idx file of {kind}. Its first bytes are {data[:4]!r}")
    dimensions = int(kind[-1])
    shape = np.frombuffer(data[4 : 4 + 4 * dimensions], ">i4")
    values = np.frombuffer(data, "uint8", offset=4 + 4 * dimensions)
    if len(shape) != dimensions or tuple(shape[1:]) not in ((), (28, 28)) or len(values) != np.prod(shape):
        raise DataError(f"{path}: expected as many values as it says, {shape.tolist()}. Received: {len(values)}")
    return values.reshape(shape)


def _read_prepared(folder, split):
    """MNIST of tensorflow-datasets, in the order of the original files."""
    import tensorflow_datasets as tfds

    digits, labels = tfds.as_numpy(tfds.load("mnist", split=split, data_dir=folder, batch_size=-1, as_supervised=True))
    order = np.load(_ORDER)[split]
    if len(digits) != len(order):
        raise DataError(f"MNIST of tensorflow-datasets in {folder}: expected {len(order)} digits. It has {len(digits)}")
    by_pixels = sorted(range(len(digits)), key=lambda place: digits[place].tobytes())
    places = np.empty(len(order), int)
    places[order] = by_pixels
    return digits[places, ..., 0], labels[places].astype("uint8")


class Digits:
    """Distorted digits: each always the same by its index, or drawn anew, batch by batch.

    Args:
        digits: uint8 (N, 28, 28).
        labels: uint8 (N,).
        distort: function (digits, labels, numpy Generator) -> (uint8 (n, H, W, C), uint8 (n,)).
        seed: of what is found by index.

    Example:
        >>> digits = Digits(np.ones((3, 28, 28), "uint8"), np.arange(3), _alone(distortions.rotate), seed=0)
        >>> digits[2]["image"].shape, digits[2]["label"].item()
        ((28, 28, 1), 2)
    """

    CHUNK = 1000  # digits that are distorted together

    def __init__(self, digits, labels, distort, seed):
        self._digits, self._labels, self._distort, self._seed = digits, labels, distort, seed
        self._chunk = functools.lru_cache(maxsize=12)(self._draw_chunk)

    def __len__(self):
        return len(self._digits)

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"index: expected 0..{len(self) - 1}. Received: {index}")
        images, labels = self._chunk(index // self.CHUNK)
        place = index % self.CHUNK
        return {"key": f"{index:05d}", "image": images[place], "label": labels[place]}

    def _draw_chunk(self, number):
        chosen = slice(number * self.CHUNK, (number + 1) * self.CHUNK)
        rng = np.random.default_rng([self._seed, number])
        return self._distort(self._digits[chosen], self._labels[chosen], rng)

    def draw(self, indices, seed):
        """Some digits, distorted anew.

        Args:
            indices: integers (n,).
            seed: int or sequence of int; the same seed gives the same images.

        Returns:
            (uint8 (n, H, W, C), uint8 (n,)).

        Example:
            >>> digits = Digits(np.ones((3, 28, 28), "uint8"), np.arange(3), _alone(distortions.rotate), seed=0)
            >>> digits.draw([0, 2], seed=1)[1].tolist()
            [0, 2]
        """
        return self._distort(self._digits[indices], self._labels[indices], np.random.default_rng(seed))


def _alone(distort):
    """A distortion that leaves the labels as they are."""
    return lambda digits, labels, rng: (distort(digits, rng), labels)


def _sums(digits, labels, rng):
    """Two digits in two channels, each turned, scaled and moved by itself; the label is their sum."""
    other = rng.permutation(len(digits))
    pair = [distortions.rotate_scale_translate(chosen, rng) for chosen in (digits, digits[other])]
    return np.concatenate(pair, -1), labels + labels[other]                             # (N, 42, 42, 2), (N,)


# Data set -> function (digits (N, 28, 28), labels (N,), numpy Generator) -> (uint8 (N, H, W, C), labels (N,)).
DISTORT = {
    "mnist_r": _alone(distortions.rotate),
    "mnist_rts": _alone(distortions.rotate_scale_translate),
    "mnist_p": _alone(distortions.project),
    "mnist_e": _alone(distortions.warp),
    "mnist_cluttered": _alone(distortions.clutter),
    "mnist_addition": _sums,
}


def _dataset(name, what, size, classes=10, channels=1):
    def open_digits(dataset, folder, split):
        return Digits(*read_digits(folder, split), DISTORT[name], seed=zlib.crc32(f"{name} {split}".encode()))

    return Dataset(
        name=name,
        title=f"MNIST, {what}",
        task="recognition",
        classes=tuple(map(str, range(classes))),
        image_size=(size, size),
        channels=channels,
        splits={"train": 60_000 - VALIDATION, "val": VALIDATION, "test": 10_000},
        open=open_digits,
        terms="CC BY-SA 3.0, as MNIST is commonly distributed",
        source=(
            "LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, "
            "Proc. IEEE 1998; distorted as in Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial Transformer "
            "Networks, NIPS 2015"
        ),
    )


MNISTS = (
    _dataset("mnist_r", "rotated by up to 90 degrees", 28),
    _dataset("mnist_rts", "rotated, scaled and translated", 42),
    _dataset("mnist_p", "projected", 42),
    _dataset("mnist_e", "bent elastically", 28),
    _dataset("mnist_cluttered", "translated among clutter", 60),
    _dataset("mnist_addition", "two distorted digits, whose sum is asked for", 42, classes=19, channels=2),
)
