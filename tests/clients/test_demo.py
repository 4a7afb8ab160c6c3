"""``segattn demo`` without a browser: what it serves, and what it says where something is missing."""

import json
import threading
import urllib.error
import urllib.request

import click
import pytest

from keras_segattn.cli import demo

from .conftest import ROOT


@pytest.fixture
def modules(tmp_path):
    """A folder like the one that npm fills."""
    for name in demo.NEEDED:
        (tmp_path / demo.MODULES / name).mkdir(parents=True)
    (tmp_path / demo.MODULES / "onnxruntime-web" / "a.wasm").write_bytes(b"wasm")
    return tmp_path / demo.MODULES


@pytest.fixture
def get(modules, tmp_path):
    """Function: path -> (type, bytes) that the server gives."""
    (tmp_path / "small.onnx").write_bytes(b"model")
    with demo.page_server({"model.onnx": tmp_path / "small.onnx"}, modules) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def get(path):
            with urllib.request.urlopen(f"http://localhost:{server.server_port}/{path}") as answer:
                return answer.headers["Content-Type"], answer.read()

        yield get
        server.shutdown()
        thread.join()


@pytest.fixture
def no_modules(monkeypatch, tmp_path):
    """A page without runtimes beside it, an empty cache, and no npm; its package.json asks for nothing."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "package.json").write_text("{}")
    monkeypatch.setattr(demo, "PAGE", page)
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def npm(folder, script):
    path = folder / "bin" / "npm"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_page_its_modules_the_runtimes_and_the_files_are_served(get):
    page = ROOT / "examples" / "web"
    assert get("") == ("text/html", (page / "index.html").read_bytes())
    assert get("?runtime=onnx") == get("index.html")
    assert get("segment.mjs") == ("text/javascript", (page / "segment.mjs").read_bytes())
    assert get("node_modules/onnxruntime-web/a.wasm") == ("application/wasm", b"wasm")
    assert get("model.onnx")[1] == b"model"


@pytest.mark.parametrize("path", ["model.tflite", "../demo.py", "%2e%2e/c/segment.c", "node_modules/../../small.onnx"])
def test_nothing_else_is_served(get, path):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(path)


def test_a_port_that_is_taken_is_named(modules):
    with demo.page_server({}, modules) as server, pytest.raises(click.ClickException) as error:
        demo.page_server({}, modules, server.server_port)
    assert f"--port: expected a free one. {server.server_port} is not" in error.value.message


def test_without_npm_the_message_says_what_is_missing_and_what_to_do(no_modules):
    with pytest.raises(click.ClickException) as error:
        demo.find_modules()
    assert "onnxruntime-web" in error.value.message and "Install Node.js with npm" in error.value.message


def test_npm_fills_the_cache_once(no_modules):
    npm(no_modules, f'test -f package.json && /bin/mkdir -p {" ".join(f"node_modules/{name}" for name in demo.NEEDED)}')
    found = demo.find_modules()
    assert found == no_modules / "cache" / "web" / "node_modules"
    npm(no_modules, "exit 1")
    assert demo.find_modules() == found


def test_what_npm_says_when_it_fails_is_passed_on(no_modules):
    npm(no_modules, 'echo "npm error code ENOTFOUND" >&2; exit 1')
    with pytest.raises(click.ClickException, match="npm error code ENOTFOUND"):
        demo.find_modules()


def test_the_versions_are_pinned():
    package = json.loads((ROOT / "examples" / "web" / "package.json").read_text())
    assert set(package["dependencies"]) == set(demo.NEEDED)
    assert all(version[0].isdigit() for version in {**package["dependencies"], **package["devDependencies"]}.values())
