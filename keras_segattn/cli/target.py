"""What a verb is pointed at: an entry of the zoo, or an exported file. Both give labels for an image."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """Something that segments.

    Args:
        entry: name of the entry, or what the file says it is.
        format: "keras", "tflite" or "onnx".
        precision: of its arithmetic.
        tail: what a file answers with; "" for an entry.
        dataset: key of ``zoo.data.DATASETS`` that it was trained on, or None.
        classes: K names.
        palette: K colours.
        image_size: (H, W) that it takes.
        labels: function, uint8 (H, W, 3) -> uint8 (H, W).
        labels_tiled: the same for an image of any size, at its own resolution.

    Example:
        >>> open_target("missing.onnx")
        Traceback (most recent call last):
        keras_segattn.export.runtime.RunnerError: missing.onnx: expected an exported file. There is none
    """

    entry: str
    format: str
    precision: str
    tail: str
    dataset: str | None
    classes: tuple
    palette: tuple
    image_size: tuple
    labels: Callable
    labels_tiled: Callable


def open_target(name, threads=None):
    """Open an entry or a file.

    Args:
        name: name of an entry, or path of a .tflite or .onnx file. A file loads neither TensorFlow nor Keras.
        threads: processor threads for a file, or None.

    Returns:
        ``Target``.

    Raises:
        UnknownEntry: if it is neither.

    Example:
        >>> open_target("fcn8s_mobilenet_camvid").classes[0]
        'sky'
    """
    if Path(name).suffix in (".tflite", ".onnx"):
        return _file(name, threads)
    return _entry(name)


def _file(path, threads):
    from ..export.runtime import Runner

    runner = Runner(path, threads=threads)
    facts = runner.metadata
    return Target(
        entry=facts.name,
        format=Path(path).suffix[1:],
        precision=facts.precision,
        tail=facts.tail,
        dataset=facts.provenance.get("dataset"),
        classes=facts.classes,
        palette=facts.palette,
        image_size=facts.image_size,
        labels=runner.labels,
        labels_tiled=runner.labels_tiled,
    )


def _entry(name):
    from .. import zoo
    from ..zoo.data import DATASETS
    from ..zoo.evaluate import labels_of

    recipe = zoo.info(name)
    dataset = DATASETS[recipe.dataset]
    model = zoo.load(name)
    return Target(
        entry=name,
        format="keras",
        precision="float32",
        tail="",
        dataset=recipe.dataset,
        classes=dataset.classes,
        palette=dataset.palette,
        image_size=tuple(recipe.image_size),
        labels=labels_of(model),
        labels_tiled=lambda image: _labels_tiled(model, image),
    )


def _labels_tiled(model, image):
    import numpy as np

    from ..export.tiling import tiled_labels

    def scores(tile):
        return np.asarray(model.predict_on_batch(tile[None].astype("float32")))[0]

    return tiled_labels(scores, image, model.input_shape[1:3])
