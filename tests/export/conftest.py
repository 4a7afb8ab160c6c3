"""One small model with varied answers, real photographs, and every file that is made of them, once a session."""

import functools
import os
import shutil
import zipfile

import numpy as np
import onnx
import pytest

SIZE, CLASSES = (64, 96), ("sky", "road", "car", "tree", "person")
SPREAD = {"score_32": 0.1, "score_16": 0.1, "score_8": 0.4}  # standard deviation of the weights


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
def exported(model, photographs, metadata, tmp_path_factory):
    """Function: format, precision -> ``ExportReport`` of the file, which is made when it is first asked for."""
    from keras_segattn.export import export

    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def made(format, precision):
        return export(
            model,
            folder,
            metadata,
            format=format,
            precision=precision,
            images=photographs,
            images_source="photographs",
            calibration=photographs,
            calibration_source="the same photographs",
        )

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

    def copy(format):
        path = exported(format).path
        to = tmp_path_factory.mktemp("bare") / path.name
        if path.is_dir():
            return shutil.copytree(path, to, ignore=shutil.ignore_patterns("assets.extra"))
        to.write_bytes(path.read_bytes())
        if format == "onnx":
            stripped = onnx.load(to)
            del stripped.metadata_props[:]
            onnx.save(stripped, to)
        if format == "tflite":
            with zipfile.ZipFile(path) as archive:
                os.truncate(to, min(member.header_offset for member in archive.infolist()))
        return to

    return copy
