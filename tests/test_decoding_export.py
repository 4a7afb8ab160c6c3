"""A decoder with attention leaves Python: greedy, beam search and sampling in LiteRT and onnxruntime, id by id."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn import decoding, layers

WORDS, SOURCE, LENGTH, END = 31, 8, 12, 2
SENTENCES = np.random.default_rng(0).integers(3, WORDS, (12, SOURCE)).astype("int32")
SENTENCES[np.arange(SOURCE) >= np.random.default_rng(1).integers(1, SOURCE + 1, (12, 1))] = 0
NOISE = np.random.default_rng(2).uniform(size=(12, LENGTH)).astype("float32")


class Translator(keras.Model):
    """Embeddings, a GRU that reads, one that writes with additive attention, and a score of every word."""

    def __init__(self):
        super().__init__()
        self.source, self.target = (keras.layers.Embedding(WORDS, 8) for _ in range(2))
        self.reader = keras.layers.GRU(10, return_sequences=True)
        attention = layers.BahdanauAttention(10)
        self.writer = layers.AttentionDecoderCell(keras.layers.GRUCell(10), attention, readout=layers.Maxout(10))
        self.scores = keras.layers.Dense(WORDS)

    def call(self, inputs):
        source, target = inputs
        memory = self.reader(self.source(source), mask=source != 0)
        return self.scores(self.writer([self.target(target), memory], mask=[None, source != 0]))

    def encode(self, source):
        mask = source != 0
        return self.writer.start(self.reader(self.source(source), mask=mask), mask)

    def step(self, token, state):
        output, state = self.writer.step(self.target(token), state)
        return self.scores(output), state

    def generate(self, inputs):
        """All three ways to decode, side by side."""
        state, arguments = self.encode(inputs["source"]), {"start": 1, "end": END, "forbidden": (0, 1)}
        arguments["watch"] = lambda state: state["scores"]
        found = {
            "beam": decoding.beam_search(
                self.step, state, max_length=LENGTH, beams=5, n_best=3, length_power=0.5, **arguments
            ),
            "greedy": decoding.greedy(self.step, state, max_length=LENGTH, **arguments),
            "sample": decoding.sample(self.step, state, inputs["noise"], top_k=9, top_p=0.9, **arguments),
        }
        return {f"{way}_{name}": x for way, one in found.items() for name, x in one._asdict().items()}


@pytest.fixture(scope="module")
def translator():
    model = Translator()
    model([SENTENCES, SENTENCES])
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(0, 0.9, weight.shape) for weight in model.get_weights()])
    model.scores.kernel.assign(rng.normal(0, 0.2, model.scores.kernel.shape))
    model.scores.bias.assign(3.0 * (np.arange(WORDS) == END))  # some sentences end at once, some never
    return model


@pytest.fixture(scope="module")
def expected(translator):
    """What Keras says of all sentences in one batch, with and without an end among them."""
    found = translator.generate({"source": ops.convert_to_tensor(SENTENCES), "noise": ops.convert_to_tensor(NOISE)})
    found = {name: ops.convert_to_numpy(x) for name, x in found.items()}
    assert len(np.unique(found["beam_lengths"])) > 6
    assert len(np.unique(found["sample_tokens"])) > 6
    return found


def agree(run, expected):
    """run: source (1, T) and noise (1, L) to a dict of arrays. The same ids, and nearly the same of what is not."""
    for number in range(len(SENTENCES)):
        found = run({"source": SENTENCES[number : number + 1], "noise": NOISE[number : number + 1]})
        assert set(found) == set(expected)
        for name, x in found.items():
            if x.dtype == np.int32:
                np.testing.assert_array_equal(x[0], expected[name][number], f"{name} of sentence {number}")
            else:
                np.testing.assert_allclose(x[0], expected[name][number], atol=1e-4, err_msg=name)


@pytest.fixture(scope="module")
def served(translator):
    import tensorflow as tf

    from keras_segattn.export.serving import Signature

    inputs = {
        "source": tf.TensorSpec((1, SOURCE), tf.int32, name="source"),
        "noise": tf.TensorSpec((1, LENGTH), tf.float32, name="noise"),
    }
    return {"generate": Signature(translator.generate, inputs)}


needs_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow exports")


@needs_tensorflow
def test_a_compiled_function_of_any_batch_says_the_same(translator, expected):
    import tensorflow as tf

    inputs = {"source": tf.TensorSpec((None, SOURCE), tf.int32), "noise": tf.TensorSpec((None, LENGTH), tf.float32)}
    compiled = tf.function(translator.generate, input_signature=[inputs])
    agree(lambda inputs: {name: x.numpy() for name, x in compiled(inputs).items()}, expected)
    for name, x in compiled({"source": SENTENCES, "noise": NOISE}).items():
        np.testing.assert_allclose(x, expected[name], atol=1e-4, err_msg=name)


@pytest.mark.slow
@needs_tensorflow
def test_litert_says_the_same_with_builtin_operators_alone(served, expected, tmp_path):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    from keras_segattn.export.lint import operators
    from keras_segattn.export.tflite import write_tflite

    write_tflite(served, tmp_path / "translator.tflite")
    assert not operators(tmp_path / "translator.tflite").custom
    runner = litert.Interpreter(str(tmp_path / "translator.tflite")).get_signature_runner("generate")
    agree(lambda inputs: runner(**inputs), expected)


@pytest.mark.slow
@needs_tensorflow
def test_onnxruntime_says_the_same_with_one_loop_for_each_way_to_decode(served, expected, tmp_path):
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    from keras_segattn.export.onnx import write_onnx

    (path,) = write_onnx(served, tmp_path / "translator.onnx")
    loops = [node for node in onnx.load(path).graph.node if node.op_type == "Loop"]
    assert len(loops) == 3 + 1  # and that of the GRU that reads
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    agree(lambda inputs: dict(zip(names, session.run(names, inputs), strict=True)), expected)
