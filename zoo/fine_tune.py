"""An entry that learns from a folder of one's own: the recipe needs no thought, the run shows how it goes."""

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
from ..vocabulary import Vocabulary
from .build import build, writer
from .data import DataError, dataset_of, remember
from .data.builder import open_split
from .data.own.check import check
from .data.own.sheet import chart
from .evaluate import labels_of
from .lessons import LESSONS
from .train import arithmetic, begin

BYTES_A_PIXEL = 3000  # of a view in a step, about
MOST = {"segmentation": 8, "recognition": 64, "captioning": 64, "translation": 64}  # examples in a step
FEW = 8  # examples in a step, and steps in an epoch, before there are more of either
TRIED = 10  # steps that are timed
OVERHEAD = 1.0  # seconds of an epoch, for its batches to begin and its checkpoint to be written
LOOKS = 20  # at the validation split, over a whole training
SHOWN = 6  # examples in predictions.png
TILE, WORDS = 96, 640  # pixels of its images, where they have one answer, and of the room for words
LETTERS = 100  # of a line


def own_recipe(base, folder, *, minutes=None, epochs=None, seed=0):
    """The recipe by which an entry learns from a folder.

    Args:
        base: ``Recipe`` of the entry.
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
    if dataset is not None and dataset.task != known.task:
        raise ValueError(f"data: expected those of {known.task}, as {base.name} does. {folder} is for {dataset.task}")
    if not report.can_train:
        raise DataError(f"{folder}: expected data that can be trained on; segattn check {folder} tells what is wrong")
    home = str(Path(folder).resolve())
    remember(home, dataset)
    recipe = replace(
        base,
        **_OWN[dataset.task](base, dataset, folder),
        name=re.sub(r"\W+", "_", f"{base.model}_{dataset.title}".lower()),
        dataset=home,
        start=base.name,
        epochs=epochs or 1,
        seed=seed,
        patience=LOOKS // 2,
        operators={},
        float_layers=(),
        impossible={},
    )
    recipe = replace(recipe, batch_size=_batch_size(recipe, _examples(dataset, folder)))
    if epochs is None:
        recipe = replace(recipe, epochs=_epochs_in(60 * minutes, recipe))
    averaging = _averaging(recipe, _examples(dataset, folder))
    return replace(recipe, averaging=averaging, validate_every=max(1, recipe.epochs // LOOKS))


def _of_masks(base, dataset, folder):
    """Views of the size of the photographs."""
    size = dataset.image_size
    return {"image_size": size, "crop": size, "scale": (0.75, 1.6), "label_smoothing": 0.0}


def _of_classes(base, dataset, folder):
    """Views of the size of the entry, which its weights are made for."""
    return {"crop": base.image_size, "scale": (1.0, 1.25), "label_smoothing": 0.0}


def _of_words(base, dataset, folder):
    """As many tokens as the texts have, at most those of the entry."""
    rows = dataset.files(Path(folder), "train")
    if dataset.task == "translation":
        _, sources, targets = zip(*rows, strict=True)
        texts, kind = {"source_size": sources, "target_size": targets}, "subwords"
    else:
        texts, kind = {"vocabulary_size": [text for *_, captions in rows for text in captions]}, "words"
    sizes = {name: len(Vocabulary.learn(each, base.arguments[name], kind)) for name, each in texts.items()}
    return {"arguments": {**base.arguments, **sizes}}


_OWN = {"segmentation": _of_masks, "recognition": _of_classes, "captioning": _of_words, "translation": _of_words}


def _examples(dataset, folder):
    """How many a training goes through: images or sentences, and of captions each one."""
    if dataset.task != "captioning":
        return dataset.splits["train"]
    return sum(len(captions) for *_, captions in dataset.files(Path(folder), "train"))


def _batch_size(recipe, train):
    most = MOST[dataset_of(recipe).task]
    if recipe.crop:
        most = min(most, int(psutil.virtual_memory().available / 2 / (BYTES_A_PIXEL * np.prod(recipe.crop))))
    return max(1, min(most, train, max(FEW, train // FEW)))


def _averaging(recipe, train):
    """Momentum of an average over the last twentieth of a training, at most 100 steps."""
    steps = recipe.epochs * (train // recipe.batch_size)
    return 1 - 1 / min(100, max(1, steps / 20))


def _epochs_in(seconds, recipe):
    """How many epochs there is time for, by a few steps and a look at the validation split that are tried."""
    lesson = LESSONS[dataset_of(recipe).task](recipe, Path(recipe.dataset))
    with arithmetic(recipe):
        whole, model = begin(lesson)
    batches = itertools.chain.from_iterable(map(lesson.batches, itertools.count()))
    model.train_on_batch(*next(batches))
    step = _seconds(lambda: [model.train_on_batch(*batch) for batch in itertools.islice(batches, TRIED)]) / TRIED
    lesson.score(whole)
    look = _seconds(lambda: lesson.score(whole))
    return max(1, int((seconds - LOOKS * look) / (step * lesson.steps + OVERHEAD)))


def _seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


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
