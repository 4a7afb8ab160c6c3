"""From a recipe to its model."""

import contextlib

from ..models import BUILDERS, Writer
from .data import dataset_of


def build(recipe, *, image_size=None, num_classes=None, **arguments):
    """The model of a recipe, with random weights.

    Args:
        recipe: ``Recipe``.
        image_size: another (H, W) than the recipe's, or None.
        num_classes: another number of classes than the data set's, or None.
        arguments: what else the builder is called with, beside or instead of the recipe's arguments.

    Returns:
        keras.Model.

    Raises:
        ValueError: if an argument is outside of its range, or a model of sentences is asked for a size or for classes.

    Example:
        >>> from keras_segattn import zoo
        >>> build(zoo.info("cnn_mnist_r"), num_classes=3).output_shape
        (None, 3)
    """
    dataset = dataset_of(recipe)
    if not dataset.classes and num_classes is not None:
        raise ValueError(f"num_classes: expected None for {dataset.task}. Received: {num_classes!r}")
    if recipe.image_size is None and image_size is not None:
        raise ValueError(f"image_size: expected None for translation. Received: {image_size!r}")
    about = []
    if recipe.image_size is not None:
        about.append((*(recipe.image_size if image_size is None else image_size), dataset.channels))
    if dataset.classes:
        about.append(num_classes or len(dataset.classes))
    return BUILDERS[recipe.model](*about, **{**recipe.arguments, **arguments})


def writer(model, recipe):
    """The search of a recipe over its model of language.

    Args:
        model: keras.Model of the recipe.
        recipe: ``Recipe``.

    Returns:
        ``models.Writer``.

    Example:
        >>> from keras_segattn import zoo
        >>> recipe = zoo.info("neuraltalk_flickr8k")
        >>> writer(build(recipe), recipe).beams                              # doctest: +SKIP
        3
    """
    return Writer(model, beams=recipe.beams, max_length=recipe.max_tokens, length_power=recipe.length_power)


@contextlib.contextmanager
def arithmetic(recipe):
    """Models that are built meanwhile compute as the recipe says: by its policy, or by that of this machine.

    Args:
        recipe: ``Recipe``.

    Example:
        >>> from dataclasses import replace
        >>> import keras
        >>> from keras_segattn import zoo
        >>> with arithmetic(replace(zoo.info("cnn_mnist_r"), policy="mixed_bfloat16")):
        ...     keras.config.dtype_policy().compute_dtype
        'bfloat16'
    """
    import keras

    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.policy or _policy_of_this_machine())
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def _policy_of_this_machine():
    """"mixed_bfloat16" on a GPU, "float32" on a CPU."""
    import keras

    if keras.backend.backend() == "torch":  # whose devices keras.distribution does not know
        import torch

        gpu = torch.cuda.is_available()
    else:
        gpu = keras.distribution.list_devices()[0].startswith("gpu")
    return "mixed_bfloat16" if gpu else "float32"
