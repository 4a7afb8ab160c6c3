"""Weights go into the zoo only if they were trained as their entry says."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_segattn import zoo
from keras_segattn.zoo import publish as module
from keras_segattn.zoo.publish import publish
from keras_segattn.zoo.recipe import write_recipe

NAME = "cnn_mnist_r"


@pytest.fixture
def run(tmp_path):
    """Function: recipe -> weights of a run by it."""

    def made(recipe):
        zoo.load(NAME, weights=False).save_weights(tmp_path / "best.weights.h5")
        write_recipe(recipe, tmp_path)
        return tmp_path / "best.weights.h5"

    return made


def test_weights_of_the_recipe_are_stored_whatever_is_decided_after_training(run, tmp_path, monkeypatch):
    recorded = []
    monkeypatch.setattr(module, "record", recorded.append)
    weights = run(replace(zoo.info(NAME), operators={}, float_layers=("dense",)))
    path = publish(NAME, weights, tmp_path)
    assert recorded == [path]
    assert path.stat().st_size < weights.stat().st_size


def test_weights_of_another_recipe_are_refused_with_what_differs(run, tmp_path):
    weights = run(replace(zoo.info(NAME), epochs=7, policy="mixed_bfloat16"))
    message = f"training by the recipe of {NAME}. It had epochs: 7, policy: 'mixed_bfloat16'"
    with pytest.raises(ValueError, match=message):
        publish(NAME, weights, tmp_path)
    assert not (tmp_path / f"{NAME}.weights.h5").exists()


def test_of_what_is_published_a_float16_file_loses_nothing():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, use_bias=False)(image))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    rng = np.random.default_rng(0)
    model.set_weights([abs(rng.normal(size=weight.shape)) + 0.1 for weight in model.get_weights()])
    images = rng.normal(size=(4, 8, 8, 3)).astype("float32")
    before = model.predict_on_batch(images)
    module.absorb_normalization(model)
    module.round_vectors(model)
    np.testing.assert_allclose(model.predict_on_batch(images), before, rtol=2e-3)
    gamma, beta, mean, variance = model.layers[2].get_weights()
    factor = gamma / np.sqrt(variance + model.layers[2].epsilon)
    kernel = model.layers[1].get_weights()[0].astype("float16") * factor
    np.testing.assert_allclose(kernel, kernel.astype("float16").astype("float32"), atol=1e-6)
    folded = beta - mean * gamma / np.sqrt(variance + model.layers[2].epsilon)
    for bias in (folded, np.asarray(model.layers[-1].bias)):
        np.testing.assert_allclose(bias, bias.astype("float16").astype("float32"), atol=1e-6)
        assert np.abs(bias).max() > 0.1
