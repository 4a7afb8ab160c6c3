"""Precisions of a .tflite file: settings of the converter, and what is done to its file."""

import contextlib
import io
import logging
import re
from pathlib import Path

PRECISIONS = ("float32", "float16", "dynamic", "int8")


def set_precision(converter, precision):
    """Tell a TFLite converter which precision to write.

    Args:
        converter: tf.lite.TFLiteConverter of a SavedModel.
        precision: "float32"; "dynamic", int8 weights and float arithmetic; "float16" and "int8", which are
            "float32" until ``halve_kernels`` and ``quantize_int8``.

    Raises:
        ValueError: if the precision is unknown.

    Example:
        >>> set_precision(None, "int4")
        Traceback (most recent call last):
        ValueError: precision: expected one of float32, float16, dynamic, int8. Received: 'int4'
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}. Received: {precision!r}")
    import tensorflow as tf

    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]  # never Flex: no pip runtime runs it
    if precision == "dynamic":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]


def quantize_int8(path, calibration, signatures, float_layers=()):
    """Make a float32 .tflite file int8, weights and arithmetic; the logits are float again at the very end.

    Args:
        path: .tflite file, changed in place.
        calibration: uint8 (N, H, W, 3) real images, which the ranges are taken from.
            Of a model of anything else dict, name of an input -> array (N, ...).
        signatures: names of the served functions.
        float_layers: names of the layers that stay float32.

    Raises:
        ValueError: if there are no images, or the file has no layer of such a name.

    Example:
        >>> quantize_int8("model.tflite", calibration=[], signatures=["logits"])
        Traceback (most recent call last):
        ValueError: calibration: expected real images for int8. Received: none
    """
    Int8(path, calibration, signatures).write(path, float_layers)


class Int8:
    """The int8 files of one float32 .tflite file, which is calibrated once, whatever layers then stay float.

    Kernels are int8 per output channel, activations int8 per tensor with ranges that are a moving average over
    the images, biases int32. What ``warps`` finds always stays float.

    Args:
        path: float32 .tflite file.
        calibration: uint8 (N, H, W, 3) real images, which the ranges are taken from, in this order.
            Of a model of anything else dict, name of an input -> array (N, ...).
        signatures: names of the served functions.

    Attributes:
        path: that file.
        layers: dict: name of a Keras layer that int8 changes -> bytes of its float32 constants, as the data flows.

    Raises:
        ValueError: if there are no images.

    Example:
        >>> int8 = Int8("fcn8s.tflite", images, ["segment", "logits"])       # doctest: +SKIP
        >>> int8.write("fcn8s_int8.tflite", float_layers=["conv1"])          # doctest: +SKIP
    """

    def __init__(self, path, calibration, signatures):
        if calibration is None or len(calibration) == 0:
            raise ValueError("calibration: expected real images for int8. Received: none")
        from .tflite_reader import read_tflite
        from .warps import warps

        self.path = path
        self._file = Path(path).read_bytes()  # the file may be overwritten by what is written
        found = warps(read_tflite(Path(path)).functions)
        self._warps = {";".join(tensor.name for tensor in operator.outputs) for operator in found}
        self._operators = list(_operators(self._file))
        self.layers = {}
        for operator in self._operators:
            if operator.layer and operator.results not in self._warps:
                self.layers[operator.layer] = self.layers.get(operator.layer, 0) + operator.size
        self._ranges = _ranges(self._file, calibration, signatures)

    def write(self, path, float_layers=()):
        """Write one file.

        Args:
            path: .tflite file to write; that of the constructor may be overwritten.
            float_layers: names of the layers that stay float32; that of a nested model stands for all of its layers.

        Raises:
            ValueError: if the file has no layer of such a name.

        Example:
            >>> int8.write("fcn8s_int8.tflite")                              # doctest: +SKIP
        """
        from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe

        quantizing = quantizer.Quantizer(self._file)
        quantizing.load_quantization_recipe(recipe.static_wi8_ai8())
        everything = qtyping.TFLOperationName.ALL_SUPPORTED
        floats = [(".*", qtyping.TFLOperationName.INPUT), (".*", qtyping.TFLOperationName.OUTPUT)]
        floats += [(self._results_of(name), everything) for name in float_layers]
        if self._warps:
            floats.append((_expression(self._warps), everything))
        for names, operation in floats:
            quantizing.update_quantization_recipe(
                regex=names, operation_name=operation, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
            )
        with quietly():
            result = quantizing.quantize(self._ranges, enable_progress_bar=False, enable_progress_report=False)
        Path(path).write_bytes(result.quantized_model)

    def _results_of(self, layer):
        """Regular expression of the names of what a layer's operators compute."""
        found = [operator.results for operator in self._operators if layer in operator.scopes]
        if not found:
            raise ValueError(f"float_layers: expected names of {', '.join(self.layers)}. Received: {layer!r}")
        return _expression(found)


def _ranges(file, calibration, signatures):
    """dict: name of a tensor -> its least and largest value, moving averages over the images.

    ``Quantizer.calibrate`` finds the same ones in three times the time: it runs all functions, which are much the
    same network, and takes every tensor out of the runtime, which can note the extremes itself.
    """
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    def averaged(before, now):  # in float32, which the file has
        before, now = ({end: value.astype("float32") for end, value in ends.items()} for ends in (before, now))
        return qsv_utils.moving_average_update(before, now)

    noting = calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED
    calibrating = calibrator.Calibrator(file, mode=noting, qsv_update_func=averaged)
    samples = feeds(calibration)
    twins = {}
    for signature, tensors in _twins(file, signatures):
        twins |= tensors
        if any(tensor == twin for tensor, twin in tensors.items()):
            with quietly():
                calibrating.calibrate({signature: samples}, recipe_manager.RecipeManager())
    ranges = calibrating.get_model_qsvs()
    return ranges | {tensor: ranges[twin] for tensor, twin in twins.items() if twin in ranges}


def feeds(calibration):
    """What a file is asked to find the ranges of int8.

    Args:
        calibration: uint8 (N, H, W, 3) images; or dict, name of an input -> array (N, ...).

    Returns:
        list of dict, name of an input -> array (1, ...).

    Example:
        >>> import numpy as np
        >>> feeds({"x": np.arange(2), "y": np.ones(2)})
        [{'x': array([0]), 'y': array([1.])}, {'x': array([1]), 'y': array([1.])}]
    """
    named = calibration if isinstance(calibration, dict) else {"image": calibration}
    count = len(next(iter(named.values())))
    return [{name: array[place : place + 1] for name, array in named.items()} for place in range(count)]


def _twins(file, signatures):
    """(signature, dict: name of a tensor that it computes -> name of the first that always holds the same).

    Two tensors do if operators with the same options made them of tensors that do, of inputs of the same name, and of
    equal constants. The function of the most operators is the first.
    """
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    model = tfl_flatbuffer_utils.read_model(file)
    served = [one for one in model.signatureDefs if one.signatureKey.decode() in signatures]
    first = {}  # how it is made -> name
    for signature in sorted(served, key=lambda one: -len(model.subgraphs[one.subgraphIndex].operators)):
        function = model.subgraphs[signature.subgraphIndex]
        held = {entry.tensorIndex: entry.name for entry in signature.inputs}  # index -> what stands for it

        def content(index, held=held, function=function):
            if index in held or index < 0:
                return held.get(index)
            tensor = function.tensors[index]
            data = model.buffers[tensor.buffer].data
            return tensor.name if data is None else (tensor.type, tuple(tensor.shape), bytes(data))

        twins = {}
        for entry in signature.inputs:
            name = function.tensors[entry.tensorIndex].name.decode()
            twins[name] = first.setdefault(entry.name, name)
        for operator in function.operators:
            options = [repr(vars(one)) for one in (operator.builtinOptions, operator.builtinOptions2) if one]
            step = operator.opcodeIndex, *options, *map(content, operator.inputs)
            for place, index in enumerate(operator.outputs):
                name = function.tensors[index].name.decode()
                held[index] = twins[name] = first.setdefault((*step, place), name)
        yield signature.signatureKey.decode(), twins


def _expression(names):
    return f"^({'|'.join(map(re.escape, names))});?$"


@contextlib.contextmanager
def quietly():
    """Without the progress bars and warnings of the quantizers: some hundred lines for a file that is right.

    Example:
        >>> with quietly():
        ...     logging.warning("a constant is shared")
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


class _Operator:
    """One operator of a .tflite file: what it computes, which layers it is of, the bytes of its constants."""

    def __init__(self, results, names, size, before):
        self.results = ";".join(results)
        self.size = size
        names = [name for joined in names for name in joined.split(";")]
        own = (scopes(name)[-1] for name in names if scopes(name) and "/batchnorm/" not in name)
        self.layer = next(own, before)
        self.scopes = {self.layer, *(scope for name in names for scope in scopes(name))}


def _operators(file):
    """The operators that int8 changes, of every function."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    quantized = tfl_flatbuffer_utils.TFL_OP_CODE_TO_NAME
    model = tfl_flatbuffer_utils.read_model(file)
    counted = set()  # the functions of a file share their constants
    for function in model.subgraphs:
        maker = {}  # tensor -> layer
        for operator in function.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode not in quantized:
                continue
            inputs = [function.tensors[index] for index in operator.inputs if index >= 0]
            constants = {tensor.buffer: tensor for tensor in inputs if model.buffers[tensor.buffer].data is not None}
            results = [function.tensors[index].name.decode() for index in operator.outputs]
            # A kernel has its layer's own name; a result also has those of what the converter fused into it, and
            # the last one has the function's.
            kernels = [tensor.name.decode() for tensor in constants.values() if len(tensor.shape) >= 2]
            others = [tensor.name.decode() for tensor in constants.values() if len(tensor.shape) < 2]
            size = sum(len(model.buffers[buffer].data) for buffer in {*constants} - counted)
            counted |= {*constants}
            before = next((maker[index] for index in operator.inputs if index in maker), None)
            found = _Operator(results, [*kernels, *results, *others], size, before)
            maker.update(dict.fromkeys(operator.outputs, found.layer))
            yield found


def scopes(name):
    """The layers in the name of a tensor or node, outermost first: TensorFlow writes a layer's name, "_", a number.

    Args:
        name: path with "/" between its parts; the last part is the operation.

    Returns:
        list of names of layers.

    Example:
        >>> scopes("fcn8s_1/encoder_1/conv_dw_1_1/depthwise")
        ['fcn8s', 'encoder', 'conv_dw_1']
    """
    return [found[1] for found in (re.fullmatch(r"(.+)_\d+", part) for part in name.split("/")[:-1]) if found]


def halve_kernels(path):
    """Store the kernels of a float32 .tflite file as float16, but for depthwise ones; the arithmetic stays float32.

    Depthwise kernels and biases are a thirtieth of an FCN on MobileNet, and rounding them made most of the error.
    Labels of a trained FCN-32s that stayed the same on CamVid: 99.81 % with all in float16 as TFLite does it,
    99.85 % without the biases, 99.96 % without both.

    Args:
        path: .tflite file, changed in place.

    Example:
        >>> halve_kernels("model.tflite")                                    # doctest: +SKIP
    """
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer

    halving = quantizer.Quantizer(str(path))
    for operator in ("CONV_2D", "CONV_2D_TRANSPOSE", "FULLY_CONNECTED"):
        halving.add_weight_only_config(
            regex=".*",
            operation_name=qtyping.TFLOperationName[operator],
            num_bits=16,
            algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
        )
    result = halving.quantize(enable_progress_bar=False, enable_progress_report=False)
    Path(path).write_bytes(result.quantized_model)
