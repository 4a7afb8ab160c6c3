"""Weights saved under one backend are the same model under the others."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn import models

from .backends import on_each_backend, run_on

# What another backend does: build the model anew, load the file, answer.
ANSWER = """
import sys
import keras, numpy as np
from keras_segattn import models

model = models.fcn8s((33, 63, 3), 5, head_filters=16)
model.load_weights(sys.argv[1])
image = np.load(sys.argv[2])
np.savez(sys.argv[3], logits=keras.ops.convert_to_numpy(model(image)), backend=keras.backend.backend())
"""


@pytest.fixture(scope="module")
def saved(settle, tmp_path_factory):
    """(weights file, image file, logits) of this session's backend."""
    folder = tmp_path_factory.mktemp("saved")
    keras.utils.set_random_seed(0)
    model = models.fcn8s((33, 63, 3), 5, head_filters=16)
    image = np.random.default_rng(0).uniform(0, 255, (2, 33, 63, 3)).astype("float32")
    settle(model, image)
    for layer in model.layers:
        if layer.name.startswith("score_"):
            layer.kernel.assign(np.random.default_rng(1).normal(size=layer.kernel.shape))
    model.save_weights(folder / "fcn8s.weights.h5")
    np.save(folder / "image.npy", image)
    return folder / "fcn8s.weights.h5", folder / "image.npy", ops.convert_to_numpy(model(image))


@on_each_backend
def test_saved_weights_give_the_same_logits_under_backend(saved, backend, tmp_path):
    weights, image, expected = saved
    run_on(backend, "-c", ANSWER, weights, image, tmp_path / "answer.npz")
    found = np.load(tmp_path / "answer.npz")
    assert found["backend"] == backend
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(found["logits"], expected, atol=1e-5 * np.ptp(expected))
