"""An entry that learns from a folder of one's own, by a recipe that needs no thought."""

import itertools
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from ..vocabulary import Vocabulary
from .build import arithmetic
from .data import DataError, dataset_of, remember
from .data.own.check import check
from .lessons import LESSONS
from .recipes import RECIPES
from .train import begin

BYTES_A_PIXEL = 3000  # of a view in a step, about
MOST = {"segmentation": 8, "recognition": 64, "captioning": 64, "translation": 64}  # examples in a step
FEW = 8  # examples in a step, and steps in an epoch, before there are more of either
TRIED = 10  # steps that are timed
OVERHEAD = 1.0  # seconds of an epoch, for its batches to begin and its checkpoint to be written
START = {
    "segmentation": "fcn8s_mobilenet_camvid",
    "captioning": "show_attend_tell_soft_flickr8k",
    "translation": "rnnsearch_multi30k_de_en",
}  # where a training begins if nobody says; of recognition there is none for photographs of every kind
LOOKS = 20  # at the validation split, over a whole training


def own_recipe(base, folder, *, minutes=None, epochs=None, seed=0, policy=None):
    """The recipe by which an entry learns from a folder.

    Args:
        base: ``Recipe`` of the entry, or None for the usual one of the task that the data are for.
        folder: path of the data.
        minutes: about how long it may take on this machine; or
        epochs: how many passes over the training split. One of the two is needed.
        seed: of everything random.
        policy: see ``Recipe``.

    Returns:
        ``Recipe``, whose ``dataset`` is the folder and whose ``start`` is the entry.

    Raises:
        DataError: if the data are no data, or have a defect that stops a training.
        ValueError: if the entry does another task than the data are for, or there is no usual one.

    Example:
        >>> own_recipe(zoo.info("fcn8s_mobilenet_camvid"), "holiday", minutes=30).epochs  # doctest: +SKIP
        140
    """
    if (minutes is None) == (epochs is None):
        raise ValueError(f"minutes: expected it or epochs. Received: {minutes!r} and {epochs!r}")
    report = check(folder)
    dataset, task = report.dataset, base and dataset_of(base).task
    if base and dataset and dataset.task != task:
        raise ValueError(f"data: expected those of {task}, as {base.name} does. {folder} is for {dataset.task}")
    if not report.can_train:
        raise DataError(f"{folder}: expected data that can be trained on; segattn check {folder} tells what is wrong")
    base = base or _usual(dataset.task)
    home = str(Path(folder).resolve())
    remember(home, dataset)
    recipe = replace(
        base,
        **_OWN[dataset.task](base, dataset, folder),
        name=re.sub(r"\W+", "_", f"{base.model}_{dataset.title}".lower()),
        dataset=home,
        start=base.name,
        epochs=epochs or 1,
        self_critical_epochs=0,
        seed=seed,
        policy=policy,
        patience=LOOKS // 2,
        operators={},
        float_layers=(),
        impossible={},
    )
    train = _examples(dataset, folder)
    recipe = replace(recipe, batch_size=_batch_size(recipe, train))
    if epochs is None:
        recipe = replace(recipe, epochs=_epochs_in(60 * minutes, recipe))
    return replace(recipe, averaging=_averaging(recipe, train), validate_every=-(-recipe.epochs // LOOKS))


def _usual(task):
    """The recipe of the entry that a training begins with if nobody says."""
    if task not in START:
        names = [recipe.name for recipe in RECIPES.values() if dataset_of(recipe).task == task]
        raise ValueError(f"NAME: expected an entry of {task}, one of {', '.join(names)}. Received: none")
    return RECIPES[START[task]]


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
