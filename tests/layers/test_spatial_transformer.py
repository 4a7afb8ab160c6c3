"""A SpatialTransformer starts as the identity, and learns, saves and says where it looks."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.layers import AffineGrid, BilinearSampler, ProjectiveGrid, SpatialTransformer, ThinPlateSplineGrid
from keras_segattn.layers import spatial_transformer as module
from keras_segattn.layers.spatial_transformer import TRANSFORMS

from ..contracts import disturb


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def localization(dropout=0.0):
    parts = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Dropout(dropout)]
    return keras.Sequential([keras.Input((8, 6, 2)), *parts])


def to_numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_new_one_changes_nothing(transform, align_corners):
    image = noise(3, 8, 6, 2)
    found = SpatialTransformer(localization(), transform, align_corners=align_corners)(image)
    np.testing.assert_allclose(to_numpy(found), image, atol=1e-4)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_what_it_returns_is_the_grid_of_theta_and_the_image_read_there(transform):
    image = noise(3, 8, 6, 2)
    layer = disturb(SpatialTransformer(localization(), transform, (4, 5), padding="border"), (3, 8, 6, 2))
    warped, theta, grid = layer(image, return_grid=True)
    by_hand = TRANSFORMS[transform]((4, 5))
    assert tuple(theta.shape) == (3, by_hand.parameters)
    np.testing.assert_allclose(to_numpy(grid), to_numpy(by_hand(theta)), atol=1e-6)
    np.testing.assert_allclose(to_numpy(warped), to_numpy(BilinearSampler("border")([image, grid])), atol=1e-6)
    np.testing.assert_array_equal(to_numpy(layer(image)), to_numpy(warped))
    assert np.abs(np.diff(to_numpy(theta), axis=0)).max() > 1e-3, "each image has a theta of its own"


def test_theta_is_features_times_kernel_plus_bias():
    image, layer = noise(3, 8, 6, 2), disturb(SpatialTransformer(localization()), (3, 8, 6, 2))
    features = to_numpy(layer.localization(image)).reshape(3, -1)
    _, theta, _ = layer(image, return_grid=True)
    np.testing.assert_allclose(to_numpy(theta), features @ to_numpy(layer.kernel) + to_numpy(layer.bias), atol=1e-5)


def test_the_gradient_reaches_localization_once_the_kernel_has_moved():
    keras.utils.set_random_seed(0)
    image = noise(3, 8, 6, 2)
    model = keras.Sequential([keras.Input((8, 6, 2)), SpatialTransformer(localization(), name="stn")])
    model.compile(keras.optimizers.SGD(0.01), "mse")  # small: noise is soon left behind
    kernel = model.get_layer("stn").localization.layers[0].kernel
    before = np.array(to_numpy(kernel))
    model.train_on_batch(image, np.roll(image, 1, axis=1))
    np.testing.assert_array_equal(to_numpy(kernel), before)  # zeros let nothing through
    model.train_on_batch(image, np.roll(image, 1, axis=1))
    assert np.abs(to_numpy(kernel) - before).max() > 1e-4


def test_it_learns_to_bring_back_a_blob_that_was_moved():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    place = np.arange(16) - 7.5

    def blobs(centers):
        apart = [(place - center[:, None]) ** 2 for center in centers.T]
        return np.exp(-(apart[1][:, :, None] + apart[0][:, None, :]) / 18)[..., None].astype("float32")

    moved, still = blobs(rng.uniform(-4, 4, (64, 2))), blobs(np.zeros((64, 2)))
    means = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.AveragePooling2D(4)])
    model = keras.Sequential([keras.Input((16, 16, 1)), SpatialTransformer(means, "attention")])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    start = model.evaluate(moved, still, verbose=0)
    model.fit(moved, still, batch_size=64, epochs=60, verbose=0)
    assert model.evaluate(moved, still, verbose=0) < start / 10


def test_dropout_within_localization_knows_whether_it_is_training():
    image, layer = noise(3, 8, 6, 2), disturb(SpatialTransformer(localization(dropout=0.5)), (3, 8, 6, 2))
    np.testing.assert_array_equal(to_numpy(layer(image)), to_numpy(layer(image)))
    assert np.abs(to_numpy(layer(image, training=True)) - to_numpy(layer(image))).max() > 1e-3


@pytest.mark.parametrize(
    "transform",
    [*TRANSFORMS, AffineGrid((4, 5), attention=True), ThinPlateSplineGrid((3, 3), control_points=2)],
    ids=lambda transform: getattr(transform, "name", transform),
)
def test_saved_and_loaded_it_is_the_same_with_all_its_parts(transform, tmp_path):
    image = keras.Input((8, 6, 2))
    outputs = SpatialTransformer(localization(), transform, name="stn")(image, return_grid=True)
    model = disturb(keras.Model(image, outputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("stn").grid) is type(model.get_layer("stn").grid)
    x = noise(3, 8, 6, 2)
    for ours, theirs, symbolic in zip(model(x), loaded(x), outputs, strict=True):
        assert tuple(symbolic.shape) == (None, *ours.shape[1:])
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_a_grid_layer_of_ones_own_brings_its_size_and_is_used_as_it_is():
    grid = ProjectiveGrid((3, 4), align_corners=True)
    layer = SpatialTransformer(localization(), grid, align_corners=True)
    assert tuple(layer(noise(2, 8, 6, 2)).shape) == (2, 3, 4, 2)
    assert layer.grid is grid and layer.compute_output_shape((None, 8, 6, 2)) == (None, 3, 4, 2)


def test_its_configuration_is_what_it_was_made_with_though_keras_builds_its_parts():
    net = keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.GlobalMaxPooling2D()])
    layer = SpatialTransformer(net, output_size=(4, 3))
    before = layer.get_config()
    layer(noise(2, 8, 6, 2))
    assert layer.get_config() == before
    assert SpatialTransformer.from_config(before)(noise(1, 5, 7, 3)).shape == (1, 4, 3, 3)  # of another size


@pytest.mark.parametrize("grid", [AffineGrid, ProjectiveGrid])
def test_in_mixed_precision_theta_and_grid_stay_float32_of_a_grid_layer_of_ones_own_too(grid):
    layer = SpatialTransformer(localization(), grid((4, 3), dtype="mixed_float16"), dtype="mixed_float16")
    types = [keras.backend.standardize_dtype(x.dtype) for x in layer(noise(2, 8, 6, 2), return_grid=True)]
    assert types == ["float16", "float32", "float32"]


def test_in_mixed_precision_theta_and_grid_stay_float32():
    layer = SpatialTransformer(localization(), dtype="mixed_float16")
    types = [keras.backend.standardize_dtype(x.dtype) for x in layer(noise(2, 8, 6, 2), return_grid=True)]
    assert types == ["float16", "float32", "float32"]
    symbolic = SpatialTransformer(localization(), dtype="mixed_float16")(keras.Input((8, 6, 2)), return_grid=True)
    assert [x.dtype for x in symbolic] == types


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"localization": len}, "localization: expected a keras layer or model. Received: <built-in function len>"),
        ({"transform": "rigid"}, "transform: expected one of affine, .*, or a grid layer. Received: 'rigid'"),
        ({"transform": keras.layers.ReLU()}, "transform: expected one of affine, .* Received: <ReLU"),
        ({"output_size": (0, 3)}, r"output_size: expected \(h, w\), each an integer >= 1. Received: \(0, 3\)"),
        (
            {"transform": AffineGrid((2, 3)), "output_size": (3, 2)},
            r"output_size: expected \(2, 3\) of the grid layer. Received: \(3, 2\)",
        ),
        (
            {"transform": AffineGrid((2, 3), align_corners=True)},
            "align_corners: expected True as transform. Received: False",
        ),
        ({"padding": "same"}, "padding: expected one of zeros, border, reflection. Received: 'same'"),
        ({"interpolation": "cubic"}, "interpolation: expected one of bilinear, nearest. Received: 'cubic'"),
    ],
)
def test_an_argument_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpatialTransformer(**{"localization": keras.layers.Flatten(), **arguments})


def test_a_size_that_is_needed_and_unknown_is_named():
    with pytest.raises(ValueError, match=r"output_size: expected \(h, w\) .* Received: \(None, 6\)"):
        SpatialTransformer(keras.layers.GlobalAveragePooling2D())(keras.Input((None, 6, 2)))
    with pytest.raises(ValueError, match=r"localization: expected features of known shape. Received shape: \(None,"):
        SpatialTransformer(keras.layers.Conv2D(4, 3), output_size=(4, 4))(keras.Input((None, 6, 2)))


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0
