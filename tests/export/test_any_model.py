"""Any Keras model as a file: proven on samples, or refused with the layer that is to blame."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_segattn.export import Runner, export_model
from keras_segattn.export.blame import offending_ops
from keras_segattn.export.call_parity import LOSSY, compare_calls
from keras_segattn.export.calls import interface_of
from keras_segattn.export.convert import ConversionError
from keras_segattn.export.parity import ParityError
from keras_segattn.export.rules import INSTEAD

RNG = np.random.default_rng(0)
each_format = pytest.mark.parametrize("format", ["tflite", "onnx", "saved_model"])


def dense():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(5, activation="tanh"), layers.Dense(3)], name="dense")
    return model, RNG.normal(size=(9, 6))


def two_and_two():
    image, number = keras.Input((8, 12, 3), name="image"), keras.Input((), dtype="int32", name="number")
    seen = layers.Conv2D(4, 3, activation="relu")(image)
    word = layers.Embedding(10, 4)(number)
    mixed = seen * word[:, None, None, :]
    outputs = {"map": mixed, "best": ops.cast(ops.sum(mixed, axis=(1, 2)) > 0, "int32")}
    model = keras.Model({"image": image, "number": number}, outputs, name="two_and_two")
    return model, {"image": RNG.normal(size=(9, 8, 12, 3)), "number": np.arange(9)}


@keras.saving.register_keras_serializable()
class Halves(keras.Model):
    """A model with a class of its own, called with a list."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.Dense(4), layers.Dense(4)

    def call(self, inputs, training=False):
        a, b = inputs
        return self.first(a) + ops.tanh(self.second(b)), a[:, :2]


def halves():
    model = Halves(name="halves")
    samples = [RNG.normal(size=(9, 5)).astype("float32"), RNG.normal(size=(9, 7)).astype("float32")]
    model(samples)
    return model, samples


def free_sizes():
    image = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x), name="free_sizes")
    return model, RNG.normal(size=(9, 20, 14, 3))


@each_format
@pytest.mark.parametrize("make", [dense, two_and_two, halves, free_sizes])
def test_a_file_gives_the_models_answer_by_its_names(make, format, tmp_path):
    model, samples = make()
    report = export_model(model, tmp_path, samples=samples, format=format)
    assert report.parity.inputs == 9
    assert report.parity.worst < 1e-5
    assert report.parity.agreement == 1
    interface, arrays = interface_of(model, samples)
    runner = Runner(report.path)
    assert {name: sorted(outputs) for name, outputs in runner.signatures.items()} == {"call": sorted(interface.outputs)}
    feed = interface.feed([array[3:4] for array in arrays])
    answer = runner.run("call", **feed)
    tensors = {name: ops.convert_to_tensor(array) for name, array in feed.items()}
    expected = keras.tree.flatten(model(interface.given(tensors)))
    for name, array in zip(interface.outputs, expected, strict=True):
        np.testing.assert_allclose(answer[name], ops.convert_to_numpy(array), atol=1e-5)


@pytest.mark.parametrize("precision", ["float16", "dynamic"])
def test_other_precisions_are_smaller(precision, tmp_path):
    model = keras.Sequential([keras.Input((64,)), layers.Dense(256, activation="relu"), layers.Dense(64)], name="wide")
    samples = RNG.normal(size=(9, 64))
    whole, less = (
        export_model(model, tmp_path, samples=samples, format="tflite", precision=one) for one in ("float32", precision)
    )
    assert less.size < 0.6 * whole.size
    assert less.parity.worst > whole.parity.worst


def seen(size=24):
    image = keras.Input((size, size, 3), name="image")
    x = image
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(image, layers.Dense(5, name="scores")(layers.GlobalAveragePooling2D()(x)), name="seen")
    return model, RNG.normal(size=(32, size, size, 3))


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_int8_takes_its_ranges_from_the_samples(format, here, tmp_path):
    model, samples = seen()
    whole, int8 = (
        export_model(model, tmp_path, samples=samples, samples_source="noise", format=format, precision=one)
        for one in ("float32", "int8")
    )
    assert int8.size < 0.5 * whole.size
    assert whole.parity.worst < int8.parity.worst < LOSSY["int8"]
    assert int8.parity.mean < 0.1
    assert (int8.inputs, int8.calibration, whole.calibration) == ("noise", "noise", None)


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_int8_of_ids_and_several_outputs(format, here, tmp_path):
    model, samples = two_and_two()
    report = export_model(model, tmp_path, samples=samples, format=format, precision="int8")
    assert report.parity.mean < 0.1
    assert report.parity.agreement > 0.5


def test_a_model_that_int8_ruins_is_refused(here, tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.Dense(1)], name="steep")
    model.set_weights([np.array([[1000, 1000], [1, 0]]), np.zeros(2), np.array([[1], [-1]]), np.zeros(1)])
    with pytest.raises(ParityError, match="steep_int8.tflite: outputs differ by .* of their range, at most 5e-01"):
        export_model(model, tmp_path, samples=RNG.normal(size=(64, 2)), format="tflite", precision="int8")
    assert not list(tmp_path.iterdir())


# What tf2onnx alone does not know


def test_a_map_of_one_place_keeps_its_channels_in_onnx(here, tmp_path):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 8, use_bias=False)(image)                         # (B, 1, 1, 6)
    x = layers.LayerNormalization(name="norm")(x + layers.Dense(6)(x))     # which squares what was transposed
    model = keras.Model(image, x, name="one_place")
    report = export_model(model, tmp_path, samples=RNG.normal(size=(9, 8, 8, 3)), format="onnx")
    assert report.parity.worst < 1e-5


def test_a_constant_tensor_is_no_input_of_an_onnx_file(here, tmp_path):
    norm = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])     # keeps both as tensors
    model = keras.Sequential([keras.Input((6, 3), name="x"), norm, layers.Dense(2)], name="normalized")
    report = export_model(model, tmp_path, samples=RNG.normal(size=(8, 6, 3)), format="onnx")
    assert report.parity.worst < 1e-6


@pytest.mark.parametrize("layer", [layers.Activation("gelu"), layers.Conv2D(4, 3, groups=2)], ids=["gelu", "groups"])
def test_exact_gelu_and_convolutions_of_groups_are_standard_onnx(layer, here, tmp_path):
    model = keras.Sequential([keras.Input((9, 9, 4), name="x"), layer], name="small")
    report = export_model(model, tmp_path, samples=RNG.normal(size=(8, 9, 9, 4)), format="onnx")
    assert report.parity.worst < 1e-6


@pytest.mark.parametrize(("factor", "is_unsteady"), [(1.0, False), (1e7, True)])
def test_a_model_whose_own_answer_jumps_is_told_so(factor, is_unsteady, here, tmp_path):
    x = keras.Input((6,), name="x")
    one, other = (keras.Model(x, ops.sin(factor * x + shift), name="waves") for shift in (0.0, 1.0))
    samples = RNG.uniform(1, 2, size=(8, 6)).astype("float32")
    path = export_model(one, tmp_path, samples=samples, format="tflite").path
    interface, arrays = interface_of(other, samples)
    interface = replace(interface, outputs=interface_of(one, samples)[0].outputs)
    with pytest.raises(ParityError, match="outputs differ by") as caught:
        compare_calls(other, path, interface, arrays, "float32")
    assert ("Of inputs that are a millionth larger, the model itself: outputs" in str(caught.value)) == is_unsteady


def named_as_in_keras_2():
    one, two = keras.Input((4,), name="input_1"), keras.Input((4,), name="input_2")
    mixed = layers.Dense(2, name="output_1")(layers.Add()([one, two]))
    return keras.Model([one, two], mixed, name="old"), [RNG.normal(size=(8, 4))] * 2


def named_with_blanks():
    x = keras.Input((4,), name="my input")
    return keras.Model(x, {"Class A": layers.Dense(2)(x), "b/c": layers.Dense(1)(x)}), RNG.normal(size=(8, 4))


def of_a_list_in_a_dict():
    x = keras.Input((4,), name="x")
    return keras.Model(x, {"outputs": [layers.Dense(2)(x), layers.Dense(1)(x)]}), RNG.normal(size=(8, 4))


@each_format
@pytest.mark.parametrize("make", [named_as_in_keras_2, named_with_blanks, of_a_list_in_a_dict])
def test_names_of_the_users_own_are_no_fault(make, format, here, tmp_path):
    model, samples = make()
    report = export_model(model, tmp_path, samples=samples, name="mine", format=format)
    assert report.parity.worst < 1e-6
    if format != "saved_model":
        assert Runner(report.path).signatures["call"] == interface_of(model, samples)[0].outputs


# Who is to blame


class Rolling(keras.Model):
    """Its call does what no file can hold."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.before, self.inverse = layers.Dense(4, name="before"), Inverse(name="upside_down")

    def call(self, x):
        return self.inverse(self.before(x))


class Inverse(layers.Layer):
    def call(self, x):
        square = ops.reshape(x, (-1, 2, 2)) + 3 * ops.eye(2)
        return ops.inv(square)  # the line to blame


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_the_layer_the_line_and_the_remedy_are_named(format, tmp_path):
    model, samples = Rolling(name="rolling"), RNG.normal(size=(9, 6)).astype("float32")
    model(samples)
    with open(__file__) as file:
        line = next(number for number, text in enumerate(file, 1) if "the line to blame" in text and "ops.inv" in text)
    with pytest.raises(ConversionError) as caught:
        export_model(model, tmp_path, samples=samples, format=format)
    message = str(caught.value)
    assert "MatrixInverse of layer upside_down" in message
    assert f"test_any_model.py:{line}" in message
    assert INSTEAD["MatrixInverse"] in message
    assert not list(tmp_path.iterdir())


def test_the_layer_of_a_functional_model_is_named(tmp_path):
    x = keras.Input((4,), name="x")
    turned = layers.Reshape((2, 2), name="mix")(x) + 3 * ops.eye(2)
    model = keras.Model(x, keras.ops.inv(turned), name="turning")
    with pytest.raises(ConversionError, match="MatrixInverse of layer turning is no operator of tflite. Keep inverses"):
        export_model(model, tmp_path, samples=RNG.normal(size=(9, 4)), format="tflite")


def test_what_the_runtime_of_tflite_refuses_is_named_too(here, tmp_path):
    x = keras.Input((12, 6), name="x")                         # a row of 6: its transform wants a power of two
    model = keras.Model(x, ops.rfft(x)[0], name="waves")
    with pytest.raises(ConversionError, match="failed to prepare.*; RFFT of layer waves.* Multiply with matrices"):
        export_model(model, tmp_path, samples=RNG.normal(size=(9, 12, 6)), format="tflite")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "operators"), [
    ("TF Select ops: Erf, Roll\nDetails:\n\ttf.Erf(tensor<1xf32>)", ["Erf", "Roll"]),
    ("Tensorflow op [model/up/Erfinv: Erfinv] is not supported", ["Erfinv"]),
    ("Unsupported ops: Counter({'MatrixInverse': 2, 'Roll': 1})", ["MatrixInverse", "Roll"]),
    ("ValidationError: No Op registered for Roll with domain_version of 18", ["Roll"]),
    ("Node number 1 (RFFT2D) failed to prepare.", ["RFFT"]),
    ("nothing to see", []),
])  # fmt: skip
def test_operators_are_read_from_what_a_converter_says(text, operators):
    assert offending_ops(text) == operators


# What is refused


class Drawing(keras.Model):
    def call(self, x):
        return x + keras.random.normal(ops.shape(x), seed=self.seed)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed = keras.random.SeedGenerator(3)


def test_a_model_that_draws_random_numbers_is_refused(tmp_path):
    model, samples = Drawing(name="drawing"), RNG.normal(size=(9, 6)).astype("float32")
    with pytest.raises(ConversionError, match="Random.* of layer drawing.* Draw outside of the model"):
        export_model(model, tmp_path, samples=samples, format="tflite")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("change", "message"), [
    ({"samples": RNG.normal(size=(9, 5))}, "samples: expected what the model takes"),
    ({"samples": [RNG.normal(size=(9, 6)), RNG.normal(size=(8, 6))]}, "samples: expected as many of each input"),
    ({"samples": np.ones((20, 6))}, "samples: expected at least 8 different ones"),
    ({"samples": np.array([object()])}, r"samples: expected arrays \(N, ...\) of numbers. Received: object"),
    ({"samples": {"my input": np.ones((20, 6))}}, "samples: expected keys of letters, digits and _. Received: my in"),
    ({"format": "coreml"}, "format: expected one of saved_model, tflite, onnx. Received: 'coreml'"),
    ({"precision": "mixed"}, "expected one of float32, float16, dynamic, int8 for tflite. Received: 'mixed'"),
])  # fmt: skip
def test_arguments_that_do_not_fit_are_named(change, message, tmp_path):
    model, samples = dense()
    with pytest.raises(ValueError, match=message):
        export_model(model, tmp_path, **{"samples": samples, "format": "tflite", **change})
    assert not list(tmp_path.iterdir())
