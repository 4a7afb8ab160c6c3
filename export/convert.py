"""The converting process: ``python -m keras_segattn.export.convert JOB``, apart from its caller's.

The converters leak memory, may end the process, and need the TensorFlow backend; so each conversion has a
process of its own.
"""

import json
import re
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np

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
        signatures: of any other model, see ``serving.functions``.
        calibration: uint8 (N, H, W, C), for "int8".
        float_layers: names of the layers that "int8" leaves in float32.

    Raises:
        ConversionError: if that process fails or dies.

    Example:
        >>> convert(model, "model.onnx", format="onnx")                      # doctest: +SKIP
    """
    with tempfile.TemporaryDirectory() as folder:
        job = {"model": f"{folder}/model.keras", "path": str(path), "format": format, "precision": precision}
        job |= {"tail": tail, "signatures": signatures, "search": search, "float_layers": list(float_layers)}
        model.save(job["model"])
        if calibration is not None:
            job["calibration"] = f"{folder}/calibration.npy"
            np.save(job["calibration"], calibration)
        Path(folder, "job.json").write_text(json.dumps(job))
        try:
            run_python("-m", __name__, f"{folder}/job.json", KERAS_BACKEND="tensorflow")
        except ProcessError as error:
            raise ConversionError(f"{format} {precision}: {error}") from error


def _main(job_file):
    import keras

    from .. import layers  # noqa: F401  (registers the layers that the model may hold)
    from .language import of_sentences
    from .onnx import write_onnx
    from .saved_model import write_saved_model
    from .serving import functions, of_images
    from .tflite import write_tflite

    job = json.loads(Path(job_file).read_text())
    model = keras.saving.load_model(job["model"], compile=False)
    if job["search"]:
        served = of_sentences(model, **job["search"])
    else:
        served = functions(model, job["signatures"]) if job["signatures"] else of_images(model, job["tail"])
    precision = {"precision": job["precision"], "float_layers": job["float_layers"]}
    precision["calibration"] = np.load(job["calibration"]) if "calibration" in job else None
    if job["format"] == "saved_model":
        write_saved_model(served, job["path"])
    elif job["format"] == "onnx":
        write_onnx(served, job["path"], **precision)
    else:
        write_tflite(served, job["path"], **precision, tables=bool(job["search"]))


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
        sys.exit(_line(error))
