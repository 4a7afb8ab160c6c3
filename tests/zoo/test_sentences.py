"""Batches of sentences: of nearly equal length, in an order that belongs to seed and epoch, and nothing lost."""

from collections import Counter

import keras
import numpy as np
import pytest

from keras_segattn.vocabulary import END, PAD, START, Vocabulary
from keras_segattn.zoo.data.sentences import encode_pairs, sentence_batches

TEXT = [f"The {size} {thing} {verb}ing" for size in ("old", "new") for thing in ("cat", "hat") for verb in ("s", "w")]


def drawn_pairs(count, seed=0):
    """Pairs as long as those of a corpus: 3 to 30 tokens, the target about as long as the source; all different."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.gamma(6, 2, count), 3, 30).astype(int)
    others = np.clip(lengths + rng.integers(-3, 4, count), 1, None)
    return [
        ([10 + number, *[5] * (length - 1)], [10 + number, *[6] * (other - 1)])
        for number, (length, other) in enumerate(zip(lengths, others, strict=True))
    ]


PAIRS = drawn_pairs(1000)


def epoch_of(pairs=PAIRS, batch_size=16, seed=0, epoch=0, **arguments):
    return list(sentence_batches(pairs, batch_size, seed=seed, epoch=epoch, **arguments))


def numbers(batches):
    """Which pairs the batches hold, in their order."""
    return [int(row[0]) - 10 for _, labels in batches for row in labels]


# Subwords


@pytest.fixture(scope="module")
def subwords():
    return tuple(Vocabulary.learn(texts, size=30) for texts in (TEXT, [text[::-1] for text in TEXT]))


def test_sentences_are_encoded_by_the_vocabulary_of_their_own_side(subwords):
    pairs = [(text, text[::-1]) for text in TEXT]
    encoded = encode_pairs(pairs, subwords)
    assert encoded == [(subwords[0].encode(source), subwords[1].encode(target)) for source, target in pairs]
    assert encoded == encode_pairs(pairs, subwords, seed=1, epoch=5)


@pytest.mark.parametrize("side", [0, 1])
def test_segmentations_are_drawn_anew_in_every_epoch_and_the_same_again(subwords, side):
    pairs = [(text, text[::-1]) for text in TEXT]

    def drawn(**arguments):
        return [pair[side] for pair in encode_pairs(pairs, subwords, alpha=0.1, **arguments)]

    first = drawn(seed=3, epoch=2)
    assert first == drawn(seed=3, epoch=2)
    assert first not in (drawn(seed=3, epoch=3), drawn(seed=2, epoch=2), drawn())
    assert [subwords[side].decode(ids) for ids in first] == [pair[side] for pair in pairs]


def test_an_index_stays_beside_the_ids_of_its_caption(subwords):
    assert encode_pairs([(7, TEXT[1]), (2, TEXT[0])], (None, subwords[0])) == [
        (7, subwords[0].encode(TEXT[1])),
        (2, subwords[0].encode(TEXT[0])),
    ]


# What a batch holds


def test_a_target_begins_with_start_and_its_labels_are_one_ahead_and_end_with_end():
    for inputs, labels in epoch_of():
        assert set(inputs) == {"source", "target"}
        assert {array.dtype for array in (*inputs.values(), labels)} == {np.dtype("int32")}
        for source, target, label in zip(inputs["source"], inputs["target"], labels, strict=True):
            ids, wanted = PAIRS[label[0] - 10]
            assert [token for token in target if token] == [START, *wanted]
            assert [token for token in label if token] == [*wanted, END]
            np.testing.assert_array_equal(target[1:][label[1:] > 0], label[:-1][label[1:] > 0])
            assert [token for token in source if token] == ids
            assert source[len(ids) :].tolist() == [PAD] * (len(source) - len(ids))


def test_lengths_are_the_least_multiple_of_four_that_holds_the_longest():
    for inputs, labels in epoch_of():
        source, target = inputs["source"], inputs["target"]
        assert labels.shape == target.shape
        for array in (source, target):
            assert array.shape[0] == 16
            assert array.shape[1] % 4 == 0
            assert array[:, -4:].any()


def test_sentences_of_nearly_equal_length_come_together():
    def padding(pairs, **arguments):
        arrays = [array for inputs, _ in epoch_of(pairs, **arguments) for array in inputs.values()]
        return np.mean(np.concatenate([(array == PAD).ravel() for array in arrays]))

    pairs = drawn_pairs(8000)
    assert padding(pairs) < 0.15
    assert padding(pairs, batch_size=8000) > 0.5


def test_few_shapes_occur():
    shapes = {(inputs["source"].shape[1], inputs["target"].shape[1]) for inputs, _ in epoch_of(drawn_pairs(8000))}
    assert len(shapes) < 32


def test_a_batch_of_empty_sentences_still_has_a_length():
    (inputs, labels), = epoch_of([([], []), ([], [])], batch_size=2)
    assert inputs["source"].tolist() == [[PAD] * 4] * 2
    assert inputs["target"].tolist() == [[START, PAD, PAD, PAD]] * 2
    assert labels.tolist() == [[END, PAD, PAD, PAD]] * 2


# What an epoch holds


@pytest.mark.parametrize("batch_size", [16, 17, 1000])
def test_every_pair_comes_once_but_for_an_incomplete_batch(batch_size):
    batches = epoch_of(batch_size=batch_size)
    assert len(batches) == 1000 // batch_size
    assert max(Counter(numbers(batches)).values()) == 1
    assert len(numbers(batches)) == len(batches) * batch_size


def test_the_pairs_left_over_are_others_in_every_epoch_and_of_any_length():
    left = [set(range(1000)) - set(numbers(epoch_of(batch_size=300, epoch=epoch))) for epoch in range(8)]
    assert {len(each) for each in left} == {100}
    assert not set.intersection(*left)
    lengths = [np.mean([len(PAIRS[number][1]) for number in each]) for each in left]
    assert np.mean(lengths) == pytest.approx(np.mean([len(target) for _, target in PAIRS]), rel=0.1)


def test_an_epoch_is_the_same_bit_by_bit_whenever_it_comes():
    for (inputs, labels), (same, also) in zip(epoch_of(seed=1, epoch=7), epoch_of(seed=1, epoch=7), strict=True):
        for one, other in ((inputs["source"], same["source"]), (inputs["target"], same["target"]), (labels, also)):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 1}])
def test_another_epoch_or_seed_has_other_batches_in_another_order(other):
    first, second = ({frozenset(numbers([batch])) for batch in epoch_of(**each)} for each in ({}, other))
    assert len(first & second) < 10  # of 62
    assert numbers(epoch_of()) != numbers(epoch_of(**other))


def test_short_and_long_batches_come_mixed():
    lengths = [inputs["target"].shape[1] for inputs, _ in epoch_of()]
    assert abs(np.corrcoef(lengths, range(len(lengths)))[0, 1]) < 0.4
    assert lengths not in (sorted(lengths), sorted(lengths)[::-1])


def test_fewer_pairs_than_a_batch_holds_are_refused():
    with pytest.raises(ValueError, match="batch_size: expected at most the 1000 training pairs. Received: 1001"):
        sentence_batches(PAIRS, 1001, seed=0, epoch=0)


# What Keras makes of it


@pytest.mark.parametrize("seed", range(30))
def test_the_first_two_batches_differ_in_every_length_that_varies(seed):
    def shapes(batches):
        return np.array([[inputs["source"].shape[1], inputs["target"].shape[1]] for inputs, _ in batches])

    found = shapes(epoch_of(drawn_pairs(12 + seed, seed), batch_size=4, seed=seed))
    vary = np.ptp(found, axis=0) > 0
    assert vary.any()
    np.testing.assert_array_equal(found[0] != found[1], vary)


def test_a_batch_that_differs_from_the_first_in_one_length_at_a_time_is_no_trap():
    pairs = [([5] * source, [5] * target) for source, target in ((1, 1), (1, 9), (9, 1))]
    for seed in range(6):
        first, second, _ = epoch_of(pairs, batch_size=1, seed=seed)
        for name in ("source", "target"):
            assert first[0][name].shape != second[0][name].shape


def test_a_keras_model_trains_on_batches_of_all_their_shapes():
    source, target = (keras.Input((None,), dtype="int32", name=name) for name in ("source", "target"))
    read = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(1100, 4)(source))
    written = keras.layers.Embedding(1100, 4)(target)
    logits = keras.layers.Dense(1100)(keras.layers.Add()([written, keras.layers.Reshape((1, 4))(read)]))
    model = keras.Model({"source": source, "target": target}, logits)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = [
        model.fit(
            sentence_batches(PAIRS, 64, seed=0, epoch=epoch), steps_per_epoch=1000 // 64, shuffle=False, verbose=0
        ).history["loss"][0]
        for epoch in range(2)
    ]
    assert losses[1] < losses[0] < 7.1  # log of 1100 is 7.0


# Captions


def test_the_grid_of_each_caption_is_that_of_its_image(tmp_path):
    np.save(tmp_path / "grids.npy", np.arange(3 * 4 * 2, dtype="float16").reshape(3, 4, 2))
    grids = np.load(tmp_path / "grids.npy", mmap_mode="r")
    pairs = [(number % 3, [10 + number, 5, 5]) for number in range(30)]
    batches = epoch_of(pairs, batch_size=8, grids=grids)
    assert len(batches) == 3
    for inputs, labels in batches:
        assert set(inputs) == {"grid", "target"}
        assert inputs["grid"].dtype == np.float32
        np.testing.assert_array_equal(inputs["grid"], grids[(labels[:, 0] - 10) % 3])
        np.testing.assert_array_equal(inputs["target"][:, :4], [[START, first, 5, 5] for first in labels[:, 0]])
    assert len(set(numbers(batches))) == 24
