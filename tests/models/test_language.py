"""The models of language: what they say before they learn, of padding, word by word, and after they have learned."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn import models
from keras_segattn.losses import CrossEntropy
from keras_segattn.models.language.writer import Writer
from keras_segattn.vocabulary import END, PAD, START, Vocabulary

from ..contracts import to_numpy

IMAGE = (64, 96, 3)
SMALL = {"embedding": 16, "units": 12}
TRANSLATORS = {
    "rnn_encoder_decoder": lambda **more: models.rnn_encoder_decoder(40, 30, **SMALL, **more),
    "rnnsearch": lambda **more: models.rnnsearch(40, 30, **SMALL, encoder_units=5, attention_units=7, **more),
    "luong_general": lambda **more: models.luong_nmt(40, 30, **SMALL, **more),
    "luong_local_p": lambda **more: models.luong_nmt(40, 30, **SMALL, score="dot", scope="local-p", window=2, **more),
}
CAPTIONERS = {
    "neuraltalk_lstm": lambda **more: models.neuraltalk(IMAGE, 30, **SMALL, **more),
    "neuraltalk_rnn": lambda **more: models.neuraltalk(IMAGE, 30, **SMALL, cell="rnn", **more),
    "soft": lambda **more: models.show_attend_tell(IMAGE, 30, **SMALL, attention_units=7, **more),
    "hard": lambda **more: models.show_attend_tell(IMAGE, 30, **SMALL, attention_units=7, attention="hard", **more),
}
MODELS = {**TRANSLATORS, **CAPTIONERS}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
each_translator = pytest.mark.parametrize("make", TRANSLATORS.values(), ids=TRANSLATORS)


def reading(make, seed=0):
    """What a model reads, a batch of three."""
    rng = np.random.default_rng(seed)
    if make in CAPTIONERS.values():
        return {"image": rng.uniform(0, 255, (3, *IMAGE)).astype("float32")}
    source = rng.integers(4, 40, (3, 6))
    source[1, 4:] = PAD
    return {"source": source}


def writing(length=5, seed=0):
    """What a model has written so far and what follows, a batch of three."""
    words = np.random.default_rng(seed).integers(4, 30, (3, length))
    return np.concatenate([np.full((3, 1), START), words[:, :-1]], axis=1), words


def answer(model, *parts):
    inputs = {name: value for part in parts for name, value in part.items()}
    return to_numpy(model(inputs, training=False))


@pytest.fixture
def disturbed(settle):
    """Function: a model -> the same with weights that say something, as after some training."""

    def disturb(model):
        rng = np.random.default_rng(0)
        for layer in model.layers:
            if isinstance(layer, keras.Model):
                keras.utils.set_random_seed(0)
                settle(layer, rng.uniform(-1, 1, (16, *IMAGE)).astype("float32"))
                continue
            for variable in layer.trainable_variables:
                variable.assign(rng.normal(size=variable.shape, scale=0.5))
        return model

    return disturb


@each_model
def test_before_it_learns_every_word_is_as_likely(make):
    keras.utils.set_random_seed(0)
    target, following = writing()
    logits = answer(make(), reading(make), {"target": target})
    assert logits.shape == (3, 5, 30)
    assert float(CrossEntropy()(following, logits)) == pytest.approx(np.log(30), rel=0.01)


@each_model
def test_word_by_word_it_says_what_it_says_of_the_whole(make, disturbed):
    model, inputs = disturbed(make()), reading(make)
    target, _ = writing()
    logits = answer(model, inputs, {"target": target})
    read, step, _ = models.decoder(model)
    state = read(inputs)
    for place in range(5):
        found, state = step(ops.convert_to_tensor(target[:, place]), state)
        np.testing.assert_allclose(to_numpy(found), logits[:, place], atol=1e-5)
    assert np.ptp(logits, axis=-1).min() > 0.1


@each_model
def test_what_it_reads_changes_what_it_says(make, disturbed):
    model, target = disturbed(make()), {"target": writing()[0]}
    one, other = (answer(model, reading(make, seed), target) for seed in (0, 1))
    assert np.abs(one - other).max(axis=(1, 2)).min() > 1e-3


@each_translator
def test_padding_of_the_source_changes_nothing(make, disturbed):
    model, source, target = disturbed(make()), reading(make)["source"], {"target": writing()[0]}
    longer = np.pad(source, ((0, 0), (0, 3)))
    np.testing.assert_allclose(
        answer(model, {"source": longer}, target), answer(model, {"source": source}, target), atol=1e-6
    )


@each_model
def test_padded_words_have_no_gradient(make, disturbed):
    model, inputs, loss = disturbed(make(dropout=0.0)), reading(make), CrossEntropy(ignore_label=PAD)
    target, following = writing()
    following[:, 3:] = PAD

    def moved(target, following):
        """What a step of plain gradient descent changes."""
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        for layer in copy.layers:
            if hasattr(layer, "doubly_stochastic"):
                layer.doubly_stochastic = 0.0
        copy.compile(keras.optimizers.SGD(1.0), loss)
        keras.utils.set_random_seed(0)
        copy.train_on_batch({**inputs, "target": target}, following)
        pairs = zip(copy.trainable_variables, model.trainable_variables, strict=True)
        return {before.path: to_numpy(after) - to_numpy(before) for after, before in pairs}

    # Hard attention draws as many places as there are words, so only words of the same number are comparable.
    other = np.where(np.arange(5) < 3, target, 9)
    shorter = moved(other, following) if make is CAPTIONERS["hard"] else moved(target[:, :3], following[:, :3])
    padded = np.where(np.arange(5) < 3, target, PAD)
    for path, change in moved(padded, following).items():
        np.testing.assert_allclose(change, shorter[path], atol=1e-3 * np.abs(shorter[path]).max(), err_msg=path)
    assert max(np.abs(change).max() for change in shorter.values()) > 1e-3


@pytest.mark.parametrize("make", [TRANSLATORS["rnnsearch"], CAPTIONERS["soft"]], ids=["rnnsearch", "soft"])
def test_a_writer_shows_where_it_looked(make, disturbed):
    inputs = reading(make)
    found = Writer(disturbed(make()), beams=3, max_length=7).predict_on_batch(inputs)
    attention, tokens = found["attention"], found["tokens"]
    assert attention.shape == (3, 7, 6)  # six words, or 2 x 3 places of 64 x 96 at a stride of 32
    ended = np.cumsum(tokens == END, axis=1) - (tokens == END) > 0
    np.testing.assert_allclose(attention.sum(-1)[~ended], 1, atol=1e-5)
    if "source" in inputs:
        assert (attention[1, :, 4:] == 0).all()
        assert (attention[1, 0, :4] > 0).all()


@each_model
def test_a_writer_of_one_beam_takes_the_likeliest_word(make, disturbed):
    model, inputs = disturbed(make()), reading(make)
    found = Writer(model, beams=1, max_length=6).predict_on_batch(inputs)["tokens"]
    written = np.full((3, 1), START)
    for _ in range(6):
        logits = answer(model, inputs, {"target": written})[:, -1]
        logits[:, [PAD, 1, START]] = -np.inf
        following = np.where((written[:, 1:] == END).any(1), END, logits.argmax(-1))
        written = np.concatenate([written, following[:, None]], axis=1)
    np.testing.assert_array_equal(found, written[:, 1:])


@pytest.mark.slow
@each_model
def test_sixteen_sentences_are_learned_by_heart(make):
    keras.utils.set_random_seed(0)
    model = make(dropout=0.0) if make is not CAPTIONERS["soft"] else make(dropout=0.0, grid_dropout=0.0)
    rng = np.random.default_rng(0)
    inputs = (
        {"source": rng.integers(4, 40, (16, 6))}
        if make in TRANSLATORS.values()
        else {"image": rng.uniform(0, 255, (16, 2, 3, 3)).repeat(32, 1).repeat(32, 2)}
    )
    words = rng.integers(4, 30, (16, 5))
    target = np.concatenate([np.full((16, 1), START), words[:, :-1]], axis=1)
    if "image" in inputs:  # an encoder that has not learned either tells images apart by little
        model = fitted_on_grids(model)
        inputs = {"grid": rng.normal(size=(16, 6, 768))}
    model.compile(keras.optimizers.Adam(0.02), CrossEntropy())
    for _ in range(300):
        loss = model.train_on_batch({**inputs, "target": target}, words)
    right = (answer(model, inputs, {"target": target}).argmax(-1) == words).mean()
    assert right >= (0.95 if make is CAPTIONERS["hard"] else 1)  # which looks elsewhere in training
    assert loss < 0.5


def fitted_on_grids(model):
    """The part of a captioner behind its grid."""
    grid = model.get_layer("grid").output
    return keras.Model({"grid": grid, "target": model.input["target"]}, model.output)


def test_a_writer_reads_and_writes_text(disturbed):
    keras.utils.set_random_seed(0)
    texts = ["ein hund rennt", "zwei hunde", "ein kind im gras rennt"]
    german, english = Vocabulary.learn(texts, 12, "words"), Vocabulary.learn(["a dog runs here"], 8, "words")
    model = disturbed(models.rnnsearch(len(german), len(english), **SMALL, encoder_units=5, attention_units=7))
    with pytest.raises(ValueError, match="expected a vocabulary in its layer source_tokens"):
        Writer(model).write(texts)
    model.get_layer("source_tokens").vocabulary = german
    model.get_layer("target_tokens").vocabulary = english
    writer = Writer(model, beams=2, max_length=5)
    found = writer.write(texts, batch_size=2)
    for text, sentence in zip(texts, found, strict=True):
        alone = writer.write([text])[0]
        assert sentence.text == alone.text
        assert sentence.log_probability == pytest.approx(alone.log_probability, abs=1e-4)
        assert "".join(sentence.source).split() == text.split()
        assert sentence.attention.shape == (len(sentence.pieces), len(text.split()))
    assert len({sentence.log_probability for sentence in found}) == 3
    with pytest.raises(ValueError, match="expected sentences with a token in each. Received: '...'"):
        writer.write(["ein hund", "..."])


def test_a_writer_of_captions_shows_the_places_as_a_picture(disturbed):
    model = disturbed(CAPTIONERS["soft"]())
    words = "a b c d e f g h i j k l m n o p q r s t u v w x y z"
    model.get_layer("target_tokens").vocabulary = Vocabulary.learn([words], 30, "words")
    images = np.random.default_rng(0).integers(0, 256, (3, *IMAGE), "uint8")
    found = Writer(model, beams=2, max_length=5).write(images, batch_size=2)
    assert [sentence.attention.shape for sentence in found] == [(len(one.pieces), 2, 3) for one in found]
    assert [len(one.text.split()) for one in found] == [len(one.pieces) for one in found]


def test_the_vocabulary_travels_with_the_weights(tmp_path):
    make = TRANSLATORS["rnnsearch"]
    model, other = make(), make()
    words = [f"wort{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(36)]
    vocabulary = Vocabulary.learn([" ".join(words)], 40, "words")
    model.get_layer("source_tokens").vocabulary = vocabulary
    model.save_weights(tmp_path / "model.weights.h5")
    models.load_weights(other, tmp_path / "model.weights.h5")
    assert other.get_layer("source_tokens").vocabulary == vocabulary
    assert other.get_layer("target_tokens").vocabulary is None
    model.save(tmp_path / "model.keras")
    whole = keras.models.load_model(tmp_path / "model.keras")
    assert whole.get_layer("source_tokens").vocabulary == vocabulary


def test_one_text_is_not_taken_for_its_letters():
    with pytest.raises(TypeError, match="inputs: expected a list of sentences. Received one: 'Ein Hund'"):
        Writer(models.rnnsearch(9, 9, units=6)).write("Ein Hund")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.luong_nmt(9, 9, units=7), "units: expected an even number"),
        (lambda: models.neuraltalk(IMAGE, 9, cell="gpu"), "cell: expected one of rnn, gru, lstm. Received: 'gpu'"),
        (lambda: models.show_attend_tell(IMAGE, 9, attention="firm"), "attention: expected one of soft, hard"),
        (lambda: models.neuraltalk((None, None, 3), 9), r"image_shape: expected \(H, W, 3\), H and W known"),
        (lambda: models.decoder(models.cnn((28, 28, 1), 10)), "model: expected one with a layer decoder"),
        (lambda: models.rnnsearch(3, 9), "size: expected an integer >= 5. Received: 3"),
        (lambda: Writer(models.rnnsearch(9, 9, units=6), beams=0), "beams: expected an integer >= 1. Received: 0"),
        (lambda: Writer(models.rnnsearch(9, 9, units=6), max_length=2.5), "max_length: expected an integer >= 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
