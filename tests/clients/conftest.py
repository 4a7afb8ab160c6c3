"""What every client is asked for: the mask of an exported file on real photographs, held against Keras's own."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

NAME, SIZE = "fcn8s_mobilenet_camvid", (360, 480)
ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.clients)


@pytest.fixture(scope="session")
def photographs():
    """Three crops of free photographs, uint8 (3, 360, 480, 3)."""
    from keras_segattn.export import free_photographs

    return free_photographs(3, *SIZE)


@pytest.fixture(scope="session")
def expected(photographs):
    """The labels of the Keras model, uint8 (3, 360, 480)."""
    from keras_segattn import zoo

    logits = zoo.load(NAME).predict_on_batch(photographs.astype("float32"))
    return np.asarray(logits).argmax(-1).astype("uint8")


@pytest.fixture(scope="session")
def hold(expected):
    """Function: labels -> nothing; fails unless they are Keras's, by value, on at least three classes."""

    def held(labels):
        labels = np.asarray(labels)
        assert labels.shape == expected.shape
        agreement = (labels == expected).mean()
        print(f"labels agree on {100 * agreement:.4f} % of the pixels")
        assert agreement >= 0.999
        present = np.flatnonzero(np.bincount(expected.ravel()) >= 0.02 * expected.size)
        assert len(present) >= 3
        for label in present:
            both, either = (labels == label) & (expected == label), (labels == label) | (expected == label)
            assert both.sum() >= 0.99 * either.sum(), f"class {label}"

    return held


@pytest.fixture(scope="session")
def output(tmp_path_factory):
    """The folder of the exported files."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="session")
def exported(output):
    """Function: options of ``segattn export`` -> path of the file, made and proven when it is first asked for."""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_SEGATTN_DATA"}

    @functools.cache
    def path(*options):
        command = [sys.executable, "-m", "keras_segattn.cli.main", "export", NAME, "--json", "--output", output]
        done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return output / json.loads(done.stdout)["file"]

    return path


@pytest.fixture
def answer(photographs, tmp_path):
    """Function: heading of docs/clients.md, file -> what the Python code under it makes of every photograph.

    The code runs in a process of its own, without a network where this machine can do that.
    """

    def answer(heading, file):
        os.symlink(file, tmp_path / file.name)
        np.save(tmp_path / "photographs.npy", photographs)
        (tmp_path / "snippet.py").write_text(snippet(heading))
        command = [*_offline(), sys.executable, "-c", _EACH_PHOTOGRAPH]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / "facts.json").read_text()), np.load(tmp_path / "labels.npy")

    return answer


def snippet(heading):
    """The Python code under a heading of docs/clients.md."""
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    return re.search(r"```python\n(.*?)```", section[1], re.DOTALL)[1]


DOCS = ROOT / "docs" / "clients.md"

_EACH_PHOTOGRAPH = """
import json
import numpy as np
code = compile(open("snippet.py").read(), "docs/clients.md", "exec")
labels, classes = [], None
for photograph in np.load("photographs.npy"):
    names = {"photograph": photograph}
    exec(code, names)
    labels.append(names["labels"])
    classes = names.get("classes")
np.save("labels.npy", labels)
with open("facts.json", "w") as file:
    json.dump({"classes": classes}, file)
"""


@functools.cache
def _offline():
    """What runs a command without a network: some clients report their use to their makers."""
    prefix = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
        return prefix
    return []
