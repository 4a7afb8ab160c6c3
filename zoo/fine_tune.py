"""An entry that learns the classes of a folder of one's own: the recipe needs no thought, the run shows how it goes."""

import itertools
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from ..images import fit, overlay, restore, write_image
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
MOST_VIEWS = 8  # in a step
TRIED = 10  # steps that are timed
OVERHEAD = 1.0  # seconds of an epoch, for its batches to begin and its checkpoint to be written
LOOKS = 20  # at the validation split, over a whole training
SHOWN = 6  # examples in predictions.png


def own_recipe(base, folder, *, minutes=None, epochs=None, seed=0):
    """The recipe by which an entry learns from a folder.

    Args:
        base: ``Recipe`` of the entry, which segments.
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
    if dataset is not None and (dataset.task != known.task or dataset.task not in LEARNED):
        raise ValueError(f"data: expected those of an entry that segments. {base.name} is one of {known.task}, "
                         f"and {folder} is for {dataset.task}")  # fmt: skip
    if not report.can_train:
        raise DataError(f"{folder}: expected data that can be trained on; segattn check {folder} tells what is wrong")
    home = str(Path(folder).resolve())
    remember(home, dataset)
    recipe = replace(
        base,
        name=re.sub(r"\W+", "_", f"{base.model}_{dataset.title}".lower()),
        dataset=home,
        start=base.name,
        image_size=dataset.image_size,
        crop=dataset.image_size,
        scale=(0.75, 1.6),
        batch_size=_batch_size(dataset),
        epochs=epochs or 1,
        averaging=0.99,
        label_smoothing=0.0,
        seed=seed,
        patience=LOOKS // 2,
        operators={},
        float_layers=(),
        impossible={},
    )
    if epochs is None:
        recipe = replace(recipe, epochs=_epochs_in(60 * minutes, recipe))
    return replace(recipe, validate_every=max(1, recipe.epochs // LOOKS))


def _batch_size(dataset):
    pixels = np.prod(dataset.image_size)
    most = int(psutil.virtual_memory().available / 2 / (BYTES_A_PIXEL * pixels))
    return max(1, min(MOST_VIEWS, most, dataset.splits["train"]))


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
    labels, image = labels_of(whole), fit(lesson.validation[0]["image"], *recipe.image_size)
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
    """Photographs, their labels, and what a model says, in rows.

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
    labels, palette, rows = labels_of(model), dataset_of(recipe).palette, []
    for index in np.linspace(0, len(examples) - 1, min(SHOWN, len(examples))).astype(int):
        example = examples[int(index)]
        image = fit(example["image"], *recipe.image_size)
        truth = restore(example["label"], *recipe.image_size)
        rows.append(np.hstack([image, overlay(image, truth, palette), overlay(image, labels(image), palette)]))
    return np.vstack(rows)


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
