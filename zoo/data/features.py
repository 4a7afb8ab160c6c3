"""Features of images, computed once and kept on disk: what a frozen encoder sees, for training over and over."""

import hashlib

import numpy as np
from filelock import FileLock
from rich.console import Console
from rich.progress import track

from ...files import replacing
from . import cache_folder


def weights_stamp(weights):
    """A short name for the weights of an encoder.

    Args:
        weights: list of arrays, as of ``keras.Model.get_weights``.

    Returns:
        str of 12 hexadecimal digits, another one for other values, shapes or precisions.

    Example:
        >>> weights_stamp([np.zeros((2, 3))]) == weights_stamp([np.zeros((3, 2))])
        False
    """
    digest = hashlib.sha256()
    for array in weights:
        digest.update(f"{array.dtype} {array.shape}\n".encode() + array.tobytes())
    return digest.hexdigest()[:12]


class WithMirrored:
    """Images of a split, and after them all of them again, left and right exchanged.

    Args:
        examples: N of ``open_split``, with ``image``.

    Example:
        >>> len(WithMirrored([{"image": np.zeros((2, 3, 3))}]))
        2
    """

    def __init__(self, examples):
        self.examples = examples

    @property
    def stamp(self):
        return f"{self.examples.stamp}-mirrored"

    def __len__(self):
        return 2 * len(self.examples)

    def __getitem__(self, index):
        again, index = divmod(index, len(self.examples))
        if not 0 <= again < 2:
            raise IndexError(f"index: expected 0..{len(self) - 1}")
        example = self.examples[index]
        return {**example, "image": example["image"][:, ::-1]} if again else example


def grid_features(examples, encode, *, encoder, batch_size=32):
    """The features of every image of a split, from the cache or computed now, with a bar on stderr.

    Of several processes one computes, the others wait for it. A file appears whole or not at all.

    Args:
        examples: of ``open_split``, with ``image`` uint8 (H, W, 3) of one size; their ``stamp`` is one half of the name
            of the file.
        encode: function, uint8 (B, H, W, 3) -> float (B, L, D).
        encoder: str, the other half: what tells this function from others, as ``weights_stamp`` of the encoder cut off
            where its features are taken.
        batch_size: B, images that are encoded together.

    Returns:
        float16 (N, L, D), a read-only memory map; row i belongs to ``examples[i]``.

    Raises:
        ValueError: if there are no images, or a feature is beyond what float16 holds.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> from keras_segattn.zoo.data.builder import open_split
        >>> from keras_segattn.models import show_attend_tell
        >>> import keras
        >>> model = show_attend_tell((224, 224, 3), 4000)                    # doctest: +SKIP
        >>> grid = keras.Model(model.input["image"], model.get_layer("grid").output)  # doctest: +SKIP
        >>> train = open_split(DATASETS["flickr8k"], "train", "data")        # doctest: +SKIP
        >>> stamp = weights_stamp(grid.get_weights())                        # doctest: +SKIP
        >>> grid_features(train, grid.predict_on_batch, encoder=stamp).shape  # doctest: +SKIP
        (6000, 49, 768)
    """
    if not len(examples):
        raise ValueError("examples: expected at least one image")
    path = cache_folder() / "features" / f"{examples.stamp}-{encoder}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            _write(path, examples, encode, batch_size)
    return np.load(path, mmap_mode="r")


def _write(path, examples, encode, batch_size):
    with replacing(path) as partial:
        features = None
        for start in track(range(0, len(examples), batch_size), "features of images", console=Console(stderr=True)):
            stop = min(start + batch_size, len(examples))
            images = np.stack([examples[index]["image"] for index in range(start, stop)])  # (B, H, W, 3)
            with np.errstate(over="ignore"):  # the next line tells of it
                found = np.asarray(encode(images)).astype("float16")                       # (B, L, D)
            if not np.isfinite(found).all():
                chosen = f"{start}..{stop - 1}"
                raise ValueError(f"encode: expected features within ±65504. Those of images {chosen} are not")
            if features is None:
                shape = (len(examples), *found.shape[1:])
                features = np.lib.format.open_memmap(partial, "w+", "float16", shape)
            features[start:stop] = found
        features.flush()
