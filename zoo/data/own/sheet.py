"""Pictures of a data set: examples with their labels, how much there is of each class, and how a training goes."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ....images import fit, overlay, read_image

TILE, ACROSS, DOWN = 240, 6, 4  # pixels of the longer side of a tile; tiles of a sheet
BAR, ROW, MARGIN = 360, 22, 150  # pixels: the longest bar, a row, and what the names have
SHADES = {"train": (66, 146, 198), "val": (245, 130, 48), "test": (60, 180, 75)}


def sheet(report, seed=0):
    """Examples drawn from all splits, each with its labels over it.

    Args:
        report: ``check.Report`` with a data set of images.
        seed: of which examples.

    Returns:
        uint8 (H, W, 3).

    Example:
        >>> sheet(check("holiday")).shape                                    # doctest: +SKIP
        (960, 1440, 3)
    """
    dataset = report.dataset
    rows = [row for split in dataset.splits for row in dataset.files(None, split)]
    chosen = np.random.default_rng(seed).permutation(len(rows))[: ACROSS * DOWN]
    page = Image.new("RGB", (ACROSS * TILE, -(-len(chosen) // ACROSS) * TILE), "white")
    for place, index in enumerate(sorted(chosen)):
        tile = Image.fromarray(_tile(dataset, *rows[index]))
        corner = (place % ACROSS * TILE, place // ACROSS * TILE)
        page.paste(tile, corner)
        ImageDraw.Draw(page).text((corner[0] + 4, corner[1] + 2), _said(dataset, *rows[index]), "white",
                                  stroke_width=2, stroke_fill="black", font=ImageFont.load_default(12))  # fmt: skip
    return np.asarray(page)


def _tile(dataset, key, photograph, label):
    image = read_image(photograph)
    if dataset.task == "segmentation":
        image = overlay(image, dataset.read_label(label, image.shape[:2]), dataset.palette)
    shrink = TILE / max(image.shape[:2])
    return fit(image, *(max(1, round(shrink * side)) for side in image.shape[:2]))


def _said(dataset, key, photograph, label):
    told = {"recognition": lambda: dataset.classes[label], "captioning": lambda: label[0]}
    return told.get(dataset.task, lambda: key)()[:36]


def histogram(report):
    """A bar for each class in each split, as long as its share of that split.

    Args:
        report: ``check.Report`` with classes.

    Returns:
        uint8 (H, W, 3).

    Example:
        >>> histogram(check("holiday")).ndim                                 # doctest: +SKIP
        3
    """
    names, splits = report.dataset.classes, [split for split in SHADES if sum(report.classes[split].values())]
    page = Image.new("RGB", (MARGIN + BAR + 80, ROW * (1 + len(names) * len(splits))), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for place, split in enumerate(splits):
        draw.text((MARGIN + 60 * place, 3), split, SHADES[split], font=font)
    for row, name in enumerate(names):
        top = ROW * (1 + row * len(splits))
        draw.text((4, top + 3), name[:22], "black", font=font)
        for place, split in enumerate(splits):
            share = report.classes[split].get(name, 0) / sum(report.classes[split].values())
            y = top + ROW * place
            draw.rectangle((MARGIN, y + 3, MARGIN + BAR * share, y + ROW - 4), SHADES[split])
            draw.text((MARGIN + BAR * share + 6, y + 3), f"{100 * share:.2f} %", "black", font=font)
    return np.asarray(page)


def chart(rows, size=(320, 640)):
    """The curve of a training: its loss, and above it the score of the validation split.

    Args:
        rows: list of dict, of log.csv: ``epoch``, ``loss`` and the score, "" where nobody looked.
        size: (H, W).

    Returns:
        uint8 (H, W, 3).

    Example:
        >>> chart([{"epoch": 1, "loss": 0.7, "val_error": 31.0}, {"epoch": 2, "loss": 0.5, "val_error": ""}]).shape
        (320, 640, 3)
    """
    height, width = size
    page = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    last = max(2, int(rows[-1]["epoch"])) if rows else 2
    names = [name for name in (rows[0] if rows else ()) if name != "epoch"]
    for place, (name, shade) in enumerate(zip(names, SHADES.values(), strict=False)):
        points = [(int(row["epoch"]), float(row[name])) for row in rows if row[name] != ""]
        if not points:
            continue
        low, high = min(y for _, y in points), max(y for _, y in points)
        line = [
            (20 + (width - 40) * (x - 1) / (last - 1), height - 30 - (height - 70) * (y - low) / (high - low or 1))
            for x, y in points
        ]
        draw.line(line, shade, 2) if len(line) > 1 else draw.point(line, shade)
        said = f"{name}: {low:.4g} to {high:.4g}, now {points[-1][1]:.4g}"
        draw.text((20, 4 + 16 * place), said, shade, font=font)
    draw.text((width // 2 - 30, height - 20), f"epoch {last if rows else 0}", "black", font=font)
    return np.asarray(page)
