"""What is served: named TensorFlow functions, each of a dict of tensors to a dict of tensors, with static shapes."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """One function of an exported file.

    Args:
        function: TensorFlow function, dict of tensors -> dict of tensors.
        inputs: dict, name -> tf.TensorSpec of that name; every size is known.

    Example:
        >>> Signature(lambda inputs: inputs, inputs={}).function({})
        {}
    """

    function: Callable
    inputs: dict


def of_images(model, tail="labels"):
    """The functions that an exported model of images answers to.

    Args:
        model: keras.Model, ``image`` (B, H, W, C), 0..255 -> ``logits`` (B, H, W, K) for segmentation, (B, K) for
            recognition; K <= 256. H and W must be known.
        tail: key of ``tails.TAILS``: what ``segment`` or ``classify`` gives.

    Returns:
        dict: name -> ``Signature`` of ``image``, uint8 (1, H, W, C). ``segment`` or ``classify`` gives ``labels`` uint8
        (1, H, W) or (1,), or ``probabilities`` float32 (1, H, W, K) or (1, K); ``logits`` gives ``logits``, float32
        and shaped likewise; which of them there are says the tail. ``attend`` gives, of each spatial transformer
        of the model, the transformation and where it looks; see ``models.attention``.

    Raises:
        ValueError: if the model is not of that kind, or there is no such tail.

    Example:
        >>> from keras_segattn.models import fcn32s
        >>> sorted(of_images(fcn32s((32, 64, 3), num_classes=2)))
        ['logits', 'segment']
    """
    import tensorflow as tf

    from .tails import TAILS, VERBS, outputs, task_of

    check(model)
    task = task_of(model)
    known = [name for name, one in TAILS.items() if task in one.tasks]
    if tail not in known:
        raise ValueError(f"tail: expected one of {', '.join(known)} for {task}. Received: {tail!r}")

    def logits(inputs):
        return {"logits": model(tf.cast(inputs["image"], tf.float32), training=False)}

    def labels(inputs):
        return {"labels": label_map(logits(inputs)["logits"])}

    def probabilities(inputs):
        return {"probabilities": tf.nn.softmax(logits(inputs)["logits"])}

    answer = {
        "labels": labels,
        "labels-fast": lambda inputs: {"labels": fast(inputs["image"])},
        "probabilities": probabilities,
        "mediapipe": probabilities,
    }
    if tail == "labels-fast":
        fast = _fast_label_map(model)
    functions = {VERBS[task]: answer.get(tail), "logits": logits}
    served = outputs(model, tail)
    if "attend" in served:
        functions["attend"] = _attend(model)
    image = {"image": tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8, name="image")}
    return {name: Signature(functions[name], image) for name in served}


def _attend(model):
    import tensorflow as tf

    from ..models import attention

    looks = attention(model)
    return lambda inputs: looks(tf.cast(inputs["image"], tf.float32), training=False)


def functions(model, signatures):
    """Several functions over the layers of one model, whose weights a file stores once.

    Args:
        model: functional keras.Model with a dict of inputs and a dict of outputs; all sizes but the batch known.
        signatures: dict, name -> (names of its inputs, names of its outputs), such as
            ``{"encode": (["tokens"], ["state"]), "step": (["token", "state"], ["logits", "new_state"])}``.

    Returns:
        dict: name -> ``Signature``, with a batch of one.

    Raises:
        ValueError: if a name is not that of an input or output of the model, or an output needs another input.

    Example:
        >>> import keras
        >>> a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
        >>> model = keras.Model({"a": a, "b": b}, {"sum": a + b, "double": 2 * a})
        >>> sorted(functions(model, {"add": (["a", "b"], ["sum"]), "twice": (["a"], ["double"])}))
        ['add', 'twice']
    """
    import keras
    import tensorflow as tf

    if not isinstance(model.input, dict) or not isinstance(model.output, dict):
        raise ValueError("model: expected a dict of inputs and a dict of outputs. Received: other structures")

    def chosen(names, tensors, kind):
        strange = [name for name in names if name not in tensors]
        if strange:
            raise ValueError(
                f"signatures: expected {kind}s of the model, {', '.join(tensors)}. Received: {strange[0]!r}"
            )
        return {name: tensors[name] for name in names}

    def one(name, inputs, outputs):
        inputs, outputs = chosen(inputs, model.input, "input"), chosen(outputs, model.output, "output")
        try:
            part = keras.Model(inputs, outputs)
        except ValueError as error:  # Keras walks back from the outputs, and ends elsewhere
            raise ValueError(f"signatures: {name}: expected all inputs that its outputs need. {error}") from error
        specs = {
            name: tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=name) for name, tensor in part.input.items()
        }
        return Signature(lambda inputs: part(inputs, training=False), specs)

    return {name: one(name, *names) for name, names in signatures.items()}


def label_map(logits):
    """The class of every pixel, as a TensorFlow function. XNNPACK takes neither of its two operators.

    Args:
        logits: float32 (B, H, W, K) or (B, K), K <= 256.

    Returns:
        uint8 (B, H, W) or (B,).

    Example:
        >>> label_map([[[[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]]]]).numpy().tolist()
        [[[1, 0]]]
    """
    import tensorflow as tf

    return tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32), tf.uint8)


def _fast_label_map(model):
    """Function: image (1, H, W, 3) -> labels (1, H, W), those of the scores before the model's fixed upsampling."""
    import tensorflow as tf

    from .tails import before_upsampling

    scores, factor = before_upsampling(model)
    _, height, width, _ = model.output_shape
    size = [factor * length for length in scores.output_shape[1:3]]

    def fast(image):
        labels = label_map(scores(tf.cast(image, tf.float32), training=False))              # (1, h, w)
        blocks = tf.tile(labels[:, :, None, :, None], [1, 1, factor, 1, factor])            # (1, h, f, w, f)
        return tf.reshape(blocks, [1, *size])[:, :height, :width]                           # (1, H, W)

    return fast


def are_scores(image, logits):
    """Whether an output can be scores of few enough classes, of every pixel or of the image.

    Args:
        image: shape (B, H, W, C) of known size, a tuple.
        logits: shape of the output, a tuple.

    Example:
        >>> are_scores((None, 8, 12, 3), (None, 8, 12, 5)), are_scores((None, 8, 12, 3), (None, 4, 6, 5))
        (True, False)
    """
    return image[3] <= 3 and logits[1:-1] in ((), image[1:3]) and logits[-1] <= 256


def check(model):
    """Raise ValueError unless the model maps one image of known size to logits, of every pixel or of the image.

    Args:
        model: keras.Model.

    Example:
        >>> import keras
        >>> check(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
        Traceback (most recent call last):
        ValueError: model: expected one image (B, H, W, C) of known size, C <= 3 -> logits (B, H, W, K) or (B, K), \
K <= 256. Received: (None, 4) -> (None, 2)
    """
    image = getattr(model, "input_shape", None)
    logits = model.compute_output_shape(image) if isinstance(image, tuple) else None
    fits = all(isinstance(shape, tuple) and len(shape) > 1 and None not in shape[1:] for shape in (image, logits))
    if not (fits and len(image) == 4 and image[0] in (None, 1) and are_scores(image, logits)):
        raise ValueError(
            "model: expected one image (B, H, W, C) of known size, C <= 3 -> logits (B, H, W, K) or (B, K), K <= 256. "
            f"Received: {image} -> {logits}"
        )
    check_float32(model)


def check_float32(model):
    """Raise ValueError unless a model computes in float32.

    Args:
        model: keras.Model.

    Example:
        >>> import keras
        >>> check_float32(keras.Sequential([keras.layers.Dense(2, dtype="mixed_float16", name="wide")]))
        Traceback (most recent call last):
        ValueError: model: expected float32 arithmetic; the file's precision is another matter. Received: ...
    """
    for layer in _layers(model):
        if layer.compute_dtype not in ("float32", "int32"):  # ids are integers
            raise ValueError(
                f"model: expected float32 arithmetic; the file's precision is another matter. Received: "
                f"{layer.compute_dtype} in {layer.name}. Build it in float32 and set its weights"
            )


def _layers(layer):
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)
