"""The same again on each other backend of Keras, in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

on_each_backend = pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])


def run_on(backend, *arguments):
    """Run python on another backend; skip the test if it is not there, or if this session runs on it.

    Args:
        backend: "tensorflow", "jax" or "torch".
        *arguments: of python.

    Raises:
        AssertionError: if it fails, with the end of what it printed.
    """
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} runs this very session")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # compiling takes longer than all that is computed
    environment = {**os.environ, **quick, "KERAS_BACKEND": backend}
    root = Path(__file__).parents[1]
    result = subprocess.run([sys.executable, *arguments], env=environment, cwd=root, capture_output=True, text=True)
    assert result.returncode == 0, f"{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
