"""What is left of a training on data of one's own: a model, its scores and its card."""

import json
from dataclasses import asdict
from pathlib import Path


def finish(recipe, run):
    """Make of a run what is used of it: ``model.keras``, ``splits.json``, ``scores.json`` and ``card.md``.

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
    from ..export.metadata import attach
    from ..export.sentences import described
    from ..files import replacing
    from ..zoo.build import writer
    from ..zoo.data import dataset_of
    from ..zoo.data.builder import open_split
    from ..zoo.evaluate import evaluate, evaluate_foreground
    from ..zoo.watch import model_of
    from .entry import metadata_of
    from .evaluate import values_of_json
    from .target import answers_of

    run, dataset = Path(run), dataset_of(recipe)
    model = model_of(recipe, run)
    metadata = metadata_of(recipe, dataset=dataset.title, start=recipe.start)
    if dataset.classes:
        found = answers_of(model)
        answers = found["labels"]
    else:
        written = writer(model, recipe)
        metadata = described(written, metadata, "float32", recipe.max_tokens)

        def answers(inputs):
            return [sentence.text for sentence in written.write(inputs)]

    with replacing(run / "model.keras") as partial:
        model.save(partial)
        attach(partial, metadata)
    examples = open_split(dataset, "test", Path(recipe.dataset))
    scores = evaluate(answers, examples, dataset, image_size=recipe.image_size)
    if dataset.has_foreground:
        scores |= evaluate_foreground(found["probabilities"], examples, dataset, image_size=recipe.image_size)
    splits = {split: [row[0] for row in dataset.files(Path(recipe.dataset), split)] for split in dataset.splits}
    for name, text in (
        ("splits.json", json.dumps(splits, indent=1)),
        ("scores.json", json.dumps(values_of_json(scores), indent=2)),
        ("card.md", _card(recipe, dataset, scores, run)),
    ):
        with replacing(run / name) as partial:
            partial.write_text(text, encoding="utf-8")
    return scores


def _card(recipe, dataset, scores, run):
    said = [(name, value) for name, value in asdict(recipe).items() if value not in (None, (), {})]
    splits = ", ".join(f"{count} {split}" for split, count in dataset.splits.items())
    lines = [
        f"# {recipe.name}",
        "",
        f"{dataset.title}: {splits} examples. Began as {recipe.start}, with score layers of its own.",
        "",
        *_picture("Examples of the validation split, what they should say, what the model says", run, "predictions"),
        "## Scores on the test split, in points of 100",
        "",
        "| score | |",
        "|---|---|",
        *(f"| {name} | {value:.2f} |" for name, value in scores.items()),
        "",
        *_picture("Loss, and score of the validation split, by epoch", run, "curve"),
        "## Recipe",
        "",
        "| argument | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in said),
        "",
    ]
    return "\n".join(lines)


def _picture(says, run, name):
    """Lines that show a picture of the run; there is none before its first epoch is over."""
    return [f"![{says}]({name}.png)", ""] if (run / f"{name}.png").is_file() else []
