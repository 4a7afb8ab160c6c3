"""A decoder of each kind starts from one answer; a trained one is taken from kind to kind exactly or not at all."""

import doctest

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_segattn import zoo
from keras_segattn.layers import (
    BilinearResizing2D,
    BilinearUpsampling2D,
    ResizeConv2D,
    SubpixelConv2DTranspose,
    SubpixelUpsampling2D,
)
from keras_segattn.models import BUILDERS, UPSAMPLING, convert_upsampling, fcn8s
from keras_segattn.models import upsampling as module

LAYERS = {
    "conv_transpose": [BilinearUpsampling2D] * 3,
    "bilinear": [ResizeConv2D, ResizeConv2D, BilinearResizing2D],
    "depth_to_space": [SubpixelUpsampling2D] * 3,
}
THERE_AND_BACK = [("conv_transpose", "depth_to_space"), ("depth_to_space", "conv_transpose")]


def photo(height=64, width=96, batch=1):
    return np.random.default_rng(0).uniform(0, 255, (batch, height, width, 3)).astype("float32")


def answer(model, x):
    found = ops.convert_to_numpy(model(x))
    assert found.std() > 1e-3
    return found


def same(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.ptp(expected))


def randomise(model):
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if layer.name.startswith(("score_", "upsample_", "up")):
            layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return model


def decoder(up, size=(6, 5)):
    """A convolution, an upsampling under test, and another convolution."""
    image = keras.Input((*size, 3), name="image")
    x = layers.Conv2D(4, 1, name="before")(image)
    return keras.Model(image, layers.Conv2D(2, 1, name="after")(up(x)), name="decoder")


@pytest.mark.parametrize("kind", UPSAMPLING)
def test_a_builder_uses_the_layers_of_the_kind_under_the_same_names(kind):
    model = fcn8s((64, 96, 3), 3, head_filters=4, upsampling=kind)
    ups = [model.get_layer(f"upsample_{a}_to_{b}") for a, b in [(32, 16), (16, 8), (8, 1)]]
    assert [type(layer) for layer in ups] == LAYERS[kind]
    assert [bool(layer.trainable_variables) for layer in ups] == [True, True, False]
    assert model.output_shape == (None, 64, 96, 3)


def test_the_default_is_conv_transpose_and_depth_to_space_has_the_same_weights():
    plain = randomise(fcn8s((64, 96, 3), 3, head_filters=4))
    assert [type(x) for x in plain.layers if x.name.startswith("upsample_")] == LAYERS["conv_transpose"]
    subpixel = fcn8s((64, 96, 3), 3, head_filters=4, upsampling="depth_to_space")
    subpixel.set_weights(plain.get_weights())
    same(answer(subpixel, photo()), answer(plain, photo()))


@pytest.mark.parametrize("name", [name for name in BUILDERS if name.startswith("fcn")])
def test_an_unknown_kind_is_refused_by_builders(name):
    with pytest.raises(ValueError, match="upsampling: expected one of .*bilinear.* Received: 'nearest'"):
        BUILDERS[name]((64, 96, 3), 3, upsampling="nearest")


@pytest.mark.parametrize("kind", ["bilinear", "depth_to_space"])
def test_a_new_model_gives_one_answer_with_every_kind(kind):
    plain = fcn8s((64, 96, 3), 3, head_filters=4)
    for layer in plain.layers:
        if layer.name.startswith("score_"):
            layer.set_weights([np.random.default_rng(2).normal(size=w.shape) for w in layer.get_weights()])
    other = fcn8s((64, 96, 3), 3, head_filters=4, upsampling=kind)
    weights = {layer.name: layer for layer in plain.layers}
    for layer in other.layers:
        if not layer.name.startswith("upsample_"):
            layer.set_weights(weights[layer.name].get_weights())
    same(answer(other, photo()), answer(plain, photo()))


@pytest.mark.parametrize(("start", "kind"), THERE_AND_BACK)
def test_random_weights_of_fcn8s_go_there_and_back(start, kind):
    model = randomise(fcn8s((64, 96, 3), 3, head_filters=4, upsampling=start))
    converted = convert_upsampling(model, kind)
    assert [type(x) for x in converted.layers if x.name.startswith("upsample_")] == LAYERS[kind]
    assert [layer.name for layer in converted.layers] == [layer.name for layer in model.layers]
    assert len(converted.trainable_variables) == len(model.trainable_variables)
    same(answer(converted, photo()), answer(model, photo()))
    back = convert_upsampling(converted, start)
    np.testing.assert_array_equal(answer(back, photo()), answer(model, photo()))


def test_the_trained_fcn8s_of_the_zoo_keeps_its_answer():
    model = zoo.load("fcn8s_mobilenet_camvid", image_size=(96, 128))
    expected = answer(model, photo(96, 128))
    same(answer(convert_upsampling(model, "depth_to_space"), photo(96, 128)), expected)
    with pytest.raises(ValueError, match="upsample_32_to_16: .*'bilinear'.*a kernel that is no longer an interp"):
        convert_upsampling(model, "bilinear")


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 4, "strides": 2, "padding": "same", "activation": "relu"},
        {"kernel_size": 3, "strides": 2, "padding": "same", "use_bias": False, "trainable": False},
        {"kernel_size": 5, "strides": 3, "padding": "valid", "activation": lambda x: x * ops.sigmoid(x)},
        {"kernel_size": 2, "strides": (2, 1), "dtype": "float64"},
    ],
)
def test_a_plain_conv2d_transpose_goes_there_and_back(arguments):
    model = randomise(decoder(layers.Conv2DTranspose(5, **arguments, name="up")))
    x = photo(6, 5) / 255
    converted = convert_upsampling(model, "depth_to_space")
    up = converted.get_layer("up")
    assert (type(up), up.trainable) == (SubpixelConv2DTranspose, arguments.get("trainable", True))
    assert up.dtype_policy == model.get_layer("up").dtype_policy
    same(answer(converted, x), answer(model, x))
    back = convert_upsampling(converted, "conv_transpose")
    assert type(back.get_layer("up")) is layers.Conv2DTranspose
    np.testing.assert_array_equal(answer(back, x), answer(model, x))


@pytest.mark.parametrize("start", ["conv_transpose", "depth_to_space"])
@pytest.mark.parametrize("trainable", [True, False])
def test_interpolation_goes_to_bilinear_and_back(start, trainable):
    kind = UPSAMPLING[start]
    model = decoder((kind.learnable if trainable else kind.fixed)(3, name="up"))
    x = photo(6, 5) / 255
    converted = convert_upsampling(model, "bilinear")
    assert type(converted.get_layer("up")) is (ResizeConv2D if trainable else BilinearResizing2D)
    same(answer(converted, x), answer(model, x))
    back = convert_upsampling(converted, start)
    assert back.get_layer("up").trainable is trainable
    same(answer(back, x), answer(model, x))


def test_interpolation_that_mixes_channels_goes_to_bilinear_and_back():
    model = decoder(BilinearUpsampling2D(2, name="up"))
    up, mixing = model.get_layer("up"), np.random.default_rng(3).normal(size=(4, 4))
    up.set_weights([up.get_weights()[0].sum(-1, keepdims=True) * mixing])
    x = photo(6, 5) / 255
    converted = convert_upsampling(model, "bilinear")
    same(answer(converted, x), answer(model, x))
    same(answer(convert_upsampling(converted, "conv_transpose"), x), answer(model, x))


@pytest.mark.parametrize(
    ("up", "kind", "reason"),
    [
        (lambda: layers.Conv2DTranspose(2, 4, 2, name="up"), "bilinear", "not made as an interpolation"),
        (lambda: layers.Conv2DTranspose(2, 3, 2, output_padding=1, name="up"), "depth_to_space", "output_padding="),
        (lambda: ResizeConv2D(2, name="up"), "depth_to_space", "sees more than the pixel itself"),
        (lambda: ResizeConv2D(2, name="up"), "conv_transpose", "sees more than the pixel itself"),
        (lambda: SubpixelUpsampling2D(2, name="up"), "bilinear", "no longer an interpolation"),
    ],
)
def test_a_layer_without_an_exact_equal_is_refused_by_name_and_reason(up, kind, reason):
    with pytest.raises(ValueError, match=f"up: expected a layer with an exact equal of kind '{kind}'.*{reason}"):
        convert_upsampling(randomise(decoder(up())), kind)


def test_the_same_kind_gives_a_copy_that_shares_no_weights():
    model = randomise(decoder(layers.Conv2DTranspose(4, 3, 2, padding="same", kernel_regularizer="l2", name="up")))
    x = photo(6, 5) / 255
    copy, expected = convert_upsampling(model, "conv_transpose"), answer(model, x)
    assert copy.get_layer("up").kernel_regularizer is not None
    copy.get_layer("up").kernel.assign(ops.zeros((3, 3, 4, 4)))
    np.testing.assert_array_equal(answer(model, x), expected)


def test_upsampling_in_a_model_inside_is_converted_and_frozen_layers_stay_frozen():
    inner = randomise(decoder(layers.Conv2DTranspose(4, 4, 2, padding="same", name="up"), size=(None, None)))
    inner.get_layer("before").trainable = False
    model = keras.Sequential([keras.Input((6, 5, 3)), inner, layers.Conv2D(2, 1)])
    converted = convert_upsampling(model, "depth_to_space")
    assert type(converted.get_layer("decoder").get_layer("up")) is SubpixelConv2DTranspose
    assert len(converted.trainable_variables) == len(model.trainable_variables)
    same(answer(converted, photo(6, 5) / 255), answer(model, photo(6, 5) / 255))


def test_what_cannot_be_converted_at_all_is_refused():
    with pytest.raises(ValueError, match="kind: expected one of .*depth_to_space. Received: 'nearest'"):
        convert_upsampling(decoder(BilinearUpsampling2D(2)), "nearest")
    with pytest.raises(ValueError, match="with upsampling layers. Received: decoder, which has none"):
        convert_upsampling(decoder(layers.Conv2DTranspose(4, 3)), "depth_to_space")
    with pytest.raises(ValueError, match="model: expected a built functional or sequential"):
        convert_upsampling(keras.Sequential([BilinearUpsampling2D(2)]), "depth_to_space")


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0
