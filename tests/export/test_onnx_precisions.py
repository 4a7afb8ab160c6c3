"""float16 and int8 of an .onnx file: valid, small, and near the float32 file."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from keras_segattn.export.onnx_quantize import Int8Onnx, halve_onnx, quantize_onnx
from keras_segattn.export.parity import LIMITS


@pytest.fixture(scope="module")
def float32(bare):
    return bare("onnx")


@pytest.fixture(scope="module")
def half(float32, tmp_path_factory):
    path = tmp_path_factory.mktemp("half") / "half.onnx"
    path.write_bytes(float32.read_bytes())
    halve_onnx(path)
    return path


@pytest.fixture(scope="module")
def int8(float32, photographs):
    return Int8Onnx(float32, photographs[:8])


def answers(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs = [session.run(["labels", "logits"], {"image": image[None]}) for image in images]
    return [np.concatenate(output) for output in zip(*outputs, strict=True)]


def signature(path):
    graph = onnx.load(path).graph
    return [value.SerializeToString() for value in [*graph.input, *graph.output]]


def kinds(path):
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_a_float16_file_is_valid_and_takes_and_gives_what_the_float32_file_does(float32, half):
    model = onnx.load(half)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 18
    assert signature(half) == signature(float32)


def test_float16_is_near_float32_even_with_random_weights(float32, half, photographs):
    labels, logits = answers(float32, photographs)
    half_labels, half_logits = answers(half, photographs)
    assert 1e-6 < np.abs(half_logits - logits).max() / np.ptp(logits) < LIMITS["float16"][0]
    assert (half_labels == labels).mean() > 0.995


def test_float16_kernels_are_all_but_the_depthwise_ones_and_halve_the_file(float32, half):
    halved = [tensor.name for tensor in onnx.load(half).graph.initializer if tensor.data_type == TensorProto.FLOAT16]
    # The first and 13 pointwise ones of the encoder, fc6, fc7, 3 scores, and 2 for 3 upsamplings, two of them equal.
    assert len(halved) == 21
    assert half.stat().st_size < 0.56 * float32.stat().st_size


def test_an_int8_file_is_valid_small_and_has_no_operator_of_its_own(float32, int8, tmp_path):
    path = tmp_path / "int8.onnx"
    int8.write(path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.domain for entry in model.opset_import} == {""}
    assert not model.metadata_props
    assert signature(path) == signature(float32)
    assert path.stat().st_size < 0.4 * float32.stat().st_size


def test_int8_is_near_float32_but_for_the_label_map(float32, int8, photographs, tmp_path):
    path = tmp_path / "int8.onnx"
    int8.write(path)
    labels, logits = answers(float32, photographs)
    int8_labels, int8_logits = answers(path, photographs)
    assert 1e-3 < np.abs(int8_logits - logits).mean() / np.ptp(logits) < 0.05
    assert (int8_labels == labels).mean() > 0.8
    np.testing.assert_array_equal(int8_labels, int8_logits.argmax(-1))


def test_kernels_are_int8_for_each_output_channel(int8, tmp_path):
    int8.write(tmp_path / "int8.onnx")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    pairs = [(constants[node.input[0]], constants[node.input[1]]) for node in graph.node if node.input[0] in constants]
    kernels = [(kernel, scale) for kernel, scale in pairs if len(kernel.dims) == 4]
    assert len(kernels) == 35  # 33 of Conv, 2 for 3 of ConvTranspose, two of them equal
    assert all(kernel.data_type == TensorProto.INT8 for kernel, _ in kernels)
    assert all(len(scale.dims) == 1 and scale.dims[0] in kernel.dims for kernel, scale in kernels)


def test_with_all_layers_in_float_nothing_is_left_of_int8(float32, int8, photographs, tmp_path):
    path = tmp_path / "float.onnx"
    int8.write(path, list(int8.layers))
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(kinds(path))
    (labels, logits), (same_labels, same_logits) = answers(float32, photographs[:4]), answers(path, photographs[:4])
    np.testing.assert_allclose(same_logits, logits, atol=1e-4 * np.ptp(logits))
    assert (same_labels == labels).mean() > 0.999


def test_a_layer_in_float_takes_its_activation_along(int8, tmp_path):
    everything, but_one = tmp_path / "int8.onnx", tmp_path / "mixed.onnx"
    int8.write(everything)
    int8.write(but_one, ["conv_dw_3"])
    graph = onnx.load(but_one).graph
    kernel = next(node.input[1] for node in graph.node if "conv_dw_3_1/" in node.name and node.op_type == "Conv")
    assert next(tensor for tensor in graph.initializer if tensor.name == kernel).data_type == TensorProto.FLOAT
    assert kinds(but_one)["Clip"] == kinds(everything)["Clip"] + 1


def test_onnxruntime_leaves_a_float_layer_between_int8_ones_float(int8, tmp_path):
    def loaded(*float_layers):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
        int8.write(tmp_path / "mixed.onnx", float_layers)
        onnxruntime.InferenceSession(tmp_path / "mixed.onnx", options, providers=["CPUExecutionProvider"])
        return kinds(tmp_path / "loaded.onnx")

    everything = loaded()["QLinearConv"]
    assert everything == 27  # it computes those beside a branch, as the three scores, in float
    assert loaded("conv_dw_3", "conv_pw_9")["QLinearConv"] == everything - 2


def test_the_layers_have_the_names_of_keras(int8):
    assert {"rescale", "conv1", "conv_dw_1", "conv_pw_13", "fc6", "fc7", "score_8", "fuse_8"} <= set(int8.layers)
    assert not {"conv1_relu", "conv1_bn", "fcn8s", "encoder"} & set(int8.layers)
    assert int8.layers["score_8"] == 4 * (192 + 1) * 5


def test_the_same_images_give_the_same_file(float32, int8, photographs, tmp_path):
    once, again = tmp_path / "once.onnx", tmp_path / "again.onnx"
    int8.write(once, ["conv1"])
    again.write_bytes(float32.read_bytes())
    quantize_onnx(again, photographs[:8], ["conv1"])
    assert once.read_bytes() == again.read_bytes()


def test_a_name_that_no_layer_has_is_refused(int8, tmp_path):
    with pytest.raises(ValueError, match="float_layers: expected names of rescale, .*Received: 'conv_0'"):
        int8.write(tmp_path / "int8.onnx", ["conv_0"])


@pytest.mark.parametrize("calibration", [None, np.zeros((0, 8, 8, 3), "uint8")])
def test_int8_without_images_is_refused(calibration):
    with pytest.raises(ValueError, match="calibration: expected real images for int8"):
        quantize_onnx("no.onnx", calibration)
