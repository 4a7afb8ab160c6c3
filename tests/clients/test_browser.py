"""The web page in a headless Chromium, as ``segattn demo`` serves it, with each of its runtimes."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from keras_segattn import zoo

from .conftest import HERE, NAME, ROOT, SIZE

MODULES = ROOT / "examples" / "web" / "node_modules"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

if shutil.which("node") is None:
    pytest.skip("node is not installed", allow_module_level=True)
if CHROMIUM is None:
    pytest.skip("Chromium is not installed: make test-clients", allow_module_level=True)
if not all((MODULES / name).is_dir() for name in ("playwright-core", "onnxruntime-web", "@litertjs/core")):
    pytest.skip("no node_modules in examples/web: make test-clients", allow_module_level=True)


@pytest.fixture(scope="module")
def address(exported, output):
    """Where ``segattn demo`` serves the page."""
    exported("--format", "onnx")
    exported("--format", "tflite")
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_SEGATTN_DATA"}
    command = [sys.executable, "-u", "-m", "keras_segattn.cli.main", "demo", NAME, "--port", "0", "--no-browser"]
    with subprocess.Popen([*command, "--output", output], env=environment, stdout=subprocess.PIPE, text=True) as demo:
        yield demo.stdout.readline().split()[0]
        demo.terminate()


@pytest.fixture(scope="module")
def pictures(photographs, tmp_path_factory):
    """The photographs as files."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{index}.png" for index in range(len(photographs))]
    for path, photograph in zip(paths, photographs, strict=True):
        Image.fromarray(photograph).save(path)
    return paths


@pytest.fixture(scope="module")
def browse(address):
    """Function: query of the page, way of giving it a picture, pictures -> what the page says of each."""

    def answers(query, way, pictures):
        command = ["node", HERE / "browser.mjs", MODULES, CHROMIUM, f"{address}?{query}", way, *pictures]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return answers


@pytest.mark.parametrize("runtime", ["onnx", "litert"])
def test_the_browser_gives_the_mask_of_keras(browse, pictures, hold, runtime):
    answers = browse(f"runtime={runtime}", "query", pictures)
    print([answer["status"] for answer in answers])
    assert [(answer["runtime"], answer["title"]) for answer in answers] == 3 * [(runtime, NAME)]
    hold([np.array(answer["labels"], "uint8").reshape(SIZE) for answer in answers])


@pytest.mark.parametrize("way", ["choose", "drop"])
def test_a_photograph_is_shown_under_the_colours_and_names_of_its_classes(
    browse, pictures, expected, photographs, way
):
    (answer,) = browse("", way, pictures[:1])
    dataset = zoo.data.DATASETS[zoo.info(NAME).dataset]
    counts = np.bincount(expected[0].ravel(), minlength=len(dataset.classes))
    large = [dataset.classes[label] for label in np.argsort(-counts) if counts[label] > 0.01 * expected[0].size]
    assert [row.rsplit(" ", 2)[0] for row in answer["legend"]][: len(large)] == large
    shown = np.array(answer["canvas"], "float32").reshape(*SIZE, 4)[..., :3]
    colours = np.array(dataset.palette, "float32")[expected[0]]
    assert np.mean(np.abs(shown - (photographs[0] + colours) / 2) <= 2) > 0.999  # of 255; the browser rounds twice


def test_a_broken_photograph_gives_a_message(browse, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    (answer,) = browse("", "choose", [broken])
    assert "decoded" in answer["error"]


def test_an_unknown_runtime_gives_a_message(browse):
    (answer,) = browse("runtime=abacus", "open", [])
    assert answer["error"] == "runtime: expected one of onnx, litert. Received: abacus"
