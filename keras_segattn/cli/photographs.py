"""The photographs that a file is proven on and calibrated with: of a folder, and free ones where those are too few."""

from pathlib import Path

import click

from .entry import CALIBRATION_IMAGES, PROOF_INPUTS


def photographs(metadata, folder):
    """Photographs to prove a file on, and to calibrate it with.

    Args:
        metadata: ``export.Metadata``, for the size and the channels.
        folder: of photographs or of data of one's own; None for free ones.

    Returns:
        (uint8 (N, H, W, C) as proof, the same for calibration, where the first come from in words, and the others).

    Raises:
        click.UsageError: if there is no such folder, or no photograph in it.

    Example:
        >>> from keras_segattn.export import Metadata
        >>> about = Metadata(name="grey", task="recognition", classes=("a", "b"), image_size=(8, 12), channels=1)
        >>> photographs(about, None)[0].shape
        (64, 8, 12, 1)
    """
    import numpy as np

    from ..export import free_photographs
    from ..images import fit, read_image, to_channels

    if folder and not Path(folder).is_dir():
        raise click.UsageError(f"--images: expected a folder of photographs. Received: {folder}")
    proof, calibration = _files(Path(folder)) if folder else ([], [])
    few = [fit(read_image(path), *metadata.image_size) for path in _some(calibration, CALIBRATION_IMAGES)]
    found = [fit(read_image(path), *metadata.image_size) for path in _some(proof, PROOF_INPUTS)]
    if folder and not found:
        raise click.UsageError(f"--images: expected photographs, such as .jpg or .png. There are none in {folder}")
    source = calibrated_on = f"the photographs of {Path(folder).resolve().name}" if found else ""
    if len(found) < PROOF_INPUTS:
        free = "crops of the free photographs of scikit-learn"
        source = f"{source} and {free}" if found else free
        found += list(free_photographs(PROOF_INPUTS - len(found), *metadata.image_size))
    proof, calibration = (
        np.stack([to_channels(image, metadata.channels) for image in images]) for images in (found, few or found)
    )
    return proof, calibration, source, calibrated_on if few else source


def _files(folder):
    """Photographs to prove a file on, and to calibrate it with: of data first those of test, and of train; else all."""
    from ..zoo.data import DataError, dataset_named
    from ..zoo.data.own.layouts import IMAGES, may_be_masks

    try:
        dataset = dataset_named(str(folder.resolve()))
        test, val, train = ([row[1] for row in dataset.files(None, split)] for split in ("test", "val", "train"))
        return test if len(test) >= PROOF_INPUTS else [*test, *val, *train][:PROOF_INPUTS], train
    except DataError:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES and path.name[0] != ".")
        files = [path for path in files if not any(map(may_be_masks, path.relative_to(folder).parts[:-1]))] or files
        return files, files


def _some(files, count):
    """Some of them, evenly spread."""
    import numpy as np

    return [files[int(index)] for index in np.linspace(0, len(files) - 1, min(count, len(files))).round()]
