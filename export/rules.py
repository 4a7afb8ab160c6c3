"""The table of rules that a file is held against: what each looks for, why, and what to do about it.

The columns stand in docs/lint.md as they stand here.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .warps import warps

LEAST_OPSET = 18  # what tf2onnx writes at most; below it, quantization and resizing mean something else
LARGE = 256  # weights of a kernel that nobody sets by hand, as one does for a mean or a blur

# What to use in place of an operator that TFLite or ONNX has not, by TensorFlow's name for it.
INSTEAD = {
    "AvgPool3D": "Pool rows and columns in 2D, and then the depth, as rewrite=True does.",
    "Bitcast": "For keras.ops.argmax take the index of keras.ops.top_k(x, 1), as rewrite=True does.",
    "BitwiseAnd": "For keras.ops.argmax take the index of keras.ops.top_k(x, 1), as rewrite=True does.",
    "Cholesky": "Keep decompositions out of the graph.",
    "CombinedNonMaxSuppression": "Use tf.image.non_max_suppression in the served function.",
    "Complex": "Keep real and imaginary parts apart; a Fourier transform is a product with cosines and sines.",
    "Conv2DBackpropInput": "Dilate in the encoder; what has no strides rewrite=True makes a convolution.",
    "CropAndResize": "Write the crop as two matrix products of hat weights (RoIAlign).",
    "Erf": "Use the tanh form, as in keras.ops.gelu(x, approximate=True).",
    "ExtractImagePatches": "Cut the patches with slices of fixed offsets, or with a convolution.",
    "FFT": "Multiply with matrices of cosines and sines.",
    "ImageProjectiveTransformV3": "Warp with one gather on the flattened, zero-padded image.",
    "MatrixInverse": "Keep inverses and solutions out of the graph, or write out the 2x2 or 3x3 formula.",
    "MatrixSolve": "Keep inverses and solutions out of the graph, or write out the 2x2 or 3x3 formula.",
    "MatrixTriangularSolve": "Keep inverses and solutions out of the graph, or write out the 2x2 or 3x3 formula.",
    "MaxPool3D": "Pool rows and columns in 2D, and then the depth, as rewrite=True does.",
    "MaxPoolWithArgmax": "Find the switches with strided slices and where, which breaks ties like argmax.",
    "Qr": "Keep decompositions out of the graph.",
    "RFFT": "Multiply with matrices of cosines and sines.",
    "ResizeBicubic": "Resize bilinearly; rewrite=True makes two matrix products of fixed sizes.",
    "Roll": "Join two slices.",
    "ScaleAndTranslate": "Resize bilinearly, not antialiased; rewrite=True makes two matrix products of fixed sizes.",
    "SelfAdjointEigV2": "Keep decompositions out of the graph.",
    "StatelessRandomGetKeyCounter": "Draw outside of the model, and give it the numbers.",
    "StatelessRandomNormalV2": "Draw outside of the model, and give it the numbers.",
    "StatelessRandomUniformV2": "Draw outside of the model, and give it the numbers.",
    "StatelessWhile": "Unroll the loop, or take another precision.",
    "Svd": "Keep decompositions out of the graph.",
    "TensorListReserve": "Convert at batch 1; collect in keras.ops.while_loop by one-hot writes to a buffer.",
    "While": "Unroll the loop, or take another precision.",
    "XlaDynamicUpdateSlice": "Write to the buffer with a one-hot mask.",
}


@dataclass(frozen=True)
class Promise:
    """What was asked for when the file was made, which decides what is a fault.

    Args:
        float_layers: names of the layers that were to stay in float32.
        budget: operators that the whole file may hold, every function counted; None for any number.

    Example:
        >>> Promise(float_layers=("conv1",)).budget is None
        True
    """

    float_layers: tuple = ()
    budget: int | None = None


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Args:
        finds: what it looks for.
        why: what goes wrong otherwise.
        remedy: what to do.
        find: function (``Artifact``, ``Promise``) -> iterator of (where, sentence).
        instead: remedies of its own for single operators.

    Example:
        >>> sorted(RULES)[:3]
        ['budget', 'constant-weights', 'custom-operator']
    """

    finds: str
    why: str
    remedy: str
    find: Callable
    instead: dict = field(default_factory=dict)


def _custom_operator(artifact, promise):
    counts = Counter(x.kind for function in artifact.functions for x in function.operators if x.custom)
    for kind, count in sorted(counts.items()):
        times = "once" if count == 1 else f"{count} times"
        if artifact.format == "onnx":
            yield kind, f"{kind}, used {times}, is no operator of the ONNX standard."
        elif kind.startswith("Flex"):
            own = kind.removeprefix("Flex")
            yield kind, f"{kind}, used {times}, is TensorFlow's own {own}, which only the Flex delegate runs."
        else:
            yield kind, f"{kind}, used {times}, is no builtin operator of TFLite."


def _float_island(artifact, promise):
    find = _islands_of_tflite if artifact.format == "tflite" else _islands_of_onnx
    asked = [f"/{name}_" for name in promise.float_layers]  # TensorFlow's scope of a layer is its name and "_"
    needed = set(warps(artifact.functions))
    for function in artifact.functions:
        for operator in find(function.operators):
            if operator in needed:
                continue
            constants = (tensor for tensor in operator.inputs if tensor.constant is not None)  # a kernel has a scope
            names = [operator.name, *(tensor.name for tensor in (*operator.outputs, *constants))]
            if not any(scope in name for scope in asked for name in names):
                where = operator.name.split(";")[0]  # a fused operator has the names of all its parts
                yield where, f"The {operator.kind} of {where} computes in float inside an int8 file."


# Operators that hold nearly all of a network's arithmetic.
_TFLITE_HEAVY = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "FULLY_CONNECTED", "BATCH_MATMUL"}
_ONNX_HEAVY = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
_CONVERSIONS = {"QUANTIZE", "DEQUANTIZE", "CAST"}
_TFLITE_LOOKUPS = {"GATHER", "EMBEDDING_LOOKUP"}  # rows of a table, which may be int8 in a file that computes in float


def _islands_of_tflite(operators):
    """Float operators between quantized ones; heavy ones wherever they are. Head and tail may be float."""
    steps = [operator for operator in operators if operator.kind not in _CONVERSIONS]
    computing = [operator for operator in steps if operator.kind not in _TFLITE_LOOKUPS]
    if not any(tensor.quantized for operator in computing for tensor in operator.outputs):
        return
    after, before = set(), set()
    for operator in operators:
        if any(tensor.quantized and tensor.constant is None or tensor in after for tensor in operator.inputs):
            after.update(operator.outputs)
    for operator in reversed(operators):
        if any(tensor.quantized or tensor in before for tensor in operator.outputs):
            before.update(operator.inputs)
    for operator in steps:
        outputs = set(operator.outputs)
        if all(tensor.dtype in ("float32", "float16") for tensor in outputs) and (
            operator.kind in _TFLITE_HEAVY or outputs & after and outputs & before
        ):
            yield operator


def _islands_of_onnx(operators):
    """Heavy operators whose operands do not come from DequantizeLinear."""
    makers = {tensor: operator for operator in operators for tensor in operator.outputs}
    if not any(_quantizes(operator) for operator in operators):
        return
    for operator in operators:
        operands = [makers.get(tensor) for tensor in operator.inputs[:2]]
        if operator.kind in _ONNX_HEAVY and any(not x or x.kind != "DequantizeLinear" for x in operands):
            yield operator


def _quantizes(operator):
    return operator.kind.startswith("QLinear") or (
        operator.kind == "QuantizeLinear" and operator.inputs[0].constant is None
    )


def _float64(artifact, promise):
    for function in artifact.functions:
        wide = [tensor for tensor in function.tensors if tensor.dtype in ("float64", "complex128")]
        if wide:
            more = f", and {len(wide) - 1} more tensors" if len(wide) > 1 else ""
            yield wide[0].name, f"{wide[0].name}{more} of {function.name} are {wide[0].dtype}."


def _dynamic_shape(artifact, promise):
    for function in artifact.functions:
        ends = {**function.inputs, **function.outputs} if function.served else {}
        unknown = {name: tensor for name, tensor in ends.items() if tensor.open or tensor.shape is None}
        for name, tensor in unknown.items():
            yield name, f"{name} of {function.name} has the shape {_shape(tensor)}, where ? is open until run time."
        step, tensor = next(_opening(function), (None, None))
        if tensor and not unknown:
            yield tensor.name, f"{step.kind} of {function.name} makes {tensor.name} of the open shape {_shape(tensor)}."


_LOOPS = {"WHILE", "Loop", "Scan"}


def _opening(function):
    """(operator, tensor) of open shapes, but for what a loop collects: that is open in it, and until it is reshaped."""
    collected = set()
    for step in function.operators if function.served else ():
        opened = [tensor for tensor in step.outputs if tensor.open]
        if step.kind in _LOOPS or not collected.isdisjoint(step.inputs):
            collected.update(tensor for tensor in step.outputs if tensor.open or tensor.shape is None)
        elif opened:
            yield step, opened[0]


def _shape(tensor):
    return "?" if tensor.shape is None else f"({', '.join('?' if n is None else str(n) for n in tensor.shape)})"


# What converters call a tensor that nobody named.
_MADE_UP = re.compile(
    r".*:\d+|serving_default_.*|(stateful)?partitionedcall.*|identity(_\d+)?|unk__\d+|onnx::.*"
    r"|(args?|inputs?|outputs?|keras_tensor)[._]\d+|\d*",
    re.IGNORECASE,
)


def _unnamed(artifact, promise):
    if not artifact.signatures:
        yield "file", "The file has no signature, so inputs and outputs are known by their position only."
        return
    for function in artifact.functions:
        for kind in ("inputs", "outputs") if function.served else ():
            for name in getattr(function, kind):
                if _MADE_UP.fullmatch(name):
                    yield name, f"{name!r}, of the {kind} of {function.name}, is a name that a converter made up."


def _metadata(artifact, promise):
    if artifact.damage:
        yield "file", f"The metadata of keras_segattn are there and do not read ({artifact.damage})."
    elif artifact.metadata is None:
        yield "file", "The file does not say what its classes, colours and normalisation are."


def _invalid(artifact, promise):
    custom = any(operator.custom for function in artifact.functions for operator in function.operators)
    if artifact.invalid and not custom:  # an operator that nobody knows is the other rule's
        judge = "LiteRT" if artifact.format == "tflite" else "onnx.checker"
        yield "file", f"{judge} refuses the file: {artifact.invalid.rstrip('.')}."


def _opset(artifact, promise):
    if artifact.format == "onnx" and (artifact.opset or 0) < LEAST_OPSET:
        yield "file", f"The file is of opset {artifact.opset}, and {LEAST_OPSET} is the least expected."


def _missing_weights(artifact, promise):
    kinds = {operator.kind for function in artifact.functions for operator in function.operators}
    if "READ_VARIABLE" in kinds and "ASSIGN_VARIABLE" not in kinds:
        yield "READ_VARIABLE", "The file reads variables that nothing in it ever sets: the weights are not in it."
    for place in artifact.missing:
        yield place, f"The weights are in {place!r}, which does not stand beside the file."


def _weights(function):
    """The kernels of the heavy operators, straight or by way of a conversion."""
    makers = {tensor: operator for operator in function.operators for tensor in operator.outputs}
    for operator in function.operators:
        for tensor in operator.inputs if operator.kind in _TFLITE_HEAVY | _ONNX_HEAVY else ():
            maker = makers.get(tensor)
            if maker and maker.kind in ("DEQUANTIZE", "DequantizeLinear", "Cast", "CAST"):
                tensor = maker.inputs[0]
            if tensor.constant is not None and len(tensor.shape or ()) > 1:
                yield tensor


def _not_finite(artifact, promise):
    for function in artifact.functions:
        kernels = set(_weights(function))  # elsewhere infinity may be meant, as in a mask
        for tensor in function.tensors:
            values = tensor.constant
            if values is None or values.dtype.kind != "f":
                continue
            # TFLite's converter writes the largest number of the type for infinity.
            finite = np.abs(values) < np.finfo(values.dtype).max if tensor in kernels else ~np.isnan(values)
            if not finite.all():
                count = values.size - finite.sum()
                yield tensor.name, f"Of the {values.size} values of {tensor.name}, {count} are NaN or infinite."


def _constant_weights(artifact, promise):
    for function in artifact.functions:
        for tensor in _weights(function):
            values = tensor.constant
            if values.size >= LARGE and (values == values[0]).all():
                yield tensor.name, f"All {values.size} weights of {tensor.name} are {values[0]:g}."


def _budget(artifact, promise):
    counts = Counter(operator.kind for function in artifact.functions for operator in function.operators)
    if promise.budget is not None and counts.total() > promise.budget:
        most = ", ".join(f"{count} {kind}" for kind, count in counts.most_common(3))
        yield "file", f"The file has {counts.total()} operators where {promise.budget} are budgeted; most are {most}."


RULES = {
    "invalid": Rule(
        "A file that LiteRT does not prepare, or that fails the full check of onnx.",
        "It runs nowhere, or in one runtime by luck.",
        "Convert again with the versions that setup.cfg names; tf2onnx only logs what it cannot convert.",
        _invalid,
    ),
    "missing-weights": Rule(
        "Variables that are never set, and weights in a file that is not there.",
        "Such a .tflite loads and runs, on memory that holds anything.",
        "Convert a SavedModel of `keras.export.ExportArchive` or `model.export`, never a Keras model on a tf.Module.",
        _missing_weights,
    ),
    "custom-operator": Rule(
        "Operators of TensorFlow (Flex) or of one runtime, which the format itself has not.",
        "No runtime that pip, a browser or a phone brings can run them.",
        "Write it with builtin operators, and convert with TFLITE_BUILTINS alone or to standard ONNX.",
        _custom_operator,
        INSTEAD,
    ),
    "float-island": Rule(
        "Operators that compute in float inside an int8 file, though neither `float_layers` nor a warp asks for it.",
        "Each costs a conversion on either side, and an accelerator of integers hands it back to the processor.",
        "Quantize it too, or name its layer in `float_layers` if it is to stay float.",
        _float_island,
    ),
    "float64": Rule(
        "Tensors of 64-bit floats.",
        "Mobile and GPU runtimes have no kernels for them, and they bring no accuracy to a network.",
        "Cast to float32 in the served function; numpy constants are float64 unless told otherwise.",
        _float64,
    ),
    "dynamic-shape": Rule(
        "Sizes that are only known at run time.",
        "They keep operators out of XNNPACK and GPU delegates, and add operators that compute shapes.",
        "Convert at batch 1 with height and width given.",
        _dynamic_shape,
    ),
    "unnamed": Rule(
        "Inputs or outputs with a name of the converter's, or no signature at all.",
        "A caller has to guess which is which, and the next conversion may number them otherwise.",
        "Name them: TensorSpec(name=...) for inputs, a dict of outputs, one signature a function.",
        _unnamed,
    ),
    "opset": Rule(
        f"An .onnx file below opset {LEAST_OPSET}.",
        "Old opsets lack operators and quantization of newer ones, and runtimes drop them first.",
        f"Convert with opset={LEAST_OPSET}, or lift the file with onnx.version_converter.",
        _opset,
    ),
    "not-finite": Rule(
        "NaN among the constants, or infinity in a kernel.",
        "One of them makes every answer NaN or one class.",
        "Look at the weights in Keras: training diverged, or the converter lost them.",
        _not_finite,
    ),
    "constant-weights": Rule(
        f"A kernel of {LARGE} weights or more that are all the same.",
        "A layer without differences has learnt nothing: its weights were most likely never loaded.",
        "Load the weights before exporting, and compare the file's answers with the model's.",
        _constant_weights,
    ),
    "metadata": Rule(
        "A file without keras_segattn's metadata, or with damaged ones.",
        "Other tools run it, but `Runner` cannot say what its numbers mean.",
        "Export with `segattn export` or `keras_segattn.export.export`, which write them; copy the whole file.",
        _metadata,
    ),
    "budget": Rule(
        "More operators than budgeted, all functions of the file together.",
        "A new operator in the graph costs time on a device, and should be a decision.",
        "Find what changed in the model or the converter; if it is wanted, raise the budget.",
        _budget,
    ),
}
