"""OpenCV's dnn on the ONNX file."""

import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: make test-clients")


def test_opencv_gives_the_mask_of_keras(exported, answer, hold):
    _, labels = answer("OpenCV", exported("--format", "onnx"))
    hold(labels)
