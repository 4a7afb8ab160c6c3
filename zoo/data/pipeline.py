"""Batches for training: shuffled, augmented, and the same again for the same seed and epoch."""

import grain
import numpy as np

from ...images import fit, restore
from .augment import random_look, random_view


def training_batches(examples, recipe, ignore_label, epoch):
    """One epoch: random views of photographs, or images that are drawn anew.

    Args:
        examples: sequence of ``open_split``.
        recipe: ``Recipe``; its crop, scale, colour, batch_size and seed are used.
        ignore_label: label value that counts nothing.
        epoch: int >= 0; each epoch has its own order and views, whether or not it is the first after a
            resume.

    Returns:
        iterable of (image uint8 (B, h, w, C), label uint8 (B, h, w) or (B,)), without the incomplete last batch.

    Raises:
        ValueError: if there are fewer examples than one batch holds.

    Example:
        >>> from keras_segattn import zoo
        >>> batches = training_batches(train, zoo.info("fcn8s_mobilenet_camvid"), 11, 0)  # doctest: +SKIP
    """
    if len(examples) < recipe.batch_size:
        raise ValueError(
            f"batch_size: expected at most the {len(examples)} training images. Received: {recipe.batch_size}"
        )

    seed = recipe.seed * 10_000 + epoch
    if hasattr(examples, "draw"):
        return _drawn_batches(examples, recipe.batch_size, seed)

    def view(example, rng):
        image, label = example["image"], example["label"]
        if not label.ndim:
            return random_look(image, rng, scale=recipe.scale, colour=recipe.colour), label
        return random_view(
            image,
            label,
            rng,
            crop=recipe.crop,
            scale=recipe.scale,
            colour=recipe.colour,
            ignore_label=ignore_label,
        )

    return (
        grain.MapDataset.source(examples)
        .shuffle(seed=seed)
        .random_map(view, seed=seed)
        .batch(recipe.batch_size, drop_remainder=True)
        .to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=8))
    )


class Fitted:
    """Photographs with label maps, all brought to one size.

    Args:
        examples: sequence of ``open_split``.
        size: (H, W).

    Example:
        >>> label = np.zeros((4, 6), "uint8")
        >>> fitted = Fitted([{"image": np.zeros((4, 6, 3), "uint8"), "label": label}], (32, 64))
        >>> fitted[0]["image"].shape, fitted[0]["label"].shape
        ((32, 64, 3), (32, 64))
    """

    def __init__(self, examples, size):
        self._examples, self._size = examples, size

    def __len__(self):
        return len(self._examples)

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index):
        example = self._examples[index]
        label = restore(example["label"], *self._size)
        return {**example, "image": fit(example["image"], *self._size), "label": label}


def _drawn_batches(examples, batch_size, seed):
    order = np.random.default_rng(seed).permutation(len(examples))

    def draw(step):
        return examples.draw(order[step * batch_size : (step + 1) * batch_size], [seed, step])

    steps = grain.MapDataset.range(len(examples) // batch_size)
    return steps.map(draw).to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=8))
