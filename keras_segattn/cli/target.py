"""What a verb is pointed at: an entry of the zoo, or an exported file. Both give answers for an image or a sentence."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

FILES = (".tflite", ".onnx", ".keras")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that looks at images, or reads sentences.

    Args:
        entry: name of the entry, or what the file says it is.
        task: key of ``zoo.data.TASKS``.
        format: "keras" or key of ``export.FORMATS``.
        precision: of its arithmetic.
        tail: what a file answers with; "" for an entry.
        dataset: key of ``zoo.data.DATASETS`` that it was trained on, or None.
        classes: K names; none where it writes sentences.
        palette: K colours; of segmentation alone.
        image_size: (H, W) that it takes, or None where it reads sentences.
        channels: C of its images.
        seed: of a training that is not the published one, or None.
        labels: function, uint8 (H, W, C) -> uint8 (H, W), or () for recognition.
        labels_tiled: of segmentation, the same for an image of any size, at its own resolution.
        probabilities: function, uint8 (H, W, C) -> float32 (H, W, K) or (K,).
        attend: function, uint8 (H, W, C) -> list of grids (h, w, 2), where its spatial transformers look.
        write: of translation and captioning, function: list of str, or of uint8 (H, W, C) -> list of ``Sentence``.
            There are no ``labels`` then, nor what goes with them.

    Example:
        >>> open_target("missing.onnx")
        Traceback (most recent call last):
        keras_segattn.export.runtime.RunnerError: missing.onnx: expected an exported file. There is none
    """

    entry: str
    task: str
    format: str
    precision: str
    tail: str
    dataset: str | None
    classes: tuple
    palette: tuple
    image_size: tuple | None
    channels: int
    seed: int | None = None
    labels: Callable | None = None
    labels_tiled: Callable | None = None
    probabilities: Callable | None = None
    attend: Callable | None = None
    write: Callable | None = None

    @property
    def answers(self):
        """What ``zoo.evaluate`` asks: ``labels``, or a function, list of texts or images -> list of str."""
        if self.write is None:
            return self.labels
        return lambda inputs: [sentence.text for sentence in self.write(inputs)]


def is_exported(name):
    """Whether a target is a file, or the folder of a SavedModel, and not the name of an entry.

    Example:
        >>> is_exported("model.onnx"), is_exported("fcn8s_mobilenet_camvid")
        (True, False)
    """
    from ..export.runtime import is_saved_model

    return Path(name).suffix in FILES or is_saved_model(name)


def open_target(name, threads=None, run=None, beams=None):
    """Open an entry or a file.

    Args:
        name: name of an entry, or path of a .tflite or .onnx file, which loads neither TensorFlow nor Keras, of a
            SavedModel, or of a .keras file.
        threads: processor threads for a file, or None.
        run: folder of a training of that entry, whose best weights are taken instead of the zoo's; or None.
        beams: of an entry of language, another number of hypotheses than its recipe's; or None.

    Returns:
        ``Target``.

    Raises:
        UnknownEntry: if it is neither.
        ValueError: if the run is not one of that entry, or there is nothing to search.

    Example:
        >>> open_target("fcn8s_mobilenet_camvid").classes[0]
        'sky'
    """
    if is_exported(name):
        for argument, value in (("run", run), ("beams", beams)):
            if value is not None:
                raise ValueError(f"{argument}: expected the name of an entry beside it. Received: the file {name}")
        return _keras_file(name) if str(name).endswith(".keras") else _file(name, threads)
    return _entry(name, run, beams)


def _file(path, threads):
    from ..export.runtime import Runner

    runner = Runner(path, threads=threads)
    answers = {"write": runner.write} if runner.metadata.writing else _labels_of_file(runner)
    return _described(runner.metadata, Path(path).suffix[1:] or "saved_model", runner.metadata.tail, answers)


def _keras_file(path):
    from .keras_file import open_keras, writer_of

    model, facts = open_keras(path)
    answers = {"write": writer_of(model, facts.writing).write} if facts.writing else answers_of(model)
    return _described(facts, "keras", "", answers)


def _described(facts, format, tail, answers):
    """A target of what its metadata say and its functions answer."""
    return Target(
        entry=facts.name,
        task=facts.task,
        format=format,
        precision=facts.precision,
        tail=tail,
        dataset=facts.provenance.get("dataset"),
        classes=facts.classes,
        palette=facts.palette,
        image_size=facts.image_size,
        channels=facts.channels,
        **answers,
    )


def _labels_of_file(runner):
    return {
        "labels": runner.labels,
        "labels_tiled": runner.labels_tiled,
        "probabilities": runner.probabilities,
        "attend": runner.grids,
    }


def _entry(name, run, beams):
    from .. import zoo
    from ..models import load_weights
    from ..zoo.build import writer
    from ..zoo.data import DATASETS
    from ..zoo.recipe import read_recipe

    recipe = zoo.info(name)
    dataset = DATASETS[recipe.dataset]
    if beams is not None:
        if dataset.classes:
            raise ValueError(f"beams: expected an entry that writes sentences. Received: {name}")
        recipe = replace(recipe, beams=beams)
    model = zoo.load(name, weights=run is None)
    seed = None
    if run is not None:
        trained = read_recipe(run)
        if trained.name != name:
            raise ValueError(f"run: expected a training of {name}. Received: one of {trained.name}")
        seed = trained.seed
        load_weights(model, Path(run) / "best.weights.h5")

    return Target(
        entry=name,
        task=dataset.task,
        format="keras",
        precision="float32",
        tail="",
        dataset=recipe.dataset,
        classes=dataset.classes,
        palette=dataset.palette,
        image_size=None if recipe.image_size is None else tuple(recipe.image_size),
        channels=dataset.channels,
        seed=seed,
        **(answers_of(model) if dataset.classes else {"write": writer(model, recipe).write}),
    )


def answers_of(model):
    """What a Keras model answers about one image.

    Args:
        model: keras.Model, ``image`` (B, H, W, C), 0..255 -> ``logits`` (B, H, W, K) or (B, K).

    Returns:
        dict of the functions of ``Target`` for an image, by their names.

    Example:
        >>> from keras_segattn.models import cnn
        >>> sorted(answers_of(cnn((28, 28, 1), num_classes=10)))
        ['attend', 'labels', 'labels_tiled', 'probabilities']
    """
    from ..export.tails import softmax
    from ..zoo.evaluate import labels_of

    def logits(image):
        return _of_one(model, image)

    return {
        "labels": labels_of(model),
        "labels_tiled": lambda image: _labels_tiled(logits, image, model.input_shape[1:3]),
        "probabilities": lambda image: softmax(logits(image)),
        "attend": _grids_of(model),
    }


def _of_one(model, image):
    import numpy as np

    return np.asarray(model.predict_on_batch(image[None].astype("float32")))[0]


def _grids_of(model):
    """Function: image -> where each spatial transformer of a Keras model looks, in the order of their names."""
    from ..models import attention, transformers

    if not transformers(model):
        return lambda image: []
    looks = attention(model)

    def grids(image):
        found = looks.predict_on_batch(image[None].astype("float32"))
        return [found[name][0] for name in sorted(found) if name.endswith("_grid")]

    return grids


def _labels_tiled(scores, image, size):
    from ..export.tiling import tiled_labels

    return tiled_labels(scores, image, size)
