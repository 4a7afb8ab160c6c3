"""What an export costs: seconds and peak memory by format and precision, and whether memory grows with each one.

    python benchmarks/export_cost.py

The entry is exported in every format that needs no validation split, then twenty times in a row at a small size. Peaks
are of this process and of the largest process that it started; seconds are of a machine that does nothing else.
"""

import os
import resource
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_segattn import zoo
from keras_segattn.cli.entry import artifacts, export_entry
from keras_segattn.cli.measure import peak_megabytes
from keras_segattn.export import Metadata, export, free_photographs

NAME, SMALL, IN_A_ROW = "fcn8s_mobilenet_camvid", (96, 128), 20


def one_of_each(folder):
    """Every format and precision but mixed, once."""
    recipe, total = zoo.info(NAME), 0.0
    for format, precision in artifacts(recipe):
        if precision == "mixed":
            continue
        start = time.perf_counter()
        export_entry(recipe, folder, format=format, precision=precision)
        seconds = time.perf_counter() - start
        total += seconds
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{format:<12} {precision:<8} {seconds:6.1f} s   peak {peak_megabytes():5.0f} + {largest:5.0f} MB")
    print(f"all          {total:15.1f} s")


def many(folder):
    """The memory that this process holds after each of many exports."""
    dataset = zoo.data.DATASETS[zoo.info(NAME).dataset]
    model = zoo.load(NAME, image_size=SMALL)
    facts = Metadata(name="small", classes=dataset.classes, palette=dataset.palette, image_size=SMALL)
    images = free_photographs(64, *SMALL)
    for number in range(IN_A_ROW):
        export(model, folder, facts, format="onnx", images=images, images_source="free photographs")
        with open("/proc/self/statm") as pages:
            held = int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        print(f"export {number + 1:2d}: {held:6.0f} MB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        one_of_each(folder)
        many(folder)
