"""``segattn predict``: from any photograph to a mask of its size, or to one line that says why not."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn
from PIL import Image

PHOTO = Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg"
NAME = "fcn8s_mobilenet_camvid"


def test_a_mask_and_an_overlay_of_the_size_of_the_photograph_are_written(segattn, tflite, tmp_path):
    code, out, _ = segattn("predict", tflite, PHOTO, "--output", tmp_path, "--json")
    (answer,) = json.loads(out)
    with Image.open(answer["mask"]) as mask, Image.open(answer["overlay"]) as overlay, Image.open(PHOTO) as photo:
        assert mask.mode == "P"
        assert mask.size == overlay.size == photo.size
        values = np.unique(np.asarray(mask))
    assert code == 0
    assert values.max() < 11
    assert len(values) >= 3
    assert sum(answer["classes"].values()) == pytest.approx(1)
    assert answer["classes"]["sky"] > 0.2


@pytest.mark.parametrize("tiled", [[], ["--tiled"]])
def test_the_file_and_the_keras_model_give_the_same_mask(segattn, tflite, tmp_path, tiled):
    masks = []
    for target, folder in ((tflite, tmp_path / "file"), (NAME, tmp_path / "keras")):
        code, out, _ = segattn("predict", target, PHOTO, "--output", folder, "--json", *tiled)
        assert code == 0
        masks.append(np.asarray(Image.open(json.loads(out)[0]["mask"])))
    assert np.mean(masks[0] == masks[1]) >= 0.9999


def test_a_file_is_run_without_tensorflow_or_keras(tflite, tmp_path):
    code = (
        "import sys\n"
        "from keras_segattn.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "predict", str(tflite), str(PHOTO), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def photograph(mode="RGB", size=(120, 90)):
    rng = np.random.default_rng(3)
    colours = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype="uint8")).resize(size)
    return colours.convert(mode)


def sixteen_bit(path):
    Image.fromarray(np.linspace(0, 65535, 90 * 120).reshape(90, 120).astype("uint16")).save(path)


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright
    photograph().save(path, exif=exif)


GOOD = {
    "grey.png": (lambda path: photograph("L").save(path), (120, 90)),
    "alpha.png": (lambda path: photograph("RGBA").save(path), (120, 90)),
    "print.jpg": (lambda path: photograph("CMYK").save(path), (120, 90)),
    "deep.png": (sixteen_bit, (120, 90)),
    "turned.jpg": (turned, (90, 120)),
    "dot.png": (lambda path: photograph(size=(1, 1)).save(path), (1, 1)),
    "large.jpg": (lambda path: photograph(size=(8000, 6000)).save(path), (8000, 6000)),
}


@pytest.mark.parametrize("name", GOOD)
def test_an_unusual_photograph_gives_a_mask_of_its_upright_size(name, segattn, tflite, tmp_path):
    make, size = GOOD[name]
    make(tmp_path / name)
    code, out, err = segattn("predict", tflite, tmp_path / name, "--output", tmp_path / "out", "--json")
    assert code == 0, err
    with Image.open(json.loads(out)[0]["mask"]) as mask:
        assert mask.size == size


def truncated(path):
    photograph(size=(640, 480)).save(path)
    path.write_bytes(path.read_bytes()[:2000])


BAD = {
    "missing.jpg": lambda path: None,
    "text.jpg": lambda path: path.write_text("not a photograph"),
    "empty.png": lambda path: path.write_bytes(b""),
    "cut.jpg": truncated,
    "folder.png": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_photograph_is_one_line_and_leaves_nothing(name, segattn, tflite, tmp_path):
    BAD[name](tmp_path / name)
    code, _, err = segattn("predict", tflite, tmp_path / name, "--output", tmp_path / "out")
    assert code == 1
    assert name in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not list((tmp_path / "out").glob("*"))


def test_photographs_of_the_same_name_do_not_overwrite_each_other(segattn, tflite, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        photograph().save(tmp_path / folder / "street.png")
    paths = [tmp_path / folder / "street.png" for folder in ("a", "b")]
    _, out, _ = segattn("predict", tflite, *paths, "--output", tmp_path / "out", "--json")
    assert len({answer["mask"] for answer in json.loads(out)}) == 2


def test_an_unknown_entry_is_answered_with_near_names(segattn):
    code, _, err = segattn("predict", "fcn8s_mobilnet_camvid", PHOTO)
    assert code == 1
    assert "did you mean fcn8s_mobilenet_camvid" in err


def test_debug_shows_the_traceback():
    command = [sys.executable, "-m", "keras_segattn.cli.main", "predict", "no_such_entry", str(PHOTO), "--debug"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_tiles_show_a_photograph_at_its_own_resolution(segattn, tflite, tmp_path):
    """Stretched to the model's 480 pixels a wide photograph loses its shapes; in tiles it keeps them."""
    masks = []
    for folder, tiled in (("whole", []), ("tiled", ["--tiled"])):
        code, out, _ = segattn("predict", tflite, PHOTO, "--output", tmp_path / folder, "--json", *tiled)
        masks.append(np.asarray(Image.open(json.loads(out)[0]["mask"])))
    whole, tiled = masks
    assert whole.shape == tiled.shape == (427, 640)
    assert 0.5 < (whole == tiled).mean() < 1
