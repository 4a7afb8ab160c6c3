"""An entry that learns the classes of a folder of one's own: the recipe needs no thought, the run shows how it goes."""

import itertools
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageDraw, ImageFont

from ..images import fit, from_channels, overlay, restore, write_image
from ..models import load_weights
from .build import build
from .data import DataError, dataset_of, remember
from .data.builder import open_split
from .data.own.check import LEARNED, check
from .data.own.sheet import chart
from .evaluate import labels_of
from .lessons import ImageLesson
from .train import arithmetic, begin

BYTES_A_PIXEL = 3000  # of a view in a step, about
MOST_VIEWS = {"segmentation": 8, "recognition": 64}  # in a step
FEW_VIEWS = 8  # in a step at least, and as many steps in an epoch where there are not enough for more of both
TRIED = 10  # steps that are timed
OVERHEAD = 1.0  # seconds of an epoch, for its batches to begin and its checkpoint to be written
LOOKS = 20  # at the validation split, over a whole training
SHOWN = 6  # examples in predictions.png
TILE, WORDS = 96, 160  # pixels of its images of one class, and of the room for a name


def own_recipe(base, folder, *, minutes=None, epochs=None, seed=0):
    """The recipe by which an entry learns from a folder.

    Args:
        base: ``Recipe`` of the entry, which segments or names classes.
        folder: path of the data.
        minutes: about how long it may take on this machine; or
        epochs: how many passes over the training split.
        seed: of everything random.

    Returns:
        ``Recipe``, whose ``dataset`` is the folder and whose ``start`` is the entry.

    Raises:
        DataError: if the data are no data, or have a defect that stops a training.
        ValueError: if the entry does another task than the data are for.

    Example:
        >>> own_recipe(zoo.info("fcn8s_mobilenet_camvid"), "holiday", minutes=30).epochs  # doctest: +SKIP
        140
    """
    report = check(folder)
    dataset, known = report.dataset, dataset_of(base)
    if dataset is not None and dataset.task not in LEARNED:
        raise ValueError(f"data: expected those of {' or '.join(LEARNED)}. {folder} is for {dataset.task}")
    if dataset is not None and dataset.task != known.task:
        raise ValueError(f"data: expected those of {known.task}, as {base.name} does. {folder} is for {dataset.task}")
    if not report.can_train:
        raise DataError(f"{folder}: expected data that can be trained on; segattn check {folder} tells what is wrong")
    home = str(Path(folder).resolve())
    remember(home, dataset)
    size, scale = _VIEWS[dataset.task](base, dataset)
    recipe = replace(
        base,
        name=re.sub(r"\W+", "_", f"{base.model}_{dataset.title}".lower()),
        dataset=home,
        start=base.name,
        image_size=size,
        crop=size,
        scale=scale,
        batch_size=_batch_size(dataset, size),
        epochs=epochs or 1,
        label_smoothing=0.0,
        seed=seed,
        patience=LOOKS // 2,
        operators={},
        float_layers=(),
        impossible={},
    )
    if epochs is None:
        recipe = replace(recipe, epochs=_epochs_in(60 * minutes, recipe))
    averaging = _averaging(recipe, dataset.splits["train"])
    return replace(recipe, averaging=averaging, validate_every=max(1, recipe.epochs // LOOKS))


# Size of the model, and magnification of its views. What names a class keeps its size, which its weights are made for.
_VIEWS = {
    "segmentation": lambda base, dataset: (dataset.image_size, (0.75, 1.6)),
    "recognition": lambda base, dataset: (base.image_size, (1.0, 1.25)),
}


def _batch_size(dataset, size):
    most = int(psutil.virtual_memory().available / 2 / (BYTES_A_PIXEL * np.prod(size)))
    train = dataset.splits["train"]
    return max(1, min(MOST_VIEWS[dataset.task], most, train, max(FEW_VIEWS, train // FEW_VIEWS)))


def _averaging(recipe, train):
    """Momentum of an average over the last twentieth of a training, at most 100 steps."""
    steps = recipe.epochs * (train // recipe.batch_size)
    return 1 - 1 / min(100, max(1, steps / 20))


def _epochs_in(seconds, recipe):
    """How many epochs there is time for, by a few steps of each kind that are tried."""
    lesson = ImageLesson(recipe, Path(recipe.dataset))
    with arithmetic(recipe):
        whole, model = begin(lesson)
    batches = itertools.chain.from_iterable(map(lesson.batches, itertools.count()))
    model.train_on_batch(*next(batches))
    began = time.perf_counter()
    for batch in itertools.islice(batches, TRIED):
        model.train_on_batch(*batch)
    step = (time.perf_counter() - began) / TRIED
    labels, image = labels_of(whole), np.zeros((*recipe.image_size, lesson.dataset.channels), "uint8")
    labels(image)
    began = time.perf_counter()
    for _ in range(4):
        labels(image)
    look = (time.perf_counter() - began) / 4 * len(lesson.validation)
    return max(1, int((seconds - LOOKS * look) / (step * lesson.steps + OVERHEAD)))


class Watch:
    """What a run shows while it goes on: ``curve.png`` after each epoch, ``predictions.png`` at each best score.

    Args:
        recipe: ``Recipe``.
        output: folder of the run.

    Example:
        >>> train(recipe, "runs/holiday", watch=Watch(recipe, "runs/holiday"))  # doctest: +SKIP
    """

    def __init__(self, recipe, output):
        self.recipe, self.output, self.dataset = recipe, Path(output), dataset_of(recipe)
        self.examples = open_split(self.dataset, "val", Path(recipe.dataset))

    def __call__(self, rows, is_best):
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
    labels, dataset = labels_of(model), dataset_of(recipe)
    places = np.linspace(0, len(examples) - 1, min(SHOWN, len(examples))).astype(int)
    row = _ROWS[dataset.task]
    return np.vstack([row(examples[int(place)], labels, dataset) for place in places])


def _masks(example, labels, dataset):
    """A photograph, its labels over it, and the model's."""
    image = fit(example["image"], *dataset.image_size)
    truth = restore(example["label"], *dataset.image_size)
    return np.hstack([image, *(overlay(image, one, dataset.palette) for one in (truth, labels(image)))])


def _names(example, labels, dataset):
    """An image as the model sees it, the name of its class, and the one that the model says."""
    truth, found = (dataset.classes[int(label)] for label in (example["label"], labels(example["image"])))
    page = Image.new("RGB", (TILE + 2 * WORDS, TILE), "white")
    image = from_channels(example["image"])
    page.paste(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.NEAREST))
    for place, (name, shade) in enumerate([(truth, "black"), (found, "green" if found == truth else "red")]):
        corner = (TILE + 10 + WORDS * place, TILE // 2 - 6)
        ImageDraw.Draw(page).text(corner, name[:24], shade, font=ImageFont.load_default(12))
    return np.asarray(page)


_ROWS = {"segmentation": _masks, "recognition": _names}


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
