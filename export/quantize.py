"""Precisions of a .tflite file: settings of the converter, and what is done to its file."""

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
        signatures: names of the served functions.
        float_layers: names of the layers that stay float32.

    Raises:
        ValueError: if there are no images.

    Example:
        >>> quantize_int8("model.tflite", calibration=[], signatures=["logits"])
        Traceback (most recent call last):
        ValueError: calibration: expected real images for int8. Received: none
    """
    if calibration is None or len(calibration) == 0:
        raise ValueError("calibration: expected real images for int8. Received: none")
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe

    quantizing = quantizer.Quantizer(str(path))
    quantizing.load_quantization_recipe(recipe.static_wi8_ai8())
    everything, output = qtyping.TFLOperationName.ALL_SUPPORTED, qtyping.TFLOperationName.OUTPUT
    # TensorFlow's scope of a layer is its name and "_".
    for names, operation in [(".*", output), *((f".*/{name}_.*", everything) for name in float_layers)]:
        quantizing.update_quantization_recipe(
            regex=names, operation_name=operation, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
        )
    samples = [{"image": image[None]} for image in calibration]
    ranges = quantizing.calibrate(dict.fromkeys(signatures, samples))
    result = quantizing.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    Path(path).write_bytes(result.quantized_model)


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
