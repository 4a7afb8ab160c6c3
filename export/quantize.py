"""Precisions of a .tflite file: settings of the converter, and float16 kernels after it."""

from pathlib import Path

PRECISIONS = ("float32", "float16", "dynamic", "int8")


def set_precision(converter, precision, signatures, calibration=None):
    """Tell a TFLite converter which precision to write.

    Args:
        converter: tf.lite.TFLiteConverter of a SavedModel.
        precision: "float32"; "float16", which is "float32" until ``halve_kernels``; "dynamic", int8 weights and
            float arithmetic; "int8", both int8, the logits float again at the very end.
        signatures: names of the served functions.
        calibration: uint8 (N, H, W, 3) real images, which "int8" takes its ranges from.

    Raises:
        ValueError: if the precision is unknown, or "int8" gets no images.

    Example:
        >>> set_precision(None, "int4", [])
        Traceback (most recent call last):
        ValueError: precision: expected one of float32, float16, dynamic, int8. Received: 'int4'
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}. Received: {precision!r}")
    if precision == "int8" and (calibration is None or len(calibration) == 0):
        raise ValueError("calibration: expected real images for int8. Received: none")
    import tensorflow as tf

    builtins = tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if precision == "int8" else tf.lite.OpsSet.TFLITE_BUILTINS
    converter.target_spec.supported_ops = [builtins]  # never Flex: no pip runtime runs it
    if precision in ("dynamic", "int8"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "int8":
        converter.representative_dataset = lambda: (
            (name, {"image": image[None]}) for name in signatures for image in calibration
        )


def halve_kernels(path):
    """Store the kernels of a float32 .tflite file as float16; biases and arithmetic stay float32.

    TFLite's own float16 rounds the biases too, and those do the harm: a bias of 30 moves by 0.01.

    Args:
        path: .tflite file, changed in place.

    Example:
        >>> halve_kernels("model.tflite")                                    # doctest: +SKIP
    """
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer

    half = qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
        compute_precision=qtyping.ComputePrecision.FLOAT,
    )
    casting = quantizer.Quantizer(str(path))
    casting.update_quantization_recipe(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
        op_config=half,
    )
    Path(path).write_bytes(casting.quantize().quantized_model)
