"""What a run on data of one's own shows while it goes on."""

import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..images import fit, from_channels, overlay, restore, write_image
from ..models import load_weights
from .build import build, writer
from .data import dataset_of
from .data.builder import open_split
from .data.own.sheet import chart
from .evaluate import labels_of

SHOWN = 6  # examples in predictions.png
TILE, WORDS = 96, 640  # pixels of its images, where they have one answer, and of the room for words
LETTERS = 100  # of a line


class Watch:
    """What a run shows while it goes on: the time left and ``curve.png`` after each epoch, ``predictions.png`` at each
    best score.

    Args:
        recipe: ``Recipe``.
        output: folder of the run.

    Example:
        >>> train(recipe, "runs/holiday", watch=Watch(recipe, "runs/holiday"))  # doctest: +SKIP
    """

    def __init__(self, recipe, output):
        self.recipe, self.output, self.dataset = recipe, Path(output), dataset_of(recipe)
        self.examples = open_split(self.dataset, "val", Path(recipe.dataset))
        self.began, self.epochs = time.monotonic(), 0

    def __call__(self, rows, is_best):
        self.epochs += 1  # of this process; rows are those of the whole run
        left = (time.monotonic() - self.began) / self.epochs * (self.recipe.all_epochs - len(rows))
        print(f"{len(rows)} of {self.recipe.all_epochs} epochs; {left / 60:.0f} minutes left at most", flush=True)
        write_image(self.output / "curve.png", chart(rows))
        if is_best:
            model = model_of(self.recipe, self.output)
            write_image(self.output / "predictions.png", predictions(model, self.recipe, self.examples))


def predictions(model, recipe, examples):
    """Images, their labels, and what a model says, in rows.

    Args:
        model: keras.Model of the recipe.
        recipe: ``Recipe``.
        examples: sequence of ``open_split``.

    Returns:
        uint8 (H, W, 3).

    Example:
        >>> predictions(model, recipe, val).shape                            # doctest: +SKIP
        (960, 720, 3)
    """
    dataset = dataset_of(recipe)
    answers = writer(model, recipe).write if not dataset.classes else labels_of(model)
    places = np.linspace(0, len(examples) - 1, min(SHOWN, len(examples))).astype(int)
    row = _ROWS[dataset.task]
    return np.vstack([row(examples[int(place)], answers, dataset) for place in places])


def _masks(example, labels, dataset):
    """A photograph, its labels over it, and the model's."""
    image = fit(example["image"], *dataset.image_size)
    truth = restore(example["label"], *dataset.image_size)
    return np.hstack([image, *(overlay(image, one, dataset.palette) for one in (truth, labels(image)))])


def _names(example, labels, dataset):
    """An image as the model sees it, the name of its class, and the one that the model says."""
    image = from_channels(example["image"])
    return _told(dataset.classes[int(example["label"])], dataset.classes[int(labels(example["image"]))], image=image)


def _captions(example, write, dataset):
    """A photograph, one of its captions, and the model's."""
    (found,) = write([example["image"]])
    return _told(example["captions"][0], found.text, image=example["image"])


def _sentences(example, write, dataset):
    """A sentence, its translation, and the model's."""
    (found,) = write([example["source"]])
    return _told(example["source"], example["target"], found.text)


def _told(*lines, image=None):
    """Lines of text, the last of which is the model's, beside an image."""
    left = 0 if image is None else TILE
    page = Image.new("RGB", (left + WORDS, TILE), "white")
    if image is not None:
        page.paste(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.BILINEAR))
    for place, line in enumerate(lines):
        corner = (left + 10, 10 + place * (TILE - 10) // len(lines))
        shade = "blue" if place == len(lines) - 1 else "black"
        ImageDraw.Draw(page).text(corner, line[:LETTERS], shade, font=ImageFont.load_default(12))
    return np.asarray(page)


_ROWS = {"segmentation": _masks, "recognition": _names, "captioning": _captions, "translation": _sentences}


def model_of(recipe, run):
    """The model of a run with its best weights.

    Args:
        recipe: ``Recipe``.
        run: its folder.

    Returns:
        keras.Model.

    Example:
        >>> model_of(recipe, "runs/holiday").output_shape                    # doctest: +SKIP
        (None, 160, 224, 2)
    """
    model = build(recipe)
    load_weights(model, Path(run) / "best.weights.h5")
    return model
