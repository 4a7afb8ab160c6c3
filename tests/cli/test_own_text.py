"""``segattn train --data`` with sentences and with captions: small entries learn them, and leave Python as files."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from keras_segattn import models, zoo
from keras_segattn.export import Runner
from keras_segattn.models import transfer_words
from keras_segattn.vocabulary import Vocabulary
from keras_segattn.zoo import fine_tune

from ..conftest import sentences

TRANSLATOR, CAPTIONER = "rnnsearch_multi30k_de_en", "show_attend_tell_soft_flickr8k"
SMALL = {"batch_size": 8, "learning_rate": 0.02, "warmup_steps": 5, "label_smoothing": 0.0, "beams": 2}
RECIPES = {
    TRANSLATOR: replace(
        zoo.info(TRANSLATOR),
        arguments={
            "source_size": 41, "target_size": 29, "embedding": 16, "encoder_units": 12, "units": 24,
            "attention_units": 12, "dropout": 0.0,
        },
        max_tokens=40,
        subword_alpha=None,
        **SMALL,
    ),
    CAPTIONER: replace(
        zoo.info(CAPTIONER),
        arguments={
            "vocabulary_size": 20, "embedding": 8, "units": 16, "attention_units": 8, "dropout": 0.0,
            "grid_dropout": 0.0, "doubly_stochastic": 0.0,
        },
        image_size=(64, 64),
        max_tokens=8,
        **SMALL,
    ),
}  # fmt: skip
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 230)}


@pytest.fixture
def entries(monkeypatch, settle):
    """The entries are small, and know German and English of one colour, or captions of another thing."""
    info = zoo.info

    def load(name, weights=True):
        model = zoo.build.build(RECIPES[name])
        if name == TRANSLATOR:
            for side, language in (("source", "de"), ("target", "en")):
                tokens = model.get_layer(f"{side}_tokens")
                tokens.vocabulary = Vocabulary.learn(sentences(language), tokens.size)
        else:
            texts = ["a red ball falls down", "one green dog waits here", "my blue bird sings on it"]
            model.get_layer("target_tokens").vocabulary = Vocabulary.learn(texts, 20, "words")
            images = np.random.default_rng(0).uniform(-1, 1, (16, 4, 4, 3)).repeat(16, 1).repeat(16, 2)
            settle(model.get_layer("encoder"), images.astype("float32"))
        return model

    monkeypatch.setattr(zoo, "info", lambda name: RECIPES.get(name) or info(name))
    monkeypatch.setattr(zoo, "load", load)


@pytest.fixture
def letters(tmp_path):
    folder = tmp_path / "letters"
    folder.mkdir()
    pairs = zip(sentences("de"), sentences("en"), strict=True)
    (folder / "pairs.tsv").write_text("".join(f"{german}\t{english}\n" for german, english in pairs), encoding="utf-8")
    return folder


@pytest.mark.endurance
def test_an_entry_of_translation_learns_pairs_of_sentences(entries, letters, segattn, tmp_path):
    run, sentence = tmp_path / "run", "Ein roter Hund wartet im Schnee."
    code, said, err = segattn("train", TRANSLATOR, "--data", letters, "--output", run, "--epochs", "30")
    assert code == 0, err
    assert "30 epochs of sentences, 8 in a step" in said
    assert json.loads((run / "scores.json").read_text())["bleu"] > 20
    assert f"next: segattn predict {run}/model.keras TEXT" in said
    assert Image.open(run / "predictions.png").width == 640
    assert "Examples of the validation split" in (run / "card.md").read_text()
    code, said, _ = segattn("evaluate", run / "model.keras", "--json")
    assert json.loads(said)["values"] == json.loads((run / "scores.json").read_text())
    code, said, err = segattn("export", run / "model.keras", "--output", tmp_path)
    assert code == 0, err
    assert "sentences agree 100.000 %" in said
    answers = [
        json.loads(segattn("predict", target, sentence, "--json")[1])[0]
        for target in (run / "model.keras", tmp_path / "rnnsearch_letters_float32.tflite")
    ]
    assert answers[0]["text"] == answers[1]["text"]
    assert answers[0]["log_probability"] == pytest.approx(answers[1]["log_probability"], abs=1e-4)
    for format in ("tflite", "onnx"):
        code, said, err = segattn("lint", run / "model.keras", "--format", format)
        assert code == 0, said + err
        assert "model.keras: 0 findings. " in said
    asked = ("--formats", "tflite-float32,onnx", "--runs", 1, "--json", "--output", tmp_path)
    code, said, err = segattn("benchmark", run / "model.keras", *asked)
    assert code == 0, err
    assert [row["format"] for row in json.loads(said)] == ["keras write", "tflite-float32", "onnx"]
    code, _, err = segattn("export", run / "model.keras", "--rewrite", "--output", tmp_path)
    assert code == 2
    assert "--rewrite: expected a model of no language" in err


@pytest.fixture
def squares(tmp_path):
    data = tmp_path / "squares"
    data.mkdir()
    with (data / "captions.jsonl").open("w") as file:
        for index in range(72):
            name, colour = list(COLOURS.items())[index % 3]
            image = np.random.default_rng(index).integers(80, 90, (80, 72, 3), "uint8")
            image[20:60, 10:60] = colour
            Image.fromarray(image).save(data / f"{index:02}.png")
            row = {"image": f"{index:02}.png", "caption": f"a {name} square lies on the ground"}
            file.write(json.dumps(row) + "\n")
    return data


@pytest.mark.endurance
def test_an_entry_of_captioning_learns_captions_of_any_photographs(entries, squares, segattn, tmp_path):
    run = tmp_path / "run"
    code, said, err = segattn("train", CAPTIONER, "--data", squares, "--output", run, "--epochs", "12")
    assert code == 0, err
    assert json.loads((run / "scores.json").read_text())["bleu_1"] > 60
    assert Image.open(run / "predictions.png").width == 96 + 640
    code, said, err = segattn("export", run / "model.keras", "--format", "onnx", "--output", tmp_path)
    assert code == 0, err
    runner = Runner(tmp_path / "show_attend_tell_squares_float32_generate.onnx")
    assert (runner.metadata.task, runner.metadata.image_size) == ("captioning", (64, 64))
    told = [
        segattn("predict", target, squares / "00.png", "--json", "--output", tmp_path / "seen")[1]
        for target in (run / "model.keras", runner.path)
    ]
    of_keras, of_onnx = (json.loads(text)[0]["text"] for text in told)
    assert of_keras == of_onnx


def test_the_recipe_has_as_many_words_as_there_are(entries, letters):
    (letters / "pairs.tsv").write_text("".join(f"ja {i}\tyes {i}\n" for i in range(60)))
    recipe = fine_tune.own_recipe(zoo.info(TRANSLATOR), letters, epochs=3)
    assert recipe.arguments["source_size"] < 60
    assert recipe.arguments["units"] == 24
    assert (recipe.batch_size, recipe.start) == (8, TRANSLATOR)


def test_captions_of_ones_own_are_learned_from_people_alone_in_the_time_that_there_is(entries, squares):
    assert zoo.info(CAPTIONER).self_critical_epochs > 0
    recipe = fine_tune.own_recipe(None, squares, epochs=3)
    assert (recipe.start, recipe.epochs, recipe.self_critical_epochs) == (CAPTIONER, 3, 0)


def test_words_that_both_models_have_are_carried_over():
    old, new = Vocabulary.learn(["a dog runs"], 7, "words"), Vocabulary.learn(["the dog runs on a hill"], 10, "words")
    source, target = (models.neuraltalk((32, 32, 3), len(words), embedding=4, units=5) for words in (old, new))
    for model, words in ((source, old), (target, new)):
        model.get_layer("target_tokens").vocabulary = words
    source.get_layer("logits").bias.assign(np.arange(7.0))

    def by_word(model):
        """Word -> its vector, its column of scores and its bias."""
        (vectors,), (kernel, bias) = (model.get_layer(name).get_weights() for name in ("target_embedding", "logits"))
        words = model.get_layer("target_tokens").vocabulary.tokens
        return dict(zip(words, np.column_stack([vectors, kernel.T, bias]), strict=True))

    before = by_word(target)
    transfer_words(source, target)
    after, known = by_word(target), by_word(source)
    assert len(known.keys() & after.keys()) == 7
    for word, values in after.items():
        np.testing.assert_array_equal(values, known.get(word, before[word]))
