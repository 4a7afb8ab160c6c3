"""Rewriting: a layer that a format has not becomes others, the answer stays, and a rule that errs writes nothing."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_segattn.export import Runner, export_model
from keras_segattn.export import rewrite as module
from keras_segattn.export.calls import interface_of
from keras_segattn.export.convert import ConversionError
from keras_segattn.export.parity import ParityError
from keras_segattn.export.rewrite import RULES, rewrite

IMAGE, VOLUME = (6, 8, 4), (5, 6, 7, 2)
RNG = np.random.default_rng(0)

# Class -> (shape of the input, function to what is rewritten).
REWRITTEN = {
    "UpSampling2D": (IMAGE, lambda x: layers.UpSampling2D((2, 3), interpolation="bicubic")(x)),
    "Resizing": (IMAGE, lambda x: layers.Resizing(3, 5, interpolation="lanczos3")(x)),
    "Resize": (IMAGE, lambda x: ops.image.resize(x, (4, 3), antialias=True)),
    "Conv2DTranspose": (IMAGE, lambda x: layers.Conv2DTranspose(5, 3, dilation_rate=2, activation="relu")(x)),
    "MaxPooling3D": (VOLUME, lambda x: layers.MaxPooling3D((2, 3, 2), (2, 1, 3))(x)),
    "AveragePooling3D": (VOLUME, lambda x: layers.AveragePooling3D((2, 3, 2), (2, 1, 3), padding="same")(x)),
    "Argmax": (IMAGE, lambda x: ops.argmax(x, axis=1)),
}


def of(makes, shape, name="small"):
    """A model, and what it is asked."""
    x = keras.Input(shape, name="given")
    return keras.Model(x, makes(x), name=name), RNG.normal(size=(8, *shape))


def rewritten(model, samples):
    return rewrite(model, *interface_of(model, samples))


def test_every_rule_has_its_test():
    assert set(REWRITTEN) == set(RULES)


@pytest.mark.parametrize("kind", RULES)
def test_what_is_refused_is_proven_once_it_is_rewritten(kind, here, tmp_path):
    shape, makes = REWRITTEN[kind]
    model, samples = of(makes, shape)
    with pytest.raises(ConversionError, match="rewrite=True"):
        export_model(model, tmp_path, samples=samples, format="tflite")
    report = export_model(model, tmp_path, samples=samples, format="tflite", rewrite=True)
    (change,) = report.rewritten
    (output,) = Runner(report.path).signatures["call"]
    assert change == f"{output}: {kind}, as {RULES[kind][1]}"
    assert report.to_dict()["rewritten"] == [change]
    assert report.parity.worst < 1e-5
    assert report.parity.agreement == 1


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [2, 3, (3, 4)])
@pytest.mark.parametrize("dilation", [2, 3])
def test_a_dilated_transposed_convolution_of_any_size_is_a_convolution(size, dilation, padding):
    options = {"padding": padding, "bias_initializer": "normal"}
    model, samples = of(lambda x: layers.Conv2DTranspose(5, size, dilation_rate=dilation, **options)(x), IMAGE)
    new, changes = rewritten(model, samples)                               # which holds their answers together
    assert len(changes) == 1
    assert not any(isinstance(layer, layers.Conv2DTranspose) for layer in new._flatten_layers())


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("pool", [layers.MaxPooling3D, layers.AveragePooling3D])
def test_a_volume_is_pooled_in_two_steps(pool, padding):
    assert len(rewritten(*of(pool((3, 2, 3), (1, 2, 2), padding=padding), VOLUME))[1]) == 1


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [-1, 1])
def test_the_first_of_equals_is_taken_along_any_axis(axis, keepdims):
    model, samples = of(lambda x: ops.argmax(ops.round(x) + 0.0, axis=axis, keepdims=keepdims), IMAGE)
    assert len(rewritten(model, samples)[1]) == 1


def test_weights_names_and_what_is_inside_of_models_are_kept():
    inner = keras.Sequential(
        [keras.Input(IMAGE), layers.BatchNormalization(), layers.UpSampling2D(interpolation="bicubic", name="up")],
        name="inner",
    )
    inner.layers[0].set_weights(RNG.uniform(1, 2, (4, 4)))
    model, samples = of(lambda x: {"seen": layers.Conv2D(2, 3, name="seen")(inner(x)), "raw": x}, IMAGE)
    new, changes = rewritten(model, samples)
    assert changes == ("up: UpSampling2D, as two products with matrices",)
    assert set(new.output) == {"seen", "raw"}
    assert new.name == model.name
    for ours, theirs in zip(inner.layers[0].get_weights(), new.get_layer("inner").layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    new.get_layer("seen").set_weights([0 * weight for weight in new.get_layer("seen").get_weights()])
    assert model.get_layer("seen").get_weights()[0].any()                  # they share nothing
    assert tuple(model.get_layer("seen").output.shape) == (None, 10, 14, 2)


@pytest.mark.parametrize("makes", [
    lambda x: layers.UpSampling2D(interpolation="bilinear")(x),
    lambda x: layers.Resizing(3, 3)(x),
    lambda x: layers.Resizing(3, 3, interpolation="bicubic", crop_to_aspect_ratio=True)(x),
    lambda x: layers.Conv2DTranspose(3, 4, strides=2)(x),
    lambda x: ops.argmax(x),
])  # fmt: skip
def test_what_converts_or_is_no_case_of_a_rule_stays(makes):
    model, samples = of(makes, IMAGE)
    assert rewritten(model, samples) == (model, ())


def test_sizes_that_are_free_stay():
    x = keras.Input((None, None, 3), name="given")
    model = keras.Model(x, layers.UpSampling2D(interpolation="bicubic")(x))
    assert rewritten(model, RNG.normal(size=(8, 4, 4, 3)))[1] == ()


def test_a_rule_that_errs_leaves_nothing_behind(monkeypatch, tmp_path):
    model, samples = of(lambda x: layers.UpSampling2D(4, interpolation="bicubic")(x), IMAGE)
    for size, message in ((4, "outputs differ by .* of their range, at most 1e-05"), (2, r"\(1, 12, 16, 4\)")):
        nearest = layers.UpSampling2D(size, name="up")
        monkeypatch.setitem(module.RULES, "UpSampling2D", (lambda layer, new=nearest: new, "the nearest pixel"))
        with pytest.raises(ParityError, match=f"small, rewritten: .*{message}"):
            export_model(model, tmp_path, samples=samples, format="tflite", rewrite=True)
    assert not list(tmp_path.iterdir())


class Written(keras.Model):
    def call(self, x):
        return ops.argmax(x, axis=-1)


def test_a_model_that_cannot_be_taken_apart_is_refused():
    model, samples = Written(), RNG.normal(size=(8, 4)).astype("float32")
    model(samples)
    with pytest.raises(ValueError, match="rewrite: expected a functional or sequential model.* Received: Written"):
        rewritten(model, samples)
