"""``segattn predict`` and ``evaluate`` of sentences, with small models in the place of the entries'."""

import json
from pathlib import Path

import numpy as np
import pytest
import sklearn
from PIL import Image

from keras_segattn import models, zoo
from keras_segattn.vocabulary import Vocabulary
from keras_segattn.zoo import card, results

TRANSLATOR, CAPTIONER = "rnnsearch_multi30k_de_en", "show_attend_tell_soft_flickr8k"
PHOTO = Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg"
GERMAN = Vocabulary.learn(["ein hund rennt im gras", "zwei hunde schlafen"], 12, "words")
ENGLISH = Vocabulary.learn(["a dog runs in the grass", "two dogs sleep"], 13, "words")


@pytest.fixture
def small(monkeypatch):
    """Loading an entry of language gives a small model that has something to say."""

    def load(name, weights=True):
        if name == TRANSLATOR:
            model = models.rnnsearch(12, 13, embedding=4, encoder_units=5, units=6, attention_units=3)
            model.get_layer("source_tokens").vocabulary = GERMAN
        else:
            model = models.show_attend_tell((224, 224, 3), 13, embedding=4, units=6, attention_units=3)
        model.get_layer("target_tokens").vocabulary = ENGLISH
        rng = np.random.default_rng(0)
        for layer in model.layers:
            if layer.name != "encoder" or name == TRANSLATOR:
                for variable in layer.trainable_variables:
                    variable.assign(rng.normal(size=variable.shape, scale=0.7))
        return model

    monkeypatch.setattr(zoo, "load", load)


def test_each_sentence_is_translated(small, segattn):
    code, out, _ = segattn("predict", TRANSLATOR, "ein hund", "zwei hunde rennt", "--json")
    answers = json.loads(out)
    assert code == 0
    assert [answer["source"] for answer in answers] == ["ein hund", "zwei hunde rennt"]
    assert all(answer["log_probability"] < 0 and answer["text"] for answer in answers)
    code, out, _ = segattn("predict", TRANSLATOR, "ein hund", "zwei hunde rennt")
    assert out.splitlines() == [answer["text"] for answer in answers]


def test_lines_of_the_standard_input_are_translated(small, segattn, monkeypatch, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("ein hund\nzwei hunde\n")
    with lines.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        code, out, _ = segattn("predict", TRANSLATOR)
    assert code == 0
    assert out.splitlines() == segattn("predict", TRANSLATOR, "ein hund", "zwei hunde")[1].splitlines()


def test_alignments_are_drawn_when_a_folder_is_named(small, segattn, tmp_path):
    code, out, _ = segattn("predict", TRANSLATOR, "ein hund", "zwei hunde", "--output", tmp_path / "a", "--json")
    files = [answer["attention"] for answer in json.loads(out)]
    assert code == 0
    assert files == [str(tmp_path / "a" / name) for name in ("001_attention.png", "002_attention.png")]
    for file in files:
        with Image.open(file) as picture:
            assert np.asarray(picture).std() > 5


@pytest.mark.parametrize("text", ["", " ", "...", "12"])
def test_a_sentence_without_a_word_is_an_error_of_one_line(text, small, segattn):
    code, out, err = segattn("predict", TRANSLATOR, "ein hund", text)
    assert code != 0
    assert not out
    assert f"expected sentences with a token in each. Received: {text!r}" in err
    assert len(err.strip().splitlines()) == 1


def test_a_photograph_is_described_and_shows_where_it_was_looked_at(small, segattn, tmp_path):
    code, out, _ = segattn("predict", CAPTIONER, PHOTO, "--output", tmp_path, "--json")
    (answer,) = json.loads(out)
    assert code == 0
    assert answer["text"]
    assert answer["log_probability"] < 0
    assert answer["attention"] == str(tmp_path / "china_attention.png")
    with Image.open(answer["attention"]) as picture:
        assert picture.width > 300
    code, out, _ = segattn("predict", CAPTIONER, PHOTO, "--output", tmp_path)
    assert out == f"{PHOTO}: {answer['text']} -> {answer['attention']}\n"


@pytest.mark.parametrize("name", [CAPTIONER, "cnn_mnist_r"])
def test_no_photograph_is_an_error(name, small, segattn):
    code, _, err = segattn("predict", name)
    assert code == 2
    assert "INPUTS: expected at least one photograph" in err


def test_a_photograph_that_cannot_be_read_fails_before_a_model_is_built(segattn, tmp_path):
    (tmp_path / "text.jpg").write_text("no photograph")
    code, _, err = segattn("predict", CAPTIONER, tmp_path / "text.jpg")
    assert code != 0
    assert "text.jpg" in err
    assert len(err.strip().splitlines()) == 1


def test_entries_that_read_text_are_listed(segattn, monkeypatch):
    monkeypatch.setattr(zoo, "list_models", lambda pattern: [TRANSLATOR, CAPTIONER])
    code, out, _ = segattn("list")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()] == [
        [TRANSLATOR, "multi30k_de_en", "text"],
        [CAPTIONER, "flickr8k", "224x224"],
    ]


def test_a_search_with_other_beams_is_a_row_of_its_own(small, segattn, drawn_multi30k, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    table = tmp_path / "results.csv"
    for beams in ((), ("--beams", 1)):
        code, _, _ = segattn("evaluate", TRANSLATOR, "--data-dir", drawn_multi30k, "--results", table, *beams)
        assert code == 0
    rows = [row for row in results.read(table) if row["metric"] == "bleu"]
    assert [row["tail"] for row in rows] == ["", "1 beams"]
    assert rows[0]["signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert f"(`{rows[0]['signature']}`)" in card.card(TRANSLATOR, results.read(table))
    (said,) = [line for line in card.card(TRANSLATOR, results.read(table)).splitlines() if "beams; it" in line]
    assert said == f"The search has 3 beams; it reaches {float(rows[1]['value']):.2f} with 1."


@pytest.mark.parametrize("target", ["cnn_mnist_r", "model.onnx"])
def test_nothing_else_has_beams(target, segattn):
    code, _, err = segattn("evaluate", target, "--beams", 2)
    assert code == 1
    assert "beams: expected " in err


def test_sentences_have_no_tiles(small, segattn):
    code, _, err = segattn("predict", TRANSLATOR, "ein hund", "--tiled")
    assert code == 2
    assert f"--tiled: expected a model that segments. {TRANSLATOR} is one of translation" in err
