"""Precisions of a .tflite file, as settings of the converter."""

PRECISIONS = ("float32", "float16", "dynamic", "int8")


def set_precision(converter, precision, signatures, calibration=None):
    """Tell a TFLite converter which precision to write.

    Args:
        converter: tf.lite.TFLiteConverter of a SavedModel.
        precision: "float32"; "float16", weights of half the size; "dynamic", int8 weights and float
            arithmetic; "int8", both int8, the logits float again at the very end.
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
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = lambda: (
            (name, {"image": image[None]}) for name in signatures for image in calibration
        )
