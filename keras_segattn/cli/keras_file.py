"""A .keras file, of a training on data of one's own or of anybody's: opened, described and exported."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import click

from .entry import CALIBRATION_IMAGES, PROOF_INPUTS


def open_keras(path):
    """A .keras file and what is known of it.

    Args:
        path: of the file; one that ``segattn train --data`` wrote says what its classes are.

    Returns:
        (keras.Model, ``export.Metadata``).

    Raises:
        click.UsageError: if it cannot be loaded, or is no model of images: one image, 0..255, in, an unnormalised score
            of each class out.

    Example:
        >>> model, metadata = open_keras("runs/holiday/model.keras")         # doctest: +SKIP
        >>> metadata.classes                                                 # doctest: +SKIP
        ('background', 'object')
    """
    import keras

    from .. import layers, losses, metrics, models  # noqa: F401, so that Keras knows them by their names
    from ..export import Metadata
    from ..export.metadata import read_archive
    from ..export.process import first_line
    from ..zoo.data.own.masks import palette

    path = Path(path)
    if not path.is_file():
        raise click.UsageError(f"{path}: expected a .keras file. There is none")
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises nearly anything on a file that is none
        raise click.UsageError(f"{path}: expected a model of Keras. {first_line(error)}") from error
    metadata = read_archive(path)
    if metadata is not None:
        return model, metadata
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4 or len(outputs[0].shape) not in (2, 4):
        shapes = f"{[tuple(x.shape) for x in inputs]} -> {[tuple(x.shape) for x in outputs]}"
        raise click.UsageError(f"{path}: expected image (B, H, W, C) -> (B, H, W, K) or (B, K). Received: {shapes}")
    (_, height, width, channels), classes = inputs[0].shape, outputs[0].shape[-1]
    last = getattr(getattr(model.layers[-1], "activation", None), "__name__", "linear")
    if classes < 2 or last in ("softmax", "sigmoid"):
        raise click.UsageError(
            f"{path}: expected unnormalised scores of two classes or more. Received: {classes}, of a layer with "
            f"activation {last}; take it from the last layer, or use keras_segattn.export.export_model"
        )
    if None in (height, width):
        raise click.UsageError(f"{path}: expected a model whose H and W are known. Received: {tuple(inputs[0].shape)}")
    task = "segmentation" if len(outputs[0].shape) == 4 else "recognition"
    return model, Metadata(
        name=path.stem,
        task=task,
        classes=tuple(f"class {index}" for index in range(classes)),
        palette=palette(classes) if task == "segmentation" else (),
        image_size=(height, width),
        channels=channels,
        provenance={"file": path.name},
    )


def export_keras(path, output, *, format, precision="float32", tail=None, images=None):
    """Export a .keras file with photographs as proof and calibration.

    Args:
        path: of the file.
        output: folder.
        format: key of ``export.FORMATS``.
        precision: one of those of the format.
        tail: what the file answers with; None for its labels.
        images: folder of photographs; None for the data that it was trained on where they are there, else free ones.

    Returns:
        (``ExportReport``, ``Metadata``, str: SHA-256 of the .keras file).

    Example:
        >>> export_keras("runs/holiday/model.keras", "exports", format="tflite")  # doctest: +SKIP
    """
    from .. import __version__
    from ..export import export

    model, metadata = open_keras(path)
    weights = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    facts = {"weights_sha256": weights, "keras_segattn": __version__}
    proof, calibration, source = _photographs(metadata, images or data_of_run(path))
    if precision == "mixed":
        raise click.UsageError("--precision: expected another one than mixed, which is chosen by an entry's own scores")
    report = export(
        model,
        output,
        replace(metadata, provenance={**metadata.provenance, **facts}),
        format=format,
        precision=precision,
        tail=tail or "labels",
        images=proof,
        images_source=source,
        calibration=calibration if precision == "int8" else None,
        calibration_source=source if precision == "int8" else None,
    )
    return report, metadata, weights


def data_of_run(path):
    """The folder that a .keras file of ``segattn train --data`` learned, by the recipe beside it; None if it is gone.

    Example:
        >>> data_of_run("model.keras")
    """
    try:
        folder = json.loads(Path(path).with_name("recipe.json").read_text())["dataset"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return folder if Path(folder).is_dir() else None


def _photographs(metadata, folder):
    """(proof, calibration, where they come from in words)."""
    import numpy as np

    from ..export import free_photographs
    from ..images import fit, read_image, to_channels

    if folder and not Path(folder).is_dir():
        raise click.UsageError(f"--images: expected a folder of photographs. Received: {folder}")
    proof, calibration = _files(Path(folder)) if folder else ([], [])
    few = [fit(read_image(path), *metadata.image_size) for path in _some(calibration, CALIBRATION_IMAGES)]
    found = [fit(read_image(path), *metadata.image_size) for path in _some(proof, PROOF_INPUTS)]
    source = f"the photographs of {Path(folder).resolve().name}" if found else ""
    if len(found) < PROOF_INPUTS:
        free = "crops of the free photographs of scikit-learn"
        source = f"{source} and {free}" if found else free
        found += list(free_photographs(PROOF_INPUTS - len(found), *metadata.image_size))
    proof, calibration = (
        np.stack([to_channels(image, metadata.channels) for image in images]) for images in (found, few or found)
    )
    return proof, calibration, source


def _files(folder):
    """Photographs to prove a file on, and to calibrate it with: of data those of test and train, else all."""
    from ..zoo.data import DataError, dataset_named
    from ..zoo.data.own.layouts import IMAGES

    try:
        dataset = dataset_named(str(folder))
        return [[row[1] for row in dataset.files(None, split)] for split in ("test", "train")]
    except DataError:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES and path.name[0] != ".")
        return files, files


def _some(files, count):
    """Some of them, evenly spread."""
    import numpy as np

    return [files[int(index)] for index in np.linspace(0, len(files) - 1, min(count, len(files))).round()]
