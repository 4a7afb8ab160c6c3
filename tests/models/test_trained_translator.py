"""The translator of the zoo, asked what it was not made for: a sane sentence, or a clear error."""

import math

import pytest

from keras_segattn import zoo
from keras_segattn.zoo.build import writer

NAME = "rnnsearch_multi30k_de_en"


@pytest.fixture(scope="module")
def translate():
    recipe = zoo.info(NAME)
    return writer(zoo.load(NAME), recipe).write


def test_a_german_sentence_is_translated(translate):
    (found,) = translate(["Ein Hund läuft durch den Schnee."])
    assert {"dog", "snow"} <= set(found.text.lower().strip(".").split())


ODD = {
    "of the wrong language": "A dog runs through the snow.",
    "of another script": "Собака бежит по снегу. 犬が走る。",
    "of words that nobody has seen": "Xylq brzt fnord!",
    "of 500 words": "Hund " * 500,
    "of control characters and words": "Ein\x00 Hund\x1b[31m rennt\x07.",
    "of one letter": "a",
}


def test_what_is_no_german_sentence_gets_a_sane_one(translate):
    for about, found in zip(ODD, translate(list(ODD.values())), strict=True):
        assert len(found.pieces) <= zoo.info(NAME).max_tokens, about
        assert found.text.isprintable(), about
        assert -math.inf < found.log_probability <= 0, about


@pytest.mark.parametrize("text", ["", " \t\n", "\x1b\x07"])
def test_what_is_empty_is_refused(text, translate):
    with pytest.raises(ValueError, match="inputs: expected sentences with a token in each"):
        translate([text])
