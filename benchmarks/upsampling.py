"""Each kind of upsampling in LiteRT, side by side: FCN-8s of the zoo as a whole, and one layer alone.

    python benchmarks/upsampling.py

Prints milliseconds on two threads, the fastest of interleaved runs, and how many times as fast that is as the
transposed convolution of the same precision. FCN-8s has its trained weights and no int8 layer left in float32.
"""

import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from keras_segattn import zoo
from keras_segattn.export import free_photographs
from keras_segattn.models import UPSAMPLING, convert_upsampling

NAME, THREADS, ROUNDS = "fcn8s_mobilenet_camvid", 2, 20
SIZE, CHANNELS = 64, 64  # the layer alone: 64 channels, 64x64 -> 128x128


def networks():
    """Name -> (served functions by kind, calibration images)."""
    from keras_segattn.export.serving import functions, of_images

    trained = zoo.load(NAME)
    whole = {kind: convert_upsampling(trained, kind) for kind in ("conv_transpose", "depth_to_space")}
    yield (
        NAME,
        {kind: {"logits": of_images(model)["logits"]} for kind, model in whole.items()},
        free_photographs(4, *trained.input_shape[1:3]),
    )
    rng = np.random.default_rng(0)
    alone = {}
    for kind, row in UPSAMPLING.items():
        image = keras.Input((SIZE, SIZE, CHANNELS), name="image")
        layer = row.learnable(2, name="up")
        model = keras.Model({"image": image}, {"up": layer(image)})
        layer.set_weights([rng.normal(0, 0.1, weight.shape) for weight in layer.get_weights()])
        alone[kind] = functions(model, {"up": (["image"], ["up"])})
    yield "one layer", alone, rng.normal(size=(4, SIZE, SIZE, CHANNELS)).astype("float32")


def interpreters(folder):
    """(network, precision, kind) -> an interpreter with its input set."""
    from ai_edge_litert.interpreter import Interpreter

    from keras_segattn.export.quantize import quantize_int8
    from keras_segattn.export.tflite import write_tflite

    for network, kinds, images in networks():
        for kind, served in kinds.items():
            path = Path(folder) / "model.tflite"
            write_tflite(served, path)
            for precision in ("float32", "int8"):
                if precision == "int8":
                    quantize_int8(path, images, list(served))
                interpreter = Interpreter(model_content=path.read_bytes(), num_threads=THREADS)
                interpreter.allocate_tensors()
                entry = interpreter.get_input_details()[0]
                interpreter.set_tensor(entry["index"], images[:1].astype(entry["dtype"]))
                yield (network, precision, kind), interpreter


def main():
    with tempfile.TemporaryDirectory() as folder:
        prepared = dict(interpreters(folder))
    fastest = dict.fromkeys(prepared, float("inf"))
    for _ in range(ROUNDS):
        for name, interpreter in prepared.items():
            start = time.perf_counter()
            interpreter.invoke()
            fastest[name] = min(fastest[name], 1000 * (time.perf_counter() - start))
    for (network, precision, kind), value in fastest.items():
        ratio = fastest[network, precision, "conv_transpose"] / value
        print(f"{network:<24}{precision:<9}{kind:<16}{value:9.2f} ms{ratio:8.2f} x conv_transpose")


if __name__ == "__main__":
    main()
