"""A .keras file, of a training on data of one's own or of anybody's: opened, described and exported."""

import contextlib
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from .entry import PROOF_INPUTS
from .photographs import photographs


def is_keras(name, **options):
    """Whether a target is a .keras file, and not the name of an entry.

    Args:
        name: of the target.
        **options: what was given for a .keras file alone, by the names of the options.

    Raises:
        click.UsageError: if one of them is beside the name of an entry.

    Example:
        >>> is_keras("runs/holiday/model.keras", images="holiday"), is_keras("fcn8s_mobilenet_camvid", images=None)
        (True, False)
    """
    if str(name).endswith(".keras"):
        return True
    for option, value in options.items():
        if value:
            raise click.UsageError(f"--{option}: expected a .keras file beside it. Received: {name}")
    return False


class NoScores(click.UsageError):
    """A model that is no scorer of one image, and so has no label to answer with.

    Example:
        >>> raise NoScores("model.keras: expected unnormalised scores of two classes or more. Received: 1 of them")
        Traceback (most recent call last):
        keras_segattn.cli.keras_file.NoScores: model.keras: expected unnormalised scores of two classes or more. \
Received: 1 of them
    """


def load_keras(path):
    """Any .keras file.

    Args:
        path: of the file.

    Returns:
        keras.Model.

    Raises:
        click.UsageError: if there is none, or Keras cannot load it.

    Example:
        >>> load_keras("model.keras").name                                   # doctest: +SKIP
        'mine'
    """
    import keras

    from .. import layers, losses, metrics, models  # noqa: F401, so that Keras knows them by their names
    from ..export.process import first_line

    if not Path(path).is_file():
        raise click.UsageError(f"{path}: expected a .keras file. There is none")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises nearly anything on a file that is none
        raise click.UsageError(f"{path}: expected a model of Keras. {first_line(error)}") from error


def open_keras(path):
    """A .keras file and what is known of it.

    Args:
        path: of the file; one that ``segattn train --data`` wrote says what its classes are.

    Returns:
        (keras.Model, ``export.Metadata``).

    Raises:
        click.UsageError: if it cannot be loaded.
        NoScores: if it is no model of images: one image, 0..255, in, an unnormalised score of each class out.

    Example:
        >>> model, metadata = open_keras("runs/holiday/model.keras")         # doctest: +SKIP
        >>> metadata.classes                                                 # doctest: +SKIP
        ('background', 'object')
    """
    model = load_keras(path)
    return model, described(model, Path(path))


def described(model, path):
    """What is known of a model.

    Args:
        model: keras.Model.
        path: pathlib.Path of the file that it was loaded from.

    Returns:
        ``export.Metadata``.

    Raises:
        NoScores: see ``open_keras``.

    Example:
        >>> import keras
        >>> described(keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)]), Path("two.keras")).task
        'segmentation'
    """
    from ..export import Metadata
    from ..export.metadata import read_archive
    from ..export.serving import are_scores
    from ..zoo.data.own.masks import palette

    metadata = read_archive(path) if path.is_file() else None
    if metadata is not None:
        return metadata
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    shapes, answers = ([tuple(x.shape) for x in several] for several in (inputs, outputs))
    named = isinstance(getattr(model, "output", None), dict)
    if named or len(shapes) != 1 or len(answers) != 1 or len(shapes[0]) != 4 or len(answers[0]) not in (2, 4):
        received = f"{shapes} -> {answers}"
        raise NoScores(f"{path}: expected image (B, H, W, C) -> (B, H, W, K) or (B, K). Received: {received}")
    (_, height, width, channels), (*_, classes) = shapes[0], answers[0]
    if None in (height, width):
        raise NoScores(f"{path}: expected a model whose H and W are known. Received: {shapes[0]}")
    if not are_scores(shapes[0], answers[0]):
        received = f"{shapes[0]} -> {answers[0]}"
        raise NoScores(f"{path}: expected C <= 3, K <= 256, and scores as large as the image. Received: {received}")
    what = "probabilities" if classes > 1 and _are_probabilities(model) else f"{classes} of them"
    if classes < 2 or what == "probabilities":
        raise NoScores(
            f"{path}: expected unnormalised scores of two classes or more. Received: {what}; take the softmax or "
            "sigmoid away, or use keras_segattn.export.export_model"
        )
    task = "segmentation" if len(outputs[0].shape) == 4 else "recognition"
    return Metadata(
        name=path.stem,
        task=task,
        classes=tuple(f"class {index}" for index in range(classes)),
        palette=palette(classes) if task == "segmentation" else (),
        image_size=(height, width),
        channels=channels,
        provenance={"file": path.name},
    )


def _are_probabilities(model):
    """Whether a model gives numbers of 0..1 that sum to 1, or its last layer is a sigmoid."""
    import numpy as np

    if getattr(getattr(model.layers[-1], "activation", None), "__name__", "") == "sigmoid":
        return True
    noise = np.random.default_rng(0).integers(0, 256, (2, *model.input_shape[1:])).astype("float32")
    answer = np.asarray(model.predict_on_batch(noise))
    return answer.min() >= 0 and np.allclose(answer.sum(-1), 1, atol=1e-3)


def export_keras(path, output, *, format, precision="float32", tail=None, images=None, rewrite=False, samples=None):
    """Export a .keras file with photographs, or samples of what it takes, as proof and calibration.

    Args:
        path: of the file.
        output: folder.
        format: key of ``export.FORMATS``.
        precision: one of those of the format.
        tail: what the file answers with; None for its labels.
        images: folder of photographs; None for the data that it was trained on where they are there, else free ones.
        rewrite: whether layers that the formats have no operator for become others, see ``export.rewrite``.
        samples: .npz or .npy file of what the model takes, which is then exported as the function that it is, as is any
            model without scores of classes; see ``any_keras``.

    Returns:
        (``ExportReport``, ``Metadata``, str: SHA-256 of the .keras file).

    Example:
        >>> export_keras("runs/holiday/model.keras", "exports", format="tflite")  # doctest: +SKIP
    """
    from .. import __version__
    from ..export import export
    from ..export.calls import interface_of
    from ..export.rewrite import rewrite as rewritten
    from .any_keras import export_any

    model = load_keras(path)
    try:
        metadata = None if samples else described(model, Path(path))
    except NoScores:
        metadata = None
    if tail and (metadata is None or metadata.writing):
        raise click.UsageError(f"--tail: expected none of {path}, which answers with no labels. Received: {tail}")
    if metadata is None:
        how = {"format": format, "precision": precision, "images": images, "samples": samples, "rewrite": rewrite}
        return (*export_any(path, model, output, **how), _sha256(path))
    if metadata.writing:
        if rewrite:
            raise click.UsageError(f"--rewrite: expected a model of no language. {path} is one of {metadata.task}")
        return _export_sentences(path, model, metadata, output, format, precision, images)
    if precision == "mixed":
        raise click.UsageError("--precision: expected another one than mixed, which is chosen by an entry's own scores")
    weights = _sha256(path)
    facts = {"weights_sha256": weights, "keras_segattn": __version__}
    proof, calibration, source, calibrated_on = photographs(metadata, images or data_of_run(path))
    changes = ()
    if rewrite:
        model, changes = rewritten(model, *interface_of(model, proof))
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
        calibration_source=calibrated_on if precision == "int8" else None,
    )
    return replace(report, rewritten=changes), metadata, weights


def _export_sentences(path, model, metadata, output, format, precision, folder):
    from .. import __version__
    from ..export import export_writer

    weights, writing = _sha256(path), metadata.writing
    if metadata.task == "translation":
        inputs, source = _texts(writing, folder or data_of_run(path))
    else:
        inputs, _, source, _ = photographs(metadata, folder or data_of_run(path))
    report = export_writer(
        writer_of(model, writing),
        output,
        replace(metadata, provenance={**metadata.provenance, "weights_sha256": weights, "keras_segattn": __version__}),
        format=format,
        precision=precision,
        max_tokens=writing.max_tokens,
        inputs=inputs,
        inputs_source=source,
    )
    return report, metadata, weights


def writer_of(model, writing):
    """The search over a model of language that was opened.

    Args:
        model: keras.Model.
        writing: ``export.metadata.Writing``.

    Returns:
        ``models.Writer``.

    Example:
        >>> model, metadata = open_keras("runs/letters/model.keras")         # doctest: +SKIP
        >>> writer_of(model, metadata.writing).write(["a letter"])           # doctest: +SKIP
    """
    from ..models import Writer

    how = {name: getattr(writing, name) for name in ("beams", "max_length", "length_power")}
    return Writer(model, **how)


def _texts(writing, folder):
    """(sentences to prove a file on, where they come from in words): those that training has not seen come first."""
    from ..vocabulary import Vocabulary
    from ..zoo.data import dataset_named

    if folder is None:
        raise click.UsageError("--images: expected the folder of sentences that it learned. That is not where it was")
    dataset = dataset_named(str(Path(folder).resolve()))
    texts = [source for split in ("test", "val", "train") for _, source, _ in dataset.files(None, split)]
    read = Vocabulary(writing.vocabularies["source"])
    fit = [text for text in dict.fromkeys(texts) if 1 <= len(read.encode(text)) <= writing.max_tokens]
    return fit[:PROOF_INPUTS], f"the sentences of {dataset.title}"


def _sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def exported_keras(path, output, format, precision="float32", tail="labels", images=None):
    """What report.json says of an exported file, which is made and proven if it is not there yet.

    Args:
        path: of the .keras file.
        output: folder of the exported files.
        format: key of ``export.FORMATS``.
        precision: one of those of the format.
        tail: what the file answers with; "" of one that writes sentences.
        images: see ``export_keras``.

    Returns:
        dict, see ``report.write_report``.

    Example:
        >>> exported_keras("runs/holiday/model.keras", "exports", "onnx")["file"]  # doctest: +SKIP
        'fcn8s_holiday_float32.onnx'
    """
    from .benchmark import in_report
    from .report import write_report

    wanted = {"format": format, "precision": precision, "tail": tail, "weights": _sha256(path)}
    for facts in in_report(output, wanted):
        return facts
    how = {"format": format, "precision": precision, "tail": tail or None, "images": images}
    report, metadata, weights = export_keras(path, output, **how)
    return write_report(output, metadata.name, report, metadata, weights)


@contextlib.contextmanager
def converted(path, format):
    """What a .keras file is converted to, to be looked at: nothing has proven it, and it is gone after the block.

    Args:
        path: of the .keras file.
        format: "tflite" or "onnx".

    Yields:
        path of a float32 file of that format.

    Example:
        >>> with converted("runs/holiday/model.keras", "onnx") as made:      # doctest: +SKIP
        ...     lint(made)
        ()
    """
    from ..export.contract import file_name
    from ..export.convert import convert
    from ..export.metadata import attach
    from ..export.serving import check
    from ..export.tails import outputs
    from .any_keras import function_of

    model, interface = load_keras(path), None
    try:
        metadata = described(model, Path(path))
    except NoScores:
        metadata, interface = function_of(path, model)
    else:
        if not metadata.writing:
            check(model)
            metadata = replace(metadata, signatures=outputs(model, "labels"))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / file_name(metadata.name, format)
        if metadata.writing:
            made, metadata = _convert_sentences(model, metadata, made, format)
        else:
            convert(model, made, format=format, interface=interface)
        attach(made, metadata)
        yield made


def _convert_sentences(model, metadata, path, format):
    """(path of the file that generates sentences, its metadata)."""
    from ..export.sentences import convert_writer
    from ..export.sentences import described as described_with

    writer, most = writer_of(model, metadata.writing), metadata.writing.max_tokens
    files = convert_writer(writer, path, format=format, max_tokens=most)
    facts, made = described_with(writer, metadata, "float32", most), files["generate"]
    return made, replace(facts, signatures={name: facts.signatures[name] for name in files if files[name] == made})


def first_input(path, images=None):
    """The first photograph or text that an exported file of a .keras file is proven on.

    Args:
        path: of the .keras file.
        images: see ``export_keras``.

    Returns:
        uint8 (H, W, C), of the model's size, or str.

    Example:
        >>> first_input("runs/holiday/model.keras").shape               # doctest: +SKIP
        (256, 352, 3)
    """
    _, metadata = open_keras(path)
    folder = images or data_of_run(path)
    if metadata.task == "translation":
        return _texts(metadata.writing, folder)[0][0]
    return photographs(metadata, folder)[0][0]


def data_of_run(path):
    """The folder that a .keras file of ``segattn train --data`` learned, by the recipe beside it; None if it is gone.

    Example:
        >>> data_of_run("model.keras")
    """
    from ..zoo.recipe import read_recipe

    try:
        folder = read_recipe(Path(path).parent).dataset
    except ValueError:
        return None
    return folder if Path(folder).is_absolute() and Path(folder).is_dir() else None  # else one of the zoo
