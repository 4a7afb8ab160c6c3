"""A .keras file of anybody's wherever a verb takes an entry, and its layers exchanged for those that a format has."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from keras_segattn.cli.photographs import _files
from keras_segattn.export import Runner

from ..scenes import CLASSES, of_masks

NAME, SIZE = "fcn8s_mobilenet_camvid", (32, 48)


def saved(folder, interpolation):
    keras.utils.set_random_seed(0)
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.UpSampling2D(interpolation=interpolation, name="up")(x)
    model = keras.Model(image, layers.Conv2D(3, 3, padding="same", name="logits")(x), name="model")
    path = folder / f"{interpolation}.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keras")


@pytest.fixture(scope="module")
def plain(folder):
    """A model of somebody's that converts."""
    return saved(folder, "bilinear")


@pytest.fixture(scope="module")
def bicubic(folder):
    """One that TFLite has no operator for."""
    return saved(folder, "bicubic")


@pytest.fixture(scope="module")
def recognises(folder):
    path = folder / "recognises.keras"
    stack = [keras.Input((*SIZE, 3)), layers.GlobalAveragePooling2D(), layers.Dense(2, name="logits")]
    keras.Sequential(stack).save(path)
    return path


@pytest.fixture(scope="module")
def sigmoid(folder):
    """A model whose answer is no score."""
    path = folder / "sigmoid.keras"
    keras.Sequential([keras.Input((*SIZE, 3)), layers.Conv2D(1, 1, activation="sigmoid")]).save(path)
    return path


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    return of_masks(tmp_path_factory.mktemp("own") / "streets")


def test_a_layer_that_the_format_has_not_is_rewritten_if_asked(bicubic, streets, segattn, tmp_path):
    arguments = ("export", bicubic, "--images", streets, "--output", tmp_path)
    code, _, err = segattn(*arguments)
    assert code == 1
    assert "ResizeBicubic of layer up is no operator of tflite. Resize bilinearly; rewrite=True makes" in err
    code, out, err = segattn(*arguments, "--rewrite")
    assert code == 0, err
    assert out.splitlines()[1] == "  rewritten: up: UpSampling2D, as two products with matrices"
    (facts,) = json.loads((tmp_path / "report.json").read_text())["artifacts"]
    assert facts["rewritten"] == ["up: UpSampling2D, as two products with matrices"]
    assert facts["inputs"].startswith("the photographs of streets and crops")


def test_a_file_is_linted_by_what_it_becomes(plain, bicubic, segattn):
    code, out, _ = segattn("lint", plain)
    assert code == 0
    assert out.startswith(f"{plain}: 0 findings. ")
    code, _, err = segattn("lint", bicubic)
    assert code == 1
    assert "ResizeBicubic of layer up is no operator of tflite" in err


def test_what_is_timed_and_shown_is_exported_once(plain, streets, segattn, tmp_path, monkeypatch):
    from keras_segattn.cli import demo

    arguments = ("--images", streets, "--output", tmp_path)
    asked = ("--formats", "tflite-float32,onnx", "--runs", 1, "--json")
    code, out, err = segattn("benchmark", plain, *arguments, *asked)
    assert code == 0, err
    rows = {row["format"]: row for row in json.loads(out)}
    assert set(rows) == {"keras call", "keras predict", "tflite-float32", "onnx"}
    assert all(row["ms"] > 0 for row in rows.values())
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.suffix in (".tflite", ".onnx")}
    assert len(files) == 2

    served = []

    class Server(SimpleNamespace):
        def __enter__(self):
            return self

        def __exit__(self, *error):
            served.append(self.files)

    def server(files, modules, port):
        return Server(files=files, server_port=port, serve_forever=lambda: None)

    monkeypatch.setattr(demo, "find_modules", lambda: tmp_path)
    monkeypatch.setattr(demo, "page_server", server)
    code, out, err = segattn("demo", plain, *arguments, "--no-browser")
    assert code == 0, err
    assert "http://localhost:8000/" in out
    assert served == [{f"model{path.suffix}": path for path in files}]
    assert files == {path: path.stat().st_mtime_ns for path in files}


def test_a_model_of_anybody_is_evaluated_on_a_folder_that_has_as_many_classes(plain, streets, segattn):
    code, out, _ = segattn("evaluate", plain, "--data", streets, "--json")
    assert code == 0
    assert {"mean_iou", *(f"iou_{name}" for name in CLASSES)} <= set(json.loads(out)["values"])
    code, _, err = segattn("evaluate", plain)
    assert code != 0
    assert "--data: expected the folder of data that" in err


def test_a_model_that_sees_grey_images_goes_the_same_road(streets, segattn, tmp_path):
    keras.utils.set_random_seed(0)
    image = keras.Input((*SIZE, 1), name="image")
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(image))
    path = tmp_path / "grey.keras"
    keras.Model(image, layers.Conv2D(3, 3, padding="same", name="logits")(x), name="grey").save(path)
    photograph = next((streets / "images").iterdir())
    code, out, err = segattn("export", path, "--images", streets, "--output", tmp_path)
    assert code == 0, err
    assert list((tmp_path / "report").glob("grey*.png"))
    scores = []
    for target in (path, tmp_path / "grey_float32.tflite"):
        for tiled in ((), ("--tiled",)):
            code, out, err = segattn("predict", target, photograph, *tiled, "--output", tmp_path / "seen", "--json")
            assert code == 0, err
            assert len(json.loads(out)[0]["classes"]) == 3
        code, out, err = segattn("evaluate", target, "--data", streets, "--json")
        assert code == 0, err
        scores.append(json.loads(out)["values"])
    assert scores[0] == pytest.approx(scores[1], abs=0.1)
    code, out, err = segattn("benchmark", path, "--images", streets, "--formats", "tflite-float32", "--runs", 1,
                             "--output", tmp_path)  # fmt: skip
    assert code == 0, err


def test_a_folder_without_photographs_is_told_and_masks_are_none(plain, streets, segattn, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.heic").write_bytes(b"0")
    code, _, err = segattn("export", plain, "--images", tmp_path / "photos", "--output", tmp_path / "made")
    assert code == 2
    assert "--images: expected photographs, such as .jpg or .png. There are none in" in err
    for name in ("photos", "masks"):
        (tmp_path / "odd" / name).mkdir(parents=True)
    for place, path in enumerate(sorted((streets / "images").iterdir())[:2]):
        (tmp_path / "odd" / "photos" / f"{place}{path.suffix}").write_bytes(path.read_bytes())
        (tmp_path / "odd" / "masks" / f"of another name {place}{path.suffix}").write_bytes(path.read_bytes())
    assert len(_files(tmp_path / "odd")[0]) == 2


def test_data_of_another_task_are_refused(recognises, streets, segattn):
    code, _, err = segattn("evaluate", recognises, "--data", streets)
    assert code == 1
    assert f"{streets}: expected data of recognition. Received: those of segmentation" in err


@pytest.mark.parametrize("end", ["activation", "layer", "operation", "model"])
def test_probabilities_are_no_scores_however_they_are_made(end, segattn, tmp_path):
    image = keras.Input((*SIZE, 3))
    x = layers.Dense(3, activation="softmax" if end == "activation" else None)(layers.GlobalAveragePooling2D()(image))
    if end == "layer":
        x = layers.Softmax()(x)
    elif end == "operation":
        x = keras.ops.softmax(x)
    elif end == "model":
        x = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="softmax")])(x)
    keras.Model(image, x).save(tmp_path / "model.keras")
    code, _, err = segattn("benchmark", tmp_path / "model.keras")
    assert code != 0
    assert "expected unnormalised scores of two classes or more. Received: probabilities; take the softmax" in err


# Models whose answer is no label: the file has one function, call


def several(folder):
    """Ids and numbers in, two answers out."""
    ids, numbers = keras.Input((7,), dtype="int32", name="ids"), keras.Input((7, 2), name="numbers")
    x = layers.Concatenate()([layers.Embedding(11, 4)(ids), numbers])
    mean = layers.Dense(3, activation="softmax", name="kind")(layers.GlobalAveragePooling1D()(x))
    keras.Model([ids, numbers], [mean, layers.Dense(1, name="each")(x)], name="several").save(folder / "several.keras")
    return folder / "several.keras"


def test_a_model_of_several_inputs_is_exported_by_samples_of_them(segattn, tmp_path):
    path, rng = several(tmp_path), np.random.default_rng(0)
    samples = {"numbers": rng.normal(size=(9, 7, 2)).astype("float32"), "ids": rng.integers(0, 11, (9, 7))}
    np.savez(tmp_path / "samples.npz", **samples)
    arguments = ("export", path, "--samples", tmp_path / "samples.npz", "--output", tmp_path)
    code, out, err = segattn(*arguments, "--format", "onnx")
    assert code == 0, err
    assert "(9 inputs: samples.npz)" in out
    feed = {"ids": samples["ids"][:1].astype("int32"), "numbers": samples["numbers"][:1]}
    found = Runner(tmp_path / "several_float32.onnx").run("call", **feed)
    expected = keras.saving.load_model(path)([feed["ids"], feed["numbers"]])
    for name, answer in zip(("kind", "each"), expected, strict=True):
        np.testing.assert_allclose(found[name], answer, atol=1e-5)
    (facts,) = json.loads((tmp_path / "report.json").read_text())["artifacts"]
    assert (facts["entry"], facts["task"], facts["limits"]["worst"]) == ("several", "function", 1e-4)
    assert "several_float32.onnx" in (tmp_path / "report.html").read_text()


def test_probabilities_of_an_image_are_exported_by_photographs(streets, segattn, tmp_path):
    stack = [keras.Input((*SIZE, 3), name="image"), layers.Rescaling(1 / 255), layers.GlobalAveragePooling2D()]
    keras.Sequential([*stack, layers.Dense(3, activation="softmax", name="shares")]).save(tmp_path / "shares.keras")
    code, out, err = segattn("export", tmp_path / "shares.keras", "--images", streets, "--output", tmp_path)
    assert code == 0, err
    assert "whole numbers agree 100.000 %  (64 inputs: the photographs of streets and crops" in out
    image = np.full((1, *SIZE, 3), 99, "float32")
    (answer,) = Runner(tmp_path / "shares_float32.tflite").run("call", image=image).values()
    assert answer.sum() == pytest.approx(1, abs=1e-5)


def test_a_model_of_several_inputs_is_linted_without_samples(segattn, tmp_path):
    code, out, err = segattn("lint", several(tmp_path), "--format", "onnx")
    assert code == 0, err
    assert "several.keras: 0 findings. " in out
    tokens, mask = keras.Input((3,), name="tokens"), keras.Input((5,), name="mask")
    named = keras.Model({"tokens": tokens, "mask": mask}, layers.Concatenate()([tokens, mask]))
    named.save(tmp_path / "named.keras")
    code, out, err = segattn("lint", tmp_path / "named.keras", "--format", "onnx")
    assert code == 0, err
    free = keras.Input((None, 3), name="free")
    keras.Model(free, layers.Dense(2)(free)).save(tmp_path / "free.keras")
    code, _, err = segattn("lint", tmp_path / "free.keras")
    assert code == 2
    assert "expected a model of inputs of known sizes. Received: free float32 (N, None, 3)" in err


@pytest.mark.parametrize("answer", ["features", "wide", "four channels", "dict"])
def test_what_only_looks_like_scores_is_one_function(answer, segattn, tmp_path):
    image = keras.Input((*SIZE, 4 if answer == "four channels" else 3), name="image")
    small = layers.AveragePooling2D(16)(layers.Rescaling(1 / 255)(image))
    scores = layers.Dense(300 if answer == "wide" else 3, name="scores")(layers.GlobalAveragePooling2D()(small))
    made = {"features": layers.Conv2D(8, 1)(small), "dict": {"logits": scores}}.get(answer, scores)
    keras.Model(image, made).save(tmp_path / "mine.keras")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "samples.npz", image=rng.integers(0, 256, (9, *image.shape[1:])).astype("float32"))
    given = ("--samples", tmp_path / "samples.npz") if answer == "four channels" else ()
    code, _, err = segattn("export", tmp_path / "mine.keras", *given, "--format", "onnx", "--output", tmp_path)
    assert code == 0, err
    (facts,) = json.loads((tmp_path / "report.json").read_text())["artifacts"]
    assert facts["task"] == "function"


@pytest.mark.parametrize(("samples", "message"), [
    (None, "--samples: expected a .npz file beside this model: an array of at least 8 samples of each of "
           "ids int32 (N, 7), numbers float32 (N, 7, 2). Received: none"),
    ("missing.npz", "--samples: expected a .npz or .npy file of numpy."),
    ({"ids": np.zeros((9, 7))}, "--samples: expected an array of each of ids int32 (N, 7), numbers float32 (N, 7, 2). "
                                "Received: ['ids']"),
    ({"ids": np.zeros((9, 7)), "numbers": np.zeros((8, 7, 2))}, "samples: expected as many of each input. Received: "),
    ({"ids": np.zeros((2, 7)), "numbers": np.zeros((2, 7, 2))}, "samples: expected at least 8 different ones."),
    ({"ids": np.zeros((9, 7)), "numbers": np.zeros((9, 7, 5))}, "samples: expected what the model takes. Received: "),
])  # fmt: skip
def test_samples_that_are_not_what_the_model_takes_are_refused(samples, message, segattn, tmp_path):
    if isinstance(samples, dict):
        np.savez(tmp_path / "given.npz", **samples)
        samples = tmp_path / "given.npz"
    given = () if samples is None else ("--samples", samples)
    code, _, err = segattn("export", several(tmp_path), *given, "--output", tmp_path / "exports")
    assert code == 2
    assert message in err
    assert not list(tmp_path.glob("exports/*"))


def test_the_page_is_for_models_that_segment(recognises, segattn):
    code, _, err = segattn("demo", recognises)
    assert code == 2
    assert "NAME: expected a model that segments: the page draws masks" in err


@pytest.mark.parametrize(("arguments", "message"), [
    (("export", "SIGMOID", "--tail", "probabilities"), "--tail: expected none of"),
    (("export", NAME, "--rewrite"), "--rewrite: expected a .keras file beside it"),
    (("export", NAME, "--images", "streets"), "--images: expected a .keras file beside it"),
    (("benchmark", NAME, "--images", "streets"), "--images: expected a .keras file beside it"),
    (("demo", NAME, "--images", "streets"), "--images: expected a .keras file beside it"),
    (("lint", "model.onnx", "--format", "onnx"), "--format: expected a .keras file beside it"),
    (("lint", "missing.keras"), "missing.keras: expected a .keras file. There is none"),
    (("benchmark", "PLAIN", "--formats", "tflite-mixed"), "--formats: expected some of saved_model, tflite-float32"),
])  # fmt: skip
def test_arguments_that_do_not_fit_are_named(arguments, message, plain, sigmoid, segattn):
    files = {"PLAIN": plain, "SIGMOID": sigmoid}
    code, _, err = segattn(*(files.get(word, word) for word in arguments))
    assert code == 2
    assert message in err
