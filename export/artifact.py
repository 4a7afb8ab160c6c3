"""An exported file of any tool as plain facts, the same ones for .tflite and .onnx, without running it."""

from dataclasses import dataclass

import numpy as np

from .metadata import Metadata


@dataclass(frozen=True, eq=False)
class Tensor:
    """What flows between operators, or a constant.

    Args:
        name: as the file has it.
        dtype: "float32", "int8", ...; "" where the file does not say.
        shape: sizes, None for one that is only known at run time; None altogether where the file does not say.
        quantized: an integer tensor that stands for real numbers (.tflite only: ONNX tells it by operators).
        constant: its values, flat, or None. What numpy has no type for is given as bytes.

    Example:
        >>> Tensor("image", "uint8", (1, None, None, 3)).open
        True
    """

    name: str
    dtype: str = ""
    shape: tuple | None = None
    quantized: bool = False
    constant: np.ndarray | None = None

    @property
    def open(self):
        """Whether one of its sizes is only known at run time."""
        return self.shape is not None and None in self.shape


@dataclass(frozen=True, eq=False)
class Operator:
    """One step of a function.

    Args:
        kind: "CONV_2D" in .tflite, "Conv" in ONNX, and the name it was given if it is custom.
        name: of the operator, or of what it makes.
        custom: whether it is none of the format's own.
        inputs: tuple of ``Tensor``.
        outputs: tuple of ``Tensor``.

    Example:
        >>> Operator("FlexErf", "gelu", True, (), ()).custom
        True
    """

    kind: str
    name: str
    custom: bool
    inputs: tuple
    outputs: tuple


@dataclass(frozen=True, eq=False)
class Function:
    """A signature, or a part that another function calls.

    Args:
        name: unique in its file.
        served: whether a caller of the file can call it.
        inputs: dict: name for the caller -> ``Tensor``.
        outputs: dict, likewise.
        operators: tuple of ``Operator``, each after those it depends on.
        tensors: tuple of ``Tensor``, all there are.

    Example:
        >>> Function("main", True, {}, {}, (), ()).served
        True
    """

    name: str
    served: bool
    inputs: dict
    outputs: dict
    operators: tuple
    tensors: tuple


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """All that ``rules`` are asked of.

    Args:
        format: "tflite" or "onnx".
        functions: tuple of ``Function``; the first is the one a runtime starts with.
        signatures: whether callers have names for the inputs and outputs; ONNX always has.
        metadata: ``Metadata`` of keras_segattn, or None.
        damage: why there are none, if there are some that do not read.
        invalid: why no runtime of the format takes the file, or None.
        opset: of an ONNX file, or None.
        missing: names of the files beside an ONNX file that hold its weights and are not there.

    Example:
        >>> Artifact(format="onnx", functions=(), opset=18).signatures
        True
    """

    format: str
    functions: tuple
    signatures: bool = True
    metadata: Metadata | None = None
    damage: str | None = None
    invalid: str | None = None
    opset: int | None = None
    missing: tuple = ()


def attempt(function):
    """Call a function of a reader that may fail in any way: protobuf, zip archives and onnx share no error.

    Args:
        function: without arguments.

    Returns:
        (what it gives, None), or (None, the first line of its error).

    Example:
        >>> attempt(lambda: 1 / 0)
        (None, 'division by zero')
    """
    try:
        return function(), None
    except Exception as error:
        return None, first_line(error)


def first_line(error):
    """What an error says first, or its class if it says nothing.

    Example:
        >>> first_line(KeyError())
        'KeyError'
    """
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
