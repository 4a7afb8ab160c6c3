"""``segattn evaluate``: an entry or a file over a whole official split."""

import json

import click


@click.command("evaluate")
@click.argument("target")
@click.option("--data-dir", help="Folder of the data sets; default: KERAS_SEGATTN_DATA.")
@click.option("--split", default="test", show_default=True)
@click.option("--run", help="Folder of a training of the entry, whose weights are evaluated instead of the zoo's.")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads, for a file.")
@click.option("--results", "table", help="Table to write to; default: results.csv of the zoo.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(target, data_dir, split, run, threads, table, as_json):
    """Evaluate TARGET, the name of an entry or an exported file, and write its scores to results.csv."""
    from ..zoo import results
    from ..zoo.data import DATASETS, TASKS, DataError, data_folder
    from ..zoo.data.builder import open_split
    from ..zoo.evaluate import evaluate
    from .target import open_target

    folder = data_folder(data_dir)
    model = open_target(target, threads, run)
    if model.dataset not in DATASETS:
        raise DataError(f"{target}: expected a file of an entry of the zoo. Its data set is {model.dataset!r}")
    dataset = DATASETS[model.dataset]
    examples = open_split(dataset, split, folder)
    with click.progressbar(
        iter(examples), length=len(examples), label=split, file=_stderr()
    ) as bar:
        values = evaluate(model.answers, bar, dataset, image_size=model.image_size)
    rows = results.rows(
        values,
        entry=model.entry,
        format=model.format,
        precision=model.precision,
        tail=model.tail,
        split=split,
        images=len(examples),
        seed=model.seed,
    )
    path = results.append(rows, table)
    if as_json:
        click.echo(json.dumps({**rows[0], "value": values[TASKS[dataset.task].metric], "values": values}, indent=2))
        return
    for name, value in values.items():
        click.echo(f"{name:<18} {value:6.2f}")
    click.echo(f"{len(examples)} {'images' if model.image_size else 'sentences'} of {split}, written to {path}")


def _stderr():
    return click.get_text_stream("stderr")
