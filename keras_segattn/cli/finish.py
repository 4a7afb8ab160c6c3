"""What is left of a training on data of one's own: a model, its scores and its card."""

import json
from dataclasses import asdict
from pathlib import Path


def finish(recipe, run):
    """Make of a run what is used of it: ``model.keras``, ``scores.json`` and ``card.md``.

    The test split, which training has not seen, is scored here and nowhere before.

    Args:
        recipe: ``Recipe``.
        run: its folder, with best weights.

    Returns:
        dict, the scores, see ``evaluate``.

    Example:
        >>> finish(recipe, "runs/holiday")["mean_iou"]                       # doctest: +SKIP
        88.1
    """
    import keras

    from .. import __version__
    from ..export import Metadata
    from ..export.metadata import attach
    from ..files import replacing
    from ..zoo.data import dataset_of
    from ..zoo.data.builder import open_split
    from ..zoo.evaluate import evaluate, labels_of
    from ..zoo.fine_tune import model_of

    run, dataset = Path(run), dataset_of(recipe)
    model = model_of(recipe, run)
    with replacing(run / "model.keras") as partial:
        model.save(partial)
        attach(partial, Metadata(
            name=recipe.name,
            task=dataset.task,
            classes=dataset.classes,
            palette=dataset.palette,
            ignore_label=dataset.ignore_label,
            image_size=tuple(recipe.image_size),
            channels=dataset.channels,
            provenance={
                "dataset": dataset.title,
                "terms": dataset.terms,
                "start": recipe.start,
                "keras_segattn": __version__,
                "keras": keras.__version__,
            },
        ))  # fmt: skip
    examples = open_split(dataset, "test", Path(recipe.dataset))
    scores = evaluate(labels_of(model), examples, dataset, image_size=recipe.image_size)
    for name, text in (("scores.json", json.dumps(scores, indent=2)), ("card.md", _card(recipe, dataset, scores))):
        with replacing(run / name) as partial:
            partial.write_text(text, encoding="utf-8")
    return scores


def _card(recipe, dataset, scores):
    said = [(name, value) for name, value in asdict(recipe).items() if value not in (None, (), {})]
    splits = ", ".join(f"{count} {split}" for split, count in dataset.splits.items())
    lines = [
        f"# {recipe.name}",
        "",
        f"{dataset.title}: {splits} photographs. Began as {recipe.start}, with score layers of its own.",
        "",
        "![Photographs, their labels, and the model's, of the validation split](predictions.png)",
        "",
        "## Scores on the test split, in points of 100",
        "",
        "| score | |",
        "|---|---|",
        *(f"| {name} | {value:.2f} |" for name, value in scores.items()),
        "",
        "![Loss, and score of the validation split, by epoch](curve.png)",
        "",
        "## Recipe",
        "",
        "| argument | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in said),
        "",
    ]
    return "\n".join(lines)
