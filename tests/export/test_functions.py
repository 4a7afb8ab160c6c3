"""Several functions of one model in a file: each answers as Keras does, and what they share is stored once."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_segattn.export.convert import convert

WORDS, UNITS, STEPS = 500, 64, 6
SIGNATURES = {
    "encode": (["sentence"], ["encoded"]),
    "step": (["word", "state"], ["scores", "next_state"]),
    "generate": (["state"], ["best"]),
}


@pytest.fixture(scope="module")
def translator():
    """A recurrent encoder and decoder with one embedding of 500 words and one layer of scores, 128 kB each."""
    keras.utils.set_random_seed(0)
    sentence = keras.Input((STEPS,), dtype="int32", name="sentence")
    word, state = keras.Input((1,), dtype="int32", name="word"), keras.Input((UNITS,), name="state")
    embedding = layers.Embedding(WORDS, UNITS, name="embedding")
    cell, score = layers.GRUCell(UNITS, name="cell"), layers.Dense(WORDS, name="score")
    encoded = layers.GlobalAveragePooling1D(name="mean")(embedding(sentence))
    after, _ = cell(layers.Flatten()(embedding(word)), state)
    best = keras.ops.top_k(score(cell(state, state)[0]), 1)[1]
    return keras.Model(
        {"sentence": sentence, "word": word, "state": state},
        {"encoded": encoded, "scores": score(after), "next_state": after, "best": best},
    )


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    return {
        "sentence": rng.integers(0, WORDS, (1, STEPS), "int32"),
        "word": np.array([[7]], "int32"),
        "state": rng.normal(size=(1, UNITS)).astype("float32"),
    }


@pytest.fixture(scope="module")
def files(translator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("functions")
    for format, name in [("tflite", "t.tflite"), ("onnx", "t.onnx"), ("saved_model", "t")]:
        convert(translator, folder / name, format=format, signatures=SIGNATURES)
    return folder


def tflite_answers(files, name, feed):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(files / "t.tflite")).get_signature_runner(name)(**feed)


def onnx_answers(files, name, feed):
    import onnxruntime

    session = onnxruntime.InferenceSession(files / f"t_{name}.onnx", providers=["CPUExecutionProvider"])
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, feed), strict=True))


def saved_model_answers(files, name, feed):
    import tensorflow as tf

    function = tf.saved_model.load(str(files / "t")).signatures[name]
    return {key: value.numpy() for key, value in function(**{key: tf.constant(x) for key, x in feed.items()}).items()}


@pytest.mark.parametrize("answers", [tflite_answers, onnx_answers, saved_model_answers])
@pytest.mark.parametrize("name", SIGNATURES)
def test_each_function_takes_its_inputs_and_answers_as_keras_does(translator, files, inputs, answers, name):
    needed, given = SIGNATURES[name]
    expected = translator.predict_on_batch(inputs)
    found = answers(files, name, {key: inputs[key] for key in needed})
    assert set(found) == set(given)
    for key in given:
        np.testing.assert_allclose(found[key], expected[key], atol=1e-5 * np.ptp(expected["scores"]))


def test_the_weights_that_functions_share_are_stored_once(translator, files):
    weights = 4 * translator.count_params()
    assert weights > 300_000
    assert weights < (files / "t.tflite").stat().st_size < 1.1 * weights


def test_onnx_has_a_file_for_each_function_of_other_inputs(files):
    assert sorted(path.name for path in files.glob("*.onnx")) == ["t_encode.onnx", "t_generate.onnx", "t_step.onnx"]
