"""The verbs on an entry that recognises: its class, where it looks, its files."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from keras_segattn import images, zoo

NAME = "stn_affine_mnist_r"
pytestmark = pytest.mark.skipif(NAME not in zoo.list_models(), reason=f"{NAME} is not trained yet")


def drawn(digit, angle):
    """A digit of Pillow's own font, white on black and turned, as a photograph of 112x112."""
    picture = Image.new("L", (112, 112))
    font = ImageFont.load_default(size=84)
    ImageDraw.Draw(picture).text((56, 56), str(digit), fill=255, font=font, anchor="mm", stroke_width=2)
    return np.array(picture.rotate(angle, Image.Resampling.BICUBIC).convert("RGB"))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Paths of the ten digits, each turned by another angle."""
    folder = tmp_path_factory.mktemp("digits")
    paths = [folder / f"{digit}.png" for digit in range(10)]
    for digit, path in enumerate(paths):
        images.write_image(path, drawn(digit, 12 * digit - 50))
    return paths


@pytest.fixture(scope="module")
def tflite(tmp_path_factory):
    from keras_segattn.cli.entry import export_entry

    return export_entry(zoo.info(NAME), tmp_path_factory.mktemp("exported"), format="tflite").path


def test_digits_of_a_font_are_told_and_what_was_looked_at_is_drawn(segattn, digits, tmp_path):
    code, out, err = segattn("predict", NAME, *digits, "--output", tmp_path, "--json")
    assert code == 0, err
    answers = json.loads(out)
    right = [answer["class"] == str(digit) for digit, answer in enumerate(answers)]
    assert sum(right) >= 8  # a font is not a hand
    for answer in answers:
        assert answer["probability"] == pytest.approx(max(answer["classes"].values()))
        assert sum(answer["classes"].values()) == pytest.approx(1, abs=1e-4)
        assert images.read_image(answer["attention"]).shape == (280, 280, 3)


def test_a_file_says_what_its_entry_says(segattn, digits, tflite, tmp_path):
    code, out, _ = segattn("predict", NAME, *digits[:3], "--output", tmp_path / "keras", "--json")
    assert code == 0
    command = [sys.executable, "-m", "keras_segattn.cli.main", "predict", tflite, *digits[:3], "--json"]
    done = subprocess.run([*command, "--output", tmp_path / "file"], capture_output=True, text=True, check=True)
    for whole, file in zip(json.loads(out), json.loads(done.stdout), strict=True):
        assert file["class"] == whole["class"]
        assert file["probability"] == pytest.approx(whole["probability"], abs=1e-4)
        drawn_by_keras, drawn_by_file = (images.read_image(one["attention"]) for one in (whole, file))
        assert (drawn_by_keras != drawn_by_file).any(-1).mean() < 0.001


def test_the_answer_in_words_is_a_line_an_image(segattn, digits, tmp_path):
    code, out, _ = segattn("predict", NAME, digits[3], "--output", tmp_path)
    assert code == 0
    assert out.startswith(f"{digits[3]}: 3  ")
    assert out.strip().endswith("3_attention.png")


def test_tiles_are_for_segmentation_alone(segattn, digits):
    code, _, err = segattn("predict", NAME, digits[0], "--tiled")
    assert code != 0
    assert "--tiled: expected a model that segments" in err


def test_the_page_is_for_segmentation_alone(segattn):
    code, _, err = segattn("demo", NAME)
    assert code != 0
    assert "NAME: expected a model that segments" in err


def test_a_run_is_evaluated_under_its_own_seed(tmp_path):
    from keras_segattn.cli.target import open_target

    run = tmp_path / "run"
    run.mkdir()
    zoo.load(NAME, weights=False).save_weights(run / "best.weights.h5")
    (run / "recipe.json").write_text(json.dumps(asdict(replace(zoo.info(NAME), seed=7))))
    assert open_target(NAME, run=run).seed == 7
    with pytest.raises(ValueError, match="run: expected a training of cnn_mnist_r. Received: one of stn_affine"):
        open_target("cnn_mnist_r", run=run)
    with pytest.raises(ValueError, match="run: expected the folder of a training"):
        open_target(NAME, run=tmp_path)
