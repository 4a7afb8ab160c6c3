"""``segattn export``: an entry as a file, proven on real images; or every entry in every format."""

import json
import sys

import click

from ..export.contract import FORMATS, PRECISIONS, check_kind
from ..export.tails import TAILS
from .keras_file import is_keras
from .report import write_report

_PRECISIONS = list(dict.fromkeys(name for names in PRECISIONS.values() for name in names))


@click.command("export")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every format and precision of NAME, a pattern; default: *.")
@click.option("--format", type=click.Choice(list(FORMATS)), default="tflite", show_default=True)
@click.option("--precision", type=click.Choice(_PRECISIONS), default="float32", show_default=True)
@click.option("--tail", type=click.Choice(list(TAILS)), help="Its answer; default: labels. Sentences have no choice.")
@click.option("--images", help="Folder of photographs that prove a .keras file; default: those it was trained on.")
@click.option("--samples", help="Make a .keras file one function, call: .npz with 8 or more samples of each input.")
@click.option("--rewrite", is_flag=True, help="Exchange layers of a .keras file that no format has for equal ones.")
@click.option("--output", default="exports", show_default=True, help="Folder for files, report.json and report.html.")
@click.option("--tails", is_flag=True, help="With --all: measure every tail of the float32 .tflite, too.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Of the timing, with --all.")
@click.option("--data-dir", help="Folder of the data sets; default: KERAS_SEGATTN_DATA.")
@click.option("--results", "table", help="Table that --all writes to; default: results.csv of the zoo.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one object, or one a line with --all.")
def command(
    name, everything, format, precision, tail, images, samples, rewrite, output, tails, threads, data_dir, table,
    as_json,
):  # fmt: skip
    """Export NAME, an entry or a .keras file. What is written is kept only if it gives the Keras model's answer.

    A .keras file of a model that scores no classes of one image becomes one function, call, of its inputs and outputs.

    With --all, every file is also evaluated on the whole test split, linted and timed, and what was found is written
    to results.csv: the ledger.
    """
    if everything:
        from .ledger import ledger

        how = {"tails": tails, "data_dir": data_dir, "threads": threads, "table": table, "as_json": as_json}
        failed = ledger(name or "*", output, **how)
        sys.exit(1 if failed else 0)
    if not name:
        raise click.UsageError("NAME: expected an entry of the zoo, see segattn list; or --all")
    if is_keras(name, images=images, samples=samples, rewrite=rewrite):
        from .keras_file import export_keras

        how = {"format": format, "precision": precision, "tail": tail, "images": images, "samples": samples}
        report, metadata, weights = export_keras(name, output, **how, rewrite=rewrite)
        facts = write_report(output, metadata.name, report, metadata, weights)
        click.echo(json.dumps(facts, indent=2) if as_json else summary(report))
        if rewrite and not report.rewritten and not as_json:
            click.echo("  nothing to rewrite")
        return
    from .. import zoo
    from ..zoo.data import dataset_of
    from .entry import export_entry, usual_tail

    recipe = zoo.info(name)
    dataset = dataset_of(recipe)
    tail = tail or usual_tail(dataset)
    try:
        check_kind(format, precision, tail, dataset.task)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    report = export_entry(recipe, output, format=format, precision=precision, tail=tail, data_dir=data_dir)
    facts = write_report(output, name, report)
    click.echo(json.dumps(facts, indent=2) if as_json else summary(report))


def summary(report):
    """One line on an exported file.

    Example:
        >>> from pathlib import Path
        >>> from keras_segattn.export.contract import ExportReport, Parity
        >>> parity = Parity(inputs=64, worst=1e-6, mean=1e-7, agreement=1.0)
        >>> print(summary(ExportReport(Path("m.onnx"), "onnx", "float32", "labels", 10_000_000, parity, "scenes")))
        m.onnx  10.00 MB  worst difference 1.0e-06 of the range, labels agree 100.000 %  (64 inputs: scenes)
    """
    parity = report.parity
    line = (
        f"{report.path}  {report.size / 1e6:.2f} MB  worst difference {parity.worst:.1e} of the range, "
        f"{parity.answers} agree {100 * parity.agreement:.3f} %  ({parity.inputs} inputs: {report.inputs})"
    )
    kept = [f"  float32: {layer}, {reason}" for layer, reason in report.float_layers.items()]
    if report.drop is not None:
        layers = f"with {len(kept)} of the layers in float32" if kept else "with every layer in int8"
        kept.append(f"  on the validation split, {layers}: {report.drop:.2f} points of the score lost against float32")
    return "\n".join([line, *(f"  rewritten: {change}" for change in report.rewritten), *kept])
