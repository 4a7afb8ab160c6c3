"""An entry of the zoo as a file: its model, its own images as proof and calibration, and what is promised of it."""

import os

PROOF_INPUTS = 64  # images; sentences and captions are compared on the whole split
CALIBRATION_IMAGES = 100  # of the training split, evenly spread


def artifacts(recipe):
    """Every format and precision that an entry is exported in.

    Args:
        recipe: ``Recipe``; what is impossible of it is left out.

    Returns:
        list of (format, precision).

    Example:
        >>> from keras_segattn import zoo
        >>> artifacts(zoo.info("fcn8s_mobilenet_camvid"))[:2]
        [('saved_model', 'float32'), ('tflite', 'float32')]
    """
    from ..export.contract import PRECISIONS

    pairs = [(format, precision) for format, precisions in PRECISIONS.items() for precision in precisions]
    return [pair for pair in pairs if " ".join(pair) not in impossible(recipe)]


def impossible(recipe):
    """What an entry cannot be exported as, for its own sake or for that of its task.

    Args:
        recipe: ``Recipe``.

    Returns:
        dict: "format precision" -> why.

    Example:
        >>> from keras_segattn import zoo
        >>> sorted(impossible(zoo.info("rnnsearch_multi30k_de_en")))
        ['onnx int8', 'onnx mixed', 'tflite int8', 'tflite mixed']
    """
    from ..export.contract import impossible as of_task
    from ..zoo.data import dataset_of

    return {**of_task(dataset_of(recipe).task), **recipe.impossible}


def export_entry(recipe, output, *, format, precision="float32", tail=None, data_dir=None):
    """Export an entry with its own data as proof and calibration, or free ones where they are not there.

    Args:
        recipe: ``Recipe``.
        output: folder.
        format: key of ``export.FORMATS``.
        precision: one of those of the format.
        tail: what the file answers with; None for ``usual_tail``.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Returns:
        ``ExportReport``.

    Raises:
        DataError: for "mixed" precision, if there is no validation split to choose it on.

    Example:
        >>> export_entry(recipe, "exports", format="onnx")                   # doctest: +SKIP
    """
    from .. import zoo
    from ..export import export, export_writer
    from ..zoo.build import writer
    from ..zoo.data import TASKS, dataset_of
    from ..zoo.weights import checksum

    dataset = dataset_of(recipe)
    weights = checksum(f"{recipe.name}.weights.h5")
    metadata = metadata_of(recipe, entry=recipe.name, dataset=dataset.name, weights_sha256=weights)
    model = zoo.load(recipe.name)
    proof, proof_source = sample_inputs(recipe, "test", PROOF_INPUTS if dataset.classes else None, data_dir)
    usual = usual_tail(dataset)
    tail = usual if tail is None else tail
    operators = recipe.operators.get(format) if (precision, tail) == ("float32", usual) else None
    if not dataset.classes:
        return export_writer(
            writer(model, recipe),
            output,
            metadata,
            format=format,
            precision=precision,
            max_tokens=recipe.max_tokens,
            inputs=proof,
            inputs_source=proof_source,
            operators=operators,
        )
    calibration = calibration_source = None
    if precision in ("int8", "mixed"):
        calibration, calibration_source = sample_inputs(recipe, "train", CALIBRATION_IMAGES, data_dir)
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
        operators=operators,
    )


def metadata_of(recipe, **provenance):
    """The facts that travel inside a file of a recipe's model.

    Args:
        recipe: ``Recipe``.
        **provenance: of that file, beside the terms of the data and the versions.

    Returns:
        ``export.Metadata``.

    Example:
        >>> from keras_segattn import zoo
        >>> metadata_of(zoo.info("cnn_mnist_r"), entry="cnn_mnist_r").channels
        1
    """
    import keras

    from .. import __version__
    from ..export import Metadata
    from ..zoo.data import dataset_of

    dataset = dataset_of(recipe)
    versions = {"keras_segattn": __version__, "keras": keras.__version__}
    return Metadata(
        name=recipe.name,
        task=dataset.task,
        classes=dataset.classes,
        palette=dataset.palette,
        ignore_label=dataset.ignore_label,
        languages=dataset.languages,
        image_size=recipe.image_size and tuple(recipe.image_size),
        channels=dataset.channels,
        provenance={**provenance, "terms": dataset.terms, **versions},
    )


def usual_tail(dataset):
    """What a file answers with where nothing is said: "" for sentences, which have no choice.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> usual_tail(DATASETS["camvid"])
        'labels'
    """
    return "labels" if dataset.classes else ""


def _drop(recipe, model, data_dir):
    """Function: ``Runner`` -> points of its score on the validation split that its file loses against the model."""
    from ..zoo.data import TASKS, data_folder, dataset_of
    from ..zoo.data.builder import open_split
    from ..zoo.evaluate import evaluate, labels_of

    dataset = dataset_of(recipe)
    examples = list(open_split(dataset, "val", data_folder(data_dir)))

    task = TASKS[dataset.task]

    def score(labels):
        return evaluate(labels, examples, dataset, image_size=recipe.image_size)[task.metric]

    whole = score(labels_of(model))
    return lambda runner: task.direction * (whole - score(runner.labels))


def sample_inputs(recipe, split, count, data_dir=None):
    """Real images of an entry's size, or sentences: of its own data where they are there, else free ones.

    Args:
        recipe: ``Recipe``.
        split: which official split.
        count: how many, evenly spread over the split; None for all of it, or ``PROOF_INPUTS`` free ones.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Returns:
        (uint8 (count, H, W, C) or list of str, where they come from in words).

    Raises:
        DataError: if a data folder was named that does not hold the data.

    Example:
        >>> from keras_segattn import zoo
        >>> sample_inputs(zoo.info("fcn8s_mobilenet_camvid"), "test", 2)[0].shape
        (2, 360, 480, 3)
    """
    import numpy as np

    from ..export import free_photographs, free_sentences
    from ..images import fit, to_channels
    from ..zoo.data import data_folder, dataset_of

    dataset = dataset_of(recipe)
    reads_text = recipe.image_size is None
    if not data_dir and not os.environ.get("KERAS_SEGATTN_DATA"):
        count = PROOF_INPUTS if count is None else count
        if reads_text:
            return free_sentences(count, dataset.languages[0]), "free sentences of a grammar of three phrases"
        photographs = free_photographs(count, *recipe.image_size)
        images = np.stack([to_channels(photograph, dataset.channels) for photograph in photographs])
        return images, "crops of the free photographs of scikit-learn"
    from ..zoo.data.builder import open_split

    examples = open_split(dataset, split, data_folder(data_dir))
    count = len(examples) if count is None else min(count, len(examples))
    chosen = np.linspace(0, len(examples) - 1, count).round().astype(int)
    inputs = [examples[int(index)]["source" if reads_text else "image"] for index in chosen]
    if dataset.files and not reads_text:  # photographs; those that are drawn have the size
        inputs = [fit(image, *recipe.image_size) for image in inputs]
    return inputs if reads_text else np.stack(inputs), f"{dataset.title}, {split} split"
