"""ST-CNN, ST-FCN and the plain networks beside them."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn import layers, models, zoo

TRANSFORMS = ("affine", "attention", "projective", "thin_plate_spline")


def strokes(*shape):
    """Noise, 0..255."""
    return np.random.default_rng(0).uniform(0, 255, shape).astype("float32")


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("builder", [models.st_cnn, models.st_fully_connected])
def test_a_new_transformer_network_gives_the_answer_of_what_stands_behind_its_transformer(builder, transform):
    keras.utils.set_random_seed(0)
    model = builder((28, 28, 1), 10, transform=transform)
    plain = models.cnn if builder is models.st_cnn else models.fully_connected
    arguments = {"filters": (32, 64)} if builder is models.st_cnn else {"units": (256, 180)}
    behind = plain((28, 28, 1), 10, **arguments)
    left = models.transfer_weights(model, behind)
    assert left == []
    image = strokes(2, 28, 28, 1)
    expected = ops.convert_to_numpy(behind(image))
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(ops.convert_to_numpy(model(image)), expected, atol=1e-4)


def test_attention_gives_the_grid_that_the_model_looks_through():
    model = models.st_cnn((28, 28, 1), 10, output_size=(14, 14), kernel_sizes=(5, 3))
    look = models.attention(model)
    theta = np.array([0.5, 0, 0.25, 0, 0.5, -0.25], "float32")
    model.get_layer("transformer").bias.assign(theta)
    found = look(strokes(1, 28, 28, 1))
    np.testing.assert_allclose(ops.convert_to_numpy(found["transformer_theta"]), [theta], atol=1e-6)
    expected = layers.AffineGrid((14, 14))(theta[None])
    np.testing.assert_allclose(found["transformer_grid"], expected, atol=1e-6)


def test_two_transformers_in_a_row_see_one_after_the_other():
    model = models.st_cnn((28, 28, 1), 10, transformers=2)
    before = model.get_layer("transformer_2").input
    assert before is model.get_layer("transformer_1").output[0]


@pytest.mark.parametrize("align_corners", [False, True])
def test_where_the_second_of_a_row_looks_is_told_as_a_place_in_the_image(align_corners):
    look, image = {"align_corners": align_corners}, keras.Input((28, 28, 1))
    x = image
    for name, theta in {"first": [0.5, 0.2, 0.0], "second": [0.5, 0.0, 0.4]}.items():
        net = keras.layers.GlobalAveragePooling2D()
        layer = layers.SpatialTransformer(net, "attention", (20, 20), padding="border", name=name, **look)
        x, _, _ = layer(x, return_grid=True)
        layer.bias.assign(theta)
    found = models.attention(keras.Model(image, x))(strokes(1, 28, 28, 1))
    expected = layers.AffineGrid((20, 20), attention=True, **look)(np.array([[0.25, 0.2, 0.2]], "float32"))
    np.testing.assert_allclose(found["second_grid"], expected, atol=1e-6)


def test_two_transformers_in_parallel_both_see_the_image_and_are_read_side_by_side():
    model = models.st_cnn((42, 42, 2), 19, transformers=2, arrangement="parallel", output_size=(28, 28))
    first, second = (model.get_layer(f"transformer_{i}") for i in (1, 2))
    assert first.input is second.input
    assert model.get_layer("looks").output.shape == (None, 28, 28, 4)
    assert sorted(models.attention(model).output) == [
        *("transformer_1_grid", "transformer_1_theta", "transformer_2_grid", "transformer_2_theta"),
    ]


def test_a_model_without_a_transformer_has_no_attention_to_show():
    with pytest.raises(ValueError, match="expected SpatialTransformer layers with return_grid=True. cnn has none"):
        models.attention(models.cnn((28, 28, 1), 10))


@pytest.mark.parametrize(
    ("plain", "transformer"), [(models.cnn, models.st_cnn), (models.fully_connected, models.st_fully_connected)]
)
def test_a_plain_network_has_as_many_parameters_as_the_transformer_network_beside_it(plain, transformer):
    counts = [builder((28, 28, 1), 10).count_params() for builder in (plain, transformer)]
    assert counts[0] == pytest.approx(counts[1], rel=0.03)


@pytest.mark.parametrize("kind", ["r", "rts", "cluttered"])
def test_a_plain_cnn_of_the_zoo_has_as_many_parameters_as_the_transformer_network_beside_it(kind):
    plain, transformer = (
        zoo.load(f"{model}_mnist_{kind}", weights=False).count_params() for model in ("cnn", "stn_affine")
    )
    assert 0.97 < plain / transformer < 1.1


def test_save_and_load_keep_the_answer_and_the_attention(tmp_path):
    model = models.st_cnn((28, 28, 1), 10, transform="thin_plate_spline")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    image = strokes(2, 28, 28, 1)
    np.testing.assert_allclose(loaded(image), model(image), atol=1e-5)
    assert [layer.name for layer in models.transformers(loaded)] == ["transformer"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arrangement": "circle"}, "arrangement: expected row or parallel. Received: 'circle'"),
        ({"transformers": 0}, "transformers: expected an integer >= 1. Received: 0"),
        ({"transform": "shear"}, "transform: expected one of affine"),
        ({"num_classes": 1}, "num_classes: expected an integer >= 2. Received: 1"),
        ({"image_shape": (28, 28)}, r"image_shape: expected \(H, W, C\), each >= 1. Received: \(28, 28\)"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.st_cnn(**{"image_shape": (28, 28, 1), "num_classes": 10, **arguments})
