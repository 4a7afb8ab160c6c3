"""``segattn info``: all that is known of one entry."""

import json
from dataclasses import asdict

import click


@click.command("info")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(name, as_json):
    """Recipe, data, terms and results of the entry NAME."""
    from .. import zoo
    from ..zoo import results
    from ..zoo.data import DATASETS, TASKS
    from .entry import impossible

    recipe = zoo.info(name)
    dataset = DATASETS[recipe.dataset]
    said = {**asdict(recipe), "impossible": impossible(recipe)}
    measured = [row for row in results.read() if row["entry"] == name]
    if as_json:
        facts = {
            "name": name,
            "recipe": said,
            "classes": dataset.classes,
            "terms": dataset.terms,
            "source": dataset.source,
            "results": measured,
        }
        click.echo(json.dumps(facts, indent=2))
        return
    for key, value in said.items():
        click.echo(f"{key:<16} {value}")
    if dataset.classes:
        click.echo(f"{'classes':<16} {', '.join(dataset.classes)}")
    click.echo(f"{'terms':<16} {dataset.terms}")
    metric = TASKS[dataset.task].metric
    for row in measured:
        if (row["metric"], row["split"]) == (metric, "test"):
            file = f"{row['format']} {row['precision']} {row['tail']}".rstrip()
            other = "" if row["seed"] == str(recipe.seed) else f" of seed {row['seed']}"
            click.echo(f"{'test ' + metric:<16} {float(row['value']):.2f}  {file}{other}")
