"""``segattn train``: an entry from its recipe, or an entry that learns from a folder of one's own."""

import shlex
from dataclasses import replace
from pathlib import Path

import click

MINUTES = 30


@click.command("train")
@click.argument("name", required=False)
@click.option("--data", help="Folder of your own data, that the entry NAME shall learn; see segattn check.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help=f"With --data: default {MINUTES}.")
@click.option("--data-dir", help="Folder of the zoo's data sets; default: KERAS_SEGATTN_DATA.")
@click.option("--output", help="Folder of the run; default: runs/NAME, or runs/ and the name of the folder.")
@click.option("--resume", is_flag=True, help="Take up the run in that folder where it stopped.")
@click.option("--epochs", type=click.IntRange(min=1),
              help="Another number than the recipe's, or the time's; self-critical ones follow.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), help="Another seed than the recipe's.")
@click.option("--policy", type=click.Choice(["float32", "mixed_bfloat16"]),
              help="Arithmetic; default: the recipe's, else float32 on a CPU and mixed_bfloat16 on a GPU.")  # fmt: skip
@click.option("--start", help="Weights file of the entry that the recipe starts from; default: the zoo's.")
def command(name, data, minutes, data_dir, output, resume, epochs, seed, policy, start):
    """Train the entry NAME as its recipe says, and keep the best weights by the score of the validation split.

    With --data it learns the classes of your folder instead: its encoder and decoder stay, its score layers are new;
    without NAME it is the usual entry for what lies in the folder. The run then holds model.keras, curve.png,
    predictions.png, its scores on the test split, and a card. Ctrl-C ends it early, and leaves the best model so far.
    """
    from .. import zoo

    if not name and data is None:
        raise click.UsageError("NAME: expected an entry of the zoo, see segattn list; or --data")
    recipe = zoo.info(name) if name else None
    if data is not None:
        if start or data_dir:
            raise click.UsageError("--data: expected neither --start nor --data-dir beside it")
        output = output or f"runs/{Path(data).resolve().name}"
        _learn(recipe, data, output, minutes, epochs, seed, policy, resume)
        return
    if minutes is not None:
        raise click.UsageError("--minutes: expected --data beside it, for a recipe says how long it takes")
    output, changes = Path(output or f"runs/{name}"), _given(epochs=epochs, seed=seed, policy=policy)
    recipe = _resumed(output, name, changes) if resume else replace(recipe, **changes)
    from ..zoo.train import train

    best = train(recipe, output, data_dir=data_dir, resume=resume, start_weights=start)
    publish = f"python -m keras_segattn.zoo.publish {name} {shlex.quote(str(best))}"
    click.echo(f"best weights: {best}\nto put them into the zoo: {publish}")


def _given(**options):
    return {name: value for name, value in options.items() if value is not None}


def _resumed(output, name, changes):
    """The recipe of the run in a folder, which goes on as it began."""
    from ..zoo.recipe import read_recipe

    _refuse(changes)
    recipe = read_recipe(output)
    if recipe.name != name:
        raise click.UsageError(f"--resume: expected a training of {name}. {output} is one of {recipe.name}")
    return recipe


def _refuse(changes):
    """Raise UsageError if a run that goes on is to be another one."""
    if changes:
        raise click.UsageError(f"--resume: expected no --{' or --'.join(changes)} beside it, for the run has its own")


def _learn(base, data, output, minutes, epochs, seed, policy, resume):
    from ..zoo.fine_tune import own_recipe
    from ..zoo.recipe import read_recipe
    from ..zoo.train import expect_no_run, train
    from ..zoo.watch import Watch
    from .finish import finish

    if minutes is not None and epochs is not None:
        raise click.UsageError("--minutes: expected it or --epochs. Received: both")
    if resume:
        _refuse(_given(minutes=minutes, epochs=epochs, seed=seed, policy=policy))
        recipe = read_recipe(output)
        name = base.name if base else recipe.start
        if (recipe.start, Path(recipe.dataset)) != (name, Path(data).resolve()):
            told = f"{output} is one of {recipe.start} on {recipe.dataset}"
            raise click.UsageError(f"--resume: expected a training of {name} on {data}. {told}")
    else:
        expect_no_run(output)  # before the data are read, which takes a while
        minutes = None if epochs else minutes or MINUTES
        recipe = own_recipe(base, data, minutes=minutes, epochs=epochs, seed=seed or 0, policy=policy)
    views = f"views {recipe.crop[1]} x {recipe.crop[0]}" if recipe.crop else "sentences"
    click.echo(f"{recipe.epochs} epochs of {views}, {recipe.batch_size} in a step")
    try:
        train(recipe, output, resume=resume, watch=Watch(recipe, output))
    except KeyboardInterrupt:
        if not (Path(output) / "best.weights.h5").is_file():
            raise
        click.echo("\ninterrupted: the best model so far is kept; --resume goes on")
    scores = finish(recipe, output)
    for name in (name for name in scores if not name.startswith(("iou_", "error_"))):  # which are of one class
        click.echo(f"test {name:<16} {scores[name]:6.2f}")
    given = "PHOTO" if recipe.image_size else "TEXT"
    model = shlex.quote(f"{output}/model.keras")
    click.echo(f"next: segattn predict {model} {given}, or segattn export {model}")
