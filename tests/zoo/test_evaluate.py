"""The evaluation of text: asked for in batches, scored as a whole split."""

import numpy as np
import pytest

from keras_segattn.images import fit
from keras_segattn.zoo.data import DATASETS
from keras_segattn.zoo.data.builder import open_split
from keras_segattn.zoo.evaluate import evaluate
from keras_segattn.zoo.text_scores import bleu, by_length, caption_bleu, cider_d

TRANSLATION, CAPTIONING = DATASETS["multi30k_de_en"], DATASETS["flickr8k"]
PAIRS = [
    {"key": str(n), "source": " ".join([f"s{n}"] * n), "target": f"number {n} is a long sentence of {n} words ."}
    for n in range(1, 21)
]


def translate(sources):
    """Right but for those of more than 15 words."""
    targets = {pair["source"]: pair["target"] for pair in PAIRS}
    return [targets[source] if len(source.split()) <= 15 else "something else altogether" for source in sources]


def test_translations_are_scored_as_a_corpus_and_by_length():
    found = evaluate(translate, PAIRS, TRANSLATION)
    hypotheses = translate([pair["source"] for pair in PAIRS])
    sources, targets = ([pair[name] for pair in PAIRS] for name in ("source", "target"))
    assert found.pop("bleu") == bleu(hypotheses, targets)[0]
    assert found == {f"bleu_{name}": score for name, score in by_length(hypotheses, targets, sources).items()}
    assert list(found) == ["bleu_1_to_5", "bleu_6_to_10", "bleu_11_to_15", "bleu_over_15"]
    assert found["bleu_11_to_15"] == pytest.approx(100)
    assert found["bleu_over_15"] < 5


@pytest.mark.parametrize(("batch_size", "sizes"), [(64, [20]), (8, [8, 8, 4]), (10, [10, 10]), (1, [1] * 20)])
def test_sentences_are_asked_for_in_batches_in_their_order(batch_size, sizes):
    asked = []

    def listening(sources):
        assert isinstance(sources, list)
        asked.append(sources)
        return translate(sources)

    assert evaluate(listening, PAIRS, TRANSLATION, batch_size=batch_size) == evaluate(translate, PAIRS, TRANSLATION)
    assert [len(each) for each in asked] == sizes
    assert sum(asked, []) == [pair["source"] for pair in PAIRS]


def test_64_are_asked_for_at_once_unless_another_number_is_said():
    asked = []
    evaluate(lambda sources: asked.append(len(sources)) or translate(sources), PAIRS * 4, TRANSLATION)
    assert asked == [64, 16]


def test_a_bar_over_the_examples_moves_with_the_batches():
    taken = []
    seen = []

    def listening(sources):
        seen.append(len(taken))
        return translate(sources)

    evaluate(listening, (taken.append(pair) or pair for pair in PAIRS), TRANSLATION, batch_size=8)
    assert seen == [8, 16, 20]


def test_more_or_fewer_answers_than_questions_are_refused():
    for answers in (lambda sources: sources[1:], lambda sources: [*sources, "more"]):
        with pytest.raises(ValueError, match=r"answers: expected a sentence for each of 8 inputs. Received: (7|9)"):
            evaluate(answers, PAIRS, TRANSLATION, batch_size=8)


@pytest.mark.parametrize("dataset", [TRANSLATION, CAPTIONING], ids=["translation", "captioning"])
def test_no_examples_are_refused(dataset):
    with pytest.raises(ValueError, match="at least one hypothesis. Received: 0 and 0"):
        evaluate(lambda questions: [], [], dataset)


@pytest.fixture
def photographs(drawn_flickr8k):
    return open_split(CAPTIONING, "test", drawn_flickr8k)


def test_captions_are_scored_against_all_references(photographs):
    references = [example["captions"] for example in photographs]
    hypotheses = [captions[number].replace("square", "circle") for number, captions in enumerate(references)]
    answers = dict(zip((example["image"].tobytes() for example in photographs), hypotheses, strict=True))

    def describe(images):
        return [answers[image.tobytes()] for image in images]

    found = evaluate(describe, photographs, CAPTIONING, batch_size=3)
    assert found == {**caption_bleu(hypotheses, references), "cider_d": 100 * cider_d(hypotheses, references)}
    assert 10 < found["bleu_4"] < 90
    assert 10 < found["cider_d"] < 900


def test_photographs_are_resized_to_what_the_model_takes(photographs):
    seen = []

    def listening(images):
        seen.extend(images)
        return ["a dog"] * len(images)

    evaluate(listening, photographs, CAPTIONING, image_size=(64, 96))
    for image, example in zip(seen, photographs, strict=True):
        np.testing.assert_array_equal(image, fit(example["image"], 64, 96))
    seen.clear()
    evaluate(listening, photographs, CAPTIONING)
    np.testing.assert_array_equal(seen, [example["image"] for example in photographs])
