"""Culprits: the layer that int8 ruins is named, and kept in float; no more layers are than it takes."""

from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_segattn.export import culprits as module
from keras_segattn.export.culprits import Culprit, QuantizationError, culprits, mix
from keras_segattn.export.onnx_quantize import Int8Onnx

SIZE = 8


def pointwise(name, source, kernel, bias):
    """A 1x1 convolution as tf2onnx names it."""
    constants = [np.array(kernel, "float32")[..., None, None], np.array(bias, "float32")]
    names = [f"net_1/{name}_1/convolution", f"net_1/{name}_1/bias"]
    node = helper.make_node("Conv", [source, *names], [f"net_1/{name}_1/out:0"], name=f"net_1/{name}_1/convolution")
    return node, list(map(numpy_helper.from_array, constants, names))


@pytest.fixture(scope="module")
def float32(tmp_path_factory):
    """A network whose label is the brightest colour of a pixel, by way of a channel a thousand times too large."""
    layers = [
        pointwise("spread", "x", [*np.eye(3), [1000, 1000, 1000]], [0, 0, 0, 0]),
        pointwise("score", "net_1/spread_1/out:0", np.eye(3, 4), [0, 0, 0]),
        pointwise("same", "net_1/score_1/out:0", np.eye(3), [0, 0, 0]),
    ]
    scale = numpy_helper.from_array(np.float32(1 / 255), "net_1/rescale_1/scale")
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], name="Cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", scale.name], ["net_1/rescale_1/mul:0"], name="net_1/rescale_1/mul"),
        helper.make_node("Transpose", ["net_1/rescale_1/mul:0"], ["x"], name="Transpose", perm=[0, 3, 1, 2]),
        *(node for node, _ in layers),
        helper.make_node("Transpose", ["net_1/same_1/out:0"], ["logits"], name="Transpose_1", perm=[0, 2, 3, 1]),
        helper.make_node("ArgMax", ["logits"], ["best"], name="ArgMax", axis=-1, keepdims=0),
        helper.make_node("Cast", ["best"], ["labels"], name="Cast_1", to=TensorProto.UINT8),
    ]
    shape = (1, SIZE, SIZE)
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, (*shape, 3))],
        [
            helper.make_tensor_value_info("labels", TensorProto.UINT8, shape),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, (*shape, 3)),
        ],
        [scale, *(constant for _, constants in layers for constant in constants)],
    )
    path = tmp_path_factory.mktemp("net") / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE, 3), "uint8")


@pytest.fixture(scope="module")
def int8(float32, images):
    return Int8Onnx(float32, images)


@pytest.fixture(scope="module")
def ranking(int8, images):
    return culprits(int8, images)


def changed(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    labels = np.concatenate([session.run(["labels"], {"image": image[None]})[0] for image in images])
    return (labels != images.argmax(-1)).mean()


def test_the_layers_on_both_sides_of_a_ruined_tensor_are_named(ranking):
    assert {culprit.layer for culprit in ranking[:2]} == {"spread", "score"}
    assert ranking[1].error > 0.4  # two of three labels are lost where all colours round to zero
    assert all(culprit.error < 0.02 for culprit in ranking[2:])
    costs = [(culprit.error, culprit.difference) for culprit in ranking]
    assert costs == sorted(costs, reverse=True)


def test_layers_that_change_as_many_labels_are_told_apart_by_the_scores(monkeypatch, tmp_path):
    float32 = tmp_path / "float32.onnx"
    float32.write_text("")
    scores = np.array([[0.0, 4.0], [0.0, 1.0]])
    off = {"little": 0.1, "much": 0.4, "label": 2.0}  # what a layer adds to the first score when it alone is int8

    def answers(path, images):
        return scores + [off.get(path.read_text(), 0.0), 0]

    def write(to, floats):
        to.write_text(next(name for name in off if name not in floats))

    monkeypatch.setattr(module, "_scores", answers)
    fake = SimpleNamespace(path=float32, layers=dict.fromkeys(off, 4), write=write)
    found = [(culprit.layer, culprit.error, round(culprit.difference, 6)) for culprit in culprits(fake, [0])]
    assert found == [("label", 0.5, 0.25), ("much", 0.0, 0.05), ("little", 0.0, 0.0125)]


def test_every_layer_is_ranked_once_with_the_bytes_of_its_constants(ranking):
    assert {culprit.layer: culprit.size for culprit in ranking} == {
        "rescale": 4, "spread": 4 * (12 + 4), "score": 4 * (12 + 3), "same": 4 * (9 + 3),
    }  # fmt: skip


def test_a_culprit_says_what_it_costs():
    assert str(Culprit("conv_dw_2", 0.00499, 0.002, 1920)) == (
        "conv_dw_2: 0.499 % of the labels, 2.0e-03 of the scores, 1.9 kB"
    )


def test_without_images_nothing_is_ranked(int8):
    with pytest.raises(ValueError, match="images: expected real images"):
        culprits(int8, [])


def test_mixed_keeps_the_ruined_layers_in_float_and_no_other(int8, ranking, images, tmp_path):
    path = tmp_path / "mixed.onnx"
    made = mix(int8, path, ranking, lambda path: 100 * changed(path, images), limit=2.0)
    assert set(made.float_layers) == {"spread", "score"}
    assert 100 * changed(path, images) == made.drop <= 2.0
    assert [count for count, _ in made.tried] == [0, 1, 2]
    assert any(tensor.data_type == TensorProto.INT8 for tensor in onnx.load(path).graph.initializer)


def test_a_file_that_half_of_the_layers_do_not_mend_is_not_left_behind(int8, ranking, tmp_path):
    path = tmp_path / "mixed.onnx"
    with pytest.raises(QuantizationError, match=r"mixed.onnx: 2 of 4 layers in float still lose nan points, 0.30 at"):
        mix(int8, path, ranking, lambda path: float("nan"))
    assert not path.exists()


@pytest.mark.parametrize("needed", [0, 1, 2, 3, 5, 8, 10])
def test_no_more_layers_stay_in_float_than_it_takes(needed, tmp_path):
    path = tmp_path / "model.tflite"
    names = [f"layer_{index}" for index in range(20)]
    ranking = [Culprit(name, 0.1, 0.1, 4) for name in names]
    fake = SimpleNamespace(layers=dict.fromkeys(names, 4), write=lambda to, floats: to.write_text(str(len(floats))))
    asked = []

    def drop(path):
        asked.append(int(path.read_text()))
        return 0.3 if asked[-1] >= needed else 0.31

    made = mix(fake, path, ranking, drop)
    assert made.float_layers == tuple(names[:needed])
    assert path.read_text() == str(needed)
    assert len(asked) == len(set(asked)) <= 8
    assert made.drop == 0.3


def test_a_ranking_of_the_other_format_serves_and_layers_that_are_not_there_are_passed_over(tmp_path):
    fake = SimpleNamespace(layers={"b": 4, "c": 4, "d": 4, "e": 4}, write=lambda to, floats: to.write_text(str(floats)))
    ranking = [Culprit(name, 0.1, 0.1, 4) for name in "abcde"]
    made = mix(fake, tmp_path / "model.onnx", ranking, lambda path: 0.0 if "b" in path.read_text() else 1.0)
    assert made.float_layers == ("b",)


@pytest.mark.real_data
def test_mixed_of_fcn8s_changes_fewer_labels_than_int8(tmp_path):
    from keras_segattn import zoo
    from keras_segattn.cli.entry import sample_inputs
    from keras_segattn.export.convert import convert
    from keras_segattn.export.culprits import _scores

    recipe = zoo.info("fcn8s_mobilenet_camvid")
    calibration, _ = sample_inputs(recipe, "train", 20)
    images, _ = sample_inputs(recipe, "val", 4)
    float32, made = tmp_path / "float32.onnx", tmp_path / "mixed.onnx"
    convert(zoo.load(recipe.name), float32, format="onnx")
    int8 = Int8Onnx(float32, calibration)
    expected = _scores(float32, images).argmax(-1)

    def lost(path):
        return 100 * (_scores(path, images).argmax(-1) != expected).mean()

    ranking = culprits(int8, images[:2])
    assert ranking[0].error > 3 * ranking[len(ranking) // 2].error
    int8.write(made)
    plain = lost(made)
    mixed = mix(int8, made, ranking, lost, limit=plain / 2)
    assert 0 < len(mixed.kept) <= len(ranking) // 3
    assert made.stat().st_size < float32.stat().st_size / 2
