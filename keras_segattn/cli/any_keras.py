"""A .keras file whose answer is no label: exported as the function that it is, whatever it takes and gives."""

import zipfile
from pathlib import Path

import click

from .photographs import photographs


def export_any(path, model, output, *, format, precision, images, samples, rewrite):
    """Export a .keras file as one function, ``call``.

    Args:
        path: of the file.
        model: keras.Model that it holds.
        output: folder.
        format: key of ``export.FORMATS``.
        precision: one of those of the format.
        images: folder of photographs, for a model that looks at one image of known size; or None.
        samples: .npz file with an array (N, ...) of each input, by its name, or .npy of the only one; None for
            photographs.
        rewrite: see ``export.export_model``.

    Returns:
        (``ExportReport``, ``export.Metadata``).

    Raises:
        click.UsageError: if there are no samples, or they are not what the model takes.

    Example:
        >>> export_any("model.keras", model, "exports", format="onnx", precision="float32", images=None,
        ...            samples="samples.npz", rewrite=False)                 # doctest: +SKIP
    """
    from ..export import Metadata, export_model
    from .report import FUNCTION

    name = Path(path).stem
    if samples:
        given, source = _read(samples, model), Path(samples).name
    else:
        given, source = _photographs(model, images)
    try:
        report = export_model(
            model,
            output,
            samples=given,
            samples_source=source,
            name=name,
            format=format,
            precision=precision,
            rewrite=rewrite,
        )
    except ValueError as error:
        raise click.UsageError(f"{path}: {error}") from error
    return report, Metadata(name=name, task=FUNCTION, tail="", precision=precision)


def function_of(path, model):
    """What the file of a model has that no samples have shown: its one function, of a batch of one.

    Args:
        path: of the .keras file.
        model: keras.Model that it holds.

    Returns:
        (``export.Metadata``, ``export.calls.Interface``).

    Raises:
        click.UsageError: if the model does not say which sizes it takes.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2, name="y")])
        >>> function_of("mine.keras", model)[0].signatures
        {'call': ('y',)}
    """
    import keras
    import numpy as np

    from ..export import Metadata
    from ..export.calls import CALL, interface_of
    from .report import FUNCTION

    inputs = _inputs(model)
    if not inputs or any(None in one.shape[1:] for one in inputs):
        raise click.UsageError(f"{path}: expected a model of inputs of known sizes. Received: {_wanted(model)}")
    given = getattr(model, "input", inputs[0])  # a Sequential has inputs alone
    samples = keras.tree.map_structure(lambda one: np.zeros((1, *one.shape[1:]), one.dtype), given)
    interface, _ = interface_of(model, samples)
    return Metadata(name=Path(path).stem, task=FUNCTION, tail="", signatures={CALL: interface.outputs}), interface


def _read(path, model):
    """The samples of a file, in the structure in which the model takes its inputs."""
    import numpy as np

    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise click.UsageError(f"--samples: expected a .npz or .npy file of numpy. {error}") from error
    if isinstance(found, np.ndarray):
        return found
    with found:
        arrays = dict(found)
    if isinstance(getattr(model, "input", None), dict):
        return arrays
    names = [one.name for one in _inputs(model)]
    if len(arrays) == 1 and len(names) < 2:
        return next(iter(arrays.values()))
    if set(arrays) != set(names):
        raise click.UsageError(f"--samples: expected an array of each of {_wanted(model)}. Received: {list(arrays)}")
    return [arrays[name] for name in names]


def _photographs(model, folder):
    """(float32 (N, H, W, C), 0..255; where they come from in words)."""
    from ..export import Metadata

    inputs = _inputs(model)
    shape = tuple(inputs[0].shape) if len(inputs) == 1 else ()
    if len(shape) != 4 or None in shape[1:] or shape[3] not in (1, 3):
        expected = f"an array of at least 8 samples of each of {_wanted(model)}"
        raise click.UsageError(f"--samples: expected a .npz file beside this model: {expected}. Received: none")
    size = Metadata(name="any", task="function", image_size=shape[1:3], channels=shape[3])
    proof, _, source, _ = photographs(size, folder)
    return proof.astype("float32"), source


def _inputs(model):
    return getattr(model, "inputs", None) or []


def _wanted(model):
    """The inputs of a model, in words."""
    told = [f"{one.name} {one.dtype} {('N', *one.shape[1:])}".replace("'", "") for one in _inputs(model)]
    return ", ".join(told) or "its inputs"
