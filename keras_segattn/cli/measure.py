"""The measuring process: ``python -m keras_segattn.cli.measure KIND TARGET IMAGE THREADS RUNS``."""

import json
import re
import resource
import statistics
import sys
import time
from pathlib import Path

WARM_UP = 3  # runs that are not timed


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


def prepare(kind, target, image, threads):
    """A function without arguments that answers for one image.

    Args:
        kind: "keras call", "keras predict", "saved_model", "tflite" or "onnx".
        target: name of an entry for Keras, else a path.
        image: uint8 (H, W, 3), of which the model takes its channels.
        threads: processor threads.

    Example:
        >>> prepare("onnx", "model.onnx", image, threads=2)()                # doctest: +SKIP
    """
    from ..images import to_channels

    if kind in ("tflite", "onnx"):
        from ..export.runtime import Runner

        runner = Runner(target, threads=threads)
        image = to_channels(image, runner.metadata.channels)
        return lambda: runner.labels(image)
    if kind == "saved_model":
        import tensorflow as tf

        from ..export.tails import VERBS

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        served = tf.saved_model.load(target).signatures
        answer = next(served[verb] for verb in VERBS.values() if verb in served)
        image = to_channels(image, answer.structured_input_signature[1]["image"].shape[-1])
        return lambda: answer(image=tf.constant(image[None]))["labels"].numpy()
    import keras
    import numpy as np

    from .. import zoo

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
    model = zoo.load(target)
    batch = to_channels(image, model.input_shape[-1])[None].astype("float32")
    call = model if kind == "keras call" else lambda x: model.predict(x, verbose=0)
    return lambda: keras.ops.convert_to_numpy(call(batch)).argmax(-1).astype(np.uint8)


def _main(kind, target, image, threads, runs):
    from ..images import read_image

    print(json.dumps(measure(prepare(kind, target, read_image(image), int(threads)), int(runs))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
