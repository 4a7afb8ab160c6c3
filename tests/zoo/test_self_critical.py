"""Captions that are learned from the model's own tries."""


import keras
import numpy as np
import pytest

from keras_segattn.losses import CrossEntropy
from keras_segattn.vocabulary import END, PAD, START, UNKNOWN, Vocabulary
from keras_segattn.zoo.self_critical import TRIES, SelfCritic

REFERENCES = [("a red dog", "a red dog runs"), ("two cats", "two cats sleep"), ("a blue bird", "one blue bird sings")]
LENGTH = 6


@pytest.fixture(scope="module")
def vocabulary():
    texts = [text for each in REFERENCES for text in each]
    return Vocabulary.learn(texts, size=4 + len({word for text in texts for word in text.split()}), kind="words")


@pytest.fixture
def model(vocabulary):
    return captioner(vocabulary)


def captioner(vocabulary):
    """Grid and words in, scores of the next word out: small, and each image can be told by its grid."""
    keras.utils.set_random_seed(0)
    size = len(vocabulary)
    grid = keras.Input((2, 3), name="grid")
    target = keras.Input((None,), dtype="int32", name="target")
    words = keras.layers.Embedding(size, 8)(target)
    first = keras.layers.Dense(16, "tanh")(keras.layers.Flatten()(grid))
    output = keras.layers.GRU(16, return_sequences=True, name="decoder")(words, initial_state=first)
    return keras.Model({"grid": grid, "target": target}, keras.layers.Dense(size)(output))


@pytest.fixture
def critic(model, vocabulary):
    return SelfCritic(model, vocabulary, REFERENCES, max_length=LENGTH)


@pytest.fixture(scope="module")
def grids():
    return np.random.default_rng(0).normal(size=(3, 2, 3)).astype("float16")


def test_tries_are_whole_captions_and_their_weights_of_an_image_sum_to_zero(critic, grids):
    (batch,) = critic.batches(grids, 3 * TRIES, seed=0, epoch=0)
    inputs, labels, weights = batch
    assert critic.steps(3 * TRIES) == 1
    assert labels.shape == inputs["target"].shape == (3 * TRIES, LENGTH)
    assert (inputs["target"][:, 0] == START).all()
    for label, target, weight in zip(labels, inputs["target"], weights, strict=True):
        length = list(label).index(END) + 1 if END in label else LENGTH
        np.testing.assert_array_equal(target[1:length], label[: length - 1])
        assert (target[length:] == PAD).all()
        assert (weight[:length] == weight[0]).all()
        assert (weight[length:] == 0).all()
    np.testing.assert_allclose(weights[:, 0].reshape(3, TRIES).sum(axis=1), 0, atol=1e-5)
    assert np.abs(weights).max() > 0.1


def test_photographs_are_mirrored_but_not_those_whose_captions_name_a_side(model, vocabulary):
    critic = SelfCritic(model, vocabulary, REFERENCES, max_length=LENGTH, sided=[True, False, False])
    grids = np.arange(6.0).reshape(6, 1, 1).repeat(2, 1).repeat(3, 2)       # of 3 images, and mirrored
    seen = {int(row) for epoch in range(20) for inputs, *_ in critic.batches(grids, 15, seed=0, epoch=epoch)
            for row in inputs["grid"][:, 0, 0]}  # fmt: skip
    assert seen == {0, 1, 2, 4, 5}


def test_fewer_images_than_a_batch_has_room_for_are_one_batch(critic, grids):
    ((inputs, *_),) = critic.batches(grids, 64, seed=0, epoch=0)
    assert (critic.steps(64), len(inputs["target"])) == (1, 3 * TRIES)


def test_every_token_may_be_tried_so_that_none_gains_what_the_others_lose(critic, grids):
    drawn = set()
    for epoch in range(20):
        for _, labels, _ in critic.batches(grids, 3 * TRIES, seed=0, epoch=epoch):
            drawn |= {int(token) for token in labels.ravel()}
    assert {PAD, UNKNOWN, START, END} < drawn


def test_tries_are_drawn_in_mixed_precision_too(vocabulary, grids):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        critic = SelfCritic(captioner(vocabulary), vocabulary, REFERENCES, max_length=LENGTH)
        (batch,) = critic.batches(grids, 3 * TRIES, seed=0, epoch=0)
    finally:
        keras.config.set_dtype_policy(before)
    assert len({tuple(label) for label in batch[1]}) > TRIES


def test_the_same_epoch_draws_the_same_and_another_one_something_else(critic, grids):
    drawn = [next(critic.batches(grids, 3 * TRIES, seed=0, epoch=epoch))[1] for epoch in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


def test_half_of_the_images_are_mirrored_where_there_are_mirror_images(critic, grids):
    both = np.concatenate([grids, grids + 100])
    shares = [next(critic.batches(both, 3 * TRIES, seed=0, epoch=epoch))[0]["grid"] > 50 for epoch in range(20)]
    assert {len(set(share[:TRIES].ravel())) for share in shares} == {1}  # all tries of an image see the same
    assert 0.25 < np.mean(shares) < 0.75


def test_a_try_weighs_what_it_is_better_than_the_others_of_its_image(critic, vocabulary):
    told = ["a red dog", "a red dog runs", "two cats", "sings", "a blue bird"]
    labels = np.full((TRIES, LENGTH), PAD, "int32")
    for row, text in zip(labels, told, strict=True):
        ids = [*vocabulary.encode(text), END]
        row[: len(ids)] = ids
    weights = critic._weights(np.zeros(TRIES, int), labels)[:, 0]
    rewards = np.array([critic.score(0, f"{text} endofcaption") for text in told])
    for index in range(TRIES):
        assert weights[index] == pytest.approx(rewards[index] - np.delete(rewards, index).mean(), abs=1e-5)
    assert min(weights[:2]) > 0 > max(weights[2:])


def test_a_caption_that_breaks_off_is_worth_less(critic, vocabulary):
    whole = [*vocabulary.encode("a red dog"), END]
    labels = np.full((TRIES, LENGTH), PAD, "int32")
    labels[:, :4] = whole
    labels[0, 3] = PAD
    weights = critic._weights(np.zeros(TRIES, int), labels)[:, 0]
    assert weights[0] < 0 < weights[1]


def test_rewards_rise(model, critic, grids):
    model.compile(keras.optimizers.Adam(0.01), CrossEntropy())

    def reward(epoch):
        """The mean of one batch of tries, of all images."""
        inputs, labels, _ = next(critic.batches(grids, 3 * TRIES, seed=1, epoch=epoch))
        images = [int(np.abs(grids - grid).sum(axis=(1, 2)).argmin()) for grid in inputs["grid"]]
        told = [critic.vocabulary.decode(ids) for ids in labels]
        return np.mean([critic.score(image, text) for image, text in zip(images, told, strict=True)])

    before = np.mean([reward(1000 + epoch) for epoch in range(5)])
    for epoch in range(100):
        for batch in critic.batches(grids, 3 * TRIES, seed=0, epoch=epoch):
            model.train_on_batch(*batch)
    after = np.mean([reward(1000 + epoch) for epoch in range(5)])
    assert after > before + 1
