"""Parity: a file runs in its own runtime on real images, and its answer is held against the model's."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .runtime import Runner

# Largest difference of a logit, as a share of the range of the model's logits, and least share of equal
# labels. None: reported, not limited.
LIMITS = {
    "float32": (1e-4, 0.9999),
    "float16": (1e-2, 0.999),
    "dynamic": (None, None),
    "int8": (None, None),
}
MIN_IMAGES = 32


class ParityError(AssertionError):
    """A file whose answer is not the model's; it is not left behind.

    Example:
        >>> raise ParityError("model.onnx: labels agree on 51.20 % of the pixels, at least 99.99 % expected")
        Traceback (most recent call last):
        keras_segattn.export.parity.ParityError: model.onnx: labels agree on 51.20 % of the pixels, at \
least 99.99 % expected
    """


@dataclass(frozen=True)
class Parity:
    """How far a file is from its model.

    Args:
        images: how many were compared.
        worst: largest difference of a logit, as a share of the range of the model's logits.
        mean: mean difference, likewise.
        agreement: share of the pixels with the same label.

    Example:
        >>> Parity(images=32, worst=1e-6, mean=1e-7, agreement=1.0).agreement
        1.0
    """

    images: int
    worst: float
    mean: float
    agreement: float


def compare(model, path, images, precision):
    """Run a file and its model on the same images and hold the answers against each other.

    Args:
        model: keras.Model that the file was made of.
        path: .tflite file, .onnx file or SavedModel folder.
        images: uint8 (N, H, W, 3), at least ``MIN_IMAGES`` different real images.
        precision: key of ``LIMITS``.

    Returns:
        ``Parity``.

    Raises:
        ValueError: if there are too few images, or they are all the same.
        ParityError: if the file gives a NaN, a constant, or an answer outside of the limit.

    Example:
        >>> compare(model, "model.onnx", images, "float32").agreement        # doctest: +SKIP
        1.0
    """
    images = np.asarray(images)
    if len(images) < MIN_IMAGES or len({image.tobytes() for image in images}) < MIN_IMAGES:
        raise ValueError(f"images: expected at least {MIN_IMAGES} different ones. Received: {len(images)}")
    low, high, worst, total, count, equal = np.inf, -np.inf, 0.0, 0.0, 0, 0
    for image, (labels, logits) in zip(images, _answers(Path(path), images), strict=True):
        expected = _keras_logits(model, image)
        if logits.shape != expected.shape or not np.isfinite(logits).all():
            raise ParityError(
                f"{Path(path).name}: expected finite logits of shape {expected.shape}. "
                f"Received: {logits.shape}, {np.count_nonzero(~np.isfinite(logits))} not finite"
            )
        difference = np.abs(logits - expected)
        low, high = min(low, expected.min()), max(high, expected.max())
        worst, total = max(worst, float(difference.max())), total + float(difference.sum(dtype="float64"))
        count += difference.size
        equal += int((labels == expected.argmax(-1)).sum())
    scale, pixels = float(high - low), images[..., 0].size
    if not scale > 0:
        raise ParityError(f"{Path(path).name}: expected a model whose answer varies. Its logits are all {low}")
    parity = Parity(len(images), worst / scale, total / count / scale, equal / pixels)
    _hold(parity, precision, Path(path).name)
    return parity


def _hold(parity, precision, name):
    largest, least = LIMITS[precision]
    if largest is not None and not parity.worst <= largest:
        raise ParityError(
            f"{name}: logits differ by {parity.worst:.2e} of their range, at most {largest:.0e} expected"
        )
    if least is not None and not parity.agreement >= least:
        raise ParityError(
            f"{name}: labels agree on {100 * parity.agreement:.3f} % of the pixels, "
            f"at least {100 * least:.2f} % expected"
        )


def _keras_logits(model, image):
    return np.asarray(model.predict_on_batch(image[None].astype("float32")))[0]


def _answers(path, images):
    """(labels, logits) of the file, image by image."""
    if path.is_dir():
        yield from _saved_model_answers(path, images)
        return
    runner = Runner(path)
    for image in images:
        yield runner.labels(image), runner.logits(image)


def _saved_model_answers(path, images):
    """A SavedModel runs in a fresh process, which has TensorFlow but not the code of this package."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/images.npy", images)
        done = subprocess.run(
            [sys.executable, "-c", _RUN_SAVED_MODEL, str(path), folder],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
            raise ParityError(f"{path.name}: expected a SavedModel that runs. It ended with {last}")
        for index in range(len(images)):
            with np.load(f"{folder}/{index}.npz") as answer:
                yield answer["labels"], answer["logits"]


_RUN_SAVED_MODEL = """
import sys, numpy as np, tensorflow as tf
path, folder = sys.argv[1:]
served = tf.saved_model.load(path).signatures
for index, image in enumerate(np.load(f"{folder}/images.npy")):
    image = tf.constant(image[None])
    labels, logits = served["segment"](image=image)["labels"], served["logits"](image=image)["logits"]
    np.savez(f"{folder}/{index}.npz", labels=labels[0].numpy(), logits=logits[0].numpy())
"""
