"""The .onnx file as other tools see it."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest

FLOAT, UINT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8


@pytest.fixture(scope="module")
def graph(exported):
    return onnx.load(exported("onnx").path)


def signature(values):
    return {
        value.name: (value.type.tensor_type.elem_type, [size.dim_value for size in value.type.tensor_type.shape.dim])
        for value in values
    }


def test_names_types_and_sizes_are_static_and_readable(graph):
    assert signature(graph.graph.input) == {"image": (UINT8, [1, 64, 96, 3])}
    assert signature(graph.graph.output) == {
        "labels": (UINT8, [1, 64, 96]),
        "logits": (FLOAT, [1, 64, 96, 5]),
    }


def test_the_full_check_passes_at_opset_18_or_later(graph):
    onnx.checker.check_model(graph, full_check=True)
    opsets = {entry.domain: entry.version for entry in graph.opset_import}
    assert opsets.get("", opsets.get("ai.onnx")) >= 18


def test_only_standard_operators_are_used_and_the_network_is_there_once(graph):
    assert {node.domain for node in graph.graph.node} <= {"", "ai.onnx"}
    counts = Counter(node.op_type for node in graph.graph.node)
    assert counts["Conv"] == 33  # 14 depthwise, 13 pointwise and the first of the encoder and fc6; fc7, 3 scores
    assert counts["ConvTranspose"] == 3
    assert counts["ArgMax"] == 1


def test_a_session_computes_what_it_is_asked_for(exported, photographs):
    session = onnxruntime.InferenceSession(exported("onnx").path, providers=["CPUExecutionProvider"])
    (labels,) = session.run(["labels"], {"image": photographs[:1]})
    both = dict(zip(["labels", "logits"], session.run(None, {"image": photographs[:1]}), strict=True))
    np.testing.assert_array_equal(labels, both["labels"])
    np.testing.assert_array_equal(labels, both["logits"].argmax(-1))
    assert np.unique(labels).size > 1
