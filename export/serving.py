"""What is served: TensorFlow functions with a uint8 RGB image in, and logits or a label map out."""


def signatures(model):
    """The functions that an exported segmentation model answers to.

    Args:
        model: keras.Model, ``image`` (B, H, W, 3), RGB 0..255 -> ``logits`` (B, H, W, K), K <= 256.
            H and W must be known.

    Returns:
        dict: name -> function of one uint8 tensor (1, H, W, 3) that returns a dict:
        ``segment`` -> ``labels`` uint8 (1, H, W), and ``logits`` -> ``logits`` float32 (1, H, W, K).

    Raises:
        ValueError: if the model is not of that kind.

    Example:
        >>> from keras_segattn.models import fcn32s
        >>> sorted(signatures(fcn32s((32, 64, 3), num_classes=2)))
        ['logits', 'segment']
    """
    import tensorflow as tf

    check(model)

    def logits(image):
        return {"logits": model(tf.cast(image, tf.float32), training=False)}

    def segment(image):
        return {"labels": label_map(logits(image)["logits"])}

    return {"segment": segment, "logits": logits}


def label_map(logits):
    """The class of every pixel, as a TensorFlow function. XNNPACK takes neither of its two operators.

    Args:
        logits: float32 (B, H, W, K), K <= 256.

    Returns:
        uint8 (B, H, W).

    Example:
        >>> label_map([[[[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]]]]).numpy().tolist()
        [[[1, 0]]]
    """
    import tensorflow as tf

    return tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32), tf.uint8)


def image_spec(model):
    """The input of every signature: ``image``, uint8 (1, H, W, 3).

    Example:
        >>> from keras_segattn.models import fcn32s
        >>> image_spec(fcn32s((32, 64, 3), num_classes=2)).shape.as_list()
        [1, 32, 64, 3]
    """
    import tensorflow as tf

    return tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8, name="image")


def check(model):
    """Raise ValueError unless the model maps one image of known size to one map of logits.

    Args:
        model: keras.Model.

    Example:
        >>> import keras
        >>> check(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
        Traceback (most recent call last):
        ValueError: model: expected one image (B, H, W, 3) of known size -> logits (B, H, W, K), K <= 256. \
Received: (None, 4) -> (None, 2)
    """
    image = getattr(model, "input_shape", None)
    logits = model.compute_output_shape(image) if isinstance(image, tuple) else None
    fits = (
        all(isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:] for shape in (image, logits))
        and image[0] in (None, 1)
        and image[3] == 3
        and image[1:3] == logits[1:3]
        and logits[3] <= 256
    )
    if not fits:
        raise ValueError(
            "model: expected one image (B, H, W, 3) of known size -> logits (B, H, W, K), K <= 256. "
            f"Received: {image} -> {logits}"
        )
    for layer in _layers(model):
        if layer.compute_dtype != "float32":
            raise ValueError(
                f"model: expected float32 arithmetic; the file's precision is another matter. Received: "
                f"{layer.compute_dtype} in {layer.name}. Build it in float32 and set its weights"
            )


def _layers(layer):
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)
