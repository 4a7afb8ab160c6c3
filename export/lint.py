"""Reading an artifact of any tool: what is wrong with it and what to do, and which operators it holds."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .onnx_reader import read_onnx
from .rules import RULES, Promise
from .tflite_reader import read_tflite

_READERS = {".tflite": read_tflite, ".onnx": read_onnx}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a file.

    Args:
        rule: key of ``rules.RULES``.
        where: name of the operator, tensor, input or output; "file" for the whole.
        what: one sentence.
        remedy: one sentence.

    Example:
        >>> Finding("float64", "mean", "mean of main is float64.", "Cast to float32.").rule
        'float64'
    """

    rule: str
    where: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Operators:
    """The operators of a file.

    Args:
        counts: dict: function of the file -> Counter of the names of its operators. A custom operator has the
            name it was given: "FlexErf" is TensorFlow's own Erf, which no pip runtime has.
        custom: names of the custom operators of the whole file, sorted.
        left: Counter of the operators of the first function that XNNPACK leaves to slower kernels. None for
            ONNX, where nothing is delegated on the processor.
        delegated: share of the operators of the first function that XNNPACK runs, 0..1; None likewise.

    Example:
        >>> Operators({"logits": Counter(CAST=1, CONV_2D=9)}, (), Counter(CAST=1), 0.9).delegated
        0.9
    """

    counts: dict
    custom: tuple
    left: Counter | None = None
    delegated: float | None = None


def lint(path, *, float_layers=(), budget=None):
    """Hold a file against every rule. Neither TensorFlow nor Keras is needed.

    Args:
        path: .tflite or .onnx file, of any tool.
        float_layers: names of the layers that an int8 file was to leave in float32.
        budget: operators that the file may hold, those of all its functions together, >= 1; None for any number.

    Returns:
        tuple of ``Finding``, in the order of ``rules.RULES``; empty if the file is clean.

    Raises:
        ValueError: if the file is missing, empty, truncated or of another format, or an argument does not fit.
        ImportError: if what reads it is not installed; the message says which extra brings it.

    Example:
        >>> lint("photograph.png")
        Traceback (most recent call last):
        ValueError: photograph.png: expected a .tflite or .onnx file. There is none
        >>> [finding.rule for finding in lint("somebodys.tflite")]           # doctest: +SKIP
        ['unnamed', 'metadata']
    """
    if isinstance(float_layers, str) or not all(isinstance(name, str) for name in float_layers):
        raise ValueError(f"float_layers: expected names of layers. Received: {float_layers!r}")
    if budget is not None and (not isinstance(budget, int) or budget < 1):
        raise ValueError(f"budget: expected an integer >= 1, or None. Received: {budget!r}")
    artifact = read_artifact(path)
    promise = Promise(tuple(float_layers), budget)
    findings = (
        Finding(name, where, what, rule.instead.get(where.removeprefix("Flex"), rule.remedy))
        for name, rule in RULES.items()
        for where, what in rule.find(artifact, promise)
    )
    return tuple(dict.fromkeys(findings))  # two signatures over one network have the same faults


def operators(path):
    """Count the operators of a file; of a .tflite let LiteRT plan its run to see which ones it delegates.

    LiteRT tells this of the first function only. Where a file has several over one network, as ours have
    ``logits`` and ``segment``, the difference of their ``counts`` says what comes on top.

    Args:
        path: .tflite or .onnx file, of any tool.

    Returns:
        ``Operators``. A file with custom operators cannot be planned, nor one that LiteRT refuses: none of
        its operators is delegated.

    Raises:
        ValueError: if the file is missing, empty, truncated or of another format.
        ImportError: if what reads it is not installed; the message says which extra brings it.

    Example:
        >>> operators("fcn8s_mobilenet_camvid_float32.tflite").left          # doctest: +SKIP
        Counter({'CAST': 1})
    """
    artifact = read_artifact(path)
    counts = {}
    for function in artifact.functions:
        counts.setdefault(function.name, Counter()).update(operator.kind for operator in function.operators)
    custom = {x.kind for function in artifact.functions for x in function.operators if x.custom}
    if artifact.format == "onnx":
        return Operators(counts, tuple(sorted(custom)))
    first = next(iter(counts.values()))
    left = first if custom or artifact.invalid else _left(path)
    delegated = 1 - left.total() / first.total() if first else 0.0
    return Operators(counts, tuple(sorted(custom)), left, delegated)


def read_artifact(path):
    """Read what there is in a file, without running it.

    Args:
        path: .tflite or .onnx file, of any tool.

    Returns:
        ``artifact.Artifact``.

    Raises:
        ValueError: if the file is missing, empty, truncated or of another format.
        ImportError: if what reads it is not installed; the message says which extra brings it.

    Example:
        >>> read_artifact("missing.tflite")
        Traceback (most recent call last):
        ValueError: missing.tflite: expected a .tflite or .onnx file. There is none
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: expected a .tflite or .onnx file. There is none")
    if path.suffix not in _READERS:
        raise ValueError(f"{path}: expected a .tflite or .onnx file. Received: {path.suffix or 'no suffix'}")
    return _READERS[path.suffix](path)


def _left(path):
    """Names of the operators that are in no delegate."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    nodes = interpreter._get_ops_details()  # of the file, and after them a DELEGATE for each part that XNNPACK took
    maker = {tensor: node for node in nodes if node["op_name"] != "DELEGATE" for tensor in node["outputs"]}
    taken = set()
    for delegate in (node for node in nodes if node["op_name"] == "DELEGATE"):
        # A delegate stands for all that lies between its outputs and its inputs.
        wanted = set(delegate["outputs"])
        while wanted:
            node = maker.get(wanted.pop())
            if node and node["index"] not in taken:
                taken.add(node["index"])
                wanted |= {*node["inputs"]} - {*delegate["inputs"]}
    return Counter(
        node["op_name"] for node in nodes if node["op_name"] != "DELEGATE" and node["index"] not in taken
    )
