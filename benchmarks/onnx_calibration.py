"""How the ranges of an int8 .onnx file are found: the methods of onnxruntime, on the validation split.

    KERAS_SEGATTN_DATA=data python benchmarks/onnx_calibration.py

Prints, of each method, the points of mean IoU that the int8 file loses against the float32 file, the share of pixels
that keep their label, and the seconds that the method took. All methods see the same training images.
"""

import contextlib
import io
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationMethod, calibrate

from keras_segattn import zoo
from keras_segattn.cli.entry import CALIBRATION_IMAGES, sample_inputs
from keras_segattn.export.convert import convert
from keras_segattn.export.onnx_quantize import Int8Onnx
from keras_segattn.zoo.data import DATASETS, data_folder
from keras_segattn.zoo.data.builder import open_split
from keras_segattn.zoo.evaluate import evaluate

NAME = "fcn8s_mobilenet_camvid"
AT_ONCE = 5  # images whose activations are in memory together, 0.2 GB each, for a histogram

# onnxruntime takes the extremes of all images together; of activations it makes histograms, batch by batch.
METHODS = {
    "mean of the images' extremes": (CalibrationMethod.MinMax, {"moving_average": True}),
    "extremes of all images": (CalibrationMethod.MinMax, {}),
    "percentile 99.999": (CalibrationMethod.Percentile, {"percentile": 99.999, "symmetric": False}),
    "percentile 99.99": (CalibrationMethod.Percentile, {"percentile": 99.99, "symmetric": False}),
    "entropy": (CalibrationMethod.Entropy, {}),
}


class Int8By(Int8Onnx):
    """The int8 files of one .onnx file, with ranges that another method finds."""

    def __init__(self, path, calibration, method, options):
        super().__init__(path, calibration[:1])
        augmented = f"{self._folder.name}/augmented.onnx"
        every = [*{node.op_type for node in calibrate.load_model_with_shape_infer(self._float).graph.node}]
        finding = calibrate.create_calibrator(
            self._float, every, augmented, calibrate_method=method, extra_options=options
        )
        at_once = len(calibration) if method == CalibrationMethod.MinMax else AT_ONCE
        with contextlib.redirect_stdout(io.StringIO()):  # it tells of every batch
            for start in range(0, len(calibration), at_once):
                finding.collect_data(_Reader(calibration[start : start + at_once]))
            ends = {name: found.range_value for name, found in finding.compute_data().items()}
        calibrate.save_tensors_data(calibrate.TensorsData(CalibrationMethod.MinMax, ends), self._ranges)


class _Reader(calibrate.CalibrationDataReader):
    def __init__(self, images):
        self._images = iter(images)

    def get_next(self):
        image = next(self._images, None)
        return None if image is None else {"image": image[None]}


def main():
    recipe = zoo.info(NAME)
    dataset = DATASETS[recipe.dataset]
    examples = list(open_split(dataset, "val", data_folder(None)))
    calibration, _ = sample_inputs(recipe, "train", CALIBRATION_IMAGES)

    def measured(path):
        """Mean IoU, and the label maps it is of."""
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        found = []

        def labels(image):
            found.append(session.run(["labels"], {"image": image[None]})[0][0])
            return found[-1]

        return evaluate(labels, examples, dataset, image_size=recipe.image_size)["mean_iou"], np.stack(found)

    with tempfile.TemporaryDirectory() as folder:
        whole, made = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        convert(zoo.load(NAME), whole, format="onnx")
        mean_iou, expected = measured(whole)
        print(f"{NAME}, {dataset.title}, val, {len(examples)} images: float32 {mean_iou:.2f}")
        for name, (method, options) in METHODS.items():
            start = time.perf_counter()
            Int8By(whole, calibration, method, options).write(made)
            seconds = time.perf_counter() - start
            points, found = measured(made)
            agreement = 100 * (found == expected).mean()
            print(f"{name:<30} {points - mean_iou:+6.2f} points {agreement:8.3f} % {seconds:6.0f} s", flush=True)


if __name__ == "__main__":
    main()
