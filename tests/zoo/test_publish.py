"""Weights go into the zoo only if they were trained as their entry says."""

from dataclasses import replace

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
