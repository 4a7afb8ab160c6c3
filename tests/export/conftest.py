"""Small models with varied answers, what they are asked, and every file that is made of them, once a session."""

import functools
import os
import shutil
import traceback
import zipfile

import numpy as np
import onnx
import pytest

SIZE, CLASSES = (64, 96), ("sky", "road", "car", "tree", "person")
SPREAD = {"score_32": 0.1, "score_16": 0.1, "score_8": 0.4}  # standard deviation of the weights


@pytest.fixture
def here(monkeypatch):
    """What would be the converting process is this one, which has loaded TensorFlow already."""
    from keras_segattn.export import convert
    from keras_segattn.export.process import ProcessError

    def run_python(*arguments, **environment):
        try:
            convert._main(arguments[-1])
        except Exception as error:
            said = ProcessError(str(error) if isinstance(error, convert._Unconverted) else convert._line(error))
            said.add_note(traceback.format_exc())
            raise said from error

    monkeypatch.setattr(convert, "run_python", run_python)


@pytest.fixture(scope="session")
def photographs():
    """64 crops of free photographs, uint8 (64, 64, 96, 3)."""
    from keras_segattn.export import free_photographs

    return free_photographs(64, *SIZE)


@pytest.fixture(scope="session")
def model(photographs):
    """FCN-8s with random weights, its batch normalisations fitted to the photographs so that no layer dies out."""
    import keras

    from keras_segattn.models import fcn8s

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = fcn8s((*SIZE, 3), len(CLASSES), encoder="mobilenet_0.75", head_filters=32)
    for layer in [*model.layers, *model.get_layer("encoder").layers]:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
            layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, 1, layer.beta.shape))
        if layer.name in SPREAD:
            layer.set_weights([rng.normal(0, SPREAD[layer.name], weight.shape) for weight in layer.get_weights()])
    model(photographs.astype("float32"), training=True)
    return model


@pytest.fixture(scope="session")
def metadata():
    from keras_segattn.export import Metadata

    return Metadata(
        name="small",
        classes=CLASSES,
        palette=((70, 130, 180), (128, 64, 128), (0, 0, 142), (107, 142, 35), (220, 20, 60)),
        ignore_label=255,
        image_size=SIZE,
        provenance={"entry": "small", "dataset": "none"},
    )


@pytest.fixture(scope="session")
def exported(model, photographs, metadata, once):
    """Function: format, precision -> ``ExportReport`` of the file, which is made when it is first asked for."""
    from keras_segattn.export import export

    @functools.cache
    def made(format, precision):
        make = functools.partial(
            export,
            model,
            metadata=metadata,
            format=format,
            precision=precision,
            images=photographs,
            images_source="photographs",
            calibration=photographs,
            calibration_source="the same photographs",
        )
        return once(f"{format}_{precision}", make)

    return lambda format, precision="float32": made(format, precision)


@pytest.fixture
def converter_gives(monkeypatch):
    """Function: path -> from now on the converter hands over a copy of that file, at once."""
    from keras_segattn.export import contract

    def give(path):
        copy = shutil.copytree if path.is_dir() else shutil.copy
        monkeypatch.setattr(contract, "convert", lambda model, to, **options: copy(path, to))

    return give


@pytest.fixture(scope="session")
def bare(exported, tmp_path_factory):
    """Function: format -> path of a copy of the exported float32 file as the converter left it, without metadata."""

    return lambda format: strip(exported(format).path, tmp_path_factory.mktemp("bare"))


def strip(path, folder):
    """A copy of an exported file in a folder, as the converter left it, without metadata."""
    to = folder / path.name
    if path.is_dir():
        return shutil.copytree(path, to, ignore=shutil.ignore_patterns("assets.extra"))
    to.write_bytes(path.read_bytes())
    if path.suffix == ".onnx":
        stripped = onnx.load(to)
        del stripped.metadata_props[:]
        onnx.save(stripped, to)
    else:
        with zipfile.ZipFile(path) as archive:
            os.truncate(to, min(member.header_offset for member in archive.infolist()))
    return to


# Models of language

LONGEST, LENGTH = 9, 8  # the most tokens that they read, and write
SPREAD_OF = {"soft": 3.5}  # how far weights are spread, so that the image makes a difference; 2 of the others
TOLD = ("hidden", "cell", "image_embedding")  # layers of the captioners that are told what is in the image
SMALL = {"embedding": 16, "units": 12}
LANGUAGE = {
    "rnnsearch": lambda models: models.rnnsearch(40, 30, **SMALL, encoder_units=5, attention_units=7),
    "luong": lambda models: models.luong_nmt(40, 30, **SMALL),
    "encoder_decoder": lambda models: models.rnn_encoder_decoder(40, 30, **SMALL),
    "soft": lambda models: models.show_attend_tell((*SIZE, 3), 30, **SMALL, attention_units=7),
    "neuraltalk": lambda models: models.neuraltalk((*SIZE, 3), 30, **SMALL),
}


def words(count, first):
    """As many words, of three letters."""
    return [f"{first}{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(count)]


@pytest.fixture(scope="session")
def texts():
    """64 different texts of one to nine words that the translators know."""
    rng = np.random.default_rng(1)
    known = words(36, "s")
    texts = [" ".join(rng.choice(known, length)) for length in [1, LONGEST, *rng.integers(2, LONGEST + 1, 62)]]
    assert len(set(texts)) == 64
    return texts


@pytest.fixture(scope="session")
def writers(settle, photographs):
    """Function: key of ``LANGUAGE`` -> a ``Writer`` with weights that say something, as after some training."""
    import keras

    from keras_segattn import models
    from keras_segattn.vocabulary import Vocabulary

    def disturb(layer, rng, spread):
        if isinstance(layer, keras.Model):
            settle(layer, photographs[:16] / np.float32(127.5) - 1)
            return
        for variable in layer.trainable_variables:
            scale = spread / np.sqrt(max(16, variable.shape[0]))
            variable.assign(rng.normal(size=variable.shape, scale=scale))

    @functools.cache
    def make(kind):
        keras.utils.set_random_seed(0)
        model, rng = LANGUAGE[kind](models), np.random.default_rng(0)
        for layer in model.layers:
            disturb(layer, rng, SPREAD_OF.get(kind, 2))
        for layer in [layer for layer in model.layers if layer.name in TOLD and "image" in model.input]:
            seen = keras.Model(model.input["image"], layer.input).predict_on_batch(photographs.astype("float32"))
            said = seen @ layer.kernel.numpy()  # photographs make little difference to a random encoder
            layer.set_weights([2 * layer.kernel.numpy() / said.std(0), -2 * said.mean(0) / said.std(0)])
        for name, count in (("source", 36), ("target", 26)):
            if name in model.input:
                vocabulary = Vocabulary.learn([" ".join(words(count, name[0]))], count + 4, "words")
                model.get_layer(f"{name}_tokens").vocabulary = vocabulary
        return models.Writer(model, beams=3, max_length=LENGTH)

    return make


@pytest.fixture(scope="session")
def asked(writers, texts, photographs):
    """Function: key of ``LANGUAGE`` -> what its model is asked, 64 texts or photographs."""
    return lambda kind: photographs if "image" in writers(kind).model.input else texts


@pytest.fixture(scope="session")
def written(writers, asked, once):
    """Function: key of ``LANGUAGE``, format, precision -> ``ExportReport``, made when it is first asked for."""
    from keras_segattn.export import Metadata, export_writer

    @functools.cache
    def made(kind, format, precision):
        make = functools.partial(
            export_writer,
            writers(kind),
            metadata=Metadata(name=kind, languages=("de", "en"), provenance={"entry": kind}),
            format=format,
            precision=precision,
            max_tokens=LONGEST,
            inputs=asked(kind),
            inputs_source="of the test",
        )
        return once(f"{kind}_{format}_{precision}", make)

    return lambda kind, format, precision="float32": made(kind, format, precision)
