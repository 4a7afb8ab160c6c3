"""``segattn list``: the entries of the zoo."""

import json

import click


@click.command("list")
@click.argument("pattern", default="*")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.option("--names", is_flag=True, help="Print the names alone.")
def command(pattern, as_json, names):
    """Names, data sets and scores of the entries that match PATTERN, e.g. "fcn8s_*"."""
    from .. import zoo
    from ..zoo import results
    from ..zoo.data import DATASETS, TASKS

    found = zoo.list_models(pattern)
    if names:
        click.echo("\n".join(found))
        return
    rows = results.read()
    entries = []
    for name in found:
        recipe = zoo.info(name)
        task = TASKS[DATASETS[recipe.dataset].task]
        facts = {"entry": name, "format": "keras", "tail": "", "split": "test", "seed": str(recipe.seed)}
        score = results.latest(rows, **facts, metric=task.metric)
        entries.append(
            {
                "name": name,
                "model": recipe.model,
                "dataset": recipe.dataset,
                "image_size": recipe.image_size and list(recipe.image_size),
                "task": DATASETS[recipe.dataset].task,
                "metric": task.metric,
                "value": float(score["value"]) if score else None,
            }
        )
    if as_json:
        click.echo(json.dumps(entries, indent=2))
        return
    for entry in entries:
        size = "x".join(map(str, entry["image_size"] or ())) or "text"
        value = "not evaluated" if entry["value"] is None else f"test {entry['metric']} {entry['value']:.2f}"
        click.echo(f"{entry['name']:<30} {entry['dataset']:<15} {size:<7}  {value}")
