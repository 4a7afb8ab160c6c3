"""zoo.load: what a name and its arguments give, and what they do not."""

import numpy as np
import pytest

from keras_segattn import zoo
from keras_segattn.models import load_weights

NAME = "fcn8s_mobilenet_camvid"


def test_a_wildcard_finds_entries():
    assert zoo.list_models("fcn8s_*") == [NAME]


def test_the_pretrained_model_differs_from_the_random_one_and_sees_more_than_one_class():
    image = np.random.default_rng(0).integers(0, 256, (1, 360, 480, 3)).astype("float32")
    logits = zoo.load(NAME).predict(image, verbose=0)
    assert logits.shape == (1, 360, 480, 11)
    assert np.ptp(logits) > 1
    assert np.ptp(zoo.load(NAME, weights=False).predict(image, verbose=0)) == 0  # zero-initialised scores


def test_another_class_count_keeps_everything_but_the_score_layers():
    whole, mine = zoo.load(NAME), zoo.load(NAME, num_classes=2)
    kept = [layer.name for layer in mine.layers if layer.weights and not layer.name.startswith(("score", "upsample"))]
    assert kept == ["encoder", "fc6", "fc6_bn", "fc7", "fc7_bn"]
    for name in kept:
        for one, other in zip(whole.get_layer(name).get_weights(), mine.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert mine.output_shape == (None, 360, 480, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, "num_classes: expected an integer >= 2"),
        ({"num_classes": 2.5}, "num_classes: expected an integer >= 2"),
        ({"image_size": (16, 480)}, "image_shape: expected"),
    ],
)
def test_a_wrong_class_count_or_image_size_is_an_error_that_names_it(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.load(NAME, **arguments)


def test_an_image_of_another_size_than_the_model_takes_is_refused():
    with pytest.raises(ValueError, match="360"):
        zoo.load(NAME)(np.zeros((1, 100, 100, 3), "float32"))


def test_the_weights_of_another_architecture_are_refused_and_change_nothing():
    model = zoo.load("fcn32s_mobilenet_camvid", weights=False)
    before = [weight.copy() for weight in model.get_weights()]
    with pytest.raises(ValueError, match="expected those of fcn32s"):
        load_weights(model, zoo.download(NAME))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
