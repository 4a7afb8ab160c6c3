"""The free photographs and sentences that prove a file where no data are."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from keras_segattn.export import free_photographs, free_sentences


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (96, 64), (500, 1000)])
def test_any_size_is_filled_with_photograph(height, width):
    images = free_photographs(2, height, width)
    assert (images.shape, images.dtype) == ((2, height, width, 3), "uint8")
    assert images.std(axis=(1, 2)).min() > 15  # no empty margin, no flat crop
    assert images[:, :, -1].std() > 5
    assert images[:, -1].std() > 5


def test_all_crops_differ():
    assert len({image.tobytes() for image in free_photographs(64, 32, 48)}) == 64


def test_the_seed_decides():
    one, same, other = (free_photographs(3, 32, 48, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert all((a != b).any() for a, b in zip(one, other, strict=True))


def test_more_images_begin_with_the_same_ones():
    np.testing.assert_array_equal(free_photographs(5, 32, 48)[:3], free_photographs(3, 32, 48))


def test_both_photographs_are_used_in_varied_light():
    means = free_photographs(40, 32, 48).mean(axis=(1, 2, 3))
    china, flower = (image.mean() for image in load_sample_images().images)
    assert means.min() < 0.75 * min(china, flower)
    assert means.max() > 1.2 * min(china, flower)
    # They take turns: china.jpg is blue and grey, the flower red on green.
    blueness = [image[..., 2].mean() - image[..., 0].mean() for image in free_photographs(40, 32, 48)]
    assert np.mean(blueness[::2]) > np.mean(blueness[1::2]) + 10


def test_a_missing_scikit_learn_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"scikit-learn: install keras_segattn\[export\]"):
        free_photographs(1, 32, 32)


@pytest.mark.parametrize("language", ["de", "en"])
def test_free_sentences_differ_and_so_do_their_lengths(language):
    sentences = free_sentences(216, language)
    assert len(set(sentences)) == 216
    assert len({len(sentence.split()) for sentence in sentences[:64]}) >= 8
    assert free_sentences(64, language) == sentences[:64]
    assert all(sentence[0].isupper() and sentence.endswith(".") and "  " not in sentence for sentence in sentences)


@pytest.mark.parametrize(("count", "language", "message"), [
    (3, "fr", "language: expected one of de, en. Received: 'fr'"),
    (217, "de", "count: expected 0 to 216. Received: 217"),
    (-1, "de", "count: expected 0 to 216. Received: -1"),
])  # fmt: skip
def test_sentences_that_there_are_not_are_named(count, language, message):
    with pytest.raises(ValueError, match=message):
        free_sentences(count, language)
