"""Who is to blame where a model cannot be converted: the layer by its name, the line of its call, and the remedy."""

import contextlib
import logging
import re
from pathlib import Path

from .rules import INSTEAD

MOST = 3  # layers that are named
LOOPS = {"While", "StatelessWhile"}
KERNELS = {"RFFT2D": "RFFT"}  # what the runtime of TFLite calls an operator -> what TensorFlow does
LIBRARIES = {"site-packages", "dist-packages"}  # whose lines are not those of a model


@contextlib.contextmanager
def told_by_tf2onnx():
    """What tf2onnx logs in the block, as a list of str: an operator that it does not know is not raised but logged.

    Example:
        >>> with told_by_tf2onnx() as said:
        ...     logging.getLogger("tf2onnx.tfonnx").error("Unsupported ops: Counter({'Erfinv': 1})")
        >>> said
        ["Unsupported ops: Counter({'Erfinv': 1})"]
    """
    said = []

    class Listener(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    listener, logger = Listener(logging.WARNING), logging.getLogger("tf2onnx")
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)


def offending_ops(text):
    """Operators of TensorFlow that a converter, or the runtime of TFLite, complains of, by what it says.

    Example:
        >>> offending_ops("TF Select ops: Erf, Roll\\nDetails: tf.Erf(tensor<1xf32>)")
        ['Erf', 'Roll']
        >>> offending_ops("Tensorflow op [a/b: Erfinv] is not supported")
        ['Erfinv']
    """
    found = []
    for listed in re.findall(r"(?:TF Select|Custom) ops: ([\w, ]+)", text):
        found += [name.strip() for name in listed.split(",")]
    found += re.findall(r"op \[[^\]]*: (\w+)\] is not supported", text)
    found += re.findall(r"'(\w+)': \d+", "".join(re.findall(r"Unsupported ops: Counter\(\{[^}]*\}\)", text)))
    found += re.findall(r"'tf\.(\w+)' op", text)
    found += re.findall(r"No Op registered for (\w+) with", text)
    found += (KERNELS.get(name, name) for name in re.findall(r"\((\w+)\) failed to prepare", text))
    return list(dict.fromkeys(name for name in found if name))


def refuse_loops(served):
    """Raise ValueError if functions have a loop: neither LiteRT nor onnxruntime runs a file in which one is int8.

    Args:
        served: dict, name -> ``serving.Signature``.

    Example:
        >>> refuse_loops({})
    """
    import tensorflow as tf

    for signature in served.values():
        made = tf.function(signature.function).get_concrete_function(signature.inputs).graph.as_graph_def()
        for node in [*made.node, *(node for inner in made.library.function for node in inner.node_def)]:
            if node.op in LOOPS:
                raise ValueError(f"op [{node.name}: {node.op}] is not supported in int8")


def blame(served, text, format, layers=()):
    """A sentence on the layers that made the operators that a converter complains of; "" if it names none.

    Args:
        served: dict, name -> ``serving.Signature``.
        text: all that the converter said.
        format: what it was to write, such as "onnx" or "int8 onnx".
        layers: names of the layers of the model.

    Example:
        >>> blame({}, "out of memory", "onnx")
        ''
    """
    import tensorflow as tf

    operators = offending_ops(text)
    if not operators:
        return ""
    places = []
    for signature in served.values():
        with contextlib.suppress(Exception):  # a model that cannot be traced has said so before
            graph = tf.function(signature.function).get_concrete_function(signature.inputs).graph
            places += [(op.type, op.name, _line_of(op)) for op in _operations(graph) if op.type in operators]
    told = []
    for name in operators:
        found = [*dict.fromkeys(f"layer {_layer(path, layers)}{line}" for kind, path, line in places if kind == name)]
        where = ", ".join(found[:MOST]) + (f" and {len(found) - MOST} more" if len(found) > MOST else "")
        remedy = INSTEAD.get(name, "Use other operators there.")
        told.append(f"{name}{f' of {where}' if where else ''} is no operator of {format}. {remedy}")
    return "; " + "; ".join(told)


def _operations(graph):
    """All operations of a graph, and of the functions that it calls."""
    yield from graph.get_operations()
    for name in getattr(graph, "_functions", {}):
        inner = getattr(graph._functions[name], "graph", None)
        if inner is not None and inner is not graph:
            yield from inner.get_operations()


def _layer(path, layers):
    """The layer in the name of an operation, such as ``functional_1/gelu_1/Erf``; tracing may have numbered it."""
    parts = path.split("/")[:-1]
    for part in reversed(parts):
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in layers:
                return name
    return parts[-1] if parts else path


def _line_of(op):
    """" (file.py:7)", the innermost line outside of the libraries, which called the operation."""
    for frame in reversed(list(op.traceback or ())):
        path = Path(frame.filename)
        is_ours = path.parent == Path(__file__).parent or LIBRARIES & set(path.parts)
        if not is_ours and path.is_file() and path.name != "runpy.py":
            return f" ({path.name}:{frame.lineno})"
    return ""
