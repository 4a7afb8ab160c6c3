"""An entry of the zoo as a file: its model, its own images as proof and calibration, and what is promised of it."""

import os

PROOF_IMAGES = 64
CALIBRATION_IMAGES = 100  # of the training split, evenly spread


def artifacts(recipe):
    """Every format and precision that an entry is exported in.

    Args:
        recipe: ``Recipe``; what it says cannot work is left out.

    Returns:
        list of (format, precision).

    Example:
        >>> from keras_segattn import zoo
        >>> artifacts(zoo.info("fcn8s_mobilenet_camvid"))[:2]
        [('saved_model', 'float32'), ('tflite', 'float32')]
    """
    from ..export.contract import PRECISIONS

    pairs = [(format, precision) for format, precisions in PRECISIONS.items() for precision in precisions]
    return [pair for pair in pairs if " ".join(pair) not in recipe.impossible]


def export_entry(recipe, output, *, format, precision="float32", tail="labels", data_dir=None):
    """Export an entry with its own data as proof and calibration, or free photographs where they are not there.

    Args:
        recipe: ``Recipe``.
        output: folder.
        format: key of ``export.FORMATS``.
        precision: one of those of the format.
        tail: what the file answers with.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Returns:
        ``ExportReport``.

    Raises:
        DataError: for "mixed" precision, if there is no validation split to choose it on.

    Example:
        >>> export_entry(recipe, "exports", format="onnx")                   # doctest: +SKIP
    """
    import keras

    from .. import __version__, zoo
    from ..export import Metadata, export
    from ..zoo.data import DATASETS, TASKS
    from ..zoo.weights import checksum

    dataset = DATASETS[recipe.dataset]
    metadata = Metadata(
        name=recipe.name,
        task=dataset.task,
        classes=dataset.classes,
        palette=dataset.palette,
        ignore_label=dataset.ignore_label,
        image_size=tuple(recipe.image_size),
        channels=dataset.channels,
        provenance={
            "entry": recipe.name,
            "dataset": dataset.name,
            "terms": dataset.terms,
            "weights_sha256": checksum(f"{recipe.name}.weights.h5"),
            "keras_segattn": __version__,
            "keras": keras.__version__,
        },
    )
    model = zoo.load(recipe.name)
    proof, proof_source = sample_images(recipe, "test", PROOF_IMAGES, data_dir)
    calibration = calibration_source = None
    if precision in ("int8", "mixed"):
        calibration, calibration_source = sample_images(recipe, "train", CALIBRATION_IMAGES, data_dir)
    return export(
        model,
        output,
        metadata,
        format=format,
        precision=precision,
        tail=tail,
        images=proof,
        images_source=proof_source,
        calibration=calibration,
        calibration_source=calibration_source,
        float_layers=recipe.float_layers,
        drop=_drop(recipe, model, data_dir) if precision == "mixed" else None,
        max_drop=TASKS[dataset.task].max_drop,
        operators=recipe.operators.get(format) if (precision, tail) == ("float32", "labels") else None,
    )


def _drop(recipe, model, data_dir):
    """Function: ``Runner`` -> points of its score on the validation split that its file loses against the model."""
    from ..zoo.data import DATASETS, TASKS, data_folder
    from ..zoo.data.builder import open_split
    from ..zoo.evaluate import evaluate, labels_of

    dataset = DATASETS[recipe.dataset]
    examples = list(open_split(dataset, "val", data_folder(data_dir)))

    task = TASKS[dataset.task]

    def score(labels):
        return evaluate(labels, examples, dataset, image_size=recipe.image_size)[task.metric]

    whole = score(labels_of(model))
    return lambda runner: task.direction * (whole - score(runner.labels))


def sample_images(recipe, split, count, data_dir=None):
    """Real images of an entry's size: of its own data where they are there, else free photographs.

    Args:
        recipe: ``Recipe``.
        split: which official split.
        count: how many, evenly spread over the split.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Returns:
        (uint8 (count, H, W, C), where they come from in words).

    Raises:
        DataError: if a data folder was named that does not hold the data.

    Example:
        >>> from keras_segattn import zoo
        >>> sample_images(zoo.info("fcn8s_mobilenet_camvid"), "test", 2)[0].shape
        (2, 360, 480, 3)
    """
    import numpy as np

    from ..export import free_photographs
    from ..images import fit, to_channels
    from ..zoo.data import DATASETS, data_folder

    dataset = DATASETS[recipe.dataset]
    if not data_dir and not os.environ.get("KERAS_SEGATTN_DATA"):
        photographs = free_photographs(count, *recipe.image_size)
        images = np.stack([to_channels(photograph, dataset.channels) for photograph in photographs])
        return images, "crops of the free photographs of scikit-learn"
    from ..zoo.data.builder import open_split

    examples = open_split(dataset, split, data_folder(data_dir))
    chosen = np.linspace(0, len(examples) - 1, min(count, len(examples))).round().astype(int)
    images = [examples[int(index)]["image"] for index in chosen]
    if dataset.task == "segmentation":
        images = [fit(image, *recipe.image_size) for image in images]
    images = np.stack(images)
    return images, f"{dataset.title}, {split} split"
