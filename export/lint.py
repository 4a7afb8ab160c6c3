"""Reading an artifact: which operators a .tflite file holds, and which of them XNNPACK runs."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Operators:
    """The operators of a .tflite file.

    Args:
        counts: dict: function of the file -> Counter of the names of its operators. A custom operator has the
            name it was given: "FlexErf" is TensorFlow's own Erf, which no pip runtime has.
        custom: names of the custom operators of the whole file, sorted.
        left: Counter of the operators of the first function that XNNPACK leaves to slower kernels.
        delegated: share of the operators of the first function that XNNPACK runs, 0..1.

    Example:
        >>> Operators({"logits": Counter(CAST=1, CONV_2D=9)}, (), Counter(CAST=1), 0.9).delegated
        0.9
    """

    counts: dict
    custom: tuple
    left: Counter
    delegated: float


def operators(path):
    """Read the operators of a .tflite file, and let LiteRT plan its run to see which ones it delegates.

    LiteRT tells this of the first function only. Where a file has several over one network, as ours have
    ``logits`` and ``segment``, the difference of their ``counts`` says what comes on top.

    Args:
        path: .tflite file, of any tool.

    Returns:
        ``Operators``. A file with custom operators cannot be planned: none of its operators is delegated.

    Raises:
        ValueError: if LiteRT does not read the file.

    Example:
        >>> operators("fcn8s_mobilenet_camvid_float32.tflite").left          # doctest: +SKIP
        Counter({'CAST': 1})
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    model = schema.Model.GetRootAs(Path(path).read_bytes(), 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    custom = sorted({code.CustomCode().decode() for code in codes if code.CustomCode()})
    builtin = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    names = [code.CustomCode().decode() if code.CustomCode() else builtin[_number(code)] for code in codes]
    counts = {}
    for function in (model.Subgraphs(i) for i in range(model.SubgraphsLength())):
        indices = (function.Operators(i).OpcodeIndex() for i in range(function.OperatorsLength()))
        counts[function.Name().decode()] = Counter(names[index] for index in indices)
    first = next(iter(counts.values()))
    left = first if custom else _left(interpreter)
    return Operators(counts, tuple(custom), left, 1 - left.total() / first.total())


def _number(code):
    return max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # the old field has one byte


def _left(interpreter):
    """Names of the operators that are in no delegate."""
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
