"""``segattn train``: an entry from its recipe."""

from dataclasses import replace
from pathlib import Path

import click


@click.command("train")
@click.argument("name")
@click.option("--data-dir", help="Folder of the data sets; default: KERAS_SEGATTN_DATA.")
@click.option("--output", help="Folder of the run; default: runs/NAME.")
@click.option("--resume", is_flag=True, help="Take up the run in that folder where it stopped.")
@click.option("--epochs", type=click.IntRange(min=1), help="Another number than the recipe's.")
@click.option("--seed", type=click.IntRange(min=0), help="Another seed than the recipe's.")
@click.option("--start", help="Weights file of the entry that the recipe starts from; default: the zoo's.")
def command(name, data_dir, output, resume, epochs, seed, start):
    """Train the entry NAME as its recipe says, and keep the best weights by the score of the validation split."""
    from .. import zoo

    recipe = zoo.info(name)
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    if seed is not None:
        recipe = replace(recipe, seed=seed)
    from ..zoo.train import train

    best = train(recipe, Path(output or f"runs/{name}"), data_dir=data_dir, resume=resume, start_weights=start)
    click.echo(f"best weights: {best}\nto put them into the zoo: python -m keras_segattn.zoo.publish {name} {best}")
