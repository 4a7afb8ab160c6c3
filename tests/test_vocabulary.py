"""A vocabulary brings text to ids and back, the same one everywhere."""

import hashlib
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from sentencepiece import SentencePieceTrainer

from keras_segattn import vocabulary as module
from keras_segattn.sentence import sentence_of
from keras_segattn.vocabulary import END, PAD, START, UNKNOWN, Vocabulary, pad

TEXTS = [
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    "Mehrere Männer mit Schutzhelmen bedienen ein Antriebsradsystem.",
    "Ein kleines Mädchen klettert in ein Spielhaus aus Holz.",
    "Ein Mann in einem blauen Hemd steht auf einer Leiter und putzt ein Fenster.",
    "Zwei Männer stehen am Herd und bereiten Essen zu.",
] * 4


@pytest.fixture(scope="module")
def subwords():
    return Vocabulary.learn(TEXTS, 80)


@pytest.fixture(scope="module")
def words():
    return Vocabulary.learn(["A man's DOG, 2 cats - run!", "the child's hat"], 40, "words")


def test_text_comes_back_as_it_was(subwords):
    assert len(subwords) == 80
    for text in TEXTS[:5]:
        ids = subwords.encode(text)
        assert subwords.decode(ids) == text
        assert "".join(subwords.pieces(ids)).strip() == text
        assert min(ids) > END


def test_frequent_text_is_short_and_every_id_is_of_the_vocabulary(subwords):
    ids = subwords.encode(TEXTS[0])
    assert len(ids) < 0.75 * len(TEXTS[0])
    assert set(ids) < set(range(80))


def test_words_are_letters_in_lower_case(words):
    text = "The MAN'S  hat; 22 dogs,run"
    assert words.decode(words.encode(text)).split() == [
        word if word in ("the", "man", "s", "hat", "run") else "⁇" for word in re.findall("[a-z]+", text.lower())
    ]
    assert words.encode("dog") == words.encode(" DOG! 7")


def test_letters_of_other_scripts_are_letters_and_their_punctuation_is_none():
    words = Vocabulary.learn(["ein mädchen läuft девочка бежит κορίτσι τρέχει"], 12, "words")
    ids = words.encode("Ein MÄDCHEN – „läuft“… Девочка, бежит! ΚΟΡΊΤΣΙ’ τρέχει")
    assert UNKNOWN not in ids
    assert words.decode(ids) == "ein mädchen läuft девочка бежит κορίτσι τρέχει"


def test_without_sentencepiece_the_error_says_what_to_install(monkeypatch, tmp_path):
    from keras_segattn import models

    small = {"embedding": 4, "encoder_units": 5, "units": 6, "attention_units": 3}
    model = models.rnnsearch(60, 50, **small)
    model.save_weights(tmp_path / "model.weights.h5")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    for call in (
        lambda: models.load_weights(model, tmp_path / "model.weights.h5"),
        lambda: Vocabulary.learn(["to be"], 8),
        lambda: module.seed(1),
    ):
        with pytest.raises(ImportError, match=r"needs sentencepiece: install keras_segattn\[text\]"):
            call()


def test_what_was_never_seen_is_unknown(subwords, words):
    assert UNKNOWN in subwords.encode("Привет")
    assert words.encode("zebra") == [UNKNOWN]
    assert subwords.encode("\x07 \t\n") == []
    assert words.encode("... 12") == []


def test_a_sentence_ends_at_its_end(words):
    ids = words.encode("man run")
    assert words.decode([START, *ids, END, *ids]) == "man run"
    assert words.pieces([START, *ids, END, PAD]) == [" man", " run"]
    assert words.decode(np.array([ids[0], PAD, PAD])) == "man"


def test_segmentations_are_drawn_and_the_seed_repeats_them(subwords):
    def drawn(number):
        module.seed(number)
        return [subwords.encode(TEXTS[0], alpha=0.1) for _ in range(20)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len({tuple(ids) for ids in drawn(1)}) > 10
    assert {subwords.decode(ids) for ids in drawn(1)} == {TEXTS[0]}


@pytest.mark.parametrize("kind", ["subwords", "words"])
def test_the_same_texts_give_the_same_vocabulary_in_another_process(kind):
    program = (
        "import hashlib; from keras_segattn.vocabulary import Vocabulary; "
        f"print(hashlib.sha256(Vocabulary.learn({TEXTS!r}, 80, {kind!r}).data).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == hashlib.sha256(Vocabulary.learn(TEXTS, 80, kind).data).hexdigest()


def test_a_vocabulary_is_its_bytes(subwords, words):
    assert Vocabulary(subwords.data) == subwords != words
    assert len({Vocabulary(subwords.data), subwords, words}) == 2


@pytest.mark.parametrize("data", [b"", b"no model"])
def test_bytes_that_are_no_model_are_an_error(data):
    with pytest.raises(ValueError, match="data: expected a SentencePiece model"):
        Vocabulary(data)


def test_a_model_with_other_special_ids_is_an_error():
    model = io.BytesIO()
    SentencePieceTrainer.train(sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=60, minloglevel=2)
    with pytest.raises(ValueError, match="with pad, unknown, start and end as 0, 1, 2 and 3. Received"):
        Vocabulary(model.getvalue())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Vocabulary.learn(TEXTS, 90, "letters"), ValueError, "kind: expected one of subwords, words"),
        (lambda: Vocabulary.learn([], 90), ValueError, "texts: expected enough text for 90 tokens"),
        (lambda: Vocabulary.learn(["a b"], 8, "words").encode(3), TypeError, "text: expected str. Received: int"),
        (lambda: pad([[1, 2, 3]], 2), ValueError, "length: expected at least that of the longest row, 3. Received: 2"),
    ],
)
def test_a_bad_argument_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_rows_are_filled_up_with_pad():
    assert pad([[5, 6, 7], [8]], 4).tolist() == [[5, 6, 7, 0], [8, 0, 0, 0]]
    assert pad([[5, 6, 7], [8]]).shape == (2, 3)
    assert pad([]).shape == (0, 0)


def test_a_sentence_knows_where_it_looked(words):
    tokens, looks = [*words.encode("man run"), END, END], np.random.default_rng(0).uniform(size=(4, 6))
    found = sentence_of(tokens, np.float32(-1.5), words, looks, source=[" ein", " mann"])
    assert (found.text, found.log_probability, found.pieces) == ("man run", -1.5, [" man", " run"])
    np.testing.assert_array_equal(found.attention, looks[:2, :2])
    found = sentence_of(tokens, -1.5, words, looks, places=(2, 3))
    np.testing.assert_array_equal(found.attention, looks[:2].reshape(2, 2, 3))
    assert sentence_of(tokens, -1.5, words).attention is None


def test_half_a_surrogate_pair_is_refused(words):
    with pytest.raises(ValueError, match="text: expected one that UTF-8 can write"):
        words.encode("a \ud800 dog")


def test_words_are_not_split(words):
    with pytest.raises(ValueError, match="alpha: expected None, for words are not split. Received: 0.1"):
        words.encode("a dog", alpha=0.1)
