"""TFLite: one file with every signature, builtin operators only, static shapes."""

import tempfile
from pathlib import Path


def write_tflite(served, path, *, precision="float32", calibration=None, float_layers=(), tables=False):
    """Write served functions as one .tflite file, which holds the weights that they share once.

    Args:
        served: dict, name -> ``serving.Signature``.
        path: file to write.
        precision: see ``quantize.set_precision``.
        calibration: for "int8", see ``quantize.feeds``.
        float_layers: names of the layers that "int8" leaves in float32.
        tables: whether functions look up rows of a weight, as those of language do. "float16" then is TFLite's own, for
            every weight: 11.5 MB of an RNNsearch of 22.8, which ``quantize.halve_kernels`` made 23.8.

    Example:
        >>> write_tflite(of_images(model), "model.tflite", precision="float16")  # doctest: +SKIP
    """
    import tensorflow as tf

    from .quantize import halve_kernels, quantize_int8, set_precision
    from .saved_model import write_saved_model

    with tempfile.TemporaryDirectory() as folder:
        # By way of a SavedModel: handed a Keras model or its functions, the converter may lose the weights.
        write_saved_model(served, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(served))
        set_precision(converter, precision)
        if precision == "float16" and tables:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        Path(path).write_bytes(converter.convert())
    if precision == "float16" and not tables:
        halve_kernels(path)
    elif precision == "int8":
        quantize_int8(path, calibration, list(served), float_layers)


def prepare(path):
    """Have the runtime prepare every operator of a file, for the converter writes what it may refuse.

    Args:
        path: of a .tflite file.

    Raises:
        RuntimeError: if it refuses one; it says which.

    Example:
        >>> prepare("model.tflite")                                          # doctest: +SKIP
    """
    import tensorflow as tf

    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    tf.lite.Interpreter(str(path), experimental_op_resolver_type=plain).allocate_tensors()
