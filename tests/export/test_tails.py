"""What a file answers with, by tail; each answer is the one that Keras gives by way of the same tail."""

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from keras_segattn.export import Runner, RunnerError, export
from keras_segattn.export.parity import ParityError
from keras_segattn.export.tails import TAILS, Answers, before_upsampling

ONE_OUTPUT = {"probabilities": "probabilities", "mediapipe": "probabilities", "logits": "logits"}


@pytest.fixture(scope="module")
def served(model, photographs, metadata, tmp_path_factory):
    """Function: format, tail -> Runner of a proven file."""
    folder, made = tmp_path_factory.mktemp("tails"), {}

    def runner(format, tail):
        if (format, tail) not in made:
            report = export(
                model, folder, metadata, format=format, tail=tail, images=photographs, images_source="photographs"
            )
            made[format, tail] = report
        return Runner(made[format, tail].path)

    return runner


@pytest.mark.parametrize(
    ("format", "tail"),
    [("tflite", tail) for tail in TAILS] + [("onnx", tail) for tail in TAILS if tail != "mediapipe"],
)
def test_a_file_serves_what_its_tail_says(served, photographs, format, tail):
    runner = served(format, tail)
    assert runner.metadata.tail == tail
    assert {name: set(outputs) for name, outputs in runner.signatures.items()} == {
        "segment" if name == "answer" else name: set(outputs) for name, outputs in TAILS[tail].outputs.items()
    }
    of_tail = "" if tail == "labels" else f"_{tail.replace('-', '_')}"
    assert runner.path.name == f"small_float32{of_tail}.{format}"
    assert np.unique(runner.labels(photographs[0])).size > 1


@pytest.mark.parametrize("format", ["tflite", "onnx"])
@pytest.mark.parametrize("tail", ONE_OUTPUT)
def test_other_tails_give_the_labels_of_the_first(served, photographs, format, tail):
    if format == "onnx" and tail == "mediapipe":
        pytest.skip("mediapipe reads .tflite")
    expected, runner = served(format, "labels"), served(format, tail)
    assert [name for outputs in runner.signatures.values() for name in outputs] == [ONE_OUTPUT[tail]]
    for image in photographs[:3]:
        np.testing.assert_array_equal(runner.labels(image), expected.labels(image))


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_probabilities_are_the_softmax_of_the_logits(served, photographs, format):
    found = served(format, "probabilities").probabilities(photographs[0])
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(found, served(format, "labels").probabilities(photographs[0]), atol=1e-5)


def test_a_file_of_probabilities_has_no_logits(served, photographs):
    with pytest.raises(RunnerError, match="expected a file that serves logits. Its outputs: probabilities"):
        served("tflite", "probabilities").logits(photographs[0])


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_fast_labels_come_in_blocks_of_the_stride_and_are_nearly_the_labels(served, photographs, format):
    fast, exact = (served(format, tail).labels(photographs[0]) for tail in ("labels-fast", "labels"))
    blocks = fast.reshape(8, 8, 12, 8).transpose(0, 2, 1, 3).reshape(8, 12, 64)
    assert (blocks == blocks[..., :1]).all()
    assert 0.5 < (fast == exact).mean() < 1


def test_fast_labels_are_the_largest_scores_before_the_upsampling(model, photographs):
    network, factor = before_upsampling(model)
    scores = network.predict_on_batch(photographs[:2].astype("float32"))
    assert (factor, scores.shape) == (8, (2, 8, 12, 5))
    labels = Answers(np.zeros((2, 60, 90, 5)), scores).labels_fast()
    assert labels.shape == (2, 60, 90)  # what was padded is cropped
    for y, x in [(0, 0), (31, 47), (59, 89)]:
        assert labels[1, y, x] == scores[1, y // 8, x // 8].argmax()


def test_a_model_that_does_not_end_in_interpolation_has_no_fast_labels():
    image = keras.Input((64, 96, 3), name="image")
    model = keras.Model(image, layers.Conv2D(5, 1, name="last")(image))
    with pytest.raises(ValueError, match="tail: expected a model that ends in fixed upsampling .* last"):
        before_upsampling(model)


def test_upsampling_of_keras_counts_as_fixed():
    image = keras.Input((64, 96, 3), name="image")
    x = layers.Conv2D(5, 4, strides=4)(image)
    model = keras.Model(image, layers.UpSampling2D(4, interpolation="bilinear")(x))
    assert before_upsampling(model)[1] == 4


@pytest.mark.parametrize("tail", ["labels-fast", "probabilities"])
def test_a_file_of_another_tail_is_refused(served, model, photographs, metadata, converter_gives, tmp_path, tail):
    """The converter hands over a file whose answer is that of another model of the same kind: its classes turned."""
    image = keras.Input(model.input_shape[1:], name="image")
    scores, factor = before_upsampling(model)
    turned = keras.Model(image, layers.UpSampling2D(factor)(keras.ops.roll(scores(image), 1, axis=-1)))
    file = tmp_path / "given.onnx"
    graph = onnx.load(served("onnx", tail).path)
    del graph.metadata_props[:]
    onnx.save(graph, file)
    converter_gives(file)
    proof = {"images": photographs, "images_source": "photographs"}
    with pytest.raises(ParityError):
        export(turned, tmp_path / "out", metadata, format="onnx", tail=tail, **proof)
    assert list((tmp_path / "out").iterdir()) == []
