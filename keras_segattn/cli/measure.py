"""The measuring process: ``python -m keras_segattn.cli.measure KIND TARGET GIVEN THREADS RUNS``."""

import json
import re
import resource
import statistics
import sys
import time
from pathlib import Path

WARM_UP = 3  # runs that are not timed
KERAS_KINDS = ("keras call", "keras predict", "keras write")  # ways to ask a Keras model; the last is for sentences


def measure(run, runs):
    """Median time of a call, and the peak memory of this process so far.

    Args:
        run: function without arguments.
        runs: timed calls, after ``WARM_UP`` that are not.

    Returns:
        dict: ``ms`` milliseconds a call, ``peak_mb`` megabytes.

    Example:
        >>> sorted(measure(lambda: None, runs=3))
        ['ms', 'peak_mb']
    """
    for _ in range(WARM_UP):
        run()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return {"ms": 1000 * statistics.median(times), "peak_mb": peak_megabytes()}


def peak_megabytes():
    """Peak memory of this process, in megabytes.

    Example:
        >>> peak_megabytes() > 1
        True
    """
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says on Linux counts the process that started this one too
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def prepare(kind, target, given, threads):
    """A function without arguments that answers for one image or text.

    Args:
        kind: one of ``KERAS_KINDS``, "saved_model", "tflite" or "onnx".
        target: name of an entry or path of a .keras file for Keras, else a path.
        given: path of a photograph of the model's size, of which it takes its channels; or a text.
        threads: processor threads.

    Example:
        >>> prepare("onnx", "model.onnx", "street.png", threads=2)()         # doctest: +SKIP
    """
    if kind not in KERAS_KINDS:
        from ..export.runtime import Runner

        runner = Runner(target, threads=threads)
        facts = runner.metadata
        asked = _asked(given, facts.image_size, facts.channels)
        return (lambda: runner.write([asked])) if facts.writing else (lambda: runner.labels(asked))
    import keras
    import numpy as np

    from .. import zoo
    from ..zoo.build import writer
    from ..zoo.data import DATASETS
    from .keras_file import is_keras, open_keras, writer_of

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
    if is_keras(target):
        model, facts = open_keras(target)
        asked = _asked(given, facts.image_size, facts.channels)
        search = writer_of(model, facts.writing) if facts.writing else None
    else:
        recipe, model = zoo.info(target), zoo.load(target)
        asked = _asked(given, recipe.image_size, DATASETS[recipe.dataset].channels)
        search = writer(model, recipe) if kind == "keras write" else None
    if kind == "keras write":
        return lambda: search.write([asked])
    batch = asked[None].astype("float32")
    call = model if kind == "keras call" else lambda x: model.predict(x, verbose=0)
    return lambda: keras.ops.convert_to_numpy(call(batch)).argmax(-1).astype(np.uint8)


def _asked(given, image_size, channels):
    if image_size is None:
        return given
    from ..images import read_image, to_channels

    return to_channels(read_image(given), channels)


def _main(kind, target, given, threads, runs):
    print(json.dumps(measure(prepare(kind, target, given, int(threads)), int(runs))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
