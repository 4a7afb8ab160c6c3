"""The metadata that TFLite itself defines, in a .tflite file: what MediaPipe, Android Studio and their like read."""

import zipfile
from pathlib import Path

import numpy as np

from .metadata import LABELS

BUFFER = "TFLITE_METADATA"

# The fields of each table in the order of TFLite's metadata_schema.fbs, as far as they are used here.
# A field is known by its place; those that came after version 1.0.0 are left out.
IDENTIFIER, PARSER = b"M001", "1.0.0"
TABLES = {
    "ModelMetadata": (
        *("name", "description", "version", "subgraph_metadata"),
        *("author", "license", "associated_files", "min_parser_version"),
    ),
    "SubGraphMetadata": ("name", "description", "input_tensor_metadata", "output_tensor_metadata"),
    "TensorMetadata": (
        *("name", "description", "dimension_names", "content"),
        *("process_units", "stats", "associated_files"),
    ),
    "Content": ("content_properties_type", "content_properties", "range"),
    "ImageProperties": ("color_space", "default_size"),
    "ProcessUnit": ("options_type", "options"),
    "NormalizationOptions": ("mean", "std"),
    "AssociatedFile": ("name", "description", "type", "locale"),
}
IMAGE_PROPERTIES, NORMALIZATION_OPTIONS = 2, 1  # of the unions ContentProperties, ProcessUnitOptions
UNKNOWN, RGB, GREY = 0, 1, 2  # ColorSpaceType
COLOUR_SPACES = {1: GREY, 3: RGB}
AXIS_LABELS, VALUE_LABELS = 2, 3  # AssociatedFileType: names of the last axis, or of the values
_LABELLED = {"labels": VALUE_LABELS, "logits": AXIS_LABELS, "probabilities": AXIS_LABELS}


def attach_tflite_metadata(path, metadata):
    """Put TFLite's own metadata into a .tflite file, in the place of those that it has.

    Of each function of the file they name the inputs, of which an image wants no normalisation, and the outputs, of
    which the last axis (scores) or the values (a label map) stand for the lines of ``labels.txt``.

    They are part of the model, which is written anew; the files after it, see ``metadata.attach``, stay.

    Args:
        path: .tflite file, changed in place.
        metadata: ``Metadata``.

    Example:
        >>> attach_tflite_metadata("model.tflite", metadata)                 # doctest: +SKIP
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    path = Path(path)
    files = _files_after(path)
    model = flatbuffer_utils.read_model_from_bytearray(path.read_bytes())
    model.metadata = model.metadata or []
    entry = next((entry for entry in model.metadata if entry.name == BUFFER.encode()), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = BUFFER, len(model.buffers)
        model.metadata.append(entry)
        model.buffers.append(schema.BufferT())
    model.buffers[entry.buffer].data = _packed(_described(model, metadata))
    for buffer in model.buffers:
        if isinstance(buffer.data, bytes):  # they would be written one by one: seconds, for a quantised file
            buffer.data = np.frombuffer(buffer.data, "uint8")
    flatbuffer_utils.write_model(model, path)
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in {**files, **metadata.files}.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # uncompressed and of no date, as TFLite wants it


def _files_after(path):
    """dict: name -> bytes of the archive after a model; empty if there is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return {}


def _described(model, metadata):
    """The table ModelMetadata of a ``schema.ModelT``; its functions are known by their signatures."""
    signatures = sorted(model.signatureDefs, key=lambda signature: signature.subgraphIndex)
    return _table(
        "ModelMetadata",
        name=metadata.name,
        subgraph_metadata=[_function(one, model.subgraphs[one.subgraphIndex]) for one in signatures],
        min_parser_version=PARSER,
    )


def _function(signature, subgraph):
    return _table(
        "SubGraphMetadata",
        name=signature.signatureKey.decode(),
        input_tensor_metadata=[
            _input(tensor.name.decode(), subgraph.tensors[tensor.tensorIndex].shape) for tensor in signature.inputs
        ],
        output_tensor_metadata=[_answer(tensor.name.decode()) for tensor in signature.outputs],
    )


def _input(name, shape):
    if name != "image":
        return _table("TensorMetadata", name=name)
    as_it_is = _table("NormalizationOptions", mean=[0.0], std=[1.0])
    return _table(
        "TensorMetadata",
        name=name,
        content=_table(
            "Content",
            content_properties_type=IMAGE_PROPERTIES,
            content_properties=_table("ImageProperties", color_space=COLOUR_SPACES.get(shape[-1], UNKNOWN)),
        ),
        process_units=[_table("ProcessUnit", options_type=NORMALIZATION_OPTIONS, options=as_it_is)],
    )


def _answer(name):
    if name not in _LABELLED:
        return _table("TensorMetadata", name=name)
    files = [_table("AssociatedFile", name=LABELS, type=_LABELLED[name])]
    return _table("TensorMetadata", name=name, associated_files=files)


def _table(kind, /, **fields):
    """dict: number of the field -> value."""
    return {TABLES[kind].index(field): value for field, value in fields.items()}


def _packed(table):
    """bytes of a root table."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(_written(builder, table), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _written(builder, value):
    """Write a string, a table or a list of floats or of tables, what is inside of it first; its place."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, list):
        floats = isinstance(value[0], float)
        items = value if floats else [_written(builder, item) for item in value]
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):  # a flatbuffer grows towards its front
            (builder.PrependFloat32 if floats else builder.PrependUOffsetTRelative)(item)
        return builder.EndVector()
    inside = {number: _written(builder, field) for number, field in value.items() if not isinstance(field, int)}
    builder.StartObject(max(value) + 1)
    for number, field in value.items():
        if number in inside:
            builder.PrependUOffsetTRelativeSlot(number, inside[number], 0)
        else:
            builder.PrependUint8Slot(number, field, 0)  # an enum, or the kind of a union
    return builder.EndObject()
