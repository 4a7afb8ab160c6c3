"""The sampler reads an image as torch's grid_sample does, wherever the grid looks."""

import doctest
import re
from functools import partial
from itertools import product

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_segattn.layers import AffineGrid, BilinearSampler
from keras_segattn.layers import bilinear_sampler as module
from keras_segattn.layers.bilinear_sampler import INTERPOLATIONS, PADDINGS

from ..backends import on_each_backend, run_on
from ..contracts import check_gradient, gradients

MODES = list(product(PADDINGS, (False, True), INTERPOLATIONS))
SMOOTH = list(product(PADDINGS, (False, True)))
SIZE = st.tuples(st.integers(1, 6), st.integers(1, 6))
NOWHERE = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 3e9, -17], "float32")


def draw(size, places, seed=0):
    """A noise image and a grid that looks up to three times as far as the image is."""
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(2, *size, 3)).astype("float32")
    return image, rng.uniform(-3, 3, (2, *places, 2)).astype("float32")


def sampled(image, grid, *mode):
    return ops.convert_to_numpy(BilinearSampler(*mode)([image, grid]))


def slopes(layer, image, grid, sensitivity):
    layer.build([image.shape, grid.shape])
    return gradients(layer, [image, grid], sensitivity, many_inputs=True)


def by_torch(image, grid, padding, align_corners, interpolation="bilinear"):
    import torch

    image, grid = (torch.as_tensor(part) for part in (image, grid))
    found = torch.nn.functional.grid_sample(
        image.permute(0, 3, 1, 2), grid, interpolation, padding, align_corners=align_corners
    )
    return found.permute(0, 2, 3, 1)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_every_mode_is_that_of_torch_at_ties_and_borders_too(mode):
    pytest.importorskip("torch")
    image, grid = draw((5, 8), (40, 50))
    grid[0] = np.round(grid[0] * 16) / 16  # many places half way between two pixels, or right on one
    np.testing.assert_allclose(sampled(image, grid, *mode), by_torch(image, grid, *mode), atol=1e-5)


@given(size=SIZE, places=SIZE, mode=st.sampled_from(MODES), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_images_and_grids_of_any_size_are_read_as_torch_reads_them(size, places, mode, seed):
    pytest.importorskip("torch")
    image, grid = draw(size, places, seed)
    np.testing.assert_allclose(sampled(image, grid, *mode), by_torch(image, grid, *mode), atol=1e-5)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_gradients_are_those_of_torch(mode):
    torch = pytest.importorskip("torch")
    image, grid = draw((5, 7), (6, 4))
    sensitivity = np.random.default_rng(1).normal(size=(2, 6, 4, 3)).astype("float32")
    parts = [torch.tensor(part, requires_grad=True) for part in (image, grid)]
    expected = torch.autograd.grad((by_torch(*parts, *mode) * torch.tensor(sensitivity)).sum(), parts)
    found = slopes(BilinearSampler(*mode), image, grid, sensitivity)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


@pytest.mark.parametrize("mode", SMOOTH, ids=str)
def test_gradients_are_the_slope(mode):
    check_gradient(partial(BilinearSampler, *mode), [(2, 4, 7, 3), (2, 3, 2, 2)])


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_coordinate_that_is_no_place_reads_zeros_or_a_pixel_of_the_image(mode):
    image = np.random.default_rng(0).uniform(1, 2, (1, 4, 5, 2)).astype("float32")
    x, y = (part.ravel() for part in np.meshgrid(np.append(NOWHERE, 0.1), np.append(NOWHERE, -0.2)))
    found = sampled(image, np.stack([x, y], -1).astype("float32")[None, None], *mode)[0, 0]
    beyond = np.isin(x, NOWHERE) | np.isin(y, NOWHERE) | np.isnan(x) | np.isnan(y)
    assert beyond.sum() == len(x) - 1
    if mode[0] == "zeros":
        assert (found[beyond] == 0).all() and (found[~beyond] > 0).all()
    else:
        assert np.isfinite(found).all() and found.min() >= image.min() - 1e-5 and found.max() <= image.max() + 1e-5


@pytest.mark.parametrize("coordinate", ["nan", "inf", "-inf", "1e30"])
def test_a_coordinate_that_is_no_place_has_no_gradient(coordinate):
    image, grid = draw((4, 5), (2, 3))
    grid[0, 0, 0] = float(coordinate)
    for padding in PADDINGS:
        ones = np.ones((2, 2, 3, 3), "float32")
        to_image, to_grid = slopes(BilinearSampler(padding), image, grid, ones)
        assert np.isfinite(to_image).all() and np.isfinite(to_grid).all()
        assert (to_grid[0, 0, 0] == 0).all()


@on_each_backend
def test_every_mode_and_every_place_that_is_none_are_read_alike_on_backend(backend):
    run_on(backend, "-m", "pytest", "-q", __file__, "-k", "every_mode_is or no_place")


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_identity_grid_gives_the_image(mode):
    image, _ = draw((5, 7), (1, 1))
    identity = AffineGrid((5, 7), align_corners=mode[1])
    grid = identity(np.tile(identity.identity(), (2, 1)))
    np.testing.assert_allclose(sampled(image, grid, *mode), image, atol=1e-5)


def test_a_translation_by_whole_pixels_moves_them_and_brings_zeros():
    image, _ = draw((5, 8), (1, 1))
    theta = np.array([[1, 0, 2 * 2 / 8, 0, 1, -2 * 1 / 5]] * 2, "float32")  # looks two to the right and one up
    found = sampled(image, AffineGrid((5, 8))(theta))
    np.testing.assert_allclose(found[:, 1:, :-2], image[:, :-1, 2:], atol=1e-5)
    assert np.abs(found[:, 0]).max() < 1e-5 and np.abs(found[:, :, -2:]).max() < 1e-5


def test_nearest_makes_no_new_labels():
    labels = np.random.default_rng(0).choice([0, 3, 7, 255], (2, 6, 6, 1)).astype("float32")
    _, grid = draw((1, 1), (20, 20))
    assert set(np.unique(sampled(labels, grid, "border", False, "nearest"))) == {0, 3, 7, 255}


def test_in_mixed_precision_the_grid_keeps_its_own():
    ramp = np.tile(np.linspace(0, 1, 2048, dtype="float32")[:, None], (1, 2, 1, 1))  # 1/2048 a pixel
    grid = AffineGrid((2, 2048), dtype="mixed_float16")(AffineGrid((1, 1)).identity()[None])
    found = BilinearSampler(dtype="mixed_float16")([ramp, grid])
    assert keras.backend.standardize_dtype(found.dtype) == "float16"
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(found, "float32")), ramp, atol=6e-4)


def traced(batch):
    """The graph of a warp under TensorFlow."""
    import tensorflow as tf

    image = keras.Input((9, 8, 3), batch_size=batch, name="image")
    theta = keras.Input((6,), batch_size=batch, name="theta")
    warped = BilinearSampler(name="warp")([image, AffineGrid((6, 7), name="grid")(theta)])
    model = keras.Model({"image": image, "theta": theta}, {"warped": warped}, name="model")
    specs = [tf.TensorSpec(part.shape, name=part.name) for part in (image, theta)]

    @tf.function(input_signature=specs)
    def warp(image, theta):
        return model({"image": image, "theta": theta})

    return model, warp


@pytest.mark.parametrize("batch", [1, None])
def test_the_graph_has_one_gather_and_all_its_operators_under_the_name_of_the_layer(batch):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("graphs are those of TensorFlow")
    operations = traced(batch)[1].get_concrete_function().graph.get_operations()
    assert [op.type for op in operations].count("GatherV2") == 1
    outside = [op.name for op in operations if not re.match(r"model_\d/(warp|grid)_\d/", op.name)]
    assert {name.split("_")[0] for name in outside} == {"image", "theta", "Identity"}


def test_a_tflite_file_has_few_builtin_operators_and_never_reads_outside(tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TFLite files are written under TensorFlow")
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model, warp = traced(batch=1)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("warp", warp)
    archive.write_out(tmp_path, verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    operators = [node["op_name"] for node in interpreter._get_ops_details()]
    assert len(operators) <= 60 and operators.count("GATHER") == 1
    run = interpreter.get_signature_runner("warp")
    image = np.random.default_rng(0).normal(size=(1, 9, 8, 3)).astype("float32")
    thetas = [[0.9, 0.2, 0.1, -0.3, 1.1, -0.2], [3, 0, 1, 0, -3, 1], *([n, 0, n, 0, 1, n] for n in NOWHERE)]
    for theta in np.array(thetas, "float32")[:, None]:
        expected = ops.convert_to_numpy(model({"image": image, "theta": theta})["warped"])
        np.testing.assert_allclose(run(image=image, theta=theta)["warped"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": "same"}, "padding: expected one of zeros, border, reflection. Received: 'same'"),
        ({"interpolation": "cubic"}, "interpolation: expected one of bilinear, nearest. Received: 'cubic'"),
    ],
)
def test_an_argument_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        BilinearSampler(**arguments)


def test_inputs_of_another_rank_or_without_x_and_y_are_refused():
    image, grid = draw((3, 3), (2, 2))
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=3"):
        BilinearSampler()([image[0], grid])
    with pytest.raises(ValueError, match=r"axis -1 of input shape to have value 2"):
        BilinearSampler()([image, grid[..., :1]])


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0
