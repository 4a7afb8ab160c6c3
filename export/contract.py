"""The contract: convert, attach the metadata, prove, and only then put the file in its place."""

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import culprits
from .convert import convert
from .lint import lint
from .metadata import attach
from .parity import Parity, check_images, compare
from .runtime import Runner
from .sentence_parity import SentenceParity
from .serving import check
from .tails import TAILS, outputs, task_of

# Suffix of the written file, or of the folder of a SavedModel, by format.
FORMATS = {"saved_model": "_saved_model", "tflite": ".tflite", "onnx": ".onnx"}
PRECISIONS = {
    "saved_model": ("float32",),
    "tflite": ("float32", "float16", "dynamic", "int8", "mixed"),
    "onnx": ("float32", "float16", "int8", "mixed"),
}


# What no model of language can be, "format precision" -> why.
_LOOP = "It writes in a loop"
IMPOSSIBLE_IN_LANGUAGE = {
    **dict.fromkeys(("tflite int8", "tflite mixed"), f"{_LOOP}, and LiteRT dies of a file in which a loop is int8"),
    **dict.fromkeys(("onnx int8", "onnx mixed"), f"{_LOOP}, and onnxruntime makes nothing inside of a loop int8"),
}


def impossible(task):
    """What no model of a task can be exported as.

    Args:
        task: "segmentation", "recognition", "translation" or "captioning".

    Returns:
        dict: "format precision" -> why.

    Example:
        >>> impossible("segmentation"), sorted(impossible("translation"))[:2]
        ({}, ['onnx int8', 'onnx mixed'])
    """
    return IMPOSSIBLE_IN_LANGUAGE if task in ("translation", "captioning") else {}


class LintError(AssertionError):
    """A file that gives the model's answer and is not as it was promised; it is not left behind.

    Example:
        >>> raise LintError("model.onnx: budget: 60 operators, 58 budgeted")
        Traceback (most recent call last):
        keras_segattn.export.contract.LintError: model.onnx: budget: 60 operators, 58 budgeted
    """


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how far it is from the model.

    Args:
        path: of the file, or the folder of a SavedModel.
        format: key of ``FORMATS``.
        precision: key of ``parity.LIMITS``.
        tail: key of ``tails.TAILS``; "" of a model of language.
        size: bytes, of all its files.
        parity: ``Parity``, or ``SentenceParity`` of a model of language.
        inputs: which images or texts it was compared on, in words.
        calibration: which images gave the ranges of int8, in words, or None.
        float_layers: what an int8 or mixed file leaves in float32: name of the layer -> why, in words.
        drop: points of its score that a mixed file lost where it was chosen, or None.
        beside: paths of the files that hold its other functions.
        rewritten: what was changed in the model before, layer by layer, in words.

    Example:
        >>> parity = Parity(inputs=64, worst=0.0, mean=0.0, agreement=1.0)
        >>> ExportReport(Path("m.onnx"), "onnx", "float32", "labels", 10, parity, "scenes").to_dict()["file"]
        'm.onnx'
    """

    path: Path
    format: str
    precision: str
    tail: str
    size: int
    parity: Parity | SentenceParity
    inputs: str
    calibration: str | None = None
    float_layers: dict = field(default_factory=dict)
    drop: float | None = None
    beside: tuple = ()
    rewritten: tuple = ()

    def to_dict(self):
        """As plain data, for JSON.

        Example:
            >>> report.to_dict()["parity"]["agreement"]                      # doctest: +SKIP
            1.0
        """
        return {
            "file": self.path.name,
            "beside": [path.name for path in self.beside],
            "format": self.format,
            "precision": self.precision,
            "tail": self.tail,
            "size": self.size,
            "parity": self.parity.facts(),
            "limits": self.parity.limits(self.precision),
            "inputs": self.inputs,
            "calibration": self.calibration,
            "float_layers": self.float_layers,
            "drop": self.drop,
            "rewritten": list(self.rewritten),
        }


def export(
    model,
    output,
    metadata,
    *,
    format,
    precision="float32",
    tail="labels",
    images,
    images_source,
    calibration=None,
    calibration_source=None,
    float_layers=(),
    drop=None,
    max_drop=culprits.MAX_DROP,
    operators=None,
):
    """Export a model of images, proven or not at all.

    The file is made and run beside its final place and moved there last. If anything fails, what was
    there before is still there, and nothing else.

    Args:
        model: keras.Model, ``image`` (B, H, W, C), 0..255 -> ``logits`` (B, H, W, K) or (B, K); H and W known.
        output: folder to write into.
        metadata: ``Metadata`` of the model; its precision is set here.
        format: key of ``FORMATS``.
        precision: one of ``PRECISIONS`` of the format.
        tail: key of ``tails.TAILS``: what ``segment`` or ``classify`` answers with.
        images: uint8 (N, H, W, C), at least 64 real images to prove the file on.
        images_source: where they come from, in words, for the report.
        calibration: uint8 (M, H, W, C), training images that int8 takes its ranges from.
        calibration_source: where those come from, in words.
        float_layers: names of the layers that int8 leaves in float32; mixed finds its own.
        drop: for mixed, function: ``Runner`` -> points of its score that its file loses against the model.
        max_drop: the most that a mixed file may lose, in those points.
        operators: how many operators the file may hold, in all of its functions; None for any number.

    Returns:
        ``ExportReport``.

    Raises:
        ValueError: if an argument does not fit.
        ConversionError: if the converter fails.
        ParityError: if the file does not give the model's answer.
        LintError: if it breaks a rule of ``segattn lint``.
        QuantizationError: if mixed precision loses too much with half of the layers in float32.

    Example:
        >>> report = export(model, "exports", metadata, format="onnx",
        ...                 images=scenes, images_source="my street")        # doctest: +SKIP
    """
    check(model)
    check_kind(format, precision, tail, task_of(model))
    _describes(metadata, model)
    check_images(images, model)
    quantized = precision in ("int8", "mixed")
    if quantized:
        check_images(calibration, model, name="calibration", at_least=1)
    if precision == "mixed" and drop is None:
        raise ValueError("drop: expected a function that measures a file, for mixed precision. Received: None")
    final = Path(output) / file_name(metadata.name, format, precision, tail)
    facts = replace(metadata, precision=precision, tail=tail, signatures=outputs(model, tail))
    with unproven(final) as (made,):
        kept, lost = dict.fromkeys(float_layers if precision == "int8" else (), "asked for"), None
        convert(
            model,
            made,
            format=format,
            precision="float32" if precision == "mixed" else precision,
            tail=tail,
            calibration=calibration if precision == "int8" else None,
            float_layers=tuple(kept),
        )
        if precision == "mixed":
            kept, lost = _mix(made, calibration, facts, drop, max_drop)
        promised = {"operators": operators, "float_layers": list(kept)}
        facts = replace(facts, provenance={**facts.provenance, **promised})
        attach(made, facts)
        parity = compare(model, made, images, precision, tail)
        hold_to_rules(made, kept, operators)
    used = calibration_source if quantized else None
    return ExportReport(final, format, precision, tail, size_of(final), parity, images_source, used, kept, lost)


@contextlib.contextmanager
def unproven(*finals):
    """Places for files that are not proven yet, beside those they move to when the block ends without an error.

    Args:
        *finals: paths in one folder, which is made.

    Yields:
        list of paths, which are gone after the block.

    Example:
        >>> with unproven(Path("proven.txt")) as (made,):
        ...     made.write_text("right")
        5
        >>> Path("proven.txt").read_text()
        'right'
    """
    finals[0].parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=finals[0].parent, prefix=".unproven-") as folder:
        made = [Path(folder) / final.name for final in finals]
        yield made
        for file, final in zip(made, finals, strict=True):
            if final.is_dir():  # it cannot be replaced in one step; what is moved here goes with the folder
                os.replace(final, Path(folder) / "before")
            os.replace(file, final)


def size_of(path):
    """Bytes of a file, or of all files in a folder.

    Example:
        >>> Path("five.txt").write_text("12345"), size_of(Path("five.txt"))
        (5, 5)
    """
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")))


def check_kind(format, precision, tail="labels", task="segmentation"):
    """Raise ValueError unless a format has a precision and a tail, for a task.

    Example:
        >>> check_kind("onnx", "dynamic", "labels")
        Traceback (most recent call last):
        ValueError: precision: expected one of float32, float16, int8, mixed for onnx. Received: 'dynamic'
    """
    if format not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}. Received: {format!r}")
    known = [name for name in PRECISIONS[format] if f"{format} {name}" not in impossible(task)]
    if precision not in known:
        reason = impossible(task).get(f"{format} {precision}", "")
        raise ValueError(
            f"precision: expected one of {', '.join(known)} for {format}. Received: {precision!r}"
            + (f". {reason}" if reason else "")
        )
    tails = [
        name for name, one in TAILS.items() if task in one.tasks and (one.formats is None or format in one.formats)
    ] or [""]  # a model of language has no choice
    if tail not in tails:
        known = ", ".join(tails) or "none"
        raise ValueError(f"tail: expected one of {known} for {format} and {task}. Received: {tail!r}")


RANKING_IMAGES = {"segmentation": 6, "recognition": 100}  # of the calibration, which tell the layers apart


def _mix(path, calibration, metadata, drop, max_drop):
    """Make a float32 file mixed, in its place: the layers that stay float32, with the reasons, and what it loses."""
    if path.suffix == ".onnx":
        from .onnx_quantize import Int8Onnx

        int8 = Int8Onnx(path, calibration)
    else:
        from .quantize import Int8

        int8 = Int8(path, calibration, list(metadata.signatures))
    count = RANKING_IMAGES[metadata.task]
    images = calibration[:: max(1, len(calibration) // count)][:count]
    ranking = culprits.culprits(int8, images)

    def lost(file):
        measured = file.with_stem(f"{file.stem}_measured")
        shutil.copy(file, measured)
        attach(measured, metadata)
        return drop(Runner(measured))

    mixed = culprits.mix(int8, path, ranking, lost, limit=max_drop)
    return {culprit.layer: f"alone in int8 it changes {culprit}" for culprit in mixed.kept}, mixed.drop


def hold_to_rules(path, float_layers=(), operators=None, but=()):
    """Raise LintError if a file breaks a rule of ``segattn lint``; a SavedModel has none.

    Args:
        path: of the file or the folder.
        float_layers: names of the layers that an int8 file leaves in float32.
        operators: how many operators it may hold, or None.
        but: names of rules that it may break.

    Example:
        >>> hold_to_rules(Path("model.tflite"), operators=60)                # doctest: +SKIP
    """
    if path.is_dir():
        return
    found = lint(path, float_layers=tuple(float_layers), budget=operators)
    findings = [finding for finding in found if finding.rule not in but]
    if findings:
        first = findings[0]
        raise LintError(f"{path.name}: {first.rule}: {first.what} {first.remedy} ({len(findings)} findings)")


def file_name(name, format, precision="float32", tail="labels"):
    """What an exported file is called.

    Example:
        >>> file_name("fcn", "tflite", "int8"), file_name("fcn", "onnx", tail="logits"), file_name("fcn", "saved_model")
        ('fcn_int8.tflite', 'fcn_float32_logits.onnx', 'fcn_saved_model')
    """
    of_precision = "" if format == "saved_model" else f"_{precision}"
    of_tail = "" if tail in ("", "labels") else f"_{tail.replace('-', '_')}"
    return f"{name}{of_precision}{of_tail}{FORMATS[format]}"


def _describes(metadata, model):
    """Raise ValueError unless the metadata are of a model of this task, size and number of classes."""
    said = (metadata.task, *metadata.image_size, metadata.channels, len(metadata.classes))
    found = (task_of(model), *model.input_shape[1:], model.output_shape[-1])
    if said != found:
        raise ValueError(f"metadata: expected task, H, W, C and K of the model, {found}. Received: {said}")
