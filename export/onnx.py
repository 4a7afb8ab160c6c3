"""ONNX: one graph with the outputs ``labels`` and ``logits``; a session computes what it is asked for."""

OPSET = 18  # the newest that tf2onnx writes


def write_onnx(model, path):
    """Write the served functions of a model as one .onnx file, checked in full.

    Args:
        model: keras.Model on the TensorFlow backend, see ``serving.signatures``.
        path: file to write.

    Raises:
        onnx.checker.ValidationError: if the graph is not valid.

    Example:
        >>> write_onnx(model, "model.onnx")                                  # doctest: +SKIP
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    from .serving import image_spec, label_map, signatures

    served = signatures(model)

    @tf.function(input_signature=[image_spec(model)])
    def both(image):
        logits = served["logits"](image)["logits"]
        return {"labels": label_map(logits), "logits": logits}

    graph, _ = tf2onnx.convert.from_function(both, input_signature=[image_spec(model)], opset=OPSET)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))
