"""Scores of text: BLEU is sacrebleu's, CIDEr-D that of the paper."""

import math
import sys
from collections import Counter

import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics import BLEU

from keras_segattn.zoo.text_scores import bleu, by_length, caption_bleu, cider_d, signature

WORDS = ("A", "dog", "Cat", "runs", "sleeps", "in", "on", "the", "snow", "grass", ".", "!")


@pytest.fixture
def split():
    """40 captions with five references each, of common and of rare words; some are empty or hold no letter."""
    rng = np.random.default_rng(0)
    chances = np.array([2.0**-i for i in range(len(WORDS))])

    def caption():
        return " ".join(rng.choice(WORDS, rng.integers(0, 12), p=chances / chances.sum()))

    return [caption() for _ in range(40)], [[caption() for _ in range(5)] for _ in range(40)]


def letters(text):
    """The words of a caption, letter by letter."""
    return "".join(letter if letter in "abcdefghijklmnopqrstuvwxyz" else " " for letter in text.lower()).split()


# BLEU


def test_bleu_is_computed_by_hand():
    # Four of five words, three of four pairs, two of three triples, one of two quadruples; one word too short.
    score, _ = bleu(["the old dog runs fast"], ["the old dog runs in snow"])
    precisions = 4 / 5 * 3 / 4 * 2 / 3 * 1 / 2
    assert score == pytest.approx(100 * math.exp(1 - 6 / 5) * precisions**0.25)


def test_bleu_sums_over_the_corpus_and_counts_case_and_punctuation(split):
    hypotheses, references = split
    expected = BLEU().corpus_score(hypotheses, [list(each) for each in zip(*references, strict=True)])
    score, signature = bleu(hypotheses, references)
    assert score == expected.score
    assert 0 < score < 100
    assert signature.startswith("nrefs:5|case:mixed|eff:no|tok:13a|smooth:exp|version:2.")
    lowered, _ = bleu([text.lower() for text in hypotheses], references)
    assert lowered != score


def test_references_may_be_one_or_several_for_each():
    hypotheses = ["a dog runs in the snow", "two cats sleep on the roof"]
    alone = bleu(hypotheses, hypotheses[::-1])
    assert alone == bleu(hypotheses, [[text] for text in hypotheses[::-1]])
    assert alone[0] < 10
    mixed, signature = bleu(hypotheses, [(hypotheses[1], hypotheses[0]), hypotheses[1]])
    assert mixed == pytest.approx(100)
    assert signature.startswith("nrefs:var|")


def test_hypotheses_and_references_of_different_number_are_refused(split):
    hypotheses, references = split
    for score in (bleu, caption_bleu, cider_d):
        with pytest.raises(ValueError, match="those of each of at least one hypothesis. Received: 39 and 40"):
            score(hypotheses[:-1], references)
        with pytest.raises(ValueError, match="Received: 0 and 0"):
            score([], [])
        with pytest.raises(ValueError, match="There is none for number 1"):
            score(["a", "b"], [["a"], []])


def test_without_sacrebleu_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(ImportError, match=r"install keras_segattn\[train\]"):
        bleu(["a"], ["a"])


# By length


def test_sentences_are_sorted_into_bins_by_the_words_of_the_source():
    sources = [" ".join("w" * length) for length in (1, 5, 6, 10, 11, 15, 16, 40)]
    right, wrong = "a dog runs in the snow", "two cats sleep on some roof"
    for bin, chosen in {"1_to_5": (0, 1), "6_to_10": (2, 3), "11_to_15": (4, 5), "over_15": (6, 7)}.items():
        for index in chosen:
            hypotheses = [wrong] * 8
            hypotheses[index] = right
            scores = by_length(hypotheses, [right] * 8, sources)
            assert list(scores) == ["1_to_5", "6_to_10", "11_to_15", "over_15"]
            assert max(scores, key=scores.get) == bin
            assert sorted(scores.values())[-2] < 10
            assert scores == by_length(hypotheses, [[right]] * 8, sources)


def test_a_bin_is_scored_as_a_corpus_of_its_own_and_an_empty_one_is_left_out(split):
    hypotheses, references = split
    sources = ["one  two\tthree", *["six " * 6] * 38, ""]
    scores = by_length(hypotheses, references, sources)
    assert scores == {
        "1_to_5": bleu(hypotheses[:1], references[:1])[0],
        "6_to_10": bleu(hypotheses[1:39], references[1:39])[0],
    }


def test_sources_of_another_number_are_refused():
    with pytest.raises(ValueError, match="sources: expected one for each of 2 hypotheses. Received: 1"):
        by_length(["a", "b"], ["a", "b"], ["a"])


# BLEU of captions


def test_caption_bleu_of_order_n_is_that_of_sacrebleu_over_words_of_letters(split):
    hypotheses, references = split
    streams = [[" ".join(letters(text)) for text in each] for each in zip(*references, strict=True)]
    words = [" ".join(letters(text)) for text in hypotheses]
    found = caption_bleu(hypotheses, references)
    assert list(found) == ["bleu_1", "bleu_2", "bleu_3", "bleu_4"]
    for n in range(1, 5):
        expected = BLEU(tokenize="none", max_ngram_order=n).corpus_score(words, streams).score
        assert found[f"bleu_{n}"] == pytest.approx(expected, rel=1e-12)
    assert 100 > found["bleu_1"] > found["bleu_2"] > found["bleu_3"] > found["bleu_4"] > 1


def test_caption_bleu_is_computed_by_hand():
    # "dog" counts twice at most, as in the one reference that has it twice; the nearest length is 4.
    found = caption_bleu(["Dog dog dog cat"], [["a dog, a DOG!", "a cat", "one dog and one bird and one cow"]])
    assert found["bleu_1"] == pytest.approx(100 * 3 / 4)
    # No pair matches: "exp" takes half of one match out of three.
    assert found["bleu_2"] == pytest.approx(100 * math.sqrt(3 / 4 * 1 / 6))


def test_a_caption_shorter_than_all_references_is_penalised():
    found = caption_bleu(["a dog"], [["a dog runs", "a dog runs in the snow"]])
    assert found["bleu_1"] == pytest.approx(100 * math.exp(1 - 3 / 2))


def test_case_digits_and_punctuation_of_captions_count_nothing():
    plain = caption_bleu(["two dogs don t run"], [["two dogs run fast today"]])
    assert caption_bleu(["2 Two-DOGS (don't) run?!"], [["two dogs run fast, today ."]]) == plain
    assert 0 < plain["bleu_1"] < 100


def test_captions_without_a_word_score_nothing():
    assert set(caption_bleu(["...", ""], [["a dog"], ["a cat"]]).values()) == {0.0}


# CIDEr-D


def slow_cider_d(hypotheses, references):
    """The formula of the paper, written as it stands there, over dense vectors of every n-gram."""
    total = 0.0
    hypotheses = [letters(text) for text in hypotheses]
    references = [[letters(text) for text in each] for each in references]
    for n in (1, 2, 3, 4):

        def grams(words, n=n):
            return Counter(zip(*(words[start:] for start in range(n)), strict=False))

        every = sorted({gram for words in [*hypotheses, *sum(references, [])] for gram in grams(words)})
        seen = [sum(any(gram in grams(words) for words in each) for each in references) for gram in every]
        rarity = np.log(len(references) / np.maximum(seen, 1))

        def vector(words, every=every, rarity=rarity, grams=grams):
            return np.array([grams(words)[gram] for gram in every]) * rarity

        for words, each in zip(hypotheses, references, strict=True):
            for reference in each:
                g, s = vector(words), vector(reference)
                norm = np.linalg.norm(g) * np.linalg.norm(s)
                if norm:
                    damping = np.exp(-((len(words) - len(reference)) ** 2) / (2 * 6.0**2))
                    total += damping * np.minimum(g, s) @ s / norm / len(each) / len(references) / 4
    return 10 * total


def test_cider_d_is_the_formula_of_the_paper(split):
    hypotheses, references = split
    score = cider_d(hypotheses, references)
    assert score == pytest.approx(slow_cider_d(hypotheses, references), rel=1e-12)
    assert 0.1 < score < 5
    references[3] = references[3][:2]  # as many as there are
    assert cider_d(hypotheses, references) == pytest.approx(slow_cider_d(hypotheses, references), rel=1e-12)


TWO = [["red dog", "dog"], ["blue cat", "blue bird"]]  # every word is of one image alone: log 2


def test_cider_d_of_two_images_is_computed_by_hand():
    # Against "red dog" one word of two, against "dog" all; no pair of words in either.
    words = (math.exp(-1 / 72) / math.sqrt(2) + 1) / 2
    assert cider_d(["dog", "none"], TWO) == pytest.approx(10 * words / 4 / 2)


def test_a_word_that_is_repeated_counts_no_more_than_in_the_reference():
    # Clipped to one "dog", but its vector is three long; 2 words more than "dog", 1 more than "red dog".
    words = (math.exp(-1 / 72) / (3 * math.sqrt(2)) + math.exp(-4 / 72) / 3) / 2
    assert cider_d(["dog dog dog", "none"], TWO) == pytest.approx(10 * words / 4 / 2)


def test_a_word_of_every_image_counts_nothing():
    with_the = [[f"{text} the" for text in each] for each in TWO]
    assert cider_d(["the", "the the"], with_the) == 0
    # The words are those of "dog" alone, see above; and so are the pairs, of which "dog the" is one.
    words = pairs = (math.exp(-1 / 72) / math.sqrt(2) + 1) / 2
    assert cider_d(["dog the", "none"], with_the) == pytest.approx(10 * (words + pairs) / 4 / 2)


def test_perfect_captions_of_four_words_score_ten():
    captions = ["A red dog runs.", "two CATS sleep here", "3 men are on bicycles"]
    assert cider_d(captions, [[text] for text in captions]) == pytest.approx(10)


def test_a_single_image_has_no_rare_words():
    assert cider_d(["a dog"], [["a dog"]]) == 0


@pytest.mark.parametrize(("task", "counted"), [
    ("translation", "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:"),
    ("captioning", "nrefs:5|case:mixed|eff:no|tok:none|smooth:exp|version:"),
])
def test_the_signature_says_how_bleu_is_counted(task, counted):
    assert signature(task).startswith(counted)
    assert signature(task).endswith(sacrebleu.__version__)


def test_what_is_no_text_has_no_signature():
    assert signature("segmentation") == ""
