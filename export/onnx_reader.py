"""Reading an .onnx file of any tool, without running it."""

from .artifact import Artifact, Function, Operator, Tensor, attempt, first_line
from .metadata import read_properties

STANDARD = ("", "ai.onnx", "ai.onnx.ml")  # domains of operators that every runtime has


def read_onnx(path):
    """Read an .onnx file.

    Args:
        path: pathlib.Path of the file.

    Returns:
        ``Artifact``.

    Raises:
        ValueError: if it is empty, truncated, or no .onnx.
        ImportError: if onnx is not installed.

    Example:
        >>> read_onnx(Path("model.onnx")).opset                              # doctest: +SKIP
        18
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(f"{path.name} needs onnx: install keras_segattn[export]") from error
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf has one of C and one of Python
        raise ValueError(f"{path}: expected an .onnx model. {first_line(error)}") from error
    if not model.ir_version or not model.HasField("graph"):
        raise ValueError(f"{path}: expected an .onnx model. There is no graph in it")
    missing = _missing(model.graph, path.parent)
    invalid = None
    if not missing:
        onnx.load_external_data_for_model(model, str(path.parent))
        _, invalid = attempt(lambda: onnx.checker.check_model(str(path), full_check=True))
    inferred, _ = attempt(lambda: onnx.shape_inference.infer_shapes(model, data_prop=True))
    local = {(function.domain, function.name) for function in model.functions}
    functions = _functions((inferred or model).graph, model.graph.name or "main", {}, local, served=True)
    for function in model.functions:
        functions += _functions(function, function.name, {}, local)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    metadata, damage = attempt(lambda: read_properties(properties))
    return Artifact(
        format="onnx",
        functions=tuple(functions),
        metadata=metadata,
        damage=damage,
        invalid=invalid,
        opset=max((entry.version for entry in model.opset_import if entry.domain in STANDARD[:2]), default=None),
        missing=missing,
    )


def _missing(graph, folder):
    """Files of weights that do not stand beside the model."""
    places = {
        entry.value for weight in graph.initializer for entry in weight.external_data if entry.key == "location"
    }
    return tuple(sorted(place for place in places if not (folder / place).is_file()))


def _functions(graph, name, outside, local, served=False):
    """A graph, and after it those inside of its operators, which see its tensors."""
    import onnx

    own = _tensors(graph) if isinstance(graph, onnx.GraphProto) else {}  # a file's own function has no types
    inputs, outputs = ({x.name: own[x.name] for x in side} if own else {} for side in (graph.input, graph.output))
    tensors = outside | own
    operators, inner = [], []
    for node in graph.node:
        for tensor in (*node.input, *node.output):
            if tensor and tensor not in tensors:
                own[tensor] = tensors[tensor] = Tensor(tensor)
        operators.append(_operator(node, tensors, local))
        for attribute in node.attribute:
            for body in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                inner += _functions(body, f"{name}/{operators[-1].name}/{attribute.name}", tensors, local)
    given = {key: tensor for key, tensor in inputs.items() if tensor.constant is None}
    return [Function(name, served, given, outputs, tuple(operators), tuple(own.values())), *inner]


def _tensors(graph):
    """Name -> tensor of all that a graph gives a type or a value."""
    found = {value.name: _described(value) for value in (*graph.value_info, *graph.input, *graph.output)}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[node.output[0]] = _constant(attribute.t, node.output[0])
    return found | {weight.name: _constant(weight, weight.name) for weight in graph.initializer}


def _described(value):
    described = value.type.tensor_type
    shape = None
    if described.HasField("shape"):
        shape = tuple(size.dim_value if size.HasField("dim_value") else None for size in described.shape.dim)
    return Tensor(value.name, _dtype(described.elem_type), shape)


def _constant(weight, name):
    import onnx

    values, _ = attempt(lambda: onnx.numpy_helper.to_array(weight).ravel())  # none where its file is missing
    return Tensor(name, _dtype(weight.data_type), tuple(weight.dims), constant=values)


def _operator(node, tensors, local):
    import onnx

    known = node.domain in STANDARD and onnx.defs.has(node.op_type, node.domain)
    inputs, outputs = (tuple(tensors[name] for name in side if name) for side in (node.input, node.output))
    return Operator(
        kind=node.op_type if node.domain in STANDARD[:2] else f"{node.domain}::{node.op_type}",
        name=node.name or next(iter(node.output), node.op_type),
        custom=not known and (node.domain, node.op_type) not in local,
        inputs=inputs,
        outputs=outputs,
    )


def _dtype(number):
    import onnx

    name = onnx.TensorProto.DataType.Name(number).lower() if number in onnx.TensorProto.DataType.values() else ""
    return {"float": "float32", "double": "float64", "undefined": ""}.get(name, name)
