"""The converting process: ``python -m keras_segattn.export.convert JOB``, apart from its caller's.

The converters leak memory, may end the process, and need the TensorFlow backend; so each conversion has a
process of its own.
"""

import contextlib
import json
import re
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np

from .blame import blame, refuse_loops, told_by_tf2onnx
from .calls import Interface, is_of_known_layers, names_of_layers, of_calls, of_saved_model
from .process import ProcessError, run_python


class ConversionError(RuntimeError):
    """A conversion that ended without a file; the message says how the converting process ended.

    Example:
        >>> raise ConversionError("tflite: unsupported op")
        Traceback (most recent call last):
        keras_segattn.export.convert.ConversionError: tflite: unsupported op
    """


def convert(
    model,
    path,
    *,
    format,
    precision="float32",
    tail="labels",
    signatures=None,
    search=None,
    interface=None,
    calibration=None,
    float_layers=(),
):
    """Convert a Keras model in a process of its own.

    Args:
        model: built keras.Model of any backend.
        path: file or folder to write.
        format: "saved_model", "tflite" or "onnx".
        precision: of the file's weights and arithmetic.
        tail: of a model of images, see ``serving.of_images``.
        search: of a model of language, dict of the arguments of ``language.of_sentences``.
        interface: of any other model, ``calls.Interface``; or
        signatures: of its parts, see ``serving.functions``.
        calibration: uint8 (N, H, W, C), for "int8"; of any other model dict, name of an input -> array (N, ...).
        float_layers: names of the layers that "int8" leaves in float32.

    Raises:
        ConversionError: if that process fails or dies.

    Example:
        >>> convert(model, "model.onnx", format="onnx")                      # doctest: +SKIP
    """
    with tempfile.TemporaryDirectory() as folder:
        job = {"model": f"{folder}/model.keras", "path": str(path), "format": format, "precision": precision}
        job |= {"tail": tail, "signatures": signatures, "search": search, "float_layers": list(float_layers)}
        job |= {"interface": interface and interface.to_json(), "layers": names_of_layers(model)}
        is_known = is_of_known_layers(model)
        if is_known:
            model.save(job["model"])
        else:
            job["model"] = f"{folder}/model"
            _write_here(model, job)
        if calibration is not None:
            job["calibration"] = f"{folder}/calibration.npz"
            np.savez(job["calibration"], **(calibration if interface else {"image": calibration}))
        Path(folder, "job.json").write_text(json.dumps(job))
        try:
            run_python("-m", __name__, f"{folder}/job.json", KERAS_BACKEND="tensorflow")
        except ProcessError as error:
            said = "\n".join([str(error), *error.__notes__])
            # Another process does not know the lines of classes that only this one has.
            who = "" if is_known else blame(_functions(model, job), said, _kind(job), job["layers"])
            raise ConversionError(f"{format} {precision}: {error}{who}") from error


def _write_here(model, job):
    """A SavedModel, written by this process: another one does not know the classes of the model."""
    import keras

    from .grid_sample import warps_of_onnx
    from .saved_model import write_saved_model

    if keras.backend.backend() != "tensorflow":
        raise ConversionError(
            "model: expected layers of keras and keras_segattn, or TensorFlow as the backend of this process, for "
            f"classes of your own. Received: {keras.backend.backend()}"
        )
    try:
        with warps_of_onnx() if job["format"] == "onnx" else contextlib.nullcontext():
            write_saved_model(_functions(model, job), job["model"])
    except Exception as error:  # of whatever the model is made of
        raise ConversionError(f"model: expected one that TensorFlow can trace. {_line(error)}") from error


def _served(job):
    """The functions of a job: dict, name -> ``serving.Signature``."""
    import keras

    from .. import layers  # noqa: F401  (registers the layers that the model may hold)

    if Path(job["model"]).is_dir():
        return of_saved_model(job["model"])
    return _functions(keras.saving.load_model(job["model"], compile=False), job)


def _functions(model, job):
    """What a job asks a model to serve."""
    from .language import of_sentences
    from .serving import functions, of_images

    if job["interface"]:
        return of_calls(model, Interface.from_json(job["interface"]))
    if job["search"]:
        return of_sentences(model, **job["search"])
    return functions(model, job["signatures"]) if job["signatures"] else of_images(model, job["tail"])


def _main(job_file):
    job = json.loads(Path(job_file).read_text())
    served = _served(job)
    with told_by_tf2onnx() as said:
        try:
            if job["interface"] and job["precision"] == "int8":
                refuse_loops(served)
            _write(job, served)
        except Exception as error:
            known = job["layers"] if Path(job["model"]).is_file() else ()
            who = blame(served, f"{error} {said}", _kind(job), known) if known else ""
            raise _Unconverted(f"{_line(error)}{who}") from error


class _Unconverted(RuntimeError):
    """What ends the process, with the layers that are to blame."""


def _write(job, served):
    from .onnx import write_onnx
    from .saved_model import write_saved_model
    from .tflite import prepare, write_tflite

    precision = {"precision": job["precision"], "float_layers": job["float_layers"]}
    precision["calibration"] = dict(np.load(job["calibration"])) if "calibration" in job else None
    if job["format"] == "saved_model":
        write_saved_model(served, job["path"])
    elif job["format"] == "onnx":
        write_onnx(served, job["path"], **precision)
    else:
        write_tflite(served, job["path"], **precision, tables=bool(job["search"]))
        prepare(job["path"])


def _kind(job):
    return f"int8 {job['format']}" if job["precision"] == "int8" else job["format"]


def _line(error):
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is missing: install keras_segattn[cpu,export]"
    lines = str(error).strip().splitlines() or ["no message"]
    # Keras ends with the cause. TFLite begins with it, but for the place in its graph.
    text = lines[-1] if lines[-1].startswith("Exception encountered") else re.sub(r"loc\(.*\): ", "", lines[0])
    return f"{type(error).__name__}: {text if len(text) <= 300 else f'{text[:300]}...'}"


if __name__ == "__main__":
    try:
        _main(sys.argv[1])
    except Exception as error:
        traceback.print_exc()
        sys.exit(str(error) if isinstance(error, _Unconverted) else _line(error))
