"""Every layer keeps the contract of ``tests/contracts.py``, on every backend, and all give the same answer."""

import importlib.util
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_segattn import layers

from ..contracts import answer, check_layer

# name: (maker, shape or shapes of the input, the same of another size)
LAYERS = {
    "bilinear_upsampling_2": (partial(layers.BilinearUpsampling2D, 2), (2, 3, 4, 3), (2, 5, 2, 3)),
    "bilinear_upsampling_3": (partial(layers.BilinearUpsampling2D, 3), (2, 4, 3, 2), (1, 2, 5, 2)),
    "bilinear_upsampling_8_fixed": (
        partial(layers.BilinearUpsampling2D, 8, trainable=False),
        (1, 3, 2, 2),
        (1, 2, 4, 2),
    ),
    "subpixel_upsampling_2": (partial(layers.SubpixelUpsampling2D, 2), (2, 3, 4, 3), (2, 5, 2, 3)),
    "subpixel_upsampling_3": (partial(layers.SubpixelUpsampling2D, 3), (2, 4, 3, 2), (1, 2, 5, 2)),
    "subpixel_upsampling_8_fixed": (
        partial(layers.SubpixelUpsampling2D, 8, trainable=False),
        (1, 3, 2, 2),
        (1, 2, 4, 2),
    ),
    "subpixel_conv_transpose_same": (
        partial(layers.SubpixelConv2DTranspose, 4, 3, 2, padding="same", kernel_initializer="zeros"),
        (2, 3, 4, 3),
        (2, 5, 2, 3),
    ),
    "subpixel_conv_transpose_valid": (
        partial(layers.SubpixelConv2DTranspose, 2, (5, 1), (2, 3), use_bias=False, kernel_initializer="zeros"),
        (2, 3, 4, 3),
        (1, 5, 2, 3),
    ),
    "bilinear_resizing_2": (partial(layers.BilinearResizing2D, 2), (2, 3, 4, 3), (2, 5, 2, 3)),
    "bilinear_resizing_3": (partial(layers.BilinearResizing2D, 3), (2, 4, 3, 2), (1, 2, 5, 2)),
    "resize_conv_2": (partial(layers.ResizeConv2D, 2), (2, 3, 4, 3), (2, 5, 2, 3)),
    "resize_conv_4_pointwise": (partial(layers.ResizeConv2D, 4, 1), (2, 3, 2, 3), (1, 2, 4, 3)),
    "pad_to_multiple_32": (partial(layers.PadToMultiple, 32), (2, 33, 64, 3), (2, 20, 65, 3)),
    "pad_to_multiple_1": (partial(layers.PadToMultiple, 1), (2, 3, 4, 3), (2, 5, 2, 3)),
    "crop_like": (
        layers.CropLike,
        [(2, 5, 6, 3), (2, 4, 3, 1)],
        [(2, 8, 8, 3), (2, 8, 7, 1)],
    ),
}


@pytest.mark.parametrize("row", LAYERS.values(), ids=LAYERS)
def test_every_layer_keeps_the_contract(row):
    check_layer(*row)


def test_every_public_layer_has_a_row():
    made = {type(make()).__name__ for make, _, _ in LAYERS.values()}
    assert made == set(layers.__all__)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_answers_are_those_of_backend(backend, tmp_path):
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} runs this very session")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    command = [sys.executable, "-m", __spec__.name, tmp_path / "answers.npz"]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    root = Path(__file__).parents[2]
    result = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-4000:]
    theirs = np.load(tmp_path / "answers.npz")
    assert set(theirs) == set(LAYERS)
    for name, (make, shapes, _) in LAYERS.items():
        ours = answer(make(), shapes)
        np.testing.assert_allclose(theirs[name], ours, atol=1e-5 * np.ptp(ours), err_msg=name)


if __name__ == "__main__":  # on another backend: the same checks, and the answers to compare
    for row in LAYERS.values():
        check_layer(*row)
    np.savez(sys.argv[1], **{name: answer(make(), shapes) for name, (make, shapes, _) in LAYERS.items()})
