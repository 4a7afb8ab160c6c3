"""Precisions of a .tflite file: what is refused, what float16 promises, and which layers of int8 stay float."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from keras_segattn.export import export
from keras_segattn.export.lint import operators
from keras_segattn.export.quantize import PRECISIONS, Int8, quantize_int8, scopes, set_precision
from keras_segattn.export.serving import Signature
from keras_segattn.export.tflite import write_tflite
from keras_segattn.layers import BilinearUpsampling2D


@pytest.fixture(scope="module")
def float32(bare):
    return bare("tflite")


@pytest.fixture(scope="module")
def int8(float32, photographs):
    return Int8(float32, photographs[:8], ["segment", "logits"])


def logits(path, images):
    run = Interpreter(str(path)).get_signature_runner("logits")
    return np.concatenate([run(image=image[None])["logits"] for image in images])


@pytest.mark.parametrize("precision", ["int4", "FLOAT32", None])
def test_an_unknown_precision_is_refused_with_those_there_are(precision):
    with pytest.raises(ValueError, match=f"expected one of {', '.join(PRECISIONS)}. Received: {precision!r}"):
        set_precision(None, precision)


@pytest.mark.parametrize("calibration", [None, np.zeros((0, 8, 8, 3), "uint8")])
def test_int8_without_images_is_refused(calibration):
    with pytest.raises(ValueError, match="calibration: expected real images for int8"):
        quantize_int8("no.tflite", calibration, ["logits"])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("fcn8s_1/encoder_1/conv_dw_1_bn_1/batchnorm/mul_1", ["fcn8s", "encoder", "conv_dw_1_bn"]),
        ("net_2/conv2d_1_2/convolution", ["net", "conv2d_1"]),
        ("net_2/conv2d_2/convolution", ["net", "conv2d"]),  # not "conv2d_2": the number at the end is TensorFlow's
        ("StatefulPartitionedCall_1:0", []),
        ("Conv__189", []),
    ],
)
def test_the_layers_stand_in_the_name_of_a_tensor(name, found):
    assert scopes(name) == found


def test_the_layers_have_the_names_of_keras_and_all_constants_are_counted_once(float32, int8):
    assert {"rescale", "conv1", "conv_dw_1", "conv_pw_13", "fc6", "fc7", "score_8", "fuse_8"} <= set(int8.layers)
    assert not {"Cast", "conv1_relu", "conv1_bn", "fcn8s", "encoder"} & set(int8.layers)
    assert int8.layers["score_8"] == 4 * (192 + 1) * 5
    assert 0.95 < sum(int8.layers.values()) / float32.stat().st_size < 1


def test_with_all_layers_in_float_the_file_is_float32(float32, int8, photographs, tmp_path):
    path = tmp_path / "float.tflite"
    int8.write(path, list(int8.layers))
    np.testing.assert_array_equal(logits(path, photographs[:2]), logits(float32, photographs[:2]))


def test_a_layer_in_float_keeps_its_kernel_and_no_other(int8, tmp_path):
    everything, but_one = tmp_path / "int8.tflite", tmp_path / "mixed.tflite"
    int8.write(everything)
    int8.write(but_one, ["conv_dw_1"])
    before, after = (
        {tensor["name"]: tensor["dtype"] for tensor in Interpreter(str(path)).get_tensor_details()}
        for path in (everything, but_one)
    )
    kernels = {name for name in before if "_1/depthwise" in name and "Relu" not in name and before[name] == np.int8}
    changed = {name for name in kernels if after.get(name) != np.int8}
    assert len(kernels) == 13
    assert len(changed) == 1
    assert "/conv_dw_1_1/" in changed.pop()


def test_the_name_of_a_nested_model_keeps_all_of_it_in_float(int8, tmp_path):
    everything, decoder = tmp_path / "int8.tflite", tmp_path / "decoder.tflite"
    int8.write(everything)
    int8.write(decoder, ["encoder"])
    kernels = [
        {tensor["name"] for tensor in Interpreter(str(path)).get_tensor_details() if tensor["dtype"] == np.int8}
        for path in (everything, decoder)
    ]
    of_encoder = [{name for name in names if "/encoder_1/" in name and "Relu" not in name} for names in kernels]
    assert len(of_encoder[0]) == 27  # the first, 13 depthwise and 13 pointwise ones
    assert not of_encoder[1]
    assert any("/fc7_1/" in name and "Relu" not in name for name in kernels[1])


def test_a_name_that_no_layer_has_is_refused(int8, tmp_path):
    with pytest.raises(ValueError, match="float_layers: expected names of rescale, .*Received: 'conv_0'"):
        int8.write(tmp_path / "int8.tflite", ["conv_0"])


def test_the_same_images_give_the_same_file(float32, int8, photographs, tmp_path):
    once, again = tmp_path / "once.tflite", tmp_path / "again.tflite"
    int8.write(once, ["conv1"])
    again.write_bytes(float32.read_bytes())
    quantize_int8(again, photographs[:8], ["segment", "logits"], ["conv1"])
    assert once.read_bytes() == again.read_bytes()


def test_one_run_finds_the_ranges_that_the_quantizer_finds_of_each_function(float32, photographs, monkeypatch):
    from ai_edge_quantizer import calibrator, quantizer, recipe

    by_itself = quantizer.Quantizer(float32.read_bytes())
    by_itself.load_quantization_recipe(recipe.static_wi8_ai8())
    expected = by_itself.calibrate(dict.fromkeys(["segment", "logits"], [{"image": one[None]} for one in photographs]))
    runs, calibrate = [], calibrator.Calibrator.calibrate

    def counted(self, data, *arguments):
        runs.extend(data)
        calibrate(self, data, *arguments)

    monkeypatch.setattr(calibrator.Calibrator, "calibrate", counted)
    found = Int8(float32, photographs, ["logits", "segment"])._ranges
    assert runs == ["segment"]
    whole = {"segment_image:0", "logits_image:0", "StatefulPartitionedCall_1:0"}  # uint8: images and labels
    assert set(expected) - set(found) <= whole
    for name in set(expected) & set(found):
        for end in ("min", "max"):
            np.testing.assert_array_equal(np.ravel(found[name][end]), np.ravel(expected[name][end]))


def test_functions_that_compute_different_things_have_ranges_of_their_own(photographs, tmp_path):
    import tensorflow as tf

    def times(factor):
        return lambda inputs: {"product": factor * tf.cast(inputs["image"], tf.float32)}

    image = {"image": tf.TensorSpec((1, *photographs.shape[1:]), tf.uint8, name="image")}
    served = {"double": Signature(times(2.0), image), "triple": Signature(times(3.0), image)}
    write_tflite(served, tmp_path / "products.tflite", precision="int8", calibration=photographs[:8])
    brightest = photographs[photographs.max((1, 2, 3)).argmax()][None]
    most = int(brightest.max())
    assert most > 220
    for name, factor in (("double", 2), ("triple", 3)):
        run = Interpreter(str(tmp_path / "products.tflite")).get_signature_runner(name)
        assert run(image=brightest)["product"].max() == pytest.approx(factor * most, rel=0.1)


def test_a_float16_file_of_a_shallow_network_passes_its_limit(photographs, metadata, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # the converter has to choose its own backend
    keras.utils.set_random_seed(0)
    image = keras.Input((64, 96, 3), name="image")
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(layers.Rescaling(1 / 127.5, -1)(image))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
    x = layers.Dense(5)(layers.ReLU(6.0)(x))
    model = keras.Model(image, BilinearUpsampling2D(2, name="logits")(x))
    report = export(
        model,
        tmp_path,
        metadata,
        format="tflite",
        precision="float16",
        images=photographs,
        images_source="photographs",
    )
    assert report.path == tmp_path / "small_float16.tflite"
    assert 1e-6 < report.parity.worst < 1e-3  # ten times inside of the limit, and not float32
    assert report.parity.agreement >= 0.999
    # Of the convolution, the dense layer and the upsampling; not of the depthwise convolution.
    assert operators(report.path).counts["logits"]["DEQUANTIZE"] == 3
