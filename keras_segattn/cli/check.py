"""``segattn check``: the doctor of data, before a training finds what is wrong."""

import json
import sys
from pathlib import Path

import click

MOST = 20  # defects of a kind that are told; --json tells all


@click.command("check")
@click.argument("folder")
@click.option("--layout", help="What lies in the folder; default: found out.")
@click.option("--output", help="Folder for sheet.png and histogram.png; default: none are drawn.")
@click.option("--fix", help="Folder to write a repaired copy into; the original is never touched.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(folder, layout, output, fix, as_json):
    """Look at every file in FOLDER: photographs with masks, class folders, captions, or pairs of sentences.

    Tells what is there and each defect with its file and its remedy. Exits with 0 if training can start, else with 1.
    """
    from rich.console import Console
    from rich.progress import track

    from ..zoo.data.own.check import KINDS, check, repair

    console = Console(stderr=True)
    report = check(folder, layout, lambda rows: track(rows, folder, console=console, transient=True))
    if output and report.dataset is not None:
        _draw(report, Path(output))
    if as_json:
        click.echo(json.dumps(_facts(report), indent=2, ensure_ascii=False))
    else:
        _tell(report)
    if fix:
        count = repair(report, fix)
        click.echo(f"{fix}: {count} examples, repaired; what only a person can mend stays:", err=as_json)
        for defect in (defect for defect in report.defects if not KINDS[defect.kind].mended):
            click.echo(f"  {defect}", err=as_json)
    sys.exit(0 if report.can_train else 1)


def _draw(report, output):
    from ..images import write_image
    from ..zoo.data.own.sheet import histogram, sheet

    output.mkdir(parents=True, exist_ok=True)
    if report.dataset.image_size:
        write_image(output / "sheet.png", sheet(report))
    if report.dataset.classes:
        write_image(output / "histogram.png", histogram(report))


def _facts(report):
    from ..zoo.data.own.check import KINDS

    dataset = report.dataset
    return {
        "layout": report.found and report.found.layout,
        "task": dataset and dataset.task,
        "splits": dataset and dataset.splits,
        "image_size": dataset and dataset.image_size,
        "classes": report.classes,
        "can_train": report.can_train,
        "defects": [
            {**vars(defect), "stops": KINDS[defect.kind].stops, "remedy": KINDS[defect.kind].remedy}
            for defect in report.defects
        ],
    }


def _tell(report):
    from ..zoo.data.own import masks
    from ..zoo.data.own.check import KINDS

    dataset = report.dataset
    if dataset is not None:
        splits = ", ".join(f"{count} {split}" for split, count in dataset.splits.items())
        size = f", {dataset.image_size[1]} x {dataset.image_size[0]} pixels" if dataset.image_size else ""
        mean = f", masks: {masks.KINDS[report.kind.kind]}" if report.kind else ""
        click.echo(f"{report.folder}: {dataset.task} ({report.found.layout}{mean}): {splits}{size}")
        for name in dataset.classes:
            shares = (_share(report.classes[split], name) for split in dataset.splits)
            click.echo(f"  {name:<20}" + "".join(f"{share:>9.2f} %" for share in shares))
    for kind, facts in KINDS.items():
        found = [defect for defect in report.defects if defect.kind == kind]
        for defect in found[:MOST]:
            click.echo(f"{'error' if facts.stops else 'warning'}: {defect}")
        if found:
            more = f"{len(found) - MOST} more of them; " if len(found) > MOST else ""
            click.echo(f"  {more}{facts.remedy}")
    click.echo("training can start" if report.can_train else "training cannot start")


def _share(counts, name):
    return 100 * counts.get(name, 0) / max(1, sum(counts.values()))
