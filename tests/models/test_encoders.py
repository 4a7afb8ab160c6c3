"""Every encoder gives features at exact strides, wants the pixels it gets, and takes weights by name."""

import doctest
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.models import encoders as module
from keras_segattn.models.encoders import ENCODERS, encode, load_arrays

RNG = np.random.default_rng(0)

PREPROCESSING = {
    "mobilenet": keras.applications.mobilenet,
    "mobilenet_0.75": keras.applications.mobilenet,
    "mobilenet_v2": keras.applications.mobilenet_v2,
    "vgg16": keras.applications.vgg16,
    "resnet50": keras.applications.resnet50,
}


@pytest.fixture(scope="module", params=ENCODERS)
def features(request):
    """(name, model of any image -> features by stride)."""
    image = keras.Input((None, None, 3))
    return request.param, keras.Model(image, encode(image, request.param))


@pytest.mark.parametrize(
    "size, padded", [((32, 64), (32, 64)), ((33, 63), (64, 64)), ((360, 480), (384, 480)), ((1, 97), (32, 128))]
)
def test_features_are_the_padded_size_divided_by_their_stride(features, size, padded):
    _, model = features
    shapes = model.compute_output_shape((2, *size, 3))
    assert sorted(shapes) == [4, 8, 16, 32]
    for stride, shape in shapes.items():
        assert shape[:3] == (2, padded[0] // stride, padded[1] // stride)


def test_features_of_an_odd_image_have_the_sizes_that_were_promised(features):
    _, model = features
    image = RNG.uniform(0, 255, (1, 33, 63, 3)).astype("float32")
    found = {stride: tuple(feature.shape) for stride, feature in model(image).items()}
    assert found == model.compute_output_shape(image.shape)
    deepest = ops.convert_to_numpy(model(image)[32])
    assert deepest.std() > 0


def test_pixels_come_as_keras_applications_prepares_them(features):
    name, model = features
    image = RNG.uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    pixels = keras.Model(model.input, model.get_layer("rescale").output)(image)
    expected = PREPROCESSING[name].preprocess_input(image.copy())
    np.testing.assert_allclose(ops.convert_to_numpy(pixels), expected, atol=1e-4)


def test_padding_is_zero_among_normalised_pixels_and_lies_below_and_right(features):
    _, model = features
    image = RNG.uniform(0, 255, (1, 40, 50, 3)).astype("float32")
    padded = ops.convert_to_numpy(keras.Model(model.input, model.get_layer("pad").output)(image))
    assert padded.shape[1:3] == (64, 64)
    assert (padded[:, 40:] == 0).all()
    assert (padded[:, :, 50:] == 0).all()
    assert (padded[:, :40, :50] != 0).mean() > 0.99


def test_finer_features_come_earlier_and_the_deepest_are_the_end(features):
    name, model = features
    encoder = model.get_layer("encoder")
    order = [layer.name for layer in encoder.layers]
    positions = [order.index(ENCODERS[name].taps[stride]) for stride in (4, 8, 16, 32)]
    assert positions == sorted(positions)
    assert positions[-1] == len(order) - 1


def test_an_unknown_encoder_is_told_with_those_there_are():
    with pytest.raises(ValueError, match="expected one of mobilenet, .*vgg16. Received: 'resnet51'"):
        encode(keras.Input((32, 32, 3)), "resnet51")


# Weights from a file


def small_network():
    return keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            keras.layers.DepthwiseConv2D(3, name="depth", depthwise_initializer="zeros"),
            keras.layers.Conv2D(5, 1, use_bias=False, name="point"),
            keras.layers.BatchNormalization(name="norm"),
        ]
    )


def random_arrays(network):
    return {f"{layer.name}/{v.name}": RNG.normal(size=v.shape) for layer in network.layers for v in layer.weights}


def test_arrays_become_the_weights_of_their_names_whatever_their_order(tmp_path):
    network, others = small_network(), {"predictions/kernel": np.ones((9, 9))}
    arrays = random_arrays(network)
    np.savez(tmp_path / "all.npz", **dict(reversed(arrays.items())), **others)
    load_arrays(network, tmp_path / "all.npz")
    for layer in network.layers:
        for variable in layer.weights:
            expected = arrays[f"{layer.name}/{variable.name}"].astype("float32")
            np.testing.assert_array_equal(ops.convert_to_numpy(variable), expected)


def test_a_depthwise_kernel_may_have_its_old_name(tmp_path):
    network = small_network()
    arrays = random_arrays(network)
    kernel = arrays.pop("depth/kernel")
    np.savez(tmp_path / "old.npz", **arrays, **{"depth/depthwise_kernel": kernel})
    load_arrays(network, tmp_path / "old.npz")
    loaded = ops.convert_to_numpy(network.get_layer("depth").weights[0])
    np.testing.assert_array_equal(loaded, kernel.astype("float32"))


def test_a_missing_array_is_named_with_its_shape(tmp_path):
    arrays = random_arrays(small_network())
    del arrays["norm/moving_variance"]
    np.savez(tmp_path / "less.npz", **arrays)
    message = r"less.npz: expected norm/moving_variance of shape \(5,\). Received: nothing of that name"
    with pytest.raises(ValueError, match=message):
        load_arrays(small_network(), tmp_path / "less.npz")


def test_an_array_of_another_shape_is_named_with_both_shapes(tmp_path):
    arrays = random_arrays(small_network())
    arrays["point/kernel"] = arrays["point/kernel"][..., :4]
    np.savez(tmp_path / "narrow.npz", **arrays)
    message = r"expected point/kernel of shape \(1, 1, 2, 5\). Received: \(1, 1, 2, 4\)"
    with pytest.raises(ValueError, match=message):
        load_arrays(small_network(), tmp_path / "narrow.npz")


def test_a_file_of_weights_that_is_not_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.npz"):
        load_arrays(small_network(), tmp_path / "none.npz")


def test_an_encoder_with_weights_from_a_file_gives_the_features_of_its_application(trainable_camvid):
    folder = trainable_camvid / "weights_mobilenet_v1_0.75_224"
    path = folder / "mobilenet_v1_0.75_224_imagenet.npz"
    image = keras.Input((64, 96, 3))
    model = keras.Model(image, encode(image, "mobilenet_0.75", weights=path))
    reference = keras.applications.MobileNet((64, 96, 3), alpha=0.75, include_top=False, weights=None)
    load_arrays(reference, path)
    photo = RNG.uniform(0, 255, (1, 64, 96, 3)).astype("float32")
    expected = ops.convert_to_numpy(reference(keras.applications.mobilenet.preprocess_input(photo.copy())))
    assert expected.std() > 0.1
    np.testing.assert_allclose(ops.convert_to_numpy(model(photo)[32]), expected, atol=1e-3 * np.ptp(expected))


@pytest.mark.real_data
def test_the_encoder_pretrained_on_imagenet_sees_more_in_a_photograph_than_in_its_shuffled_pixels():
    data = Path(os.environ.get("KERAS_SEGATTN_DATA", ""))
    path = data / "weights_mobilenet_v1_0.75_224" / "mobilenet_v1_0.75_224_imagenet.npz"
    if not path.is_file():
        pytest.skip("KERAS_SEGATTN_DATA names no folder with weights_mobilenet_v1_0.75_224")
    from keras_segattn.images import fit, read_image

    photo = fit(read_image(next((data / "camvid" / "CamVid" / "test").iterdir())), 96, 128)
    shuffled = RNG.permutation(photo.reshape(-1, 3)).reshape(photo.shape)
    image = keras.Input((96, 128, 3))
    deepest = keras.Model(image, encode(image, "mobilenet_0.75", weights=path)[32])
    seen, noise = ops.convert_to_numpy(deepest(np.stack([photo, shuffled]).astype("float32")))
    assert seen.std() > 1.2 * noise.std()


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # one of them writes a file
    assert doctest.testmod(module).failed == 0
