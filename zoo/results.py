"""results.csv: every number that the project quotes, written by what measured it and by nobody else."""

import csv
import subprocess
from pathlib import Path

from ..files import replacing

TABLE = Path(__file__).with_name("results.csv")
FIELDS = ("entry", "format", "precision", "tail", "metric", "value", "split", "images", "seed", "commit", "signature")
_KEY = ("entry", "format", "precision", "tail", "metric", "split", "seed")


def rows(values, *, entry, format, precision, tail="", split="", images="", seed=None, signature=""):
    """Rows of the table for the values of one evaluation.

    Args:
        values: dict, metric -> value; scores are in points of 100.
        entry: name.
        format: "keras" or key of ``export.FORMATS``.
        precision: of the arithmetic.
        tail: what a file answers with; "" for the Keras model.
        split: official split, "proof" for the images that a file was proven on, "" for what needs no images.
        images: how many those are.
        seed: of the training; None for that of the entry's recipe.
        signature: by which sacrebleu tells how BLEU was counted, see ``text_scores.signature``.

    Returns:
        list of dict with the keys ``FIELDS``.

    Example:
        >>> rows({"mean_iou": 61.5}, entry="fcn8s_mobilenet_camvid", format="keras", precision="float32",
        ...      split="test", images=233)[0]["value"]
        '61.5'
    """
    from .recipes import RECIPES

    if seed is None:
        seed = RECIPES[entry].seed if entry in RECIPES else ""
    commit = _commit()
    return [
        {
            "entry": entry,
            "format": format,
            "precision": precision,
            "tail": tail,
            "metric": metric,
            "value": f"{value:.6g}",
            "split": split,
            "images": images,
            "seed": str(seed),
            "commit": commit,
            "signature": signature if metric.startswith("bleu") else "",
        }
        for metric, value in values.items()
    ]


def read(path=None):
    """All rows, oldest first; none where there is no table.

    Example:
        >>> read("no_such.csv")
        []
    """
    path = Path(path or TABLE)
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(new, path=None):
    """Add rows to the table, all or none; a row gives way to a new one that says the same thing.

    Args:
        new: list of dict with the keys ``FIELDS``.
        path: of the table; default: results.csv of the zoo.

    Returns:
        pathlib.Path of the table.

    Example:
        >>> row = dict.fromkeys(FIELDS, "")
        >>> len(read(append([row], "table.csv")))
        1
    """
    path = Path(path or TABLE)
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({tuple(row[name] for name in _KEY): row for row in [*read(path), *new]}.values())
    return path


def latest(table, **facts):
    """The last row that has these facts, or None.

    Example:
        >>> latest([], entry="x") is None
        True
    """
    return next((row for row in reversed(table) if all(row[name] == facts[name] for name in facts)), None)


def _commit():
    """The commit of the checkout, or the version where there is none."""
    done = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=TABLE.parent, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return done.stdout.strip()
    from .. import __version__

    return __version__
