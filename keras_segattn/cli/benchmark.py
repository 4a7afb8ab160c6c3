"""``segattn benchmark``: an entry in every format, side by side in one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click

from ..export.contract import PRECISIONS

# "onnx" and "saved_model" are float32; of TFLite every precision is named.
FORMATS = tuple(
    format if precision == "float32" and format != "tflite" else f"{format}-{precision}"
    for format, precisions in PRECISIONS.items()
    for precision in precisions
)


@click.command("benchmark")
@click.argument("name")
@click.option(
    "--formats",
    default="saved_model,tflite-float32,tflite-int8,onnx",
    show_default=True,
    help=f"Comma-separated, of {', '.join(FORMATS)}.",
)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Processor threads.")
@click.option("--runs", type=click.IntRange(min=1), default=20, show_default=True, help="Timed runs of each.")
@click.option("--output", default="exports", show_default=True, help="Folder of the exported files.")
@click.option("--data-dir", help="Folder of the data sets; default: KERAS_SEGATTN_DATA.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def command(name, formats, threads, runs, output, data_dir, as_json):
    """Time, memory and size of the entry NAME, one image at a time, and the ratio to the Keras model.

    What is not in the folder yet is exported and proven first. Each format runs in a process of its own.
    """
    from .. import zoo
    from ..images import from_channels, write_image
    from .entry import sample_images

    recipe = zoo.info(name)
    wanted = [word.strip() for word in formats.split(",") if word.strip()]
    unknown = sorted(set(wanted) - set(FORMATS))
    if unknown or not wanted:
        raise click.UsageError(f"--formats: expected some of {', '.join(FORMATS)}. Received: {formats!r}")
    Path(output).mkdir(parents=True, exist_ok=True)
    image = Path(output) / ".benchmark.png"
    write_image(image, from_channels(sample_images(recipe, "test", 1, data_dir)[0][0]))
    try:
        rows = [
            {"format": kind, **timed(kind, name, image, threads, runs)} for kind in ("keras call", "keras predict")
        ]
        for kind in wanted:
            format, _, precision = kind.partition("-")
            facts = exported(recipe, output, format, precision or "float32", data_dir=data_dir)
            path = Path(output) / facts["file"]
            rows.append(
                {
                    "format": kind,
                    **timed(format, path, image, threads, runs),
                    "size": facts["size"],
                    "worst": facts["parity"]["worst"],
                    "agreement": facts["parity"]["agreement"],
                }
            )
    finally:
        image.unlink(missing_ok=True)
    reference = min(row["ms"] for row in rows[:2])  # the faster of the two ways to call the model
    for row in rows:
        row["times_as_fast"] = reference / row["ms"]
    click.echo(json.dumps(rows, indent=2) if as_json else _table(rows, threads))


def exported(recipe, output, format, precision="float32", tail="labels", data_dir=None):
    """What report.json says of an exported file, which is made and proven if it is not there yet.

    Args:
        recipe: ``Recipe``.
        output: folder of the exported files.
        format: key of ``export.FORMATS``.
        precision: one of those of the format.
        tail: what the file answers with.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Returns:
        dict, see ``report.write_report``.

    Example:
        >>> exported(recipe, "exports", "onnx")["file"]                      # doctest: +SKIP
        'fcn8s_mobilenet_camvid_float32.onnx'
    """
    from ..zoo.weights import checksum
    from .entry import export_entry
    from .report import read_report, write_report

    wanted = (recipe.name, format, precision, tail, checksum(f"{recipe.name}.weights.h5"))
    for facts in read_report(output):
        same = tuple(facts.get(key) for key in ("entry", "format", "precision", "tail", "weights"))
        as_asked = precision != "int8" or sorted(facts.get("float_layers", ())) == sorted(recipe.float_layers)
        if same == wanted and as_asked and (Path(output) / facts["file"]).exists():
            return facts
    report = export_entry(recipe, output, format=format, precision=precision, tail=tail, data_dir=data_dir)
    return write_report(output, recipe.name, report)


def timed(kind, target, image, threads, runs=20):
    """Time and memory of one kind, in a process of its own.

    Args:
        kind: see ``measure.prepare``.
        target: name of an entry for Keras, else a path.
        image: path of a photograph of the entry's size.
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
        [sys.executable, "-m", "keras_segattn.cli.measure", kind, target, image, str(threads), str(runs)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{kind}: the measuring process ended with {done.returncode}: {done.stderr[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _table(rows, threads):
    lines = [f"{'format':<16}{'size MB':>9}{'worst diff':>12}{'same label':>12}{'ms':>9}{'x Keras':>9}{'peak MB':>9}"]
    for row in rows:
        size = f"{row['size'] / 1e6:.2f}" if "size" in row else ""
        worst = f"{row['worst']:.1e}" if "worst" in row else ""
        same = f"{100 * row['agreement']:.3f} %" if "agreement" in row else ""
        lines.append(
            f"{row['format']:<16}{size:>9}{worst:>12}{same:>12}"
            f"{row['ms']:>9.1f}{row['times_as_fast']:>9.2f}{row['peak_mb']:>9.0f}"
        )
    lines.append(f"one image at a time, {threads} threads; x Keras: times as fast as the faster Keras call")
    return "\n".join(lines)
