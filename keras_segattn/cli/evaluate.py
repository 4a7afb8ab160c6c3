"""``segattn evaluate``: an entry or a file over a whole official split."""

import json
import math
from pathlib import Path

import click


@click.command("evaluate")
@click.argument("target")
@click.option("--data-dir", help="Folder of the data sets; default: KERAS_SEGATTN_DATA.")
@click.option("--data", help="Folder of your own data; default: the one that a .keras file has learned.")
@click.option("--split", default="test", show_default=True)
@click.option("--run", help="Folder of a training of the entry, whose weights are evaluated instead of the zoo's.")
@click.option("--beams", type=click.IntRange(1, 10), help="Hypotheses of an entry's search; default: its recipe's.")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads, for a file.")
@click.option("--results", "table", help="Table to write to; default: results.csv of the zoo.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(target, data_dir, data, split, run, beams, threads, table, as_json):
    """Evaluate TARGET, the name of an entry or an exported file, and write its scores to results.csv.

    Those of a model that learned a folder of one's own are told, and not written.
    """
    from ..zoo import results
    from ..zoo.data import TASKS, DataError, data_folder, dataset_named
    from ..zoo.data.builder import open_split
    from ..zoo.evaluate import evaluate, evaluate_foreground
    from ..zoo.text_scores import signature
    from .keras_file import data_of_run
    from .target import open_target

    model = open_target(target, threads, run, beams)
    own = data or (data_of_run(target) if target.endswith(".keras") else None)
    if own is None and model.dataset is None:
        raise click.UsageError(f"--data: expected the folder of data that {target} is for. Received: none")
    dataset = dataset_named(str(Path(own).resolve()) if own else model.dataset)
    if dataset.task != model.task:
        raise DataError(f"{own or dataset.title}: expected data of {model.task}. Received: those of {dataset.task}")
    if dataset.is_own:
        dataset = dataset.seen(model.image_size, model.channels)
    folder = own or data_folder(data_dir)
    unnamed = tuple(f"class {index}" for index in range(len(dataset.classes)))
    if model.classes not in (dataset.classes, unnamed):
        expected, received = ", ".join(model.classes), ", ".join(dataset.classes)
        raise DataError(f"{folder}: expected the classes of {target}, {expected}. Received: {received}")
    examples = open_split(dataset, split, folder)
    with click.progressbar(
        iter(examples), length=len(examples), label=split, file=_stderr()
    ) as bar:
        values = evaluate(model.answers, bar, dataset, image_size=model.image_size)
    if dataset.has_foreground:
        values |= evaluate_foreground(model.probabilities, examples, dataset, image_size=model.image_size)
    if dataset.is_own:
        _tell(values, as_json)
        return
    rows = results.rows(
        values,
        entry=model.entry,
        format=model.format,
        precision=model.precision,
        tail=model.tail if beams is None else f"{beams} beams",
        split=split,
        images=len(examples),
        seed=model.seed,
        signature=signature(dataset.task),
    )
    path = results.append(rows, table)
    if as_json:
        said = {**rows[0], "value": values[TASKS[dataset.task].metric], "values": values_of_json(values)}
        click.echo(json.dumps(said, indent=2))
        return
    _tell(values)
    click.echo(f"{len(examples)} {'images' if model.image_size else 'sentences'} of {split}, written to {path}")


def _tell(values, as_json=False):
    if as_json:
        click.echo(json.dumps({"values": values_of_json(values)}, indent=2))
        return
    for name, value in values.items():
        click.echo(f"{name:<18} {value:6.2f}")


def values_of_json(values):
    """Scores as JSON has them, which has no NaN.

    Example:
        >>> values_of_json({"mean_iou": 50.0, "iou_car": float("nan")})
        {'mean_iou': 50.0, 'iou_car': None}
    """
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _stderr():
    return click.get_text_stream("stderr")
