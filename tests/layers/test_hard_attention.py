"""Looking at one place, and learning where by REINFORCE."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn.layers import BahdanauAttention, HardAttention, LuongAttention, Reinforce

from ..contracts import gradients, to_numpy

# A toy problem: four locations, the log-likelihood of the sentence after a look at each, and what leads there.
REWARDS = np.array([-1.0, -3.0, -0.5, -2.0])
SCORES = np.array([0.2, 1.0, -0.5, 0.0])
PROBABILITIES = np.exp(SCORES) / np.exp(SCORES).sum()


class Toy(keras.layers.Layer):
    """Mean surrogate loss of many looks at the toy problem, of the scores (1, 4)."""

    def __init__(self, baseline=0.0, entropy_weight=0.0):
        super().__init__()
        self.hard = HardAttention(BahdanauAttention(1))
        self.reinforce = Reinforce(entropy_weight=entropy_weight)
        self.reinforce.build([(None,), (None, 1, 4), (None, 1, 4)])
        self.baseline = baseline

    def build(self, input_shape):
        pass

    def call(self, inputs):
        scores = ops.repeat(ops.softmax(inputs), len(self.noise), axis=0)          # (N, 4)
        choice = self.hard.choose(scores, ops.convert_to_tensor(self.noise))
        log_likelihood = ops.sum(choice * ops.convert_to_tensor(REWARDS.astype("float32")), axis=-1)
        scores, choice = ops.expand_dims(scores, 1), ops.expand_dims(choice, 1)
        return ops.mean(self.reinforce([log_likelihood, scores, choice], training=True))

    def estimate(self, noise):
        """Gradient by the scores, of looks at where this noise leads."""
        self.noise = noise.astype("float32")
        self.reinforce.baseline.assign(self.baseline)
        return gradients(self, [SCORES[None].astype("float32")], np.float32(1), many_inputs=False)[0][0]


def exact(entropy_weight=0.0):
    """Gradient of minus the expected log-likelihood and entropy, by the scores."""
    p, entropy = PROBABILITIES, -(PROBABILITIES * np.log(PROBABILITIES)).sum()
    by_reward = p * (REWARDS - p @ REWARDS)
    by_entropy = -p * (np.log(p) + entropy)
    return -by_reward - entropy_weight * by_entropy


@pytest.mark.parametrize("baseline", [0.0, -1.5])
@pytest.mark.parametrize("entropy_weight", [0.0, 0.5])
def test_the_estimate_is_the_exact_gradient_when_every_location_is_drawn_as_often_as_it_should(
    baseline, entropy_weight
):
    even = (np.arange(20_000) + 0.5) / 20_000
    found = Toy(baseline, entropy_weight).estimate(even)
    assert np.abs(exact(entropy_weight)).max() > 0.1
    np.testing.assert_allclose(found, exact(entropy_weight), atol=1e-3)


def test_the_estimate_converges_to_the_exact_gradient_as_the_root_of_the_looks():
    rng, toy = np.random.default_rng(0), Toy()
    few, many = (
        np.mean([np.abs(toy.estimate(rng.uniform(size=looks)) - exact()).mean() for _ in range(8)])
        for looks in (400, 40_000)
    )
    assert many < 0.01
    assert 5 < few / many < 20


def test_a_baseline_near_the_mean_makes_the_estimate_vary_less():
    looks = np.random.default_rng(0).uniform(size=(20, 50))
    without, within = (
        np.std([toy.estimate(noise) for noise in looks], axis=0).sum()
        for toy in (Toy(), Toy(PROBABILITIES @ REWARDS))
    )
    assert within < 0.75 * without


def test_the_baseline_is_the_moving_average_of_the_log_likelihood_and_counts_before_it_moves():
    reinforce = Reinforce(momentum=0.75, entropy_weight=0.0)
    scores, choice = ops.array([[[0.5, 0.5]], [[0.25, 0.75]]]), ops.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    found = reinforce([ops.array([-2.0, -4.0]), scores, choice], training=True)
    np.testing.assert_allclose(to_numpy(found), [2 + 2 * np.log(0.5), 4 + 4 * np.log(0.25)], atol=1e-5)
    assert float(reinforce.baseline) == pytest.approx(-0.75)
    found = reinforce([ops.array([-2.0, -4.0]), scores, choice], training=True)
    np.testing.assert_allclose(to_numpy(found), [2 + 1.25 * np.log(0.5), 4 + 3.25 * np.log(0.25)], atol=1e-5)
    assert float(reinforce.baseline) == pytest.approx(-0.75 * 0.75 - 0.75)
    found = reinforce([ops.array([-2.0, -4.0]), scores, choice])
    np.testing.assert_array_equal(to_numpy(found), [2, 4])


def test_steps_that_do_not_count_add_nothing():
    scores = np.random.default_rng(0).dirichlet(np.ones(4), (2, 3)).astype("float32")
    choice = np.eye(4, dtype="float32")[[[0, 1, 2], [3, 2, 1]]]
    mask = np.array([[True, True, False], [True, False, False]])
    likelihood = np.array([-1.0, -2.0], "float32")
    found = to_numpy(Reinforce()([likelihood, scores, choice], mask=ops.convert_to_tensor(mask), training=True))
    for row, steps in enumerate((2, 1)):
        parts = [x[row : row + 1, :steps] for x in (scores, choice)]
        alone = to_numpy(Reinforce()([likelihood[row : row + 1], *parts], training=True))
        assert found[row] == pytest.approx(float(alone[0]), abs=1e-5)


def test_each_position_is_drawn_as_often_as_its_weight_says():
    scores = np.array([0.1, 0.0, 0.6, 0.3], "float32")
    hard = HardAttention(BahdanauAttention(1), mean_rate=0.0, seed=7)
    noise = hard.draw(20_000)
    choice = to_numpy(hard.choose(ops.convert_to_tensor(np.tile(scores, (20_000, 1))), noise))
    np.testing.assert_array_equal(choice.sum(-1), 1)
    np.testing.assert_allclose(choice.mean(0), scores, atol=0.012)
    assert choice[:, 1].sum() == 0


def test_noise_tells_which_share_of_the_weights_lies_before_the_position():
    hard = HardAttention(BahdanauAttention(1))
    scores = ops.convert_to_tensor(np.tile(np.array([0.0, 0.25, 0.75, 0.0], "float32"), (5, 1)))
    choice = to_numpy(hard.choose(scores, ops.convert_to_tensor([0.0, 0.2, 0.3, 1 - 2**-24, -1.0])))
    np.testing.assert_array_equal(choice, [*np.eye(4)[[1, 1, 2, 2]], [0, 0.25, 0.75, 0]])
    assert (to_numpy(hard.choose(0 * scores, ops.convert_to_tensor([0.5] * 5))) == 0).all()  # all is padding


def test_in_training_it_reads_one_position_and_otherwise_the_mean():
    rng = np.random.default_rng(0)
    query, memory = rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=(4, 5, 2)).astype("float32")
    hard = HardAttention(LuongAttention("concat"), mean_rate=0.0, seed=1)
    arguments = {"return_attention_scores": True, "return_choice": True}
    context, scores, choice = (to_numpy(x) for x in hard([query, memory], training=True, **arguments))
    np.testing.assert_array_equal(choice.max(-1), 1)
    np.testing.assert_allclose(context, memory[np.arange(4), choice.argmax(-1)], atol=1e-6)
    mean, weights, same = (to_numpy(x) for x in hard([query, memory], **arguments))
    np.testing.assert_allclose(weights, scores, atol=1e-6)
    np.testing.assert_array_equal(same, weights)
    np.testing.assert_allclose(mean, (weights[..., None] * memory).sum(1), atol=1e-5)
    assert np.abs(mean - context).max() > 0.1


def test_half_of_the_sentences_are_given_the_mean_in_all_of_their_steps():
    noise = to_numpy(HardAttention(BahdanauAttention(1), seed=3).draw(2000, 5))
    alone = (noise >= 0).all(-1)
    assert ((noise < 0).all(-1) == ~alone).all()
    assert 0.45 < alone.mean() < 0.55
    assert noise[alone].max() < 1


def test_step_by_step_it_draws_anew_and_says_which():
    rng = np.random.default_rng(0)
    queries, memory = rng.normal(size=(3, 6, 4)).astype("float32"), rng.normal(size=(3, 5, 2)).astype("float32")
    hard = HardAttention(LuongAttention("concat", "local-m", window=2), mean_rate=0.0, seed=2)
    hard.build([(None, 4), (None, 5, 2)])
    state = hard.start(ops.convert_to_tensor(memory), steps=6)
    expected = to_numpy(hard.attention([queries, memory], return_attention_scores=True)[1])
    drawn = to_numpy(hard.choose(ops.convert_to_tensor(expected), state["noise"]))
    assert len(set(drawn.argmax(-1).ravel())) > 2
    for number in range(6):
        context, state = hard.step(ops.convert_to_tensor(queries[:, number]), state)
        np.testing.assert_allclose(to_numpy(state["scores"]), expected[:, number], atol=1e-6)
        np.testing.assert_array_equal(to_numpy(state["choice"]), drawn[:, number])
        np.testing.assert_allclose(to_numpy(context), (drawn[:, number, :, None] * memory).sum(1), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"momentum": 1.0}, r"momentum: expected a number in \[0, 1\). Received: 1.0"),
        ({"reward_weight": -1}, "reward_weight: expected a number >= 0. Received: -1"),
        ({"entropy_weight": -1}, "entropy_weight: expected a number >= 0. Received: -1"),
    ],
)
def test_an_argument_out_of_range_is_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        Reinforce(**arguments)


def test_weights_that_are_no_distribution_are_refused():
    with pytest.raises(ValueError, match="attention: expected weights of sum 1 to draw from. Those of local-p"):
        HardAttention(LuongAttention("general", "local-p", window=2))
