"""What is known of the files in a folder: report.json for programs, report.html for people."""

import html
import json
from pathlib import Path

import numpy as np

from ..files import replacing
from ..images import from_channels, overlay, write_image
from ..looks import draw_grids

PICTURES = "report"  # folder of the pictures, beside the page
FUNCTION = "function"  # the task of a file that only computes, see ``any_keras``
_RED = np.array([230, 30, 30])
_OLDER = {"task": "segmentation", "tail": "labels", "float_layers": {}}  # of files in a report that does not say so yet


def write_report(folder, name, report, about=None, weights=None):
    """Add one file to report.json and report.html, in the place of what was said of that file before.

    Args:
        folder: where the file lies.
        name: of the entry.
        report: ``ExportReport``.
        about: what knows task, classes and palette: ``Metadata``, or None for the data set of the entry.
        weights: SHA-256 of the weights, or None for those of the entry.

    Returns:
        dict: what ``report`` says, the entry, its task, and the SHA-256 of its weights.

    Example:
        >>> write_report("exports", "fcn8s_mobilenet_camvid", report)        # doctest: +SKIP
    """
    from ..zoo import info
    from ..zoo.data import dataset_of
    from ..zoo.weights import checksum

    folder, about = Path(folder), about or dataset_of(info(name))
    weights = weights or checksum(f"{name}.weights.h5")
    facts = {"entry": name, "task": about.task, "weights": weights, **report.to_dict()}
    artifacts = [artifact for artifact in read_report(folder) if artifact["file"] != facts["file"]]
    artifacts.append(facts)
    if report.parity.example and not about.classes:
        facts["example"] = list(report.parity.example)
    elif report.parity.example:
        (folder / PICTURES).mkdir(exist_ok=True)
        if about.task == "segmentation":
            picture = comparison(*report.parity.example, about.palette)
        else:
            picture = draw_grids(report.parity.example[0], [])
        write_image(folder / PICTURES / f"{facts['file']}.png", picture)
    texts = {"report.json": json.dumps({"artifacts": artifacts}, indent=2) + "\n", "report.html": page(artifacts)}
    for file, text in texts.items():
        with replacing(folder / file) as partial:
            partial.write_text(text, encoding="utf-8")
    return facts


def read_report(folder):
    """What report.json says of each file, oldest first, under today's names; nothing where there is none.

    Example:
        >>> read_report("nowhere")
        []
    """
    path = Path(folder) / "report.json"
    artifacts = json.loads(path.read_text())["artifacts"] if path.is_file() else []
    return [_today(facts) for facts in artifacts]


def _today(facts):
    parity, others = dict(facts["parity"]), {**_OLDER, **facts}
    if "images" in parity:  # as the inputs were called
        parity["inputs"], others["inputs"] = parity.pop("images"), others.pop("images")
    return {**others, "parity": parity}


def comparison(image, expected, found, palette):
    """Four pictures in a row: the photograph, Keras' labels, the file's labels, and where they differ.

    Args:
        image: uint8 (H, W, C).
        expected: uint8 (H, W), labels of the Keras model.
        found: uint8 (H, W), labels of the file.
        palette: K colours (red, green, blue), 0..255.

    Returns:
        uint8 (H, 4 W, 3); pixels of different labels are red on a faded photograph.

    Example:
        >>> labels = np.zeros((6, 8), "uint8")
        >>> comparison(np.zeros((6, 8, 3), "uint8"), labels, labels, [(0, 0, 0)]).shape
        (6, 32, 3)
    """
    image = from_channels(image)
    grey = 255 - (255 - image.mean(-1, keepdims=True).repeat(3, -1)) / 3
    difference = np.where((expected != found)[..., None], _RED, grey).astype("uint8")
    return np.hstack([image, overlay(image, expected, palette), overlay(image, found, palette), difference])


def page(artifacts):
    """report.html: a table of the files, and of each the picture that ``comparison`` made, or two sentences.

    Args:
        artifacts: list of dict, as in report.json.

    Returns:
        str.

    Example:
        >>> page([]).startswith("<!doctype html>")
        True
    """
    rows, figures = [], []
    for facts in artifacts:
        parity, limits = facts["parity"], facts["limits"]
        worst = f"{parity['worst']:.1e}" + (f" of {limits['worst']:.0e}" if limits["worst"] is not None else "")
        cells = (
            *(facts["entry"], facts["format"], facts["precision"], facts["tail"], f"{facts['size'] / 1e6:.2f}"),
            *(worst, f"{parity['mean']:.1e}", f"{100 * parity['agreement']:.3f}", parity["inputs"]),
        )
        rows.append("".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells))
        kept = "".join(
            f"<li>{html.escape(layer)}: {html.escape(reason)}</li>" for layer, reason in facts["float_layers"].items()
        )
        figures.append(
            f"<figure>{_shown(facts)}" + (f"<p>Left in float32:</p><ul>{kept}</ul>" if kept else "") + "</figure>"
        )
    head = "".join(f"<th>{title}</th>" for title in _COLUMNS)
    table = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return _PAGE.format(head=head, table=table, figures="\n".join(figures))


def _shown(facts):
    """The input of the least agreement: its picture, or the sentences that Keras and the file write for it."""
    file, inputs = html.escape(facts["file"]), html.escape(facts["inputs"])
    if facts["task"] == FUNCTION:
        return f"<figcaption>{file} ({inputs})</figcaption>"
    if "example" in facts:
        ours, theirs = (html.escape(sentence) for sentence in facts["example"])
        return f"<figcaption>{file} ({inputs})</figcaption><p>Keras: {ours}</p><p>file: {theirs}</p>"
    return (
        f"<figcaption>{file}: {_SHOWN[facts['task']]} (the image of the least agreement; {inputs})</figcaption>"
        f'<img src="{PICTURES}/{file}.png" alt="the image on which Keras and {file} agree least">'
    )


_SHOWN = {"segmentation": "photograph, Keras, file, difference", "recognition": "image"}
_COLUMNS = ("entry", "format", "precision", "tail", "MB", "worst difference", "mean", "same answer, %", "inputs")
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Exported files and their proof</title>
<style>
body {{ font: 15px system-ui, sans-serif; margin: 2em auto; max-width: 90em; padding: 0 1em }}
table {{ border-collapse: collapse }}
td, th {{ padding: .3em .8em; text-align: left; border-bottom: 1px solid #ccc }}
figure {{ margin: 2em 0 }}
img {{ max-width: 100% }}
</style>
<h1>Exported files and their proof</h1>
<p>Each file was run in its own runtime, and its answers held against those of the Keras model. Differences are of the
logits, or of the probabilities, as a share of the range of the model's.</p>
<table>
<tr>{head}</tr>
{table}
</table>
{figures}
</html>
"""
