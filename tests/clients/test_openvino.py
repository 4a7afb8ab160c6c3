"""OpenVINO on the ONNX file."""

import pytest

pytest.importorskip("openvino", reason="openvino is not installed: make test-clients")


def test_openvino_gives_the_mask_of_keras(exported, answer, hold):
    _, labels = answer("OpenVINO", exported("--format", "onnx"))
    hold(labels)
