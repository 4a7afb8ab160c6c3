"""The contract: convert, attach the metadata, prove, and only then put the file in its place."""

import os
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .convert import convert
from .metadata import attach
from .parity import LIMITS, Parity, check_images, compare
from .quantize import PRECISIONS
from .serving import check

# Suffix of the written file, or of the folder of a SavedModel, by format.
FORMATS = {"saved_model": "_saved_model", "tflite": ".tflite", "onnx": ".onnx"}


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how far it is from the model.

    Args:
        path: of the file, or the folder of a SavedModel.
        format: key of ``FORMATS``.
        precision: key of ``parity.LIMITS``.
        size: bytes.
        parity: ``Parity``.
        images: which images it was compared on, in words.
        calibration: which images gave the ranges of int8, in words, or None.

    Example:
        >>> parity = Parity(images=32, worst=0.0, mean=0.0, agreement=1.0)
        >>> ExportReport(Path("m.onnx"), "onnx", "float32", 10, parity, "scenes").to_dict()["file"]
        'm.onnx'
    """

    path: Path
    format: str
    precision: str
    size: int
    parity: Parity
    images: str
    calibration: str | None = None

    def to_dict(self):
        """As plain data, for JSON.

        Example:
            >>> report.to_dict()["parity"]["agreement"]                      # doctest: +SKIP
            1.0
        """
        worst, agreement = LIMITS[self.precision]
        return {
            "file": self.path.name,
            "format": self.format,
            "precision": self.precision,
            "size": self.size,
            "parity": asdict(self.parity),
            "limits": {"worst": worst, "agreement": agreement},
            "images": self.images,
            "calibration": self.calibration,
        }


def export(
    model,
    output,
    metadata,
    *,
    format,
    precision="float32",
    images,
    images_source,
    calibration=None,
    calibration_source=None,
    float_layers=(),
):
    """Export a segmentation model, proven or not at all.

    The file is made and run beside its final place and moved there last. If anything fails, what was
    there before is still there, and nothing else.

    Args:
        model: keras.Model, ``image`` (B, H, W, 3), RGB 0..255 -> ``logits`` (B, H, W, K); H and W known.
        output: folder to write into.
        metadata: ``Metadata`` of the model; its precision is set here.
        format: key of ``FORMATS``.
        precision: "float32"; for tflite also "float16", "dynamic" or "int8".
        images: uint8 (N, H, W, 3), at least 32 real images to prove the file on.
        images_source: where they come from, in words, for the report.
        calibration: uint8 (M, H, W, 3), training images that int8 takes its ranges from.
        calibration_source: where those come from, in words.
        float_layers: names of the layers that int8 leaves in float32.

    Returns:
        ``ExportReport``.

    Raises:
        ValueError: if an argument does not fit.
        ConversionError: if the converter fails.
        ParityError: if the file does not give the model's answer.

    Example:
        >>> report = export(model, "exports", metadata, format="onnx",
        ...                 images=scenes, images_source="my street")        # doctest: +SKIP
    """
    if format not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}. Received: {format!r}")
    precisions = PRECISIONS if format == "tflite" else PRECISIONS[:1]
    if precision not in precisions:
        raise ValueError(f"precision: expected one of {', '.join(precisions)} for {format}. Received: {precision!r}")
    check(model)
    _describes(metadata, model)
    check_images(images, model)
    if precision == "int8":
        check_images(calibration, model, name="calibration", at_least=1)
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    part = f"_{precision}" if format == "tflite" else ""
    final = output / f"{metadata.name}{part}{FORMATS[format]}"
    with tempfile.TemporaryDirectory(dir=output, prefix=".unproven-") as folder:
        made = Path(folder) / final.name
        convert(
            model, made, format=format, precision=precision, calibration=calibration, float_layers=float_layers
        )
        attach(made, replace(metadata, precision=precision))
        parity = compare(model, made, images, precision)
        size = sum(file.stat().st_size for file in ([made] if made.is_file() else made.rglob("*")))
        if final.is_dir():  # it cannot be replaced in one step; what is moved here goes with the folder
            os.replace(final, Path(folder) / "before")
        os.replace(made, final)
    used = calibration_source if precision == "int8" else None
    return ExportReport(final, format, precision, size, parity, images_source, used)


def _describes(metadata, model):
    """Raise ValueError unless the metadata are of a model of this size and number of classes."""
    said = (*metadata.image_size, len(metadata.classes))
    if said != tuple(model.output_shape[1:]):
        raise ValueError(
            f"metadata: expected (H, W, K) of the model, {tuple(model.output_shape[1:])}. Received: {said}"
        )
