"""From shell to mask: ``segattn predict`` on a .tflite file, and on the entry through Keras, side by side.

    python benchmarks/predict_from_shell.py

Prints the median seconds of each, and their ratio; also what `import keras_segattn` costs over bare python.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sklearn

NAME = "fcn8s_mobilenet_camvid"
PHOTO = Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg"
SEGATTN = [sys.executable, "-m", "keras_segattn.cli.main"]


def seconds(command, runs):
    """Median wall time of a command, the runs of it one after the other."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*SEGATTN, "export", NAME, "--output", folder], check=True, capture_output=True)
        file = f"{folder}/{NAME}_float32.tflite"
        lite = seconds([*SEGATTN, "predict", file, PHOTO, "--output", folder], runs=7)
        keras = seconds([*SEGATTN, "predict", NAME, PHOTO, "--output", folder], runs=3)
    bare = seconds([sys.executable, "-c", "pass"], runs=15)
    package = seconds([sys.executable, "-c", "import keras_segattn"], runs=15)
    print(f"predict, .tflite  {lite:6.2f} s\npredict, Keras    {keras:6.2f} s\nratio             {keras / lite:6.1f}")
    print(f"import keras_segattn costs {1000 * (package - bare):.0f} ms over bare python ({1000 * bare:.0f} ms)")


if __name__ == "__main__":
    main()
