"""The page of C in examples/c on the SavedModel."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from .conftest import ROOT, SIZE

if shutil.which("gcc") is None:
    pytest.skip("gcc is not installed", allow_module_level=True)
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow is not installed, whose wheel has the C library", allow_module_level=True)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The compiled client; it links what a wheel has, on Linux."""
    wheel = Path(importlib.util.find_spec("tensorflow").submodule_search_locations[0])
    libraries = [wheel / f"libtensorflow_{name}.so.2" for name in ("cc", "framework")]
    if not all(library.is_file() for library in libraries):
        pytest.skip(f"no {libraries[0].name} in the wheel of TensorFlow on this system")
    binary = tmp_path_factory.mktemp("c") / "segment"
    source = ROOT / "examples" / "c" / "segment.c"
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    command = ["gcc", *strict, "-isystem", wheel / "include", source, "-o", binary, *libraries, f"-Wl,-rpath,{wheel}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return binary


def segment(client, model, image, size=SIZE):
    command = [client, model, *map(str, size)]
    return subprocess.run(command, input=image.tobytes(), capture_output=True, check=False)


def test_the_c_client_gives_the_mask_of_keras(client, exported, photographs, hold):
    done = [segment(client, exported("--format", "saved_model"), photograph) for photograph in photographs]
    assert [one.returncode for one in done] == [0, 0, 0], done[0].stderr.decode()
    hold([np.frombuffer(one.stdout, "uint8").reshape(SIZE) for one in done])


def test_the_c_client_says_what_is_wrong(client, exported, photographs, tmp_path):
    missing = segment(client, tmp_path / "missing", photographs[0])
    assert missing.returncode == 1 and b"missing" in missing.stderr
    small = segment(client, exported("--format", "saved_model"), photographs[0][:100])
    assert small.returncode == 1 and b"image.rgb: expected HEIGHT * WIDTH * 3 bytes" in small.stderr
    size = segment(client, exported("--format", "saved_model"), photographs[0], size=(0, 480))
    assert size.returncode == 1 and b"HEIGHT WIDTH" in size.stderr
