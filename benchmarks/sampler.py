"""Reading images through a grid: BilinearSampler under TensorFlow beside torch's grid_sample and map_coordinates.

    python benchmarks/sampler.py

Prints milliseconds on two threads, median and fastest of interleaved runs, and the ratios of both to ours (above 1:
ours is faster). A step is the value and its gradients to image and grid. XLA is what ``jit_compile=True`` turns on;
torch gets its own layout, channels first. The second half are whole warps, grid and sampler, as exported files, beside
files of map_coordinates, of images of three channels: it takes them one by one. Needs torch.
"""

import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # torch's idle threads leave the cores to TensorFlow's

import numpy as np
import tensorflow as tf
import torch
from keras import ops

from keras_segattn.export.serving import Signature
from keras_segattn.layers import AffineGrid, BilinearSampler

SIZES, BATCHES = [(32, 32, 3), (256, 256, 3), (64, 64, 128)], (1, 32)
THETA = np.array([[0.9, 0.2, 0.05, -0.2, 0.9, 0.1]], "float32")  # turns, enlarges and moves a little
THREADS, ROUNDS, SECONDS = 2, 40, 4.0  # of a contender: that many runs, but 3 if they take longer
MOST = 10_000_000  # values in the images of map_coordinates; its step needs about a kilobyte for each


def map_coordinates(image, grid):
    """The same with what Keras has: one channel at a time, the batch as a coordinate."""
    _, height, width, channels = image.shape
    x, y = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    batch = ops.broadcast_to(ops.reshape(ops.arange(image.shape[0], dtype="float32"), (-1, 1, 1)), x.shape)
    places = ops.stack([batch, y, x])                                      # (3, B, h, w)
    return ops.stack([ops.image.map_coordinates(image[..., c], places, order=1) for c in range(channels)], axis=-1)


def grid_sample(image, grid):
    return torch.nn.functional.grid_sample(image, grid, align_corners=False)


def step_of_tensorflow(function):
    def step(image, grid, sensitivity):
        with tf.GradientTape() as tape:
            tape.watch((image, grid))
            value = tf.reduce_sum(function(image, grid) * sensitivity)
        return value, *tape.gradient(value, (image, grid))

    return step


def step_of_torch(image, grid, sensitivity):
    image, grid = image.detach().requires_grad_(), grid.detach().requires_grad_()
    value = (grid_sample(image, grid) * sensitivity).sum()
    return value, *torch.autograd.grad(value, (image, grid))


def sampling(size, batch):
    """forward and step -> {contender: function without arguments}, all of the same answers."""
    rng = np.random.default_rng(0)
    image, sensitivity = rng.normal(size=(2, batch, *size)).astype("float32")
    grid = ops.convert_to_numpy(AffineGrid(size[:2])(np.repeat(THETA, batch, axis=0)))
    ours, theirs = ([make(x) for x in (image, grid, sensitivity)] for make in (tf.constant, torch.tensor))
    theirs = [x if x.shape[-1] == 2 else x.permute(0, 3, 1, 2).contiguous() for x in theirs]
    forward, step = {}, {}
    sampler = BilinearSampler()
    functions = {"ours": lambda *inputs: sampler(inputs)}
    if image.size < MOST:
        functions["map_coordinates"] = map_coordinates
    for name, function in functions.items():
        forward[name] = bind(tf.function(function), ours[:2])
        step[name] = bind(tf.function(step_of_tensorflow(function)), ours)
    forward["ours with XLA"] = bind(tf.function(functions["ours"], jit_compile=True), ours[:2])
    step["ours with XLA"] = bind(tf.function(step_of_tensorflow(functions["ours"]), jit_compile=True), ours)
    forward["torch"], step["torch"] = bind(torch.no_grad()(grid_sample), theirs[:2]), bind(step_of_torch, theirs)
    return {"forward": forward, "step": step}


def exported(size, batch):
    """format -> {contender: function without arguments}, of a whole warp by one theta for each image."""
    rng = np.random.default_rng(0)
    inputs = {"image": rng.normal(size=(batch, *size)).astype("float32"), "theta": np.repeat(THETA, batch, axis=0)}
    sampler, grid = BilinearSampler(), AffineGrid(size[:2])
    warps = {"ours": lambda image, theta: sampler([image, grid(theta)])}
    if size[2] <= 3:
        warps["map_coordinates"] = lambda image, theta: map_coordinates(image, grid(theta))
    picture, matrix = torch.tensor(inputs["image"]).permute(0, 3, 1, 2).contiguous(), torch.tensor(inputs["theta"])

    @torch.no_grad()
    def by_torch():
        places = torch.nn.functional.affine_grid(matrix.view(-1, 2, 3), picture.shape, align_corners=False)
        return grid_sample(picture, places)

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for format, run in {"LiteRT": in_litert, "onnxruntime": in_onnxruntime}.items():
            found[format] = {name: run(warp, inputs, Path(folder) / name) for name, warp in warps.items()}
            found[format] |= {"torch": by_torch}
    return found


def served(warp, inputs):
    specs = {name: tf.TensorSpec(value.shape, name=name) for name, value in inputs.items()}
    return {"warp": Signature(lambda given: {"warped": warp(**given)}, specs)}


def in_litert(warp, inputs, path):
    from ai_edge_litert.interpreter import Interpreter

    from keras_segattn.export.tflite import write_tflite

    path = path.with_suffix(".tflite")
    write_tflite(served(warp, inputs), path)
    run = Interpreter(str(path), num_threads=THREADS).get_signature_runner("warp")
    return lambda: run(**inputs)


def in_onnxruntime(warp, inputs, path):
    import onnxruntime

    from keras_segattn.export.onnx import write_onnx

    (file,) = write_onnx(served(warp, inputs), path.with_suffix(".onnx"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return bind(onnxruntime.InferenceSession(file, options).run, [["warped"], inputs])


def bind(function, arguments):
    return lambda: function(*arguments)


def measure(contenders):
    """Name -> (median, fastest) in milliseconds; they take turns, so what else the machine does disturbs all alike."""
    times = {name: [] for name in contenders}
    for run in contenders.values():
        run()  # traces
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            if len(times[name]) >= 3 and sum(times[name]) > SECONDS:
                continue
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: (1000 * statistics.median(seconds), 1000 * min(seconds)) for name, seconds in times.items()}


def report(what, contenders):
    found = measure(contenders)
    print(what)
    for name, values in found.items():
        ratios = [value / ours for value, ours in zip(values, found["ours"], strict=True)]
        print("  {:<16}{:9.2f} ms{:9.2f} ms{:8.2f}{:8.2f}".format(name, *values, *ratios), flush=True)


def main():
    print("                     median     fastest      times ours")
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    torch.set_num_threads(THREADS)
    for size, batch in itertools.product(SIZES, BATCHES):
        for what, contenders in sampling(size, batch).items():
            report(f"{what}, {batch} x {'x'.join(map(str, size))}", contenders)
    for size, batch in itertools.product(SIZES, BATCHES):
        for format, contenders in exported(size, batch).items():
            report(f"whole warp in {format}, {batch} x {'x'.join(map(str, size))}", contenders)


if __name__ == "__main__":
    main()
