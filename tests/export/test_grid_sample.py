"""Warps in files: one GridSample in ONNX, builtin operators in TFLite, and coordinates that int8 leaves alone."""

import functools
import itertools
from collections import Counter

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from keras_segattn.export import Metadata, Runner, export, export_model
from keras_segattn.export.artifact import Function, Operator, Tensor
from keras_segattn.export.convert import ConversionError
from keras_segattn.export.grid_sample import warps_of_onnx
from keras_segattn.export.lint import lint, operators, read_artifact
from keras_segattn.export.onnx import write_onnx
from keras_segattn.export.serving import functions, of_images
from keras_segattn.export.tflite import write_tflite
from keras_segattn.export.warps import warps
from keras_segattn.layers import AffineGrid, BilinearSampler, SpatialTransformer
from keras_segattn.models import st_cnn

MODES = list(itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection"), (False, True)))
TURN = np.deg2rad(40)
TURNED = np.array([[0.8 * np.cos(TURN), -0.8 * np.sin(TURN), 0.1], [0.8 * np.sin(TURN), 0.8 * np.cos(TURN), -0.05]])
WRITE = {"onnx": write_onnx, "tflite": write_tflite}


def served(model):
    """A function for each output: LiteRT loses one that is float and goes on to int8."""
    return functions(model, {name: (list(model.input), [name]) for name in model.output})


def answers(path, inputs):
    """Dict of all outputs of a file for a batch of inputs, which it takes one after the other."""
    if path.suffix == ".tflite":
        interpreter = Interpreter(str(path))
        runs = {name: interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()}

        def run(feed):
            return {name: one(**feed)[name] for name, one in runs.items()}
    else:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]

        def run(feed):
            return dict(zip(names, session.run(None, feed), strict=True))

    count = len(next(iter(inputs.values())))
    each = [run({name: values[i : i + 1] for name, values in inputs.items()}) for i in range(count)]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


def attributes(node):
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def kinds(path):
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def looked_at(images, grid, interpolation="bilinear", padding="zeros", align_corners=False):
    """What torch reads, images (B, H, W, C) and grid (B, h, w, 2)."""
    torch = pytest.importorskip("torch")
    planes, grid = torch.from_numpy(np.moveaxis(images, -1, 1).copy()), torch.from_numpy(grid)
    options = {"mode": interpolation, "padding_mode": padding, "align_corners": align_corners}
    return np.moveaxis(torch.nn.functional.grid_sample(planes, grid, **options).numpy(), 1, -1)


@pytest.fixture(scope="module")
def samplers(tmp_path_factory):
    """Function: format -> file with a sampler of every kind, which all read one image at the places of one grid."""
    image, grid = keras.Input((9, 12, 3), name="image"), keras.Input((7, 11, 2), name="grid")
    outputs = {}
    for interpolation, padding, align_corners in MODES:
        sampler = BilinearSampler(padding, align_corners, interpolation)
        outputs[f"{interpolation}_{padding}_{align_corners}"] = sampler([image, grid])
    model = keras.Model({"image": image, "grid": grid}, outputs)
    folder = tmp_path_factory.mktemp("samplers")

    @functools.cache
    def written(format):
        WRITE[format](served(model), folder / f"samplers.{format}")
        return folder / f"samplers.{format}"

    return written


@pytest.fixture(scope="module")
def warp(tmp_path_factory):
    """Function: format -> path of the warp of an image of 256x256x3 by a theta, float32."""
    folder = tmp_path_factory.mktemp("warp")
    image, theta = keras.Input((256, 256, 3), name="image"), keras.Input((6,), name="theta")
    warped = BilinearSampler()([image, AffineGrid((256, 256))(theta)])
    model = keras.Model({"image": image, "theta": theta}, {"warped": warped})

    def written(format, precision="float32"):
        path = folder / f"{precision}.{format}"
        if not path.exists():
            WRITE[format](served(model), path, precision=precision)
        return path

    return written


@pytest.fixture(scope="module")
def digits():
    """Handwritten digits of scikit-learn, enlarged: float32 (200, 28, 28, 1), 0..255."""
    from PIL import Image
    from sklearn.datasets import load_digits

    small = (load_digits().images[:200] * 255 / 16).astype("uint8")
    large = [np.asarray(Image.fromarray(one).resize((28, 28), Image.Resampling.BILINEAR)) for one in small]
    return np.stack(large)[..., None].astype("float32")


@pytest.fixture(scope="module")
def recogniser():
    """ST-CNN with random weights, whose transformer turns by 40 degrees, zooms, and varies with the image."""
    keras.utils.set_random_seed(0)
    model = st_cnn((28, 28, 1), 10)
    transformer = model.get_layer("transformer")
    transformer.bias.assign(TURNED.ravel())
    transformer.kernel.assign(np.random.default_rng(0).normal(0, 0.02, transformer.kernel.shape))
    warped, theta, _ = transformer.output
    return keras.Model({"image": model.input}, {"logits": model.output, "warped": warped, "theta": theta})


@pytest.fixture(scope="module")
def recognised(recogniser, digits, tmp_path_factory):
    """Function: format -> path of its int8 file, calibrated on other digits than the first hundred."""
    folder = tmp_path_factory.mktemp("recognised")

    def written(format):
        path = folder / f"int8.{format}"
        if not path.exists():
            WRITE[format](served(recogniser), path, precision="int8", calibration=digits[100:150])
        return path

    return written


# --- one GridSample ---


def test_every_sampler_is_one_grid_sample_with_its_own_attributes(samplers):
    found = [attributes(node) for node in onnx.load(samplers("onnx")).graph.node if node.op_type == "GridSample"]
    found = [(one["mode"].decode(), one["padding_mode"].decode(), bool(one["align_corners"])) for one in found]
    assert sorted(found) == sorted(MODES)
    assert set(kinds(samplers("onnx"))) == {"Clip", "GridSample", "Transpose"}


@pytest.mark.parametrize("format", WRITE)
@pytest.mark.parametrize(("interpolation", "padding", "align_corners"), MODES)
def test_the_file_reads_what_torch_reads(samplers, format, interpolation, padding, align_corners):
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (4, 9, 12, 3)).astype("float32")
    grids = rng.uniform(-2.5, 2.5, (4, 7, 11, 2)).astype("float32")
    expected = looked_at(images, grids, interpolation, padding, align_corners)
    found = answers(samplers(format), {"image": images, "grid": grids})[f"{interpolation}_{padding}_{align_corners}"]
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("format", WRITE)
@pytest.mark.parametrize(("interpolation", "padding", "align_corners"), MODES)
def test_far_away_the_file_reads_what_the_layer_reads(samplers, format, interpolation, padding, align_corners):
    far = [1e4, 2.0**17] if padding == "reflection" else [1e4, 2.0**17, 1e7, 1e10, 1e30, np.inf]
    places = np.array([*far, *np.negative(far), *np.linspace(-1.2, 1.2, 7)], "float32")
    x, y = np.random.default_rng(0).choice(places, (2, 5, 7, 11))
    image = np.random.default_rng(1).uniform(1, 255, (5, 9, 12, 3)).astype("float32")
    expected = BilinearSampler(padding, align_corners, interpolation)([image, np.stack([x, y], axis=-1)])
    found = answers(samplers(format), {"image": image, "grid": np.stack([x, y], axis=-1)})
    np.testing.assert_allclose(found[f"{interpolation}_{padding}_{align_corners}"], expected, atol=1e-2)


@pytest.mark.parametrize("format", WRITE)
def test_a_place_that_is_not_a_number_breaks_nothing_else(samplers, format):
    grid = np.full((1, 7, 11, 2), 0.25, "float32")
    image = np.random.default_rng(0).uniform(1, 255, (1, 9, 12, 3)).astype("float32")
    expected = answers(samplers(format), {"image": image, "grid": grid})
    grid[0, 3, 5] = np.nan
    found = answers(samplers(format), {"image": image, "grid": grid})
    for name in expected:
        same = np.isclose(found[name], expected[name]).all(axis=-1)
        assert set(map(tuple, np.argwhere(~same))) <= {(0, 3, 5)}


def test_the_file_is_valid_static_and_of_standard_operators_alone(samplers, warp):
    for path in (samplers("onnx"), warp("onnx")):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert {entry.domain: entry.version for entry in model.opset_import} == {"": 18}
        (function,) = read_artifact(path).functions
        assert all(tensor.shape is not None and not tensor.open for tensor in function.tensors)
        assert {finding.rule for finding in lint(path)} == {"metadata"}


def test_a_warp_of_a_photograph_is_six_nodes_and_holds_no_grid(warp):
    assert kinds(warp("onnx")) == {"Mul": 1, "MatMul": 1, "Clip": 1, "GridSample": 1, "Transpose": 2}
    assert warp("onnx").stat().st_size < 25_000  # its grid would be 524 kB


@pytest.mark.parametrize("format", WRITE)
def test_a_warp_by_a_theta_is_that_of_torch(warp, format):
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).repeat(8, 1).repeat(8, 2).astype("float32")
    theta = TURNED.astype("float32")[None]
    grid = torch.nn.functional.affine_grid(torch.from_numpy(theta), (1, 3, 256, 256), align_corners=False).numpy()
    found = answers(warp(format), {"image": image, "theta": theta.reshape(1, 6)})["warped"]
    np.testing.assert_allclose(found, looked_at(image, grid), atol=0.02)  # 1e-6 of a coordinate is 1e-4 of a pixel
    assert np.abs(found - image).mean() > 20


def test_a_warp_is_of_at_most_sixty_builtin_operators_in_tflite(warp, samplers):
    for path in (warp("tflite"), samplers("tflite")):
        found = operators(path)
        assert not found.custom
        assert max(counts.total() for counts in found.counts.values()) <= 60


def test_float16_leaves_coordinates_as_they_are(warp):
    image = np.random.default_rng(0).uniform(0, 255, (1, 256, 256, 3)).astype("float32")
    inputs = {"image": image, "theta": TURNED.reshape(1, 6).astype("float32")}
    found, expected = (answers(warp("onnx", precision), inputs)["warped"] for precision in ("float16", "float32"))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("format", "arrangement"), [("onnx", "row"), ("onnx", "parallel"), ("tflite", "row")])
@pytest.mark.parametrize("transform", ["affine", "attention", "projective", "thin_plate_spline"])
def test_several_transformers_answer_as_in_keras_with_a_grid_sample_each(
    tmp_path, digits, transform, format, arrangement
):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    look = {"transform": transform, "output_size": (26, 26), "localization_filters": (8,)}
    model = st_cnn((28, 28, 1), 10, transformers=2, arrangement=arrangement, **look)
    for name in ("transformer_1", "transformer_2"):
        transformer = model.get_layer(name)
        transformer.kernel.assign(rng.normal(0, 0.05, transformer.kernel.shape))
        transformer.bias.assign(transformer.bias + rng.normal(0, 0.1, transformer.bias.shape))
    model = keras.Model({"image": model.input}, {"logits": model.output})
    path = tmp_path / f"st_cnn.{format}"
    WRITE[format](served(model), path)
    assert format == "tflite" or kinds(path)["GridSample"] == 2
    expected = model({"image": digits[:8]})["logits"]
    found = answers(path, {"image": digits[:8]})["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))


class Straightened(keras.Model):
    """A class that another process does not know."""

    def __init__(self):
        super().__init__(name="straightened")
        self.transformer = SpatialTransformer(layers.GlobalAveragePooling2D(), output_size=(6, 5))

    def call(self, image):
        return self.transformer(image)


def test_a_model_of_ones_own_class_has_its_grid_sample_too(tmp_path):
    model, image = Straightened(), np.random.default_rng(0).uniform(size=(8, 8, 7, 3)).astype("float32")
    model(image)
    model.transformer.bias.assign(TURNED.ravel())
    report = export_model(model, tmp_path, samples=image, format="onnx")
    assert kinds(report.path)["GridSample"] == 1
    assert len(onnx.load(report.path).graph.node) <= 20


@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_a_recogniser_with_a_layer_of_ones_own_is_exported_with_what_it_looks_at(digits, tmp_path, format):
    @keras.saving.register_keras_serializable(package="tests")
    class Halved(layers.Layer):
        def call(self, x):
            return x / 2

    keras.utils.set_random_seed(0)
    image = keras.Input((28, 28, 1), name="image")
    net = keras.Sequential([layers.Conv2D(4, 5, strides=4, activation="relu"), layers.Flatten(), layers.Dense(8)])
    warped, _, _ = SpatialTransformer(net, name="look")(Halved()(image), return_grid=True)
    model = keras.Model(image, layers.Dense(10, name="logits")(layers.Flatten()(warped)))
    model.get_layer("look").bias.assign(TURNED.ravel())
    facts = Metadata(name="halved", classes=tuple("0123456789"), image_size=(28, 28), channels=1, task="recognition")
    images = digits[:64].astype("uint8")
    report = export(model, tmp_path, facts, format=format, images=images, images_source="digits")
    assert format == "tflite" or kinds(report.path)["GridSample"] == 1
    (grid,) = Runner(report.path).grids(images[0])
    np.testing.assert_allclose(grid, AffineGrid((28, 28))(TURNED.reshape(1, 6).astype("float32"))[0], atol=1e-5)


def test_a_function_of_numpy_is_not_taken_for_a_warp(tmp_path):
    import tensorflow as tf

    @keras.saving.register_keras_serializable(package="tests")
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return tf.ensure_shape(tf.numpy_function(lambda array: 2 * array, [x], tf.float32), x.shape)

    image = keras.Input((4,), name="image")
    model = keras.Model(image, Doubled(name="doubled")(image))
    samples = np.arange(32, dtype="float32").reshape(8, 4)
    with pytest.raises(ConversionError, match="PyFunc"):
        export_model(model, tmp_path, samples=samples, format="onnx")


def test_the_functions_of_a_recogniser_share_one_grid_sample(tmp_path):
    for attempt in range(3):  # in which order tf2onnx goes depends on its hashes
        path = tmp_path / f"{attempt}.onnx"
        write_onnx(of_images(st_cnn((28, 28, 1), 10)), path)
        counts = kinds(path)
        assert (counts["GridSample"], counts["Conv"], counts["Gemm"]) == (1, 4, 1)
        assert len(onnx.load(path).graph.output) == 4  # labels and logits; theta and the grid


def test_a_model_without_a_warp_is_written_as_before(tmp_path):
    image = keras.Input((8, 8, 3), name="image")
    model = keras.Model({"image": image}, {"scores": layers.Conv2D(2, 1)(image)})
    write_onnx(served(model), tmp_path / "plain.onnx")
    assert set(kinds(tmp_path / "plain.onnx")) <= {"Transpose", "Conv", "Reshape"}


# --- the layers while they are traced ---


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(5, 8), (1, 3), (4, 1)])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_grid_of_onnx_is_that_of_the_layer(attention, align_corners, size, batch):
    layer = AffineGrid(size, attention=attention, align_corners=align_corners)
    theta = np.random.default_rng(0).normal(size=(batch, layer.parameters)).astype("float32")
    expected = layer(theta)
    with warps_of_onnx():
        found = layer(theta)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_layers_are_their_own_again_whatever_happens():
    before = AffineGrid.call, BilinearSampler.call
    with pytest.raises(RuntimeError, match="halfway"), warps_of_onnx():
        assert (AffineGrid.call, BilinearSampler.call) != before
        raise RuntimeError("halfway")
    assert (AffineGrid.call, BilinearSampler.call) == before


# --- int8 ---


@pytest.mark.parametrize("format", WRITE)
def test_int8_keeps_the_warped_image_within_grey_levels_and_nearly_every_label(recogniser, recognised, digits, format):
    digits = digits[:100]
    torch = pytest.importorskip("torch")
    expected = {name: np.asarray(value) for name, value in recogniser({"image": digits}).items()}
    found = answers(recognised(format), {"image": digits})
    theta = torch.tensor(expected["theta"].reshape(-1, 2, 3))
    grid = torch.nn.functional.affine_grid(theta, (100, 1, 28, 28), align_corners=False).numpy()
    off = np.abs(255 * found["warped"] - looked_at(digits, grid))
    assert 0.05 < off.mean() < 1
    assert np.quantile(off, 0.99) < 5
    assert off.max() < 20
    assert np.abs(digits - looked_at(digits, grid)).mean() > 30  # what not to turn at all would be off
    np.testing.assert_allclose(found["theta"], expected["theta"], atol=5e-3)
    assert expected["theta"].std(axis=0).max() > 3e-3
    assert (found["logits"].argmax(-1) == expected["logits"].argmax(-1)).mean() >= 0.95
    assert np.unique(found["logits"].argmax(-1)).size > 2


@pytest.mark.parametrize("format", WRITE)
def test_lint_calls_no_part_of_a_warp_a_float_island(recognised, format):
    assert {finding.rule for finding in lint(recognised(format))} == {"metadata"}


@pytest.mark.parametrize(("format", "kind"), [("onnx", "MatMul"), ("tflite", "FULLY_CONNECTED")])
def test_lint_still_finds_the_float_layer_behind_a_warp(recogniser, digits, tmp_path, format, kind):
    path = tmp_path / f"mixed.{format}"
    WRITE[format](served(recogniser), path, precision="int8", calibration=digits[:8], float_layers=["logits"])
    (island,) = [finding for finding in lint(path) if finding.rule == "float-island"]
    assert island.what.startswith(f"The {kind} of ")
    assert {finding.rule for finding in lint(path, float_layers=["logits"])} == {"metadata"}


@pytest.mark.parametrize(
    ("format", "floats"),
    [
        ("onnx", Counter(Gemm=1, MatMul=1)),  # theta, and the grid
        ("tflite", Counter(FULLY_CONNECTED=3)),  # theta, in each of the functions
    ],
)
def test_the_localization_net_is_int8_up_to_its_last_layer(recognised, format, floats):
    heavy = {"Conv", "MatMul", "Gemm", "CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"}
    found = warps(read_artifact(recognised(format)).functions)
    assert Counter(one.kind for one in found if one.kind in heavy) == floats
    assert not [one for one in found if "localization" in one.name and one.kind in heavy]


# --- what a warp is ---


def chain(*steps):
    """A function in memory; a step is kind, inputs, what it makes. V and W are kernels, words int32, others floats."""
    tensors = {name: Tensor(name, "float32", (2, 2), constant=np.full(4, ord(name), "float32")) for name in "VW"}
    for name in sorted({name for _, inputs, output in steps for name in [*inputs.split(), output]} - {*tensors}):
        tensors[name] = Tensor(name, "int32" if name.startswith("word") else "float32", (2, 2))
    made = [
        Operator(kind, output, False, tuple(tensors[name] for name in inputs.split()), (tensors[output],))
        for kind, inputs, output in steps
    ]
    return Function("main", True, {}, {}, tuple(made), tuple(tensors.values()))


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        # the words of a sentence, and the word that came out best
        ([("GATHER", "table words", "x"), ("MUL", "x y", "z")], []),
        ([("ARG_MAX", "scores", "word"), ("GATHER", "table word", "x")], []),
        # places, from the layer on that decides about them
        (
            [("FULLY_CONNECTED", "x V", "a"), ("TANH", "a", "b"), ("FULLY_CONNECTED", "b W", "theta")]
            + [("MUL", "theta k", "places"), ("CAST", "places", "words"), ("GATHER", "table words", "pixels")],
            ["theta", "places", "words"],
        ),
        # how far they are from the next pixel, and the sum with such weights, but not what follows
        (
            [("TANH", "theta", "places"), ("FLOOR", "places", "left"), ("CAST", "left", "words")]
            + [("SUB", "places left", "right"), ("GATHER", "table words", "pixels"), ("NEG", "pixels", "n")]
            + [("MUL", "n right", "a"), ("ADD", "pixels a", "b"), ("RELU", "b", "c"), ("MUL", "c d", "e")],
            ["places", "left", "words", "right", "n", "a", "b"],
        ),
    ],
)
def test_places_are_told_from_words(steps, found):
    assert [operator.name for operator in warps([chain(*steps)])] == found


def test_a_function_that_only_says_where_another_one_reads_stays_float_too():
    localize = [("FULLY_CONNECTED", "x W", "theta"), ("MUL", "theta k", "places")]
    reading = chain(*localize, ("CAST", "places", "words"), ("GATHER", "table words", "pixels"))
    assert [one.name for one in warps([chain(*localize), reading])] == ["theta", "places", "theta", "places", "words"]
    assert warps([chain(*localize)]) == []


@pytest.mark.parametrize("format", WRITE)
def test_a_flow_that_a_convolution_finds_stays_float(tmp_path, format):
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(layers.Rescaling(1 / 255)(image))
    flow = layers.Conv2D(2, 3, padding="same", name="flow")(x)
    x = layers.Conv2D(4, 3, padding="same", name="last")(BilinearSampler(name="bend")([x, flow]))
    model = keras.Model({"image": image}, {"scores": x})
    images = np.random.default_rng(0).uniform(0, 255, (8, 16, 16, 3)).astype("float32")
    path = tmp_path / f"flow.{format}"
    WRITE[format](served(model), path, precision="int8", calibration=images)
    (found,) = [one for one in warps(read_artifact(path).functions) if one.kind in ("Conv", "CONV_2D")]
    assert "/flow_1/" in found.name
    assert {finding.rule for finding in lint(path)} == {"metadata"}


def test_a_grid_layer_of_ones_own_stays_float(digits, tmp_path):
    @keras.saving.register_keras_serializable(package="tests")
    class Shift(keras.layers.Layer):
        """Moves along x by theta; a grid layer that nobody has heard of."""

        parameters, output_size, align_corners = 1, (28, 28), False

        def identity(self):
            return np.zeros(1, "float32")

        def call(self, theta):
            x, y = np.meshgrid(*[(2 * np.arange(28) - 27) / 28] * 2)
            moved = keras.ops.reshape(theta, (-1, 1, 1)) + keras.ops.convert_to_tensor(x[None], "float32")
            still = keras.ops.zeros_like(moved) + keras.ops.convert_to_tensor(y[None], "float32")
            return keras.ops.stack([moved, still], axis=-1)

        def compute_output_shape(self, input_shape):
            return (input_shape[0], 28, 28, 2)

    keras.utils.set_random_seed(0)
    image = keras.Input((28, 28, 1), name="image")
    net = keras.Sequential([layers.Conv2D(4, 5, strides=4, activation="relu"), layers.Flatten(), layers.Dense(8)])
    transformer = SpatialTransformer(net, Shift(), name="shift")
    model = keras.Model({"image": image}, {"warped": transformer(layers.Rescaling(1 / 255)(image))})
    transformer.kernel.assign(np.random.default_rng(0).normal(0, 0.03, transformer.kernel.shape))
    for format in WRITE:
        path = tmp_path / f"shift.{format}"
        WRITE[format](served(model), path, precision="int8", calibration=digits[:16])
        expected = np.asarray(model({"image": digits[:16]})["warped"])
        assert np.abs(answers(path, {"image": digits[:16]})["warped"] - expected).mean() < 0.005
        assert {finding.rule for finding in lint(path)} == {"metadata"}
