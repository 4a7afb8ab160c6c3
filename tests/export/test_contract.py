"""A file is written when it is proven, and otherwise nothing is."""

import json
import os
import subprocess
import sys
import tempfile

import keras
import numpy as np
import pytest

from keras_segattn.export import contract
from keras_segattn.export.contract import FORMATS, PRECISIONS, LintError, export
from keras_segattn.export.parity import LIMITS, ParityError
from keras_segattn.export.runtime import Runner

ARTIFACTS = [
    ("tflite", "float32", "small_float32.tflite"),
    ("tflite", "dynamic", "small_dynamic.tflite"),
    ("tflite", "int8", "small_int8.tflite"),
    ("onnx", "float32", "small_float32.onnx"),
    ("saved_model", "float32", "small_saved_model"),
]


@pytest.fixture
def proof(photographs):
    return {"images": photographs, "images_source": "photographs"}


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    """The folder of temporary files, which is this test's own."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_answers_of_the_model_vary(model, photographs):
    # What all agreement below rests on: a constant answer would agree with anything.
    logits = model.predict_on_batch(photographs.astype("float32"))
    shares = np.bincount(logits.argmax(-1).ravel(), minlength=5) / logits[..., 0].size
    assert shares.min() > 0.05
    assert logits.std() > 0.05 * np.ptp(logits)


@pytest.mark.parametrize(("format", "precision", "name"), ARTIFACTS)
def test_an_exported_file_is_in_its_place_and_its_report_says_how_far_it_is(exported, format, precision, name):
    report = exported(format, precision)
    assert report.path.name == name
    files = [report.path] if report.path.is_file() else [path for path in report.path.rglob("*") if path.is_file()]
    facts = json.loads(json.dumps(report.to_dict()))
    worst, agreement = LIMITS[precision]
    assert facts == {
        "file": name,
        "beside": [],
        "format": format,
        "precision": precision,
        "tail": "labels",
        "size": pytest.approx(sum(path.stat().st_size for path in files), rel=0.01),
        "parity": {
            "inputs": 64,
            "worst": report.parity.worst,
            "mean": report.parity.mean,
            "agreement": report.parity.agreement,
            "looks": None,
        },
        "limits": {"worst": worst, "agreement": agreement},
        "inputs": "photographs",
        "calibration": "the same photographs" if precision == "int8" else None,
        "float_layers": {},
        "drop": None,
        "rewritten": [],
    }
    assert not [left for left in listing(report.path.parent) if left.startswith(".unproven")]


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_float32_files_are_ten_times_closer_than_the_limit(exported, format):
    parity = exported(format).parity
    assert parity.worst <= 1e-5
    assert parity.agreement >= 0.9999


def test_int8_is_far_from_exact_and_near_enough(exported):
    parity = exported("tflite", "int8").parity
    assert 1e-3 < parity.mean < 0.05
    assert 0.8 < parity.agreement < 1


def test_every_precision_has_a_limit():
    assert set(LIMITS) == {name for names in PRECISIONS.values() for name in names}


def test_a_quantised_file_has_a_third_of_the_size_at_most(exported):
    whole = exported("tflite").size
    assert exported("tflite", "int8").size <= whole / 3
    assert exported("tflite", "dynamic").size <= whole / 3


def test_a_saved_model_holds_the_weights_once(exported):
    # 7.5 MB of weights and one graph for each signature; Keras' own way holds the weights twice.
    assert exported("saved_model").size < 1.2 * exported("onnx").size


def test_an_older_file_stays_when_a_newer_one_fails(model, bare, metadata, proof, converter_gives, tmp_path):
    (tmp_path / "small_float32.onnx").write_bytes(b"older")
    (tmp_path / "report.json").write_text("{}")
    converter_gives(bare("onnx"))
    image = keras.Input(model.input_shape[1:])
    other = keras.Model(image, model(image)[..., ::-1])
    with pytest.raises(ParityError):
        export(other, tmp_path, metadata, format="onnx", **proof)
    assert listing(tmp_path) == ["report.json", "small_float32.onnx"]
    assert (tmp_path / "small_float32.onnx").read_bytes() == b"older"


@pytest.mark.parametrize("format", ["onnx", "saved_model"])
def test_an_older_file_gives_way_to_a_proven_one(
    model, bare, metadata, proof, converter_gives, tmp_path, temporary, format
):
    older = tmp_path / contract.file_name("small", format)
    if format == "saved_model":
        older.mkdir()
        (older / "of_the_older_one").touch()
    else:
        older.write_bytes(b"older")
    converter_gives(bare(format))
    report = export(model, tmp_path, metadata, format=format, **proof)
    assert report.path == older
    assert listing(tmp_path) == [older.name]
    assert listing(temporary) == []
    assert not (older / "of_the_older_one").exists()
    assert older.is_dir() or older.stat().st_size == report.size


def test_a_kill_before_the_proof_ends_leaves_no_file(bare, tmp_path):
    (tmp_path / "small_float32.onnx").write_bytes(b"older")
    code = f"""
import os, shutil, signal
import keras, numpy as np
from keras_segattn.export import Metadata, contract
contract.convert = lambda model, to, **options: shutil.copy({str(bare("onnx"))!r}, to)
contract.compare = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
image = keras.Input((64, 96, 3))
images = np.random.default_rng(0).integers(0, 256, (64, 64, 96, 3), "uint8")
facts = Metadata(name="small", classes="abc", palette=[(0, 0, 0)] * 3, image_size=(64, 96))
contract.export(
    keras.Model(image, image + 1), {str(tmp_path)!r}, facts, format="onnx", images=images, images_source="noise"
)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    assert [name for name in listing(tmp_path) if not name.startswith(".unproven-")] == ["small_float32.onnx"]
    assert (tmp_path / "small_float32.onnx").read_bytes() == b"older"
    (unproven,) = tmp_path.glob(".unproven-*/small_float32.onnx")  # so it was killed when the file was there already
    assert unproven.stat().st_size > 1e6


def test_a_model_that_gives_no_numbers_is_refused(model, bare, metadata, proof, converter_gives, tmp_path):
    converter_gives(bare("onnx"))
    image = keras.Input(model.input_shape[1:])
    nowhere = keras.Model(image, keras.ops.sqrt(-1 - model(image) ** 2))
    with pytest.raises(ParityError, match="small_float32.onnx: expected a model with finite logits"):
        export(nowhere, tmp_path, metadata, format="onnx", **proof)
    assert listing(tmp_path) == []


GREYS = np.broadcast_to(np.arange(64, dtype="uint8")[:, None, None, None], (64, 64, 96, 3))
UNFIT = {
    "unknown format": ({"format": "coreml"}, "format: expected one of saved_model, tflite, onnx. Received: 'coreml'"),
    "unknown precision": ({"format": "tflite", "precision": "int4"}, "precision: .* for tflite. Received: 'int4'"),
    "precision of another format": ({"precision": "dynamic"}, "precision: expected one of .* for onnx. .*'dynamic'"),
    "unknown tail": ({"tail": "boxes"}, "tail: expected one of labels, .*, logits for onnx and seg.* 'boxes'"),
    "tail of another format": ({"tail": "mediapipe"}, "tail: expected one of .*, logits for onnx .*'mediapipe'"),
    "too few images": ({"images": lambda x: x[:63]}, "images: expected at least 64 different .*: 63 among 63"),
    "one image": ({"images": lambda x: np.repeat(x[:1], 70, axis=0)}, "at least 64 different .*: 1 among 70"),
    "single colours": ({"images": lambda x: GREYS}, "at least 64 different .*: 0 among 64"),
    "other size": ({"images": lambda x: x[:, :32]}, r"images: expected uint8 \(N, 64, 96, 3\).*\(64, 32, 96, 3\)"),
    "floats": ({"images": lambda x: x / 255}, r"images: expected uint8 .*Received: float64 \(64, 64, 96, 3\)"),
    "no calibration": ({"format": "tflite", "precision": "int8"}, "calibration: expected uint8 .*Received: object"),
    "empty calibration": (
        {"format": "tflite", "precision": "int8", "calibration": lambda x: x[:0]},
        "calibration: expected at least 1 different ones. Received: 0 among 0",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_argument_that_does_not_fit_is_named_before_anything_is_converted(
    model, metadata, proof, photographs, tmp_path, monkeypatch, case
):
    monkeypatch.setattr(contract, "convert", lambda *_, **options: pytest.fail("converted"))
    changes, message = UNFIT[case]
    changes = {name: value(photographs) if callable(value) else value for name, value in changes.items()}
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "new", metadata, **{"format": "onnx", **proof, **changes})
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"image_size": (96, 64)}, "'segmentation', 96, 64, 3, 5"),
        ({"classes": "abcd", "palette": [(0, 0, 0)] * 4}, "'segmentation', 64, 96, 3, 4"),
        ({"channels": 1}, "'segmentation', 64, 96, 1, 5"),
        ({"task": "recognition"}, "'recognition', 64, 96, 3, 5"),
    ],
)
def test_metadata_of_another_model_are_refused(model, metadata, proof, tmp_path, change, received):
    facts = contract.replace(metadata, **change)
    with pytest.raises(ValueError, match=rf"metadata: expected .*64, 96, 3, 5\). Received: .{received}"):
        export(model, tmp_path, facts, format="onnx", **proof)


def test_many_exports_in_a_row_hold_no_more_memory(model, bare, metadata, proof, converter_gives, tmp_path):
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("memory is read from /proc")
    converter_gives(bare("onnx"))

    def megabytes_after(count):
        for _ in range(count):
            export(model, tmp_path, metadata, format="onnx", **proof)
        with open("/proc/self/statm") as pages:
            return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    memory = [megabytes_after(3), megabytes_after(10), megabytes_after(10)]
    assert min(np.diff(memory)) < 25  # a model that is traced anew and kept makes 5 each time; an arena grows once


# Rules and mixed precision


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_a_file_with_more_operators_than_budgeted_is_refused(
    model, bare, metadata, proof, converter_gives, tmp_path, format
):
    converter_gives(bare(format))
    with pytest.raises(LintError, match=rf"small_float32.{format}: budget: The file has \d+ operators where 5 are"):
        export(model, tmp_path, metadata, format=format, operators=5, **proof)
    assert listing(tmp_path) == []


def test_a_file_says_how_many_operators_it_may_have_and_which_layers_are_float(
    model, bare, metadata, proof, converter_gives, tmp_path
):
    converter_gives(bare("onnx"))
    report = export(model, tmp_path, metadata, format="onnx", operators=1000, **proof)
    provenance = Runner(report.path).metadata.provenance
    assert (provenance["operators"], provenance["float_layers"]) == (1000, [])
    assert provenance["dataset"] == "none"  # what was there stays


def test_mixed_precision_needs_to_know_what_a_file_loses(model, metadata, proof, tmp_path):
    with pytest.raises(ValueError, match="drop: expected a function that measures a file, for mixed precision"):
        export(model, tmp_path, metadata, format="tflite", precision="mixed", calibration=proof["images"], **proof)


def test_mixed_precision_keeps_what_it_must_in_float_and_says_why(model, metadata, proof, tmp_path):
    measured = []

    def drop(runner):
        measured.append(runner.labels(proof["images"][0]))
        return 1.0 if len(measured) == 1 else 0.1  # plain int8 loses too much, one layer in float does

    options = {"format": "tflite", "precision": "mixed", "calibration": proof["images"][:8], "drop": drop}
    report = export(model, tmp_path, metadata, **options, **proof)
    ((layer, reason),) = report.float_layers.items()
    assert reason.startswith(f"alone in int8 it changes {layer}: ")
    assert (report.to_dict()["float_layers"], report.drop) == ({layer: reason}, 0.1)
    assert Runner(report.path).metadata.provenance["float_layers"] == [layer]
    assert len(measured) == 2 and all(labels.shape == (64, 96) for labels in measured)
    assert listing(tmp_path) == ["small_mixed.tflite"]
