"""The contract of any Keras model: one function, whatever it takes and gives, proven on samples of what it takes."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from .calls import CALL, interface_of
from .contract import FORMATS, PRECISIONS, ExportReport, file_name, hold_to_rules, size_of, unproven
from .convert import convert
from .metadata import Metadata, attach
from .parity import LIMITS, Parity, ParityError, check_functions
from .process import ProcessError, run_python
from .runtime import Runner, RunnerError
from .serving import check_float32

MIN_SAMPLES = 8
ANY_PRECISIONS = ("float32", "float16", "dynamic")
DYNAMIC = 0.1  # largest difference of an output of that precision, of its range


def export_model(model, output, *, samples, samples_source="samples", name=None, format, precision="float32"):
    """Export any Keras model, proven or not at all.

    The file has one function, ``call``, with the model's inputs and outputs by their names, and a batch of one.

    Args:
        model: functional, sequential or subclassed keras.Model. One with layers of your own is traced in this process,
            which needs the TensorFlow backend.
        output: folder to write into.
        samples: at least 8 different ones of what the model takes: array (N, ...), or list or dict of arrays. Their
            sizes are those of the file. Whole numbers are ids.
        samples_source: where they come from, in words, for the report.
        name: of the file; None for that of the model.
        format: key of ``contract.FORMATS``.
        precision: "float32", "float16", or for .tflite "dynamic".

    Returns:
        ``ExportReport``.

    Raises:
        ValueError: if an argument does not fit.
        ConversionError: if the converter fails; it names the layer, the operator and what to use instead.
        ParityError: if the file does not give the model's answer.
        LintError: if it breaks a rule of ``segattn lint``.

    Example:
        >>> report = export_model(model, "exports", samples=images, format="onnx")  # doctest: +SKIP
    """
    if format not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}. Received: {format!r}")
    known = [one for one in PRECISIONS[format] if one in ANY_PRECISIONS]
    if precision not in known:
        raise ValueError(f"precision: expected one of {', '.join(known)} for {format}. Received: {precision!r}")
    check_float32(model)
    interface, arrays = interface_of(model, samples)
    if len({b"".join(array[place].tobytes() for array in arrays) for place in range(len(arrays[0]))}) < MIN_SAMPLES:
        raise ValueError(f"samples: expected at least {MIN_SAMPLES} different ones. Received: fewer")
    name = name or model.name
    final = Path(output) / file_name(name, format, precision, "")
    facts = Metadata(name=name, task="function", tail="", precision=precision, signatures={CALL: interface.outputs},
                     normalization="none: what the model takes")  # fmt: skip
    with unproven(final) as (made,):
        convert(model, made, format=format, precision=precision, interface=interface)
        attach(made, replace(facts, provenance={"operators": None}))
        parity = compare_calls(model, made, interface, arrays, precision)
        hold_to_rules(made, but=("dynamic-shape",))  # slow in places, and right: it has been proven
    return ExportReport(final, format, precision, "", size_of(final), parity, samples_source)


def compare_calls(model, path, interface, arrays, precision):
    """Run a file and its model on the same samples and hold the answers against each other.

    Args:
        model: keras.Model that the file was made of.
        path: .tflite file, .onnx file or SavedModel folder.
        interface: ``calls.Interface``.
        arrays: list of arrays (N, ...), see ``interface_of``.
        precision: key of ``parity.LIMITS``.

    Returns:
        ``Parity``: differences are shares of the range of each output; ``agreement`` is the share of equal whole
        numbers, 1 where there are none.

    Raises:
        ParityError: if the file does not run, gives a NaN that the model does not, or is outside of the limit.

    Example:
        >>> compare_calls(model, "model.onnx", interface, arrays, "float32").worst  # doctest: +SKIP
        1e-07
    """
    import keras

    count, name = len(arrays[0]), Path(path).name
    feeds = [interface.feed([array[place : place + 1] for array in arrays]) for place in range(count)]
    expected = []
    for feed in feeds:
        tensors = {key: keras.ops.convert_to_tensor(array) for key, array in feed.items()}
        answer = keras.tree.flatten(model(interface.given(tensors), training=False))
        expected.append(dict(zip(interface.outputs, map(keras.ops.convert_to_numpy, answer), strict=True)))
    found = _answers(Path(path), interface, feeds)
    worst, mean, equal = 0.0, 0.0, []
    for key in interface.outputs:
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
    parity = Parity(inputs=count, worst=float(worst), mean=float(mean), agreement=float(min(equal, default=1.0)))
    largest, least = LIMITS[precision]
    largest = DYNAMIC if largest is None else largest
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
    if np.issubdtype(ours.dtype, np.floating) and not np.array_equal(np.isfinite(ours), np.isfinite(theirs)):
        raise ParityError(f"{name}: expected {key} finite where the model's is. It is elsewhere")


def _answers(path, interface, feeds):
    """What the file answers to each sample: list of dict. A SavedModel is asked in a process without the model."""
    try:
        if path.is_dir():
            return _saved_model_answers(path, feeds)
        runner = Runner(path)
        check_functions(path.name, runner.signatures, {CALL: interface.outputs})
        return [runner.run(CALL, **feed) for feed in feeds]
    except RunnerError as error:
        raise ParityError(str(error)) from error


def _saved_model_answers(path, feeds):
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
