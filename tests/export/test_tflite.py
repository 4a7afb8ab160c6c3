"""The .tflite file as the LiteRT runtime sees it."""

from collections import Counter

import numpy as np
import pytest

from keras_segattn.export.convert import convert
from keras_segattn.export.lint import operators

PRECISIONS = ["float32", "float16", "dynamic", "int8"]


@pytest.fixture(scope="module")
def path(exported, model, tmp_path_factory):
    """Function: precision -> file. Random weights do not pass the limit of float16, so that file is not proven."""
    half = tmp_path_factory.mktemp("half") / "small_float16.tflite"

    def path(precision):
        if precision != "float16":
            return exported("tflite", precision).path
        if not half.exists():
            convert(model, half, format="tflite", precision="float16")
        return half

    return path


@pytest.fixture(scope="module")
def interpreter(path):
    from ai_edge_litert.interpreter import Interpreter

    return lambda precision: Interpreter(str(path(precision)), num_threads=1)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_both_signatures_have_readable_names_and_static_sizes(interpreter, precision):
    served = interpreter(precision)
    assert served.get_signature_list() == {
        "segment": {"inputs": ["image"], "outputs": ["labels"]},
        "logits": {"inputs": ["image"], "outputs": ["logits"]},
    }
    for signature, output, kind, shape in [
        ("segment", "labels", np.uint8, [1, 64, 96]),
        ("logits", "logits", np.float32, [1, 64, 96, 5]),
    ]:
        runner = served.get_signature_runner(signature)
        image, answer = runner.get_input_details()["image"], runner.get_output_details()[output]
        assert (image["dtype"], image["shape_signature"].tolist()) == (np.uint8, [1, 64, 96, 3])
        assert (answer["dtype"], answer["shape_signature"].tolist()) == (kind, shape)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_all_operators_are_builtin_and_static(path, precision):
    found = operators(path(precision))
    assert found.custom == ()
    dynamic = {"SHAPE", "PACK", "WHILE", "IF", "VAR_HANDLE", "READ_VARIABLE"}
    assert not [name for count in found.counts.values() for name in count if name in dynamic]


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_xnnpack_takes_the_whole_network_but_for_the_cast_of_the_image(path, precision):
    found = operators(path(precision))
    assert found.left == Counter(CAST=1)
    assert found.delegated > 0.97


def test_of_dynamic_files_xnnpack_leaves_the_depthwise_convolutions_too(path):
    # LiteRT quantises kernels of at least 1024 weights: all depthwise ones but the four narrowest.
    assert operators(path("dynamic")).left == Counter(CAST=1, DEPTHWISE_CONV_2D=10)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_segment_is_logits_and_a_tail(path, precision):
    counts = operators(path(precision)).counts
    assert set(counts) == {"segment", "logits"}
    assert counts["segment"] - counts["logits"] == Counter(ARG_MAX=1, CAST=1)
    assert not counts["logits"] - counts["segment"]


def test_segment_takes_the_time_of_logits(interpreter, photographs):
    # So XNNPACK runs it too, of which the planning does not tell: without, it takes three times as long.
    from time import perf_counter

    served = interpreter("float32")
    seconds = {}
    for signature in ("segment", "logits"):
        runner = served.get_signature_runner(signature)
        times = []
        for _ in range(40):
            start = perf_counter()
            runner(image=photographs[:1])
            times.append(perf_counter() - start)
        seconds[signature] = min(times)
    assert seconds["segment"] < 1.6 * seconds["logits"]


def test_both_signatures_share_one_copy_of_the_weights(exported, model):
    weights = 4 * model.count_params()
    assert 0.95 * weights < exported("tflite").size < 1.05 * weights


def test_float16_holds_the_kernels_but_for_the_depthwise_ones(interpreter):
    tensors = interpreter("float16").get_tensor_details()
    halved = [tensor["shape"].tolist() for tensor in tensors if tensor["dtype"] == np.float16]
    assert len(halved) == 21  # 19 convolutions, 3 upsamplings of which two have the same kernel
    assert all(len(shape) == 4 and shape[0] > 1 for shape in halved)  # a depthwise kernel is (1, h, w, C)


def test_float16_has_about_half_the_size_and_answers_nearly_like_keras(path, exported, interpreter, model, photographs):
    assert 0.5 < path("float16").stat().st_size / exported("tflite").size < 0.53
    runner = interpreter("float16").get_signature_runner("logits")
    expected = model.predict_on_batch(photographs.astype("float32"))
    logits = np.concatenate([runner(image=photographs[i : i + 1])["logits"] for i in range(64)])
    difference = np.abs(logits - expected).max() / np.ptp(expected)
    assert 1e-5 < difference < 5e-3
    assert (logits.argmax(-1) == expected.argmax(-1)).mean() > 0.995
