"""Tails: what an exported model answers with, and what is expected of each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tail:
    """One way to answer.

    Args:
        outputs: dict, signature of the file -> names of its outputs. "answer" stands for ``VERBS``.
        values: output that is compared with the model as numbers, "logits" or "probabilities".
        labels: function of the ``Answers`` of the Keras model -> label maps that the file has to give.
        formats: which formats have it; None for all.
        tasks: which tasks have it.

    Example:
        >>> TAILS["probabilities"].outputs
        {'answer': ('probabilities',)}
    """

    outputs: dict
    values: str
    labels: Callable
    formats: tuple | None = None
    tasks: tuple = ("segmentation", "recognition")


@dataclass(frozen=True)
class Answers:
    """What the Keras model says of one batch.

    Args:
        logits: float32 (B, H, W, K), or (B, K) for recognition.
        scores: float32 (B, h, w, K), before the fixed upsampling at the end, for ``labels_fast``.

    Example:
        >>> Answers(np.eye(2).reshape(1, 1, 2, 2)).labels().tolist()
        [[[0, 1]]]
    """

    logits: np.ndarray
    scores: np.ndarray | None = None

    def labels(self):
        """The class of every pixel, uint8 (B, H, W); of the image, (B,), for recognition.

        Example:
            >>> Answers(np.eye(2).reshape(1, 2, 1, 2)).labels().tolist()
            [[[0], [1]]]
        """
        return self.logits.argmax(-1).astype("uint8")

    def probabilities(self):
        """The softmax of the logits, float32 and as they are shaped.

        Example:
            >>> Answers(np.zeros((1, 1, 1, 4), "float32")).probabilities().tolist()
            [[[[0.25, 0.25, 0.25, 0.25]]]]
        """
        return softmax(self.logits)

    def labels_fast(self):
        """The class of every score, each repeated over the pixels that it stands for, uint8 (B, H, W).

        Example:
            >>> scores = np.eye(2).reshape(1, 1, 2, 2)
            >>> Answers(np.zeros((1, 2, 4, 2)), scores).labels_fast()[0].tolist()
            [[0, 0, 1, 1], [0, 0, 1, 1]]
        """
        height, width = self.logits.shape[1:3]
        factor = -(-height // self.scores.shape[1])
        labels = self.scores.argmax(-1).astype("uint8").repeat(factor, axis=1).repeat(factor, axis=2)
        return labels[:, :height, :width]


def softmax(logits):
    """Probabilities of unnormalised scores, over the last axis.

    Example:
        >>> softmax(np.log(np.array([1.0, 3.0]))).round(2).tolist()
        [0.25, 0.75]
    """
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


VERBS = {"segmentation": "segment", "recognition": "classify"}  # the signature that answers, by task
_BOTH = {"answer": ("labels",), "logits": ("logits",)}
_DENSE = ("segmentation",)

TAILS = {
    "labels": Tail(_BOTH, "logits", Answers.labels),
    "labels-fast": Tail(_BOTH, "logits", Answers.labels_fast, tasks=_DENSE),
    "probabilities": Tail({"answer": ("probabilities",)}, "probabilities", Answers.labels),
    "logits": Tail({"logits": ("logits",)}, "logits", Answers.labels),
    # MediaPipe's ImageSegmenter takes its own argmax; a label map loads there and gives a wrong mask.
    "mediapipe": Tail(
        {"answer": ("probabilities",)}, "probabilities", Answers.labels, formats=("tflite",), tasks=_DENSE
    ),
}


def task_of(model):
    """The task of a model, by the shape of its logits.

    Args:
        model: keras.Model, ``image`` (B, H, W, C) -> ``logits`` (B, H, W, K) or (B, K).

    Returns:
        key of ``VERBS``.

    Example:
        >>> from keras_segattn.models import cnn
        >>> task_of(cnn((28, 28, 1), num_classes=10))
        'recognition'
    """
    return "segmentation" if len(model.output_shape) == 4 else "recognition"


def outputs(model, tail):
    """The functions of an exported file.

    Args:
        model: keras.Model, see ``task_of``.
        tail: key of ``TAILS``.

    Returns:
        dict: signature -> names of its outputs. A model with spatial transformers also has ``attend``, which gives
        the transformation and the grid of each.

    Example:
        >>> from keras_segattn.models import cnn
        >>> outputs(cnn((28, 28, 1), num_classes=10), "labels")
        {'classify': ('labels',), 'logits': ('logits',)}
    """
    from ..models import attention, transformers

    verb = VERBS[task_of(model)]
    named = {verb if name == "answer" else name: names for name, names in TAILS[tail].outputs.items()}
    if transformers(model):
        named["attend"] = tuple(sorted(attention(model).output))
    return named


def before_upsampling(model):
    """The same model, up to where a fixed upsampling to the image's resolution begins.

    Args:
        model: keras.Model, ``image`` (B, H, W, 3) -> ``logits`` (B, H, W, K), which ends in layers that only
            interpolate and crop.

    Returns:
        (keras.Model, ``image`` -> scores (B, h, w, K); int, how many pixels high and wide a score is).

    Raises:
        ValueError: if the model does not end in fixed upsampling.

    Example:
        >>> from keras_segattn.models import fcn8s
        >>> model, factor = before_upsampling(fcn8s((64, 96, 3), num_classes=5))
        >>> model.output_shape, factor
        ((None, 8, 12, 5), 8)
    """
    import keras

    scores, factor = model.outputs[0], 1
    while (step := _interpolates(_producer(scores))) is not None:
        scores = _first_input(scores)
        factor *= step
    if factor == 1:
        last = _producer(model.outputs[0]).name
        raise ValueError(
            f"tail: expected a model that ends in fixed upsampling for labels-fast. Its last layer is {last}"
        )
    return keras.Model(model.inputs, scores), factor


def _interpolates(layer):
    """By what factor a layer without anything to learn enlarges; 1 if it only crops, None if it does more."""
    import keras

    from ..layers import CropLike

    if isinstance(layer, CropLike):
        return 1
    if isinstance(layer, keras.layers.UpSampling2D):
        return layer.size[0] if layer.size[0] == layer.size[1] else None
    factor = getattr(layer, "factor", None)
    return factor if isinstance(factor, int) and not layer.trainable_weights else None


def _producer(tensor):
    return tensor._keras_history.operation


def _first_input(tensor):
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index].input_tensors[0]
