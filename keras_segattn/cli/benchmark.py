"""``segattn benchmark``: an entry or a .keras file in every format, side by side in one run."""

import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from ..export.contract import PRECISIONS
from .keras_file import is_keras
from .measure import KERAS_KINDS

# "onnx" and "saved_model" are float32; of TFLite every precision is named.
FORMATS = tuple(
    format if precision == "float32" and format != "tflite" else f"{format}-{precision}"
    for format, precisions in PRECISIONS.items()
    for precision in precisions
)
USUAL = ("saved_model", "tflite-float32", "tflite-int8", "onnx")  # as far as an entry has them


@click.command("benchmark")
@click.argument("name")
@click.option("--formats", help=f"Comma-separated, of {', '.join(FORMATS)}; default: {', '.join(USUAL)}.")
@click.option("--images", help="Folder of photographs that prove a .keras file; default: those it was trained on.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Processor threads.")
@click.option("--runs", type=click.IntRange(min=1), default=20, show_default=True, help="Timed runs of each.")
@click.option("--output", default="exports", show_default=True, help="Folder of the exported files.")
@click.option("--data-dir", help="Folder of the data sets; default: KERAS_SEGATTN_DATA.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def command(name, formats, images, threads, runs, output, data_dir, as_json):
    """Time, memory and size of NAME, one image or sentence at a time, and the ratio to the Keras model.

    NAME is an entry or a .keras file. What is not in the folder yet is exported and proven first. Each format runs in a
    process of its own.
    """
    of = _of_keras_file(name, images) if is_keras(name, images=images) else _of_entry(name, data_dir)
    known = [kind for kind in FORMATS if _pair(kind) in of.pairs]
    asked = [kind for kind in USUAL if kind in known] if formats is None else formats.split(",")
    wanted = [word.strip() for word in asked if word.strip()]
    if not wanted or not set(wanted) <= set(known):
        raise click.UsageError(f"--formats: expected some of {', '.join(known)}. Received: {formats!r}")
    Path(output).mkdir(parents=True, exist_ok=True)
    with of.question as given:
        rows = [{"format": kind, **timed(kind, name, given, threads, runs)} for kind in of.kinds]
        for kind in wanted:
            format, precision = _pair(kind)
            facts = of.exported(output=output, format=format, precision=precision)
            path = Path(output) / facts["file"]
            rows.append(
                {
                    "format": kind,
                    **timed(format, path, given, threads, runs),
                    "size": facts["size"],
                    "worst": facts["parity"]["worst"],
                    "agreement": facts["parity"]["agreement"],
                }
            )
    reference = min(row["ms"] for row in rows[: len(of.kinds)])  # the fastest way to ask the model
    for row in rows:
        row["times_as_fast"] = reference / row["ms"]
    click.echo(json.dumps(rows, indent=2) if as_json else _table(rows, threads))


@dataclass(frozen=True)
class _Timed:
    """What is timed: the pairs (format, precision) it has, the ways to ask Keras, a question, how a file is made."""

    pairs: list
    kinds: tuple
    question: contextlib.AbstractContextManager
    exported: Callable


def _of_entry(name, data_dir):
    from .. import zoo
    from .entry import artifacts

    recipe = zoo.info(name)
    made = functools.partial(exported, recipe, data_dir=data_dir)
    return _Timed(artifacts(recipe), keras_kinds(recipe), question(recipe, data_dir), made)


def _of_keras_file(path, images):
    from ..export.contract import impossible
    from .keras_file import exported_keras, first_input, open_keras

    _, metadata = open_keras(path)
    writes = metadata.writing is not None
    left_out = impossible(metadata.task)
    pairs = [pair for pair in map(_pair, FORMATS) if pair[1] != "mixed"]  # which an entry's own scores choose
    pairs = [pair for pair in pairs if " ".join(pair) not in left_out]
    made = functools.partial(exported_keras, path, tail="" if writes else "labels", images=images)
    return _Timed(pairs, KERAS_KINDS[2:] if writes else KERAS_KINDS[:2], _asked(first_input(path, images)), made)


def _pair(kind):
    """(format, precision) of what ``FORMATS`` names."""
    format, _, precision = kind.partition("-")
    return format, precision or "float32"


def keras_kinds(recipe):
    """The ways to ask the Keras model of an entry, which are timed.

    Example:
        >>> from keras_segattn import zoo
        >>> keras_kinds(zoo.info("fcn8s_mobilenet_camvid"))
        ('keras call', 'keras predict')
    """
    from ..zoo.data import DATASETS

    return KERAS_KINDS[:2] if DATASETS[recipe.dataset].classes else KERAS_KINDS[2:]


@contextlib.contextmanager
def question(recipe, data_dir=None):
    """What an entry is timed on: the first input of its test split, or a free one.

    Args:
        recipe: ``Recipe``.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Yields:
        path of a photograph, which is gone after the block, or a text.

    Example:
        >>> with question(recipe) as given:                                  # doctest: +SKIP
        ...     timed("onnx", "model.onnx", given, threads=2)
    """
    from .entry import sample_inputs

    (first, *_), _ = sample_inputs(recipe, "test", 1, data_dir)
    with _asked(first) as given:
        yield given


def _asked(given):
    """A text as it is, or path of a file of an image, uint8 (H, W, C)."""
    return contextlib.nullcontext(given) if isinstance(given, str) else _photograph(given)


@contextlib.contextmanager
def _photograph(image):
    """Path of a file of an image, uint8 (H, W, C)."""
    from ..images import from_channels, write_image

    with tempfile.TemporaryDirectory() as folder:
        photograph = Path(folder) / "photograph.png"
        write_image(photograph, from_channels(image))
        yield photograph


def exported(recipe, output, format, precision="float32", tail=None, data_dir=None):
    """What report.json says of an exported file, which is made and proven if it is not there yet.

    Args:
        recipe: ``Recipe``.
        output: folder of the exported files.
        format: key of ``export.FORMATS``.
        precision: one of those of the format.
        tail: what the file answers with; None for ``entry.usual_tail``.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Returns:
        dict, see ``report.write_report``.

    Example:
        >>> exported(recipe, "exports", "onnx")["file"]                      # doctest: +SKIP
        'fcn8s_mobilenet_camvid_float32.onnx'
    """
    from ..zoo.data import DATASETS
    from ..zoo.weights import checksum
    from .entry import export_entry, usual_tail
    from .report import write_report

    tail = usual_tail(DATASETS[recipe.dataset]) if tail is None else tail
    wanted = {"entry": recipe.name, "format": format, "precision": precision, "tail": tail}
    for facts in in_report(output, {**wanted, "weights": checksum(f"{recipe.name}.weights.h5")}):
        if precision != "int8" or sorted(facts.get("float_layers", ())) == sorted(recipe.float_layers):
            return facts
    report = export_entry(recipe, output, format=format, precision=precision, tail=tail, data_dir=data_dir)
    return write_report(output, recipe.name, report)


def in_report(output, wanted):
    """What report.json says of the files that are as they are wanted, and there.

    Args:
        output: folder of the exported files.
        wanted: dict, some of what ``report.write_report`` says.

    Yields:
        dict, see ``report.write_report``.

    Example:
        >>> list(in_report("nowhere", {"format": "onnx"}))
        []
    """
    from .report import read_report

    for facts in read_report(output):
        if facts.items() >= wanted.items() and (Path(output) / facts["file"]).exists():
            yield facts


def timed(kind, target, given, threads, runs=20):
    """Time and memory of one kind, in a process of its own.

    Args:
        kind: see ``measure.prepare``.
        target: name of an entry or path of a .keras file for Keras, else a path.
        given: path of a photograph of the model's size, or a text.
        threads: processor threads.
        runs: timed calls.

    Returns:
        dict, see ``measure.measure``.

    Raises:
        RuntimeError: if that process fails.

    Example:
        >>> timed("onnx", "model.onnx", "street.png", threads=2)["ms"]       # doctest: +SKIP
        30.1
    """
    done = subprocess.run(
        [sys.executable, "-m", "keras_segattn.cli.measure", kind, target, given, str(threads), str(runs)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{kind}: the measuring process ended with {done.returncode}: {done.stderr[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _table(rows, threads):
    lines = [f"{'format':<16}{'size MB':>9}{'worst diff':>12}{'same answer':>12}{'ms':>9}{'x Keras':>9}{'peak MB':>9}"]
    for row in rows:
        size = f"{row['size'] / 1e6:.2f}" if "size" in row else ""
        worst = f"{row['worst']:.1e}" if "worst" in row else ""
        same = f"{100 * row['agreement']:.3f} %" if "agreement" in row else ""
        lines.append(
            f"{row['format']:<16}{size:>9}{worst:>12}{same:>12}"
            f"{row['ms']:>9.1f}{row['times_as_fast']:>9.2f}{row['peak_mb']:>9.0f}"
        )
    lines.append(f"one input at a time, {threads} threads; x Keras: times as fast as the faster Keras call")
    return "\n".join(lines)
