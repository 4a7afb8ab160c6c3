"""``segattn lint``: what is wrong with a file, in sentences, and what to do about it."""

import contextlib
import json
import sys
from collections import Counter
from dataclasses import asdict
from itertools import groupby

import click

from .keras_file import converted, is_keras


@click.command("lint")
@click.argument("file")
@click.option("--format", type=click.Choice(["tflite", "onnx"]), help="What a .keras file becomes; default: tflite.")
@click.option("--budget", type=click.IntRange(min=1), help="Operators it may have; default: what the file says.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(file, format, budget, as_json):
    """Read FILE, a .tflite or .onnx of any tool, and explain each finding. The exit code is 1 if there is one.

    A file of ours says itself which layers were to stay float and how many operators it may have. A .keras file is
    converted first, and what came of it is read.
    """
    from ..export.lint import lint, operators, read_artifact

    made = converted(file, format or "tflite") if is_keras(file, format=format) else contextlib.nullcontext(file)
    with made as path:
        metadata = read_artifact(path).metadata
        promised = metadata.provenance if metadata else {}
        budget = budget or promised.get("operators")
        findings = lint(path, float_layers=promised.get("float_layers") or (), budget=budget)
        found = operators(path)
    if as_json:
        facts = {
            "file": file,
            "findings": [asdict(finding) for finding in findings],
            "operators": {key: getattr(found, key) for key in ("counts", "custom", "left", "delegated")},
        }
        click.echo(json.dumps(facts, indent=2))
    else:
        for (rule, remedy), same in groupby(findings, lambda finding: (finding.rule, finding.remedy)):
            click.echo("\n  ".join([rule, *(finding.what for finding in same), f"-> {remedy}"]))
        click.echo(f"{file}: {_number(len(findings), 'finding')}. {_summary(found)}")
    if findings:
        sys.exit(1)


def _summary(found):
    """Operators of each function, the most frequent of all, and what XNNPACK takes."""
    parts = [", ".join(f"{name} {_number(count.total(), 'operator')}" for name, count in found.counts.items())]
    parts.append(f"most are {_most(sum(found.counts.values(), Counter()))}")
    if found.delegated is not None:
        rest = f", not {_most(found.left)}" if found.left else ""
        parts.append(f"XNNPACK runs {100 * found.delegated:.0f} % of {next(iter(found.counts))}{rest}")
    return "; ".join(parts)


def _most(counts):
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common(3))


def _number(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
