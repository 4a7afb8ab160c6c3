"""Parity: a file runs in its own runtime on real images, and its answer is held against the model's."""

import json
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from .process import ProcessError, run_python
from .runtime import Runner, RunnerError
from .tails import TAILS, Answers, before_upsampling, outputs

# Largest difference of a logit, as a share of the range of the model's logits (None: reported, not limited),
# and least share of equal labels. Those of dynamic and int8 only keep out what is plainly broken.
LIMITS = {
    "float32": (1e-4, 0.9999),
    "float16": (1e-2, 0.999),
    "dynamic": (None, 0.5),
    "int8": (None, 0.5),
    "mixed": (None, 0.5),
}
MIN_IMAGES = 64
AT_ONCE = 4  # images that the model answers together, a tenth faster than one by one


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
        inputs: how many images were compared.
        worst: largest difference of a logit, as a share of the range of the model's logits.
        mean: mean difference, likewise.
        agreement: share of the pixels, or images, with the same label.
        looks: largest difference of where a spatial transformer looks, as a share of its image; None without one.
        example: the image of the least agreement, and the label maps of the model and of the file for it.

    Example:
        >>> Parity(inputs=64, worst=1e-6, mean=1e-7, agreement=1.0).agreement
        1.0
    """

    inputs: int
    worst: float
    mean: float
    agreement: float
    looks: float | None = None
    example: tuple = field(default=(), compare=False, repr=False)
    answers: ClassVar[str] = "labels"  # what agrees

    def facts(self):
        """What was measured, as plain data.

        Example:
            >>> Parity(inputs=64, worst=1e-6, mean=1e-7, agreement=1.0).facts()["inputs"]
            64
        """
        return {name: getattr(self, name) for name in ("inputs", "worst", "mean", "agreement", "looks")}

    @staticmethod
    def limits(precision):
        """What is allowed of a precision, as plain data; None where nothing is.

        Example:
            >>> Parity.limits("int8")
            {'worst': None, 'agreement': 0.5}
        """
        return dict(zip(("worst", "agreement"), LIMITS[precision], strict=True))


def compare(model, path, images, precision, tail="labels"):
    """Run a file and its model on the same images and hold the answers against each other.

    Args:
        model: keras.Model that the file was made of.
        path: .tflite file, .onnx file or SavedModel folder.
        images: uint8 (N, H, W, C), at least ``MIN_IMAGES`` different real images.
        precision: key of ``LIMITS``.
        tail: key of ``tails.TAILS``: what the file answers with. Differences are those of its logits, or of its
            probabilities where it has no logits; labels are those that Keras gives by way of the same tail.

    Returns:
        ``Parity``.

    Raises:
        ValueError: if the images do not fit, see ``check_images``.
        ParityError: if the file does not run, gives a NaN, a constant, or an answer outside of the limit.

    Example:
        >>> compare(model, "model.onnx", images, "float32").agreement        # doctest: +SKIP
        1.0
    """
    name = Path(path).name
    images = check_images(images, model)
    rows, looks, example, least = [], [], (), 2.0
    with closing(_answers(Path(path), images, outputs(model, tail))) as answers:
        for image, answer, expected in zip(images, answers, _expectations(model, images, tail), strict=True):
            expected_labels, expected_values, expected_grids = expected
            values = answer[TAILS[tail].values]
            labels = answer["labels"] if "labels" in answer else values.argmax(-1)
            rows.append(_row(name, expected_labels, expected_values, labels, values))
            looks += [_grid_difference(name, key, grid, answer[key]) for key, grid in expected_grids.items()]
            if rows[-1][2] < least:
                least, example = rows[-1][2], (image, expected_labels, labels.astype("uint8"))
    worst, mean, equal, low, high, file_low, file_high = np.array(rows).T  # (N,) each
    scale = high.max() - low.min()
    if not scale > 0 or not file_high.max() > file_low.min():
        raise ParityError(f"{name}: expected logits that vary, of the model and of the file. They are constant")
    parity = Parity(
        inputs=len(images),
        worst=float(worst.max() / scale),
        mean=float(mean.mean() / scale),
        agreement=float(equal.mean()),
        looks=max(looks, default=None),
        example=example,
    )
    _hold(parity, precision, name)
    return parity


def check_images(images, model, *, name="images", at_least=MIN_IMAGES):
    """Raise ValueError unless there are enough real images of a model's size.

    Args:
        images: uint8 (N, H, W, C).
        model: keras.Model, ``image`` (B, H, W, C).
        name: of the argument, for the message.
        at_least: how many have to differ from each other and to be more than a single colour.

    Returns:
        the images, as an array.

    Example:
        >>> from keras_segattn.models import fcn32s
        >>> check_images(np.zeros((70, 32, 64, 3), "uint8"), fcn32s((32, 64, 3), num_classes=2))
        Traceback (most recent call last):
        ValueError: images: expected at least 64 different ones. Received: 0 among 40
    """
    images = np.asarray(images)
    height, width, channels = model.input_shape[1:]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (height, width, channels):
        raise ValueError(
            f"{name}: expected uint8 (N, {height}, {width}, {channels}). Received: {images.dtype} {images.shape}"
        )
    different = len({image.tobytes() for image in images if image.min() < image.max()})
    if different < at_least:
        raise ValueError(
            f"{name}: expected at least {at_least} different ones. Received: {different} among {len(images)}"
        )
    return images


def _expectations(model, images, tail):
    """Labels (H, W), values (H, W, K) and grids that a file of this tail has to give, image by image, by Keras."""
    import keras

    from ..models import attention, transformers

    chosen = TAILS[tail]
    network = model  # itself: another model over its layers would be traced anew at each export, and kept
    if tail == "labels-fast":
        network = keras.Model(model.inputs, [model.outputs[0], before_upsampling(model)[0].outputs[0]])
    looks = attention(model) if transformers(model) else None

    at_once = model.input_shape[0] or AT_ONCE
    for start in range(0, len(images), at_once):
        batch = images[start : start + at_once].astype("float32")
        answer = network.predict_on_batch(batch)
        answers = Answers(*answer) if tail == "labels-fast" else Answers(np.asarray(answer))
        values = answers.logits if chosen.values == "logits" else answers.probabilities()
        grids = looks.predict_on_batch(batch) if looks else {}
        each = [{key: grid[place] for key, grid in grids.items()} for place in range(len(batch))]
        yield from zip(chosen.labels(answers), values, each, strict=True)


def _row(name, expected_labels, expected, labels, values):
    """What is kept of one image: largest and mean difference, share of equal labels, both ranges."""
    if not np.isfinite(expected).all():
        raise ParityError(f"{name}: expected a model with finite logits. Those of Keras are not")
    shaped = labels.shape == expected_labels.shape and values.shape == expected.shape
    if not shaped or values.dtype != np.float32 or not np.isfinite(values).all():
        raise ParityError(
            f"{name}: expected labels {expected_labels.shape} and float32 finite logits {expected.shape}. Received: "
            f"{labels.shape} and {values.dtype} {values.shape}, {np.count_nonzero(~np.isfinite(values))} not finite"
        )
    difference = np.abs(values - expected)
    ranges = expected.min(), expected.max(), values.min(), values.max()
    return difference.max(), difference.mean(), (labels == expected_labels).mean(), *ranges


def _grid_difference(name, key, expected, grid):
    """Largest difference of the places of a grid, or of a transformation, as a share of the 2 that an image spans."""
    if grid is None or grid.shape != expected.shape or not np.isfinite(grid).all():
        raise ParityError(f"{name}: expected {key}, finite {expected.shape}. Received: {np.shape(grid)}")
    return float(np.abs(grid - expected).max() / 2)


def _hold(parity, precision, name):
    largest, least = LIMITS[precision]
    if largest is not None and parity.looks is not None and not parity.looks <= largest:
        raise ParityError(
            f"{name}: transformers look elsewhere by {parity.looks:.2e} of the image, at most {largest:.0e} expected"
        )
    if largest is not None and not parity.worst <= largest:
        raise ParityError(
            f"{name}: logits differ by {parity.worst:.2e} of their range, at most {largest:.0e} expected"
        )
    if not parity.agreement >= least:
        raise ParityError(
            f"{name}: labels agree on {100 * parity.agreement:.3f} % of the pixels, "
            f"at least {100 * least:.2f} % expected"
        )


def _answers(path, images, served):
    """What all functions of the file answer, image by image: dict, name of an output -> array."""
    if path.is_dir():
        yield from _saved_model_answers(path, images, served)
        return
    try:
        runner = Runner(path)
        check_functions(path.name, runner.signatures, served)
        for image in images:
            yield runner.answers(image)
    except RunnerError as error:
        raise ParityError(str(error)) from error


def check_functions(name, functions, served):
    """Raise ParityError unless the functions of a file are those that are served, with the same outputs.

    Args:
        name: of the file, for the message.
        functions: dict, function of the file -> names of its outputs.
        served: dict likewise, what is expected.

    Example:
        >>> check_functions("m.onnx", {"cut": ["labels"]}, {"segment": ["labels"]})
        Traceback (most recent call last):
        keras_segattn.export.parity.ParityError: m.onnx: expected the functions segment: labels. Received: cut: labels
    """
    found, expected = (
        "; ".join(f"{key}: {', '.join(sorted(names))}" for key, names in sorted(signatures.items()))
        for signatures in (functions, served)
    )
    if found != expected:
        raise ParityError(f"{name}: expected the functions {expected}. Received: {found or 'none'}")


def _saved_model_answers(path, images, served):
    """A SavedModel runs in a fresh process, which has TensorFlow but not the code of this package."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/images.npy", images)
        try:
            run_python("-c", _RUN_SAVED_MODEL, str(path), folder)
        except ProcessError as error:
            raise ParityError(f"{path.name}: expected a SavedModel that runs. {error}") from error
        check_functions(path.name, json.loads(Path(folder, "functions.json").read_text()), served)
        names = [output for names in served.values() for output in names]
        for index in range(len(images)):
            yield {output: np.load(f"{folder}/{index}_{output}.npy") for output in names}


_RUN_SAVED_MODEL = """
import json, sys, numpy as np, tensorflow as tf
path, folder = sys.argv[1:]
functions = dict(tf.saved_model.load(path).signatures)
functions.pop("serving_default", None)  # what TensorFlow Serving calls, the first one by another name
with open(f"{folder}/functions.json", "w") as file:
    json.dump({name: list(function.structured_outputs) for name, function in functions.items()}, file)
for index, image in enumerate(np.load(f"{folder}/images.npy")):
    for function in functions.values():
        for output, array in function(image=tf.constant(image[None])).items():
            np.save(f"{folder}/{index}_{output}.npy", array[0].numpy())
"""
