"""``segattn lint``: sentences, one object, and the exit code, on files that take no converter to make."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_segattn.export.metadata import Metadata, attach
from keras_segattn.export.rules import RULES


@pytest.fixture
def write(tmp_path):
    """Function: provenance, or None for no metadata -> .onnx file with a float convolution after an int8 one."""

    def write(provenance, output="scores"):
        kernel = np.random.default_rng(0).normal(size=(3, 3, 1, 1)).astype("float32")
        constants = {"kernel": kernel, "scale": np.float32(0.1), "zero": np.int8(0)}
        nodes = [
            helper.make_node("QuantizeLinear", ["image", "scale", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
            helper.make_node("Conv", ["d", "kernel"], [output], name="net/score_1/conv"),
        ]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 8, 8)) for name in ("image", output)]
        weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
        graph = helper.make_graph(nodes, "main", ends[:1], ends[1:], weights)
        path = tmp_path / "model.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
        if provenance is not None:
            facts = {"classes": ("no", "yes"), "palette": ((0, 0, 0), (255, 0, 0)), "image_size": (8, 8)}
            attach(path, Metadata(name="small", provenance=provenance, **facts))
        return path

    return write


def test_a_file_is_held_against_what_it_says_of_itself(segattn, write):
    path = write({"float_layers": ["score"], "operators": 3})
    code, out, _ = segattn("lint", path)
    assert code == 0
    assert out.startswith(f"{path}: 0 findings. main 3 operators; most are 1 QuantizeLinear")
    code, out, _ = segattn("lint", write({"float_layers": ["score"], "operators": 2}))
    assert (code, "The file has 3 operators where 2 are budgeted" in out) == (1, True)
    assert segattn("lint", path, "--budget", 3)[0] == 0  # what is asked for goes before what the file says
    assert segattn("lint", path, "--budget", 2)[0] == 1


def test_every_finding_is_a_sentence_with_a_remedy(segattn, write):
    code, out, _ = segattn("lint", write(None, output="output_0"))
    assert code == 1
    assert out.splitlines()[:3] == [
        "float-island",
        "  The Conv of net/score_1/conv computes in float inside an int8 file.",
        f"  -> {RULES['float-island'].remedy}",
    ]
    assert [line for line in out.splitlines() if line in RULES] == ["float-island", "unnamed", "metadata"]
    assert out.splitlines()[-1].endswith("most are 1 QuantizeLinear, 1 DequantizeLinear, 1 Conv")


def test_one_object_holds_findings_and_operators(segattn, write):
    code, out, _ = segattn("lint", write(None), "--json")
    facts = json.loads(out)
    assert code == 1
    assert [finding["rule"] for finding in facts["findings"]] == ["float-island", "metadata"]
    assert set(facts["findings"][0]) == {"rule", "where", "what", "remedy"}
    assert facts["operators"] == {
        "counts": {"main": {"QuantizeLinear": 1, "DequantizeLinear": 1, "Conv": 1}},
        "custom": [],
        "left": None,
        "delegated": None,
    }


def test_a_tflite_file_of_ours_is_clean_and_tells_what_xnnpack_leaves(segattn, tflite):
    code, out, err = segattn("lint", tflite)
    assert code == 0, out + err
    assert "0 findings. " in out
    assert "XNNPACK runs 98 % of logits, not 1 CAST" in out


@pytest.mark.parametrize("name", ["missing.tflite", "empty.tflite", "empty.onnx", "model.pb"])
def test_a_file_that_is_none_is_one_line_that_names_it(segattn, tmp_path, name):
    if "missing" not in name:
        (tmp_path / name).touch()
    code, out, err = segattn("lint", tmp_path / name)
    assert (code, out) == (1, "")
    assert err.startswith(f"segattn: {tmp_path / name}: expected a")
