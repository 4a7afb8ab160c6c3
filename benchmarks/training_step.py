"""A training step of an entry on every backend that is installed, side by side, on random images.

    python benchmarks/training_step.py

Prints seconds an image and step, and the ratio to the fastest.
"""

import importlib.util
import json
import os
import subprocess
import sys

NAME, STEPS = "fcn8s_mobilenet_camvid", 4
CHILD = """
import json, sys, time
import keras, numpy as np
from keras_segattn import losses, zoo
name, steps = sys.argv[1], int(sys.argv[2])
recipe, rng = zoo.info(name), np.random.default_rng(0)
model = zoo.load(name, weights=False, image_size=recipe.crop)
model.compile(keras.optimizers.AdamW(1e-3), losses.CrossEntropy(ignore_label=11))
images = rng.integers(0, 256, (recipe.batch_size, *recipe.crop, 3)).astype("float32")
labels = rng.integers(0, 12, (recipe.batch_size, *recipe.crop))
for _ in range(2):
    model.train_on_batch(images, labels)
start = time.perf_counter()
for _ in range(steps):
    model.train_on_batch(images, labels)
print(json.dumps((time.perf_counter() - start) / steps / recipe.batch_size))
"""


def main():
    installed = [name for name in ("tensorflow", "torch", "jax") if importlib.util.find_spec(name)]
    seconds = {}
    for backend in installed:
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [sys.executable, "-c", CHILD, NAME, str(STEPS)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        seconds[backend] = json.loads(done.stdout.splitlines()[-1])
    fastest = min(seconds.values())
    for backend, value in seconds.items():
        print(f"{backend:<12}{value:8.3f} s an image and step{value / fastest:8.2f} times the fastest")


if __name__ == "__main__":
    main()
