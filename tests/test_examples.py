"""The scripts of examples/ run as their docstrings say."""

import re
import subprocess
import sys
from pathlib import Path

import sklearn
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


def test_side_by_side_puts_the_overlay_beside_the_photograph(tmp_path):
    photo = Path(sklearn.__file__).parent / "datasets" / "images" / "flower.jpg"
    command = [sys.executable, ROOT / "examples" / "side_by_side.py", photo, tmp_path / "picture.jpg"]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(photo) as one, Image.open(tmp_path / "picture.jpg") as two:
        assert two.size == (2 * one.width, one.height)


def test_a_classifier_behind_a_spatial_transformer_gets_many_more_digits_right():
    command = [sys.executable, ROOT / "examples" / "spatial_transformer.py"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    without, behind = map(float, re.findall(r"0\.\d+", printed))
    assert behind > without + 0.2
