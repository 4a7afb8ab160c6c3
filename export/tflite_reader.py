"""Reading a .tflite file of any tool, without running it."""

import zipfile

import numpy as np

from .artifact import Artifact, Function, Operator, Tensor, attempt, first_line
from .metadata import KEY, read_archive


def read_tflite(path):
    """Read a .tflite file.

    Args:
        path: pathlib.Path of the file.

    Returns:
        ``Artifact``.

    Raises:
        ValueError: if it is empty, truncated, or no .tflite.
        ImportError: if LiteRT is not installed.

    Example:
        >>> read_tflite(Path("model.tflite")).functions[0].name              # doctest: +SKIP
        'logits'
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise ImportError(f"{path.name} needs LiteRT: install keras_segattn[lite]") from error
    invalid = _refusal(path)
    content = path.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    signatures = [model.SignatureDefs(i) for i in range(model.SignatureDefsLength())]
    served = {signature.SubgraphIndex(): signature for signature in reversed(signatures)}
    functions = [
        _function(model, content, index, served.get(index), index in served if served else index == 0)
        for index in range(model.SubgraphsLength())
    ]
    metadata, damage = attempt(lambda: read_archive(path))
    if f"{KEY}.json".encode() in content and not zipfile.is_zipfile(path):
        damage = "their end is cut off"
    return Artifact(
        format="tflite",
        functions=tuple(functions),
        signatures=bool(served),
        metadata=metadata,
        damage=damage,
        invalid=invalid,
    )


def _refusal(path):
    """Why LiteRT does not prepare the file, or None; ValueError if it is no model at all.

    LiteRT looks at the whole structure first; what passes can be read without further checks.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(str(path), num_threads=1, experimental_op_resolver_type=plain)
    except ValueError as error:
        if "op for builtin opcode" in str(error):  # a version that is newer than this LiteRT
            return first_line(error)
        raise ValueError(f"{path}: expected a .tflite model. {first_line(error)}") from error
    _, refusal = attempt(interpreter.allocate_tensors)
    return refusal


def _function(model, content, index, signature, served):
    graph = model.Subgraphs(index)
    tensors = [_tensor(model, content, graph.Tensors(i)) for i in range(graph.TensorsLength())]
    operators = []
    for operator in (graph.Operators(i) for i in range(graph.OperatorsLength())):
        kind, custom = _kind(model.OperatorCodes(operator.OpcodeIndex()))
        inputs = [tensors[operator.Inputs(i)] for i in range(operator.InputsLength()) if operator.Inputs(i) >= 0]
        outputs = [tensors[operator.Outputs(i)] for i in range(operator.OutputsLength())]
        name = outputs[0].name if outputs else kind
        operators.append(Operator(kind, name, custom, tuple(inputs), tuple(outputs)))
    return Function(
        name=_text(graph.Name()) or ("main" if index == 0 else f"function {index}"),
        served=served,
        inputs=_ends(signature or graph, "Inputs", tensors),
        outputs=_ends(signature or graph, "Outputs", tensors),
        operators=tuple(operators),
        tensors=tuple(tensors),
    )


def _ends(source, side, tensors):
    """Name -> tensor of the inputs or outputs of a signature, or of a graph without one."""
    ends = [getattr(source, side)(i) for i in range(getattr(source, f"{side}Length")())]
    if ends and not isinstance(ends[0], int | np.integer):
        return {_text(end.Name()): tensors[end.TensorIndex()] for end in ends}
    return {tensors[end].name: tensors[end] for end in ends}


def _kind(code):
    """(name, custom) of an operator code."""
    from ai_edge_litert import schema_py_generated as schema

    if code.CustomCode():
        return _text(code.CustomCode()), True
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # the old field has one byte
    return _names(schema.BuiltinOperator).get(number, f"BUILTIN_{number}"), False


def _tensor(model, content, tensor):
    from ai_edge_litert import schema_py_generated as schema

    dtype = _names(schema.TensorType).get(tensor.Type(), "").lower()
    sizes = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else tensor.ShapeAsNumpy()
    shape = tuple(None if size < 0 else int(size) for size in sizes) if tensor.ShapeLength() else ()
    scales = tensor.Quantization().ScaleLength() if tensor.Quantization() else 0
    constant = _constant(model.Buffers(tensor.Buffer()), content, dtype)
    return Tensor(_text(tensor.Name()), dtype, shape, scales > 0 and "int" in dtype, constant)


def _constant(buffer, content, dtype):
    if buffer.DataLength():
        raw = buffer.DataAsNumpy()
    elif buffer.Offset() > 1 and buffer.Size():  # behind the model proper, as the newer converters do it
        raw = np.frombuffer(content, "uint8", buffer.Size(), buffer.Offset())
    else:
        return None
    readable = dtype in np.sctypeDict and raw.size % np.dtype(dtype).itemsize == 0
    return raw.view(dtype) if readable else raw


def _names(table):
    return {number: name for name, number in vars(table).items() if not name.startswith("_")}


def _text(value):
    return (value or b"").decode(errors="replace")
