"""The contract of models of language: convert, attach the vocabularies, prove, and only then put the files in place."""

from dataclasses import replace
from pathlib import Path

from ..models.language.grid import places_of
from ..models.language.sentences import vocabularies_of
from .contract import ExportReport, check_kind, file_name, hold_to_rules, size_of, unproven
from .convert import convert
from .language import outputs_of, task_of_language
from .metadata import Writing, attach
from .sentence_parity import check_inputs, compare_sentences
from .serving import check_float32


def export_writer(
    writer, output, metadata, *, format, precision="float32", max_tokens=None, inputs, inputs_source, operators=None
):
    """Export a model of language, proven or not at all.

    SavedModel and TFLite hold ``generate``, ``encode`` and ``step`` in one file, see ``language.of_sentences``; ONNX
    has a file for each, for onnxruntime computes all of a graph whatever it is asked for. The files are made and run
    beside their final places and moved there last. If anything fails, what was there before is still there, and
    nothing else.

    Args:
        writer: ``models.Writer`` of a model with vocabularies; its beams, greatest length and power are part of the
            file.
        output: folder to write into.
        metadata: ``Metadata`` with a name and languages; what is known of the writer is set here.
        format: key of ``contract.FORMATS``.
        precision: one of the format's that is not in ``contract.impossible``.
        max_tokens: T, the most tokens of a text that is read; None for as many as are written.
        inputs: at least 64 real inputs to prove the file on: list of str of more than one length, or uint8
            (N, H, W, 3).
        inputs_source: where they come from, in words, for the report.
        operators: how many operators a file may hold, in all of its functions; None for any number.

    Returns:
        ``ExportReport``; its path is that of the file with ``generate``.

    Raises:
        ValueError: if an argument does not fit.
        ConversionError: if the converter fails.
        ParityError: if the file does not give the model's sentences.
        LintError: if it breaks a rule of ``segattn lint``.

    Example:
        >>> report = export_writer(Writer(model, beams=3), "exports", metadata, format="tflite",
        ...                        inputs=sentences, inputs_source="my letters")  # doctest: +SKIP
    """
    model, task = writer.model, task_of_language(writer.model)
    check_float32(model)
    check_kind(format, precision, "", task)
    max_tokens = (max_tokens or writer.max_length) if task == "translation" else None
    check_inputs(inputs, model, max_tokens)
    facts = described(writer, metadata, precision, max_tokens)
    finals = _files(Path(output) / file_name(metadata.name, format, precision), facts.signatures)
    with unproven(*dict.fromkeys(finals.values())) as made:
        path = made[0].parent / file_name(metadata.name, format, precision)
        files = convert_writer(writer, path, format=format, precision=precision, max_tokens=max_tokens)
        for path in made:
            own = {name: facts.signatures[name] for name, file in files.items() if file == path}
            attach(path, replace(facts, signatures=own, provenance={**facts.provenance, "operators": operators}))
        parity = compare_sentences(writer, files, inputs, precision, max_tokens)
        for path in made:
            hold_to_rules(path, operators=operators)
    final, *beside = dict.fromkeys(finals.values())
    size = sum(map(size_of, [final, *beside]))
    return ExportReport(
        final, format, precision, facts.tail, size, parity, inputs_source, beside=tuple(beside)
    )


def convert_writer(writer, path, *, format, precision="float32", max_tokens=None):
    """Convert a model of language; nothing has proven what is written.

    Args:
        writer: ``models.Writer``.
        path: of the file; in ONNX each function has one of its own, beside it.
        format, precision, max_tokens: see ``export_writer``.

    Returns:
        dict: name of a function -> its file.

    Raises:
        ConversionError: if the converter fails.

    Example:
        >>> convert_writer(Writer(model), "mine.onnx", format="onnx")["step"]  # doctest: +SKIP
        PosixPath('mine_step.onnx')
    """
    search = {name: getattr(writer, name) for name in ("beams", "max_length", "length_power")}
    convert(writer.model, path, format=format, precision=precision, search={**search, "max_tokens": max_tokens})
    return _files(Path(path), outputs_of(writer, max_tokens))


def described(writer, metadata, precision, max_tokens):
    """The metadata of an exported model of language, with all that its writer tells.

    Args:
        writer: ``models.Writer``.
        metadata: ``Metadata`` with the name and the languages.
        precision: of the file.
        max_tokens: the most tokens of a text, or None.

    Returns:
        ``Metadata``.

    Example:
        >>> described(writer, Metadata(name="mine"), "float32", 48).writing.beams  # doctest: +SKIP
        5
    """
    model = writer.model
    writing = Writing(
        vocabularies={name: vocabulary.data for name, vocabulary in vocabularies_of(model).items()},
        max_tokens=max_tokens,
        max_length=writer.max_length,
        beams=writer.beams,
        length_power=writer.length_power,
        places=places_of(model),
    )
    return replace(
        metadata,
        task=task_of_language(model),
        image_size=tuple(model.input["image"].shape[1:3]) if "image" in model.input else None,
        writing=writing,
        tail="",
        precision=precision,
        signatures=outputs_of(writer, max_tokens),
    )


def _files(path, signatures):
    """The final file of each function: one for all, and in ONNX one for each, as ``onnx.write_onnx`` names them."""
    apart = path.suffix == ".onnx"
    return {name: path.with_stem(f"{path.stem}_{name}") if apart else path for name in signatures}
