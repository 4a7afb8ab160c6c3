"""``segattn demo``: an entry or a .keras file in a web page, where the browser itself runs the exported files."""

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import webbrowser
from pathlib import Path

import click
from platformdirs import user_cache_dir

from .keras_file import is_keras

# The page lies in examples/web of a checkout, and in the package where that is installed.
_CHECKOUT, _INSTALLED = Path(__file__).parents[2] / "examples" / "web", Path(__file__).parents[1] / "web"
PAGE = _CHECKOUT if _CHECKOUT.is_dir() else _INSTALLED
MODULES = "node_modules"
NEEDED = ("onnxruntime-web", "@litertjs/core", "@litertjs/wasm-utils")


@click.command("demo")
@click.argument("name")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 for any that is free.")
@click.option("--no-browser", is_flag=True, help="Say the address and open no window.")
@click.option("--images", help="Folder of photographs that prove a .keras file; default: those it was trained on.")
@click.option("--output", default="exports", show_default=True, help="Folder of the exported files.")
@click.option("--data-dir", help="Folder of the data sets; default: KERAS_SEGATTN_DATA.")
def command(name, port, no_browser, images, output, data_dir):
    """Segment a photograph or the camera in a web page, with NAME, on this machine alone.

    NAME is an entry or a .keras file. What is not in the folder yet is exported and proven first. The runtimes come
    from npm, once.
    """
    about, exported = _subject(name, images, data_dir)
    if about.task != "segmentation":
        raise click.UsageError(f"NAME: expected a model that segments: the page draws masks. {name} is of {about.task}")
    if about.channels != 3:
        raise click.UsageError(f"NAME: expected a model of images of 3 channels. {name} has {about.channels}")
    modules = find_modules()
    Path(output).mkdir(parents=True, exist_ok=True)
    files = {
        f"model.{format}": Path(output) / exported(output=output, format=format)["file"]
        for format in ("onnx", "tflite")
    }
    with page_server(files, modules, port) as server:
        address = f"http://localhost:{server.server_port}/"
        click.echo(f"{address}  (ctrl-c ends it)")
        if not no_browser:
            webbrowser.open(address)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _subject(name, images, data_dir):
    """(what knows task and channels, function that makes a file and says what report.json does)."""
    if is_keras(name, images=images):
        from .keras_file import exported_keras, open_keras

        return open_keras(name)[1], functools.partial(exported_keras, name, images=images)
    from .. import zoo
    from ..zoo.data import DATASETS
    from .benchmark import exported

    recipe = zoo.info(name)
    return DATASETS[recipe.dataset], functools.partial(exported, recipe, data_dir=data_dir)


def find_modules():
    """The folder of the browser's runtimes: beside the page, or in the cache, where npm puts them if need be.

    Returns:
        ``pathlib.Path`` of a ``node_modules``.

    Raises:
        click.ClickException: if they are not there and npm is not, or npm fails.

    Example:
        >>> find_modules()                                                   # doctest: +SKIP
        PosixPath('/home/me/.cache/keras_segattn/web/node_modules')
    """
    cache = Path(os.environ.get("KERAS_SEGATTN_CACHE") or user_cache_dir("keras_segattn")) / "web"
    for folder in (PAGE, cache):
        if all((folder / MODULES / name).is_dir() for name in NEEDED):
            return folder / MODULES
    missing = f"{', '.join(NEEDED)} are neither in {PAGE / MODULES} nor in {cache / MODULES}"
    npm = shutil.which("npm")
    if npm is None:
        raise click.ClickException(f"{missing}. Install Node.js with npm, and run this again: it fetches them")
    click.echo(f"npm installs the browser's runtimes into {cache} ...", err=True)
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copy(PAGE / "package.json", cache)
    options = ("--omit=dev", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund")
    done = subprocess.run([npm, "install", *options], cwd=cache, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        raise click.ClickException(f"{missing}, and npm install in {cache} failed: {' '.join(said)[:300]}")
    return cache / MODULES


def page_server(files, modules, port=0):
    """A server of the page for this machine alone, not started yet.

    Args:
        files: dict, name that the page asks for -> path.
        modules: folder that the page knows as ``node_modules``.
        port: 0 for any that is free.

    Returns:
        ``http.server.ThreadingHTTPServer``, bound; a context manager.

    Raises:
        click.ClickException: if the port is taken.

    Example:
        >>> with page_server({}, Path("node_modules")) as server:
        ...     server.server_port > 0
        True
    """
    handler = functools.partial(_Handler, {"": PAGE, MODULES: modules, **files})
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise click.ClickException(f"--port: expected a free one. {port} is not: {error.strerror}") from error


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves folders and files by the first part of the path; what it does not know is looked for in the page."""

    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, roots, *arguments):
        self.roots = roots
        super().__init__(*arguments, directory=str(PAGE))

    def translate_path(self, path):
        plain = Path(super().translate_path(path)).relative_to(PAGE)  # without the query and without ".."
        first, *rest = plain.parts or ("",)
        return str(self.roots[first].joinpath(*rest)) if first in self.roots else str(PAGE / plain)

    def log_message(self, *arguments):
        """Nothing: the terminal is for the address."""
