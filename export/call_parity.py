"""Parity of any model: the answers of its file, or of another model, held against its own, output by output."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from .calls import CALL
from .parity import LIMITS, Parity, ParityError, check_functions
from .process import ProcessError, run_python
from .runtime import Runner, RunnerError

# Largest difference of an output in what has no limit in ``LIMITS``, of its range. That of int8 only keeps out what is
# plainly broken: of small networks with random weights it was 0.11 to 0.27.
LOSSY = {"dynamic": 0.1, "int8": 0.5}
NUDGE = 1e-6  # share of an input, less than what arithmetic rounds away in a deep model


@dataclass(frozen=True)
class CallParity(Parity):
    """How far the outputs of a file are from those of its model, whatever they are.

    Example:
        >>> CallParity.limits("int8")
        {'worst': 0.5, 'agreement': 0.5}
    """

    answers: ClassVar[str] = "whole numbers"

    @staticmethod
    def limits(precision):
        """See ``Parity.limits``."""
        largest, least = LIMITS[precision]
        return {"worst": LOSSY.get(precision, largest), "agreement": least}


def compare_calls(model, path, interface, arrays, precision):
    """Run a file and its model on the same samples and hold the answers against each other.

    Args:
        model: keras.Model that the file was made of.
        path: .tflite file, .onnx file or SavedModel folder.
        interface: ``calls.Interface``.
        arrays: list of arrays (N, ...), see ``interface_of``.
        precision: key of ``parity.LIMITS``.

    Returns:
        ``CallParity``, see ``hold_together``.

    Raises:
        ParityError: if the file does not run, is infinite or NaN where the model is not or otherwise, is outside of the
            limit, or the model has no finite answer; it says if the model's own answer to nearly the same inputs is
            outside of the limit, too.

    Example:
        >>> compare_calls(model, "model.onnx", interface, arrays, "float32").worst  # doctest: +SKIP
        1e-07
    """
    path = Path(path)
    found = _answers_of_file(path, interface, interface.feeds(arrays))
    expected = answers_of_model(model, interface, arrays)
    limits = CallParity.limits(precision).values()
    try:
        return hold_together(path.name, expected, found, *limits)
    except ParityError as error:
        nudged = [array * array.dtype.type(1 + NUDGE) if array.dtype.kind == "f" else array for array in arrays]
        try:
            hold_together("the model itself", expected, answers_of_model(model, interface, nudged), *limits)
        except ParityError as moved:
            why = "which no file can follow: train it, or steady it by normalizations"
            raise ParityError(f"{error}. Of inputs that are a millionth larger, {moved}, {why}") from error
        raise


def answers_of_model(model, interface, arrays):
    """What a model answers to each sample.

    Args:
        model: keras.Model.
        interface: ``calls.Interface``.
        arrays: list of arrays (N, ...), see ``interface_of``.

    Returns:
        list of N dicts, name of an output -> array (1, ...).

    Example:
        >>> import keras
        >>> from keras_segattn.export.calls import interface_of
        >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Activation("relu", name="y")])
        >>> interface, arrays = interface_of(model, np.full((2, 4), -1.0))
        >>> answers_of_model(model, interface, arrays)[0]
        {'y': array([[0., 0., 0., 0.]], dtype=float32)}
    """
    import keras

    answers = []
    for feed in interface.feeds(arrays):
        tensors = {key: keras.ops.convert_to_tensor(array) for key, array in feed.items()}
        answer = keras.tree.flatten(model(interface.given(tensors), training=False))
        answers.append(dict(zip(interface.outputs, map(keras.ops.convert_to_numpy, answer), strict=True)))
    return answers


def hold_together(name, expected, found, largest, least):
    """Raise ParityError unless answers are those that are expected.

    Args:
        name: of what gave them, for the message.
        expected: list of dicts, name of an output -> array (1, ...).
        found: the same.
        largest: difference that a float may have, as a share of the range of its output.
        least: share of the whole numbers of an output that have to be equal, 0..1.

    Returns:
        ``CallParity``: differences are shares of the range of each output; ``agreement`` is the share of equal whole
        numbers, 1 where there are none.

    Example:
        >>> answers = [{"y": np.array([[0.0, 1.0]])}]
        >>> hold_together("m.onnx", answers, [{"y": np.array([[0.0, 0.5]])}], largest=0.1, least=1)
        Traceback (most recent call last):
        keras_segattn.export.parity.ParityError: m.onnx: outputs differ by 5.00e-01 of their range, at most 1e-01 \
expected
    """
    worst, mean, equal = 0.0, 0.0, []
    for key in expected[0]:
        ours, theirs = [np.stack([one[key] for one in answers]) for answers in (expected, found)]
        _check(name, key, ours, theirs)
        if not np.issubdtype(ours.dtype, np.floating):
            equal.append((ours == theirs).mean())
            continue
        finite = np.isfinite(ours)
        ours, theirs = ours[finite].astype("float64"), theirs[finite].astype("float64")
        scale = np.ptp(ours) if ours.size and np.ptp(ours) > 0 else max(1.0, np.abs(ours).max(initial=0))
        difference = np.abs(ours - theirs) / scale
        worst, mean = max(worst, difference.max(initial=0)), max(mean, difference.mean() if difference.size else 0)
    parity = CallParity(len(expected), float(worst), float(mean), agreement=float(min(equal, default=1.0)))
    if not parity.worst <= largest:
        raise ParityError(
            f"{name}: outputs differ by {parity.worst:.2e} of their range, at most {largest:.0e} expected"
        )
    if not parity.agreement >= least:
        share = f"{100 * parity.agreement:.2f} %"
        raise ParityError(f"{name}: {share} of the whole numbers agree, at least {100 * least:g} % expected")
    return parity


def _check(name, key, ours, theirs):
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        expected, received = f"{ours.dtype} {ours.shape[1:]}", f"{theirs.dtype} {theirs.shape[1:]}"
        raise ParityError(f"{name}: expected {key}, {expected}. Received: {received}")
    if not np.issubdtype(ours.dtype, np.floating):
        return
    wild = ~np.isfinite(ours)
    if wild.all():
        raise ParityError(f"{name}: expected a model of finite answers. All of {key} are NaN or infinite")
    if not np.array_equal(wild, ~np.isfinite(theirs)) or not np.array_equal(ours[wild], theirs[wild], equal_nan=True):
        raise ParityError(f"{name}: expected {key} finite where the model's is, and infinite or NaN as it is elsewhere")


def _answers_of_file(path, interface, feeds):
    """What the file answers to each sample: list of dict. A SavedModel is asked in a process without the model."""
    try:
        if path.is_dir():
            return _answers_of_saved_model(path, feeds)
        runner = Runner(path)
        check_functions(path.name, runner.signatures, {CALL: interface.outputs})
        return [runner.run(CALL, **feed) for feed in feeds]
    except RunnerError as error:
        raise ParityError(str(error)) from error


def _answers_of_saved_model(path, feeds):
    with tempfile.TemporaryDirectory() as folder:
        for place, feed in enumerate(feeds):
            np.savez(f"{folder}/{place}.npz", **feed)
        try:
            run_python("-c", _RUN, str(path), folder, str(len(feeds)))
        except ProcessError as error:
            raise ParityError(f"{path.name}: expected a SavedModel that runs. {error}") from error
        answers = []
        for place in range(len(feeds)):
            with np.load(f"{folder}/answer_{place}.npz") as answer:
                answers.append(dict(answer))
        return answers


_RUN = """
import sys, numpy as np
from keras_segattn.export.runtime import Runner
path, folder, count = sys.argv[1:]
runner = Runner(path)
for place in range(int(count)):
    np.savez(f"{folder}/answer_{place}.npz", **runner.run("call", **np.load(f"{folder}/{place}.npz")))
"""
