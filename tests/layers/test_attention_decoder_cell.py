"""A decoder of parts: the steps of the papers, all at once or one by one, on every backend."""

import functools
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.layers import (
    AttentionDecoderCell,
    BahdanauAttention,
    ContextGate,
    HardAttention,
    LuongAttention,
    Maxout,
    Reinforce,
)
from keras_segattn.layers.doubly_stochastic import doubly_stochastic_penalty

from ..backends import on_each_backend, run_on
from ..contracts import gradients, to_numpy

Dense, GRUCell, LSTMCell = keras.layers.Dense, keras.layers.GRUCell, keras.layers.LSTMCell


def bahdanau(**arguments):
    return AttentionDecoderCell(GRUCell(4), BahdanauAttention(5), readout=Maxout(3), **arguments)


def luong(**arguments):
    cell = keras.layers.StackedRNNCells([LSTMCell(4), GRUCell(4)])
    attention = LuongAttention("general", "local-m", window=1)
    return AttentionDecoderCell(cell, attention, attend="after", feed=Dense(3, "tanh"), **arguments)


def show_attend_tell(**arguments):
    arguments = {"doubly_stochastic": 0.5, **arguments}
    return AttentionDecoderCell(LSTMCell(4), BahdanauAttention(5), gate=ContextGate(), **arguments)


def hard(**arguments):
    attention = HardAttention(BahdanauAttention(5), mean_rate=0.0, seed=1)
    return AttentionDecoderCell(GRUCell(4), attention, readout=Dense(3), **arguments)


DECODERS = {"bahdanau": bahdanau, "luong": luong, "show_attend_tell": show_attend_tell, "hard": hard}
# Two sentences of 5 and 3 source words, into 4 and 2 words.
MASK, STEPS = np.arange(5) < [[5], [3]], np.arange(4) < [[4], [2]]


def arrays():
    """Inputs (2, 4, 3) and memory (2, 5, 6)."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=size).astype("float32") for size in ((2, 4, 3), (2, 5, 6))]


def settled(decoder):
    """The decoder built, with weights that every backend can make."""
    decoder.build([(None, None, 3), (None, None, 6)])
    rng = np.random.default_rng(2)
    for weight in decoder.trainable_weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return decoder


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS)
@pytest.mark.parametrize("unroll", [False, True])
def test_a_whole_sequence_is_its_steps_one_by_one(make, unroll):
    inputs, memory = arrays()
    decoder = settled(make(unroll=unroll))
    outputs, weights = decoder([inputs, memory], mask=[None, MASK], return_attention_scores=True)
    assert outputs.shape == decoder.compute_output_shape([inputs.shape, memory.shape])
    state = decoder.start(ops.convert_to_tensor(memory), ops.convert_to_tensor(MASK))
    before = keras.tree.map_structure(lambda x: (tuple(x.shape), str(x.dtype)), state)
    for number in range(4):
        output, state = decoder.step(ops.convert_to_tensor(inputs[:, number]), state)
        np.testing.assert_allclose(to_numpy(output), to_numpy(outputs)[:, number], atol=1e-6)
        np.testing.assert_allclose(to_numpy(state["scores"]), to_numpy(weights)[:, number], atol=1e-6)
    assert keras.tree.map_structure(lambda x: (tuple(x.shape), str(x.dtype)), state) == before


def test_the_previous_hidden_state_asks_and_the_cell_reads_the_context_as_in_bahdanau():
    inputs, memory = arrays()
    decoder = settled(bahdanau())
    gru, attention, maxout = decoder.cell, decoder.attention, decoder.readout
    expected, hidden = [], ops.zeros((2, 4))
    for number in range(4):
        word = inputs[:, number]
        context = attention([hidden, memory])
        hidden, _ = gru(ops.concatenate([word, context], axis=-1), [hidden])
        kernel, bias = (to_numpy(weight) for weight in maxout.weights)
        pieces = np.concatenate([to_numpy(x) for x in (hidden, context, word)], axis=-1) @ kernel + bias
        expected.append(pieces.reshape(2, 3, 2).max(-1))
    np.testing.assert_allclose(to_numpy(decoder([inputs, memory])), np.stack(expected, 1), atol=1e-5)


def test_the_new_hidden_state_asks_and_what_it_found_is_fed_as_in_luong():
    inputs, memory = arrays()
    attention, combine = LuongAttention("general"), Dense(3, "tanh")
    decoder = settled(AttentionDecoderCell(LSTMCell(4), attention, attend="after", feed=combine))
    expected, fed, states = [], np.zeros((2, 3), "float32"), [ops.zeros((2, 4))] * 2
    for number in range(4):
        hidden, states = decoder.cell(np.concatenate([inputs[:, number], fed], axis=-1), states)
        context = to_numpy(attention([hidden, memory]))
        kernel, bias = (to_numpy(weight) for weight in combine.weights)
        fed = np.tanh(np.concatenate([to_numpy(hidden), context], axis=-1) @ kernel + bias)
        expected.append(fed)
    np.testing.assert_allclose(to_numpy(decoder([inputs, memory])), np.stack(expected, 1), atol=1e-5)


def test_the_gate_is_a_scalar_of_the_previous_hidden_state_as_in_show_attend_and_tell():
    inputs, memory = arrays()
    decoder = settled(show_attend_tell())
    gate = decoder.gate
    states, kernel, bias = [ops.full((2, 4), 0.5)] * 2, *(to_numpy(weight) for weight in gate.weights)
    output = to_numpy(decoder([inputs[:, :1], memory, *states]))[:, 0]             # hidden, context, input
    beta = sigmoid(to_numpy(states[0]) @ kernel + bias)                            # (2, 1)
    context = beta * to_numpy(decoder.attention([states[0], memory]))
    assert beta.shape == (2, 1)
    np.testing.assert_allclose(output[:, 4:10], context, atol=1e-6)
    np.testing.assert_array_equal(output[:, 10:], inputs[:, 0])
    hidden, _ = decoder.cell(np.concatenate([inputs[:, 0], context], axis=-1), states)
    np.testing.assert_allclose(output[:, :4], to_numpy(hidden), atol=1e-6)


def test_the_states_given_are_those_that_it_starts_from():
    inputs, memory = arrays()
    decoder = settled(luong())
    states = [np.full((2, 4), value, "float32") for value in (0.1, -0.2, 0.3)]     # h and c of the LSTM, h of the GRU
    whole = to_numpy(decoder([inputs, memory, *states]))
    first, _ = decoder.step(inputs[:, 0], decoder.start(ops.convert_to_tensor(memory), cell_state=states))
    np.testing.assert_allclose(whole[:, 0], to_numpy(first), atol=1e-6)
    assert np.abs(whole - to_numpy(decoder([inputs, memory]))).max() > 0.01


class Masked(keras.layers.Layer):
    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def call(self, inputs):
        masks = [ops.convert_to_tensor(mask) for mask in (STEPS, MASK)]
        return self.decoder(inputs, mask=masks)


@pytest.mark.parametrize("make", [bahdanau, luong])
def test_padding_of_both_sides_changes_nothing_and_has_no_gradient(make):
    inputs, memory = arrays()
    decoder = settled(make())
    padded = to_numpy(Masked(decoder)([inputs, memory]))
    short = to_numpy(decoder([inputs[1:, :2], memory[1:, :3]]))
    np.testing.assert_allclose(padded[1:, :2], short, atol=1e-6)
    sensitivity = np.random.default_rng(1).normal(size=padded.shape) * STEPS[..., None]
    by_inputs, by_memory, *_ = gradients(Masked(decoder), [inputs, memory], sensitivity.astype("float32"), True)
    assert (by_memory[~MASK] == 0).all()
    assert (by_inputs[~STEPS] == 0).all()
    assert np.abs(by_memory[MASK]).min() > 0


def test_the_mask_of_the_target_goes_on_with_outputs_weights_and_choice():
    tokens = np.array([[1, 2, 2, 0], [2, 0, 0, 0]])
    inputs = keras.layers.Embedding(3, 3, mask_zero=True)(tokens)
    found = bahdanau()([inputs, arrays()[1]], return_attention_scores=True, return_choice=True)
    for x in found:
        np.testing.assert_array_equal(to_numpy(keras.src.backend.get_keras_mask(x)), tokens > 0)


def test_training_adds_the_doubly_stochastic_penalty_of_what_counts():
    inputs, memory = arrays()
    decoder = settled(show_attend_tell())
    _, weights = decoder([inputs, memory], mask=[STEPS, MASK], return_attention_scores=True)
    assert decoder.losses == []
    decoder([inputs, memory], mask=[STEPS, MASK], training=True)
    seen = (to_numpy(weights) * STEPS[..., None]).sum(1)
    expected = ((1 - seen) ** 2 * MASK).sum(-1)
    assert float(decoder.losses[0]) == pytest.approx(0.5 * expected.mean(), abs=1e-5)


@pytest.fixture
def mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("mixed_precision")
def test_the_penalty_is_a_float32_in_mixed_precision():
    decoder = show_attend_tell()
    outputs = decoder(arrays(), training=True)
    assert [keras.backend.standardize_dtype(x.dtype) for x in (outputs, *decoder.losses)] == ["bfloat16", "float32"]


def test_the_doubly_stochastic_penalty_is_0_when_each_position_is_seen_once():
    scores = np.eye(3, dtype="float32")[None]
    assert float(doubly_stochastic_penalty(scores)[0]) == 0
    assert float(doubly_stochastic_penalty(scores, step_mask=np.array([[True, True, False]]))[0]) == 1
    assert float(doubly_stochastic_penalty(scores[:, :2], mask=np.array([[True, True, False]]))[0]) == 0


def test_hard_attention_reads_in_training_what_it_chose():
    inputs, memory = arrays()
    decoder = settled(AttentionDecoderCell(GRUCell(4), HardAttention(BahdanauAttention(5), mean_rate=0.0)))
    found = decoder([inputs, memory], training=True, return_attention_scores=True, return_choice=True)
    outputs, scores, choice = (to_numpy(x) for x in found)
    np.testing.assert_array_equal(choice.max(-1), 1)
    np.testing.assert_allclose(outputs[..., 4:10], choice @ memory, atol=1e-6)
    np.testing.assert_allclose(scores.sum(-1), 1, atol=1e-6)
    assert scores.max() < 0.999
    *_, mean, same = decoder([inputs, memory], return_attention_scores=True, return_choice=True)
    np.testing.assert_array_equal(to_numpy(same), to_numpy(mean))


def test_it_is_a_part_of_a_functional_model_that_learns_and_is_saved(tmp_path):
    inputs, memory = arrays()
    x, m = keras.Input((None, 3)), keras.Input((None, 6))
    outputs, weights = show_attend_tell()([x, m], return_attention_scores=True)
    model = keras.Model([x, m], {"outputs": Dense(2)(outputs), "weights": weights})
    assert model.output["weights"].shape == (None, None, None)
    model.compile("adam", {"outputs": "mse", "weights": None}, jit_compile=False)
    target = {"outputs": np.zeros((2, 4, 2), "float32")}
    losses = [model.train_on_batch([inputs, memory], target) for _ in range(12)]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.predict_on_batch([inputs, memory])
    for name, found in loaded.predict_on_batch([inputs, memory]).items():
        np.testing.assert_allclose(found, expected[name], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": Dense(3)}, "cell: expected a GRUCell, an LSTMCell or StackedRNNCells"),
        ({"cell": GRUCell(3, dropout=0.5)}, "cell: expected no dropout within its loop"),
        ({"attention": None}, "attention: expected a keras layer. Received: None"),
        ({"gate": "beta"}, "gate: expected a keras layer. Received: 'beta'"),
        ({"attend": "never"}, "attend: expected one of before, after. Received: 'never'"),
        ({"feed": Dense(2), "readout": Dense(2)}, "readout: expected None, for the output is what feed gives"),
        ({"doubly_stochastic": -1}, "doubly_stochastic: expected a number >= 0. Received: -1"),
    ],
)
def test_parts_that_do_not_fit_are_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionDecoderCell(**{"cell": GRUCell(3), "attention": BahdanauAttention(2), **arguments})


def test_a_memory_of_another_rank_is_an_error():
    with pytest.raises(ValueError, match=r"inputs: expected \[inputs \(B, S, E\), memory \(B, T, M\)"):
        bahdanau()([ops.ones((2, 3)), ops.ones((2, 3, 4))])


@functools.cache
def answers():
    """Of every decoder in training, compiled where the backend compiles: outputs, weights and penalty; a gradient."""
    inputs, memory = arrays()
    found = {}
    for name in ("bahdanau", "luong", "show_attend_tell"):
        outputs, weights, penalty = train_mode(settled(DECODERS[name]()), [inputs, memory])
        found |= {f"{name}/outputs": outputs, f"{name}/weights": weights, f"{name}/penalty": penalty}
    sensitivity = np.random.default_rng(1).normal(size=(2, 4, 3)).astype("float32")
    found["gradient"] = gradients(settled(bahdanau()), [inputs, memory], sensitivity, many_inputs=True)[1]
    _, scores, choice, _ = train_mode(settled(hard()), [inputs, memory], return_choice=True)
    assert (to_numpy(choice).max(-1) == 1).all()  # where it looks is the backend's own
    loss = Reinforce()([ops.array([-1.0, -2.0]), scores, choice], training=True)
    assert np.isfinite(to_numpy(loss)).all()
    return {name: to_numpy(x) for name, x in found.items()}


def train_mode(decoder, inputs, **arguments):
    """Outputs, weights and the sum of the losses in training."""
    arguments = {"training": True, "return_attention_scores": True, **arguments}
    masks = [ops.convert_to_tensor(mask) for mask in (STEPS, MASK)]
    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def compiled(trainable, fixed, inputs):
            results = decoder.stateless_call(trainable, fixed, inputs, mask=masks, return_losses=True, **arguments)
            return *results[0], sum(results[2], start=0.0)

        trainable, fixed = decoder.trainable_variables, decoder.non_trainable_variables
        return compiled([v.value for v in trainable], [v.value for v in fixed], inputs)
    results = decoder(inputs, mask=masks, **arguments)
    return *results, sum(decoder.losses, start=ops.zeros(()))


@on_each_backend
def test_the_decoders_answer_and_learn_as_under_backend(backend, tmp_path):
    run_on(backend, "-m", __spec__.name, tmp_path / "answers.npz")
    theirs, ours = np.load(tmp_path / "answers.npz"), answers()
    assert set(theirs) == set(ours)
    for name, expected in ours.items():
        np.testing.assert_allclose(theirs[name], expected, atol=1e-5, err_msg=name)


if __name__ == "__main__":  # on another backend
    np.savez(sys.argv[1], **answers())
