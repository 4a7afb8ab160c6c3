"""The ledger: every entry in every format and precision, proven, linted, evaluated and timed."""

import json
import math
import os
from fnmatch import fnmatchcase
from pathlib import Path

import click

from ..export.tails import TAILS

WITH_TAILS = ("tflite", "float32")  # the file whose other tails are measured where they are asked for


def ledger(pattern, output, *, tails=False, data_dir=None, threads=2, table=None, as_json=False):
    """Walk the zoo, write the files, and write what was found to results.csv.

    Without a data folder nothing is evaluated, mixed precision is left out, and the table stays as it is.

    Args:
        pattern: of the names of entries, as in a shell.
        output: folder of the files and the report.
        tails: measure every tail of the float32 .tflite, not the first one alone.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.
        threads: processor threads of the timing and the evaluation.
        table: results.csv to write to, or None for that of the zoo.
        as_json: print one object a file, instead of a line.

    Returns:
        number of files that are missing.

    Raises:
        ValueError: if no entry has such a name.

    Example:
        >>> ledger("fcn8s_*", "exports")                                     # doctest: +SKIP
        0
    """
    from .. import zoo
    from .benchmark import question
    from .entry import artifacts, impossible

    recipes = [zoo.info(name) for name in zoo.list_models() if fnmatchcase(name, pattern)]
    if not recipes:
        raise ValueError(f"NAME: expected a pattern that fits an entry, see segattn list. Received: {pattern!r}")
    Path(output).mkdir(parents=True, exist_ok=True)
    measured = bool(data_dir or os.environ.get("KERAS_SEGATTN_DATA"))
    missing = 0
    for recipe in recipes:
        with question(recipe, data_dir) as given:
            measure = _Measure(recipe, output, data_dir, threads, table, measured, given)
            for format, precision in artifacts(recipe):
                if precision == "mixed" and not measured:
                    continue
                for tail in measure.tails if tails and (format, precision) == WITH_TAILS else measure.tails[:1]:
                    try:
                        facts = measure(format, precision, tail)
                    except Exception as error:  # one file that fails does not keep the others from being made
                        missing += 1
                        facts = {"entry": recipe.name, "format": format, "precision": precision, "tail": tail}
                        facts["error"] = " ".join(str(error).split()) or type(error).__name__
                    click.echo(json.dumps(facts) if as_json else _line(facts))
        for combination, reason in impossible(recipe).items():
            facts = {"entry": recipe.name, **dict(zip(("format", "precision"), combination.split(), strict=True))}
            click.echo(json.dumps({**facts, "impossible": reason}) if as_json else f"{combination:<22}: {reason}")
    return missing


class _Measure:
    """Everything that is measured of one entry; the Keras model is timed once."""

    def __init__(self, recipe, output, data_dir, threads, table, measured, given):
        from ..zoo.data import DATASETS, TASKS, data_folder
        from .benchmark import keras_kinds, timed

        self.recipe, self.output, self.data_dir, self.given = recipe, Path(output), data_dir, given
        self.threads, self.table, self.examples = threads, table, None
        self.dataset = DATASETS[recipe.dataset]
        self.metric = TASKS[self.dataset.task]
        self.tails = [name for name, tail in TAILS.items() if self.dataset.task in tail.tasks] or [""]
        if measured:
            from ..zoo.data.builder import open_split

            self.examples = list(open_split(self.dataset, "test", data_folder(data_dir)))
        self.keras_ms = min(timed(kind, recipe.name, given, threads)["ms"] for kind in keras_kinds(recipe))

    def __call__(self, format, precision, tail):
        from ..export import operators
        from ..zoo import results
        from ..zoo.text_scores import signature
        from .benchmark import exported, timed

        facts = exported(self.recipe, self.output, format, precision, tail, self.data_dir)
        path = self.output / facts["file"]
        proof = {
            "worst_difference": facts["parity"]["worst"],
            "mean_difference": facts["parity"]["mean"],
            "label_agreement": 100 * facts["parity"]["agreement"],
        }
        if "ties" in facts["parity"]:
            proof["ties"] = 100 * facts["parity"]["ties"]  # other sentences that Keras finds as likely
        speed = timed(format, path, self.given, self.threads)
        file = {
            "size": facts["size"],
            "output_bytes": _output_bytes(tail, self.dataset, self.recipe),
            "times_as_fast": self.keras_ms / speed["ms"],
            "ms": speed["ms"],
            "peak_mb": speed["peak_mb"],
        }
        if path.is_file():
            found = operators(path)
            file["operators"] = sum(count.total() for count in found.counts.values())
            if found.delegated is not None:
                file["delegated"] = found.delegated
        scores = self._scores(path)
        if self.examples is not None:
            same = {"entry": self.recipe.name, "format": format, "precision": precision, "tail": tail}
            counted = {"split": "test", "images": len(self.examples), "signature": signature(self.dataset.task)}
            rows = [
                *results.rows(scores, **same, **counted),
                *results.rows(proof, **same, split="proof", images=facts["parity"]["inputs"]),
                *results.rows(file, **same),
            ]
            results.append(rows, self.table)
        names = {key: facts[key] for key in ("entry", "file", "format", "precision", "tail")}
        quoted = {"score": f"{self.metric.title} {scores[self.metric.metric]:6.2f}"} if scores else {}
        return {**names, **quoted, "scores": scores, **proof, **file}

    def _scores(self, path):
        from ..zoo.evaluate import evaluate
        from .target import open_target

        if self.examples is None:
            return {}
        answers = open_target(path, self.threads).answers
        return evaluate(answers, self.examples, self.dataset, image_size=self.recipe.image_size)


def _output_bytes(tail, dataset, recipe):
    """Of one answer: a byte a label, or four for every class of it; four for every token of a sentence."""
    if not dataset.classes:
        return 4 * recipe.max_tokens
    labels = math.prod(recipe.image_size) if dataset.task == "segmentation" else 1
    return labels * (1 if tail.startswith("labels") else 4 * len(dataset.classes))


def _line(facts):
    if "error" in facts:
        return f"{facts['entry']} {facts['format']} {facts['precision']} {facts['tail']}: {facts['error']}"
    score = f"{facts['score']}  " if "score" in facts else ""
    return (
        f"{facts['file']:<54} {score}worst {facts['worst_difference']:.1e}  same {facts['label_agreement']:7.3f} %  "
        f"{facts['size'] / 1e6:6.2f} MB  {facts['ms']:6.1f} ms  {facts['times_as_fast']:.2f} x Keras"
    )

