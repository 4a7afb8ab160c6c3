"""``segattn check``: what is told of a folder of data, and the exit code."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def holiday(tmp_path):
    """A folder of twelve photographs with masks."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / "holiday" / name).mkdir(parents=True)
    for index in range(12):
        mask = np.zeros((40, 64), "uint8")
        mask[index : index + 9, 20:40] = 255
        Image.fromarray(rng.integers(0, 256, (40, 64, 3), "uint8")).save(tmp_path / f"holiday/images/{index}.png")
        Image.fromarray(mask).save(tmp_path / f"holiday/masks/{index}.png")
    return tmp_path / "holiday"


def test_a_clean_folder_is_told_and_drawn(holiday, segattn, tmp_path):
    code, out, _ = segattn("check", holiday, "--output", tmp_path / "looks")
    assert code == 0
    assert "segmentation (masks, masks: dark and light)" in out
    assert "training can start" in out
    assert Image.open(tmp_path / "looks" / "sheet.png").size == (1440, 480)
    assert (tmp_path / "looks" / "histogram.png").is_file()


def test_a_defect_is_told_with_its_remedy_and_mended_in_a_copy(holiday, segattn, tmp_path):
    (holiday / "images" / "3.png").write_bytes(b"no photograph")
    code, out, _ = segattn("check", holiday, "--fix", tmp_path / "fixed")
    assert code == 1
    assert "error: images/3.png: it cannot be read" in out
    assert "leave the file out, or fetch it anew" in out
    assert "training cannot start" in out
    assert (holiday / "images" / "3.png").read_bytes() == b"no photograph"
    code, out, _ = segattn("check", tmp_path / "fixed", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["task"], told["can_train"], told["defects"]) == ("segmentation", True, [])
    assert sum(told["splits"].values()) == 11


def test_no_folder_is_one_line(segattn, tmp_path):
    code, _, err = segattn("check", tmp_path / "nowhere")
    assert code == 1
    assert "expected a folder of data. There is none" in err
    assert err.strip().count("\n") == 0
