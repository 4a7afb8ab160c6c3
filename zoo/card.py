"""Model cards and the README's table, made from recipes and results: ``python -m keras_segattn.zoo.card``."""

import re
from dataclasses import fields
from pathlib import Path

from . import info, list_models, results
from .data import DATASETS
from .recipe import Recipe

CARDS = Path(__file__).with_name("cards")
BEGIN, END = "<!-- results: made by `make cards` -->", "<!-- end of results -->"


def card(name, table):
    """The model card of an entry.

    Args:
        name: name of an entry.
        table: rows of results.csv.

    Returns:
        str, Markdown.

    Example:
        >>> card("fcn8s_mobilenet_camvid", table=[]).splitlines()[0]
        '# fcn8s_mobilenet_camvid'
    """
    from . import recipes

    recipe = info(name)
    dataset = DATASETS[recipe.dataset]
    about = (recipes.__dict__[name].__doc__ or "").strip().split("\n\n")
    height, width = recipe.image_size
    return "\n".join(
        [
            f"# {name}",
            "",
            "\n\n".join(about[:-1]),
            "",
            "```python",
            "from keras_segattn import zoo",
            f'model = zoo.load("{name}")  # image (B, {height}, {width}, 3), RGB 0..255 -> logits',
            "```",
            "",
            f"## Results on {dataset.title}",
            "",
            results_table([name], table),
            "",
            "## IoU by class (Keras model, test split)",
            "",
            *_class_table(name, dataset, table),
            "",
            "## Data",
            "",
            f"{dataset.source}.",
            "",
            f"Terms of the data: {dataset.terms}. Trained on the {dataset.splits['train']} images of the train split, "
            f"chosen on the {dataset.splits['val']} of val, measured on the {dataset.splits['test']} of test; "
            "void pixels count nothing, and the IoU of a class is taken over the whole split.",
            "",
            "## Recipe",
            "",
            f"Rerun: `{about[-1].strip()}`",
            "",
            "| argument | value |",
            "|---|---|",
            *(f"| {field.name} | {getattr(recipe, field.name)} |" for field in fields(Recipe)),
            "",
        ]
    )


def results_table(names, table):
    """Test scores of entries in every format that was evaluated, as a Markdown table.

    Example:
        >>> print(results_table([], []))
        | entry | format | precision | test mIoU | test pixel accuracy | images |
        |---|---|---|---|---|---|
    """
    lines = ["| entry | format | precision | test mIoU | test pixel accuracy | images |", "|---|---|---|---|---|---|"]
    for row in results.newest(table):
        if row["entry"] not in names or row["metric"] != "mean_iou" or row["split"] != "test":
            continue
        same = {name: row[name] for name in ("entry", "format", "precision", "split")}
        accuracy = results.latest(table, **same, metric="pixel_accuracy")
        lines.append(
            f"| {row['entry']} | {row['format']} | {row['precision']} "
            f"| {float(row['value']):.2f} | {float(accuracy['value']):.2f} | {row['images']} |"
        )
    return "\n".join(lines)


def _class_table(name, dataset, table):
    facts = {"entry": name, "format": "keras", "split": "test"}
    rows = [(label, results.latest(table, **facts, metric=f"iou_{label}")) for label in dataset.classes]
    measured = [(label, row) for label, row in rows if row is not None]
    return [
        "| class | IoU |",
        "|---|---|",
        *(f"| {label} | {float(row['value']):.2f} |" for label, row in measured),
    ]


def readme(text, table):
    """The README with its table made anew.

    Args:
        text: README with the two marks around the table.
        table: rows of results.csv.

    Returns:
        str, the README.

    Example:
        >>> "old" in readme(f"{BEGIN} old {END}", table=[])
        False
    """
    made = f"{BEGIN}\n{results_table(list_models(), table)}\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: made, text, flags=re.DOTALL)


def write(root):
    """Write every card and the README's table.

    Args:
        root: the checkout.

    Example:
        >>> write(".")                                                       # doctest: +SKIP
    """
    table = results.read()
    for name in list_models():
        (CARDS / f"{name}.md").write_text(card(name, table))
    path = Path(root) / "README.md"
    path.write_text(readme(path.read_text(), table))


if __name__ == "__main__":
    write(Path(__file__).resolve().parent.parent)
