"""What trainings of sentences go through: where they start, what they are shown, and that they learn from it."""

import csv
from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_segattn import zoo
from keras_segattn.losses import CrossEntropy
from keras_segattn.models import Writer
from keras_segattn.vocabulary import END, PAD, START
from keras_segattn.zoo.build import build
from keras_segattn.zoo.lessons import CaptionLesson, TranslationLesson, imagenet
from keras_segattn.zoo.train import train

TRANSLATION = replace(
    zoo.info("rnnsearch_multi30k_de_en"),
    arguments={
        "source_size": 41,
        "target_size": 29,
        "embedding": 16,
        "encoder_units": 12,
        "units": 24,
        "attention_units": 12,
        "dropout": 0.0,
    },
    batch_size=8,
    epochs=2,
    learning_rate=0.02,
    warmup_steps=5,
    averaging=0.9,
    validate_every=20,
    label_smoothing=0.0,
    policy="float32",
)
CAPTIONS = replace(
    zoo.info("show_attend_tell_soft_flickr8k"),
    arguments={
        "vocabulary_size": 14,
        "embedding": 8,
        "units": 16,
        "attention_units": 8,
        "doubly_stochastic": 0.0,
        "encoder": "mobilenet_0.75",
    },
    batch_size=10,
    epochs=2,
    learning_rate=0.02,
    warmup_steps=2,
    averaging=0.5,
    label_smoothing=0.0,
    self_critical_epochs=1,
)
NEURALTALK = replace(
    CAPTIONS,
    name="neuraltalk_flickr8k",
    model="neuraltalk",
    arguments={"vocabulary_size": 14, "embedding": 8, "units": 16, "encoder": "mobilenet_0.75"},
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own: the encoders of these tests are random."""
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_imagenet(monkeypatch):
    """Encoders start at random, so that no network is needed."""
    monkeypatch.setattr("keras_segattn.zoo.lessons.imagenet", lambda recipe, folder: {})


def test_a_translation_starts_with_the_vocabularies_of_the_training_sentences(drawn_multi30k, cache):
    lesson = TranslationLesson(TRANSLATION, drawn_multi30k)
    model = lesson.learner(lesson.start())
    german, english = (model.get_layer(name).vocabulary for name in ("source_tokens", "target_tokens"))
    assert german.decode(german.encode("Ein roter Hund fällt.")) == "Ein roter Hund fällt."
    assert english.decode(english.encode("A red dog falls.")) == "A red dog falls."
    assert lesson.steps == 56 // 8


def test_an_epoch_shows_every_pair_once_and_the_next_one_splits_and_orders_it_anew(drawn_multi30k, cache):
    lesson = TranslationLesson(TRANSLATION, drawn_multi30k)
    vocabulary = lesson.learner(lesson.start()).get_layer("target_tokens").vocabulary

    def seen(epoch):
        rows = []
        for inputs, labels in lesson.batches(epoch):
            assert (inputs["target"][:, 0] == START).all()
            assert ((labels == END).sum(1) == 1).all()
            np.testing.assert_array_equal(inputs["target"][:, 1:], np.where(labels == END, PAD, labels)[:, :-1])
            rows += [tuple(row[row != PAD]) for row in labels]
        return rows

    first, again, second = seen(0), seen(0), seen(1)
    texts = [vocabulary.decode(row) for row in first]
    assert first == again
    assert sorted(texts) == sorted(target for _, target in lesson.pairs)
    assert texts != [vocabulary.decode(row) for row in second]
    assert len({*first, *second}) > 60  # of 56 sentences, so some were split in another way


def test_a_translation_is_learned_and_resumed_and_its_weights_bring_its_vocabularies(drawn_multi30k, cache, tmp_path):
    best = train(TRANSLATION, tmp_path / "run", data_dir=drawn_multi30k)
    longer = replace(TRANSLATION, epochs=60)
    train(longer, tmp_path / "run", data_dir=drawn_multi30k, resume=True)
    model = build(TRANSLATION)
    model.load_weights(best)
    found = Writer(model, beams=2, max_length=24).write(["Ein roter Hund fällt."])[0]
    assert found.text == "A red dog falls."


def test_captions_start_with_the_words_of_the_training_captions(drawn_flickr8k, cache, no_imagenet):
    lesson = CaptionLesson(CAPTIONS, drawn_flickr8k)
    model = lesson.start()
    vocabulary = model.get_layer("target_tokens").vocabulary
    assert vocabulary.decode(vocabulary.encode("A square 2 on the left")) == "a square on the left"
    learner = lesson.learner(model)
    assert not [layer for layer in learner.layers if layer.name == "encoder"]
    inputs, labels = next(iter(lesson.batches(0)))
    assert (inputs["grid"].shape, inputs["target"].shape, labels.shape) == ((10, 49, 768), (10, 8), (10, 8))
    assert lesson.steps == 60 // 10


def test_photographs_are_mirrored_but_not_for_captions_that_name_a_side(drawn_flickr8k, cache, no_imagenet):
    lesson = CaptionLesson(CAPTIONS, drawn_flickr8k)
    lesson.learner(lesson.start())
    assert lesson.grids.shape == (2 * 12, 49, 768)
    lesson.grids = np.arange(2 * 12, dtype="float16").reshape(-1, 1, 1)  # from 12 on mirrored

    def rows(epoch):
        return sorted(int(row) for inputs, _ in lesson.batches(epoch) for row in inputs["grid"].ravel())

    upright = [index for index in range(12) for _ in range(5)]
    assert rows(0) == rows(1) == upright  # every caption of these says "on the left" or "on the right"
    lesson.sided[:] = False
    assert rows(0) == rows(0) != rows(1)
    assert sorted(row % 12 for row in rows(0)) == upright
    assert 15 < sum(row >= 12 for row in rows(0)) < 45


def test_neuraltalk_starts_at_the_frequency_of_each_word(drawn_flickr8k, cache, no_imagenet):
    lesson = CaptionLesson(NEURALTALK, drawn_flickr8k)
    model = lesson.start()
    vocabulary = model.get_layer("target_tokens").vocabulary
    bias = np.exp(np.asarray(model.get_layer("logits").bias))
    assert bias.sum() == pytest.approx(1, abs=1e-5)
    (a,), (red,) = vocabulary.encode("a"), vocabulary.encode("red")
    assert bias[a] / bias[red] == pytest.approx((60 + 1) / (20 + 1), rel=1e-4)  # of 60 captions a third are of red
    assert bias[END] == pytest.approx(bias[a], rel=1e-4)


@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_captions_are_learned(attention, drawn_flickr8k, cache, no_imagenet):
    keras.utils.set_random_seed(0)
    recipe = replace(CAPTIONS, arguments={**CAPTIONS.arguments, "attention": attention, "dropout": 0.0})
    lesson = CaptionLesson(recipe, drawn_flickr8k)
    model = lesson.start()
    learner = lesson.learner(model)
    learner.compile(keras.optimizers.Adam(0.02), lesson.loss())
    images = np.stack([example["image"] for example in lesson.examples]).astype("float32")
    ids = np.array([[*ids, END] for index, ids in lesson.ids][::5])        # a caption of each

    def loss():
        target = np.concatenate([np.full((12, 1), START), ids[:, :-1]], axis=1)
        return float(CrossEntropy()(ids, model.predict_on_batch({"image": images, "target": target})))

    assert loss() == pytest.approx(np.log(14), rel=0.05)
    for epoch in range(8):
        for inputs, labels in lesson.batches(epoch):
            learner.train_on_batch(inputs, labels)
    assert loss() < 1.0


def test_captions_of_a_run_are_scored_and_its_best_weights_are_of_the_whole_model(
    drawn_flickr8k, cache, no_imagenet, tmp_path
):
    best = train(CAPTIONS, tmp_path / "run", data_dir=drawn_flickr8k)
    model = build(CAPTIONS)
    model.load_weights(best)
    assert model.get_layer("target_tokens").vocabulary is not None
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]  # the last one self-critical
    assert all(np.isfinite([float(row["loss"]), float(row["val_bleu_4"])]).all() for row in rows)


HARD = replace(CAPTIONS, arguments={**CAPTIONS.arguments, "attention": "hard"})


@pytest.mark.parametrize("recipe", [TRANSLATION, HARD], ids=["translation", "hard"])
def test_who_draws_no_captions_has_no_self_critical_epochs(recipe, drawn_flickr8k, drawn_multi30k, cache, tmp_path):
    recipe = replace(recipe, self_critical_epochs=1)
    data = drawn_multi30k if recipe.dataset == "multi30k_de_en" else drawn_flickr8k
    with pytest.raises(ValueError, match=f"self_critical_epochs: expected 0 of {recipe.name}"):
        train(recipe, tmp_path / "run", data_dir=data)
    assert not (tmp_path / "run").exists()


def test_only_what_starts_with_an_encoder_wants_imagenet(tmp_path):
    recipe = zoo.info("show_attend_tell_soft_flickr8k")
    assert imagenet(recipe, tmp_path) == {"encoder_weights": "imagenet"}
    local = tmp_path / "weights_mobilenet_v1_0.75_224" / "mobilenet_v1_0.75_224_imagenet.npz"
    local.parent.mkdir()
    local.touch()
    assert imagenet(recipe, tmp_path) == {"encoder_weights": local}
    assert imagenet(replace(recipe, start="fcn8s_mobilenet_camvid"), tmp_path) == {}
    assert imagenet(zoo.info("rnnsearch_multi30k_de_en"), tmp_path) == {}
