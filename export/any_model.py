"""The contract of any Keras model: one function, whatever it takes and gives, proven on samples of what it takes."""

from dataclasses import replace
from pathlib import Path

from .call_parity import compare_calls
from .calls import CALL, interface_of
from .contract import FORMATS, PRECISIONS, ExportReport, file_name, hold_to_rules, size_of, unproven
from .convert import convert
from .metadata import Metadata, attach
from .rewrite import rewrite as rewritten
from .serving import check_float32

MIN_SAMPLES = 8
# Rules of lint: slow in places, and right, for it is proven; and names, which are the model's own.
PASSABLE = ("dynamic-shape", "float-island", "unnamed")


def export_model(
    model, output, *, samples, samples_source="samples", name=None, format, precision="float32", rewrite=False
):
    """Export any Keras model, proven or not at all.

    The file has one function, ``call``, with the model's inputs and outputs by their names, and a batch of one.

    Args:
        model: functional, sequential or subclassed keras.Model. One with layers of your own is traced in this process,
            which needs the TensorFlow backend.
        output: folder to write into.
        samples: at least 8 different ones of what the model takes: array (N, ...), or list or dict of arrays. Their
            sizes are those of the file. Whole numbers are ids.
        samples_source: where they come from, in words, for the report.
        name: of the file; None for that of the model.
        format: key of ``contract.FORMATS``.
        precision: "float32"; of .tflite and .onnx also "float16" and "int8", of .tflite "dynamic". "int8" takes its
            ranges from the samples, so they should be many and like those to come. A "dynamic" file may differ by a
            tenth of the range of an output, and one of "int8" by half of it, which only keeps out what is plainly
            broken: the report says by how much it does, and a score of your own what that costs.
        rewrite: whether layers that the formats have no operator for become others that compute the same, see
            ``rewrite.rewrite``; the report says which ones did.

    Returns:
        ``ExportReport``.

    Raises:
        ValueError: if an argument does not fit.
        ConversionError: if the converter fails; it names the layer, the operator and what to use instead.
        ParityError: if the file, or the model as it was rewritten, does not give the model's answer.
        LintError: if it breaks a rule of ``segattn lint``.

    Example:
        >>> report = export_model(model, "exports", samples=images, format="onnx")  # doctest: +SKIP
    """
    if format not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}. Received: {format!r}")
    known = [one for one in PRECISIONS[format] if one != "mixed"]  # it is chosen by a score
    if precision not in known:
        raise ValueError(f"precision: expected one of {', '.join(known)} for {format}. Received: {precision!r}")
    check_float32(model)
    interface, arrays = interface_of(model, samples)
    if len({b"".join(array[place].tobytes() for array in arrays) for place in range(len(arrays[0]))}) < MIN_SAMPLES:
        raise ValueError(f"samples: expected at least {MIN_SAMPLES} different ones. Received: fewer")
    name, changes, original = name or model.name, (), model
    if rewrite:
        model, changes = rewritten(model, interface, arrays)
    calibration = interface.feed(arrays) if precision == "int8" else None
    final = Path(output) / file_name(name, format, precision, "")
    facts = Metadata(name=name, task="function", tail="", precision=precision, signatures={CALL: interface.outputs},
                     normalization="none: what the model takes")  # fmt: skip
    with unproven(final) as (made,):
        convert(model, made, format=format, precision=precision, interface=interface, calibration=calibration)
        attach(made, replace(facts, provenance={"operators": None}))
        parity = compare_calls(original, made, interface, arrays, precision)
        hold_to_rules(made, but=PASSABLE)
    used = samples_source if precision == "int8" else None
    size = size_of(final)
    return ExportReport(final, format, precision, "", size, parity, samples_source, used, rewritten=changes)
