"""Metrics of logits (B, H, W, K) against label maps (B, H, W), void pixels left out.

Pixels are counted in int32, exactly, up to 2**31 - 1 of them in one counter and 2**24 in one image: float32
stops counting at 2**24, less than half of CamVid's test split, and JAX has no int64 by default. A larger
split is scored with ``scores``, which counts in int64.
"""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_segattn")
class MeanIoU(keras.Metric):
    """Mean intersection over union of one confusion matrix, summed over all batches.

    The mean is over the classes that occur in the labels or in the predictions since the last reset, as in
    ``scores``; 0 before the first valid pixel. A class outside 0..K-1 at a pixel that is not void makes the
    result NaN.

    Args:
        num_classes: K, at least 1.
        ignore_label: The label of void pixels, or None when every pixel counts.
        from_logits: Whether predictions come as logits (B, H, W, K) or as a label map (B, H, W).
        name: Name of the metric.

    Update with integer labels ``y_true`` (B, H, W) and ``y_pred`` as above; the result is a scalar in [0, 1].
    ``metric.confusion`` holds the counts, label by predicted class, (K, K) int32.

    Raises:
        ValueError: num_classes is below 1; at the update: the shapes do not fit, or there is a sample_weight.

    Reference:
        Everingham et al., The Pascal Visual Object Classes Challenge, 2015, section 4.2.

    Example:
        Class 0: one hit in two. Class 1: two hits in three. Class 2 does not occur.

        >>> metric = MeanIoU(num_classes=3, ignore_label=255, from_logits=False)
        >>> metric.update_state([[[0, 0, 1, 1, 255]]], [[[0, 1, 1, 1, 2]]])
        >>> round(float(metric.result()), 4)
        0.5833
    """

    def __init__(self, num_classes, ignore_label=None, from_logits=True, name="mean_iou"):
        super().__init__(name=name, dtype="float32")
        if num_classes < 1:
            raise ValueError(f"Argument `num_classes` must be at least 1. Received: {num_classes}")
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.from_logits = from_logits
        self.confusion = self.add_weight((num_classes, num_classes), "zeros", "int32", "confusion")
        self.outside = self.add_weight((), "zeros", "int32", "outside")

    def update_state(self, y_true, y_pred, sample_weight=None):
        k = self.num_classes
        _check_no_sample_weight(sample_weight)
        labels, predictions, valid = _label_maps(y_true, y_pred, self.ignore_label, self.from_logits, k)
        known = (labels >= 0) & (labels < k) & (predictions >= 0) & (predictions < k)
        self.confusion.assign_add(_count(labels, predictions, valid & known, k))
        self.outside.assign_add(ops.sum(ops.cast(valid & ~known, "int32")))

    def result(self):
        counts = ops.cast(self.confusion, "float32")
        hits = ops.diagonal(counts)
        union = ops.sum(counts, axis=0) + ops.sum(counts, axis=1) - hits
        class_iou = ops.divide_no_nan(hits, union)
        mean = ops.divide_no_nan(ops.sum(class_iou), ops.sum(ops.cast(union > 0, "float32")))
        return ops.where(ops.equal(self.outside, 0), mean, math.nan)

    def get_config(self):
        return {
            "num_classes": self.num_classes,
            "ignore_label": self.ignore_label,
            "from_logits": self.from_logits,
            "name": self.name,
        }


@keras.saving.register_keras_serializable("keras_segattn")
class PixelAccuracy(keras.Metric):
    """Share of the valid pixels whose predicted class is their label; 0 before the first of them.

    Args:
        ignore_label: The label of void pixels, or None when every pixel counts.
        from_logits: Whether predictions come as logits (B, H, W, K) or as a label map (B, H, W).
        name: Name of the metric.

    Update with integer labels ``y_true`` (B, H, W) and ``y_pred`` as above; the result is a scalar in [0, 1].

    Raises:
        ValueError: at the update: the shapes do not fit, or there is a sample_weight.

    Reference:
        Long et al., Fully Convolutional Networks for Semantic Segmentation, 2015, section 5;
        https://arxiv.org/abs/1411.4038

    Example:
        >>> metric = PixelAccuracy(ignore_label=255, from_logits=False)
        >>> metric.update_state([[[0, 0, 1, 1, 255]]], [[[0, 1, 1, 1, 2]]])
        >>> float(metric.result())
        0.75
    """

    def __init__(self, ignore_label=None, from_logits=True, name="pixel_accuracy"):
        super().__init__(name=name, dtype="float32")
        self.ignore_label = ignore_label
        self.from_logits = from_logits
        self.correct = self.add_weight((), "zeros", "int32", "correct")
        self.total = self.add_weight((), "zeros", "int32", "total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        _check_no_sample_weight(sample_weight)
        labels, predictions, valid = _label_maps(y_true, y_pred, self.ignore_label, self.from_logits)
        correct = ops.logical_and(valid, ops.equal(labels, predictions))
        self.correct.assign_add(ops.sum(ops.cast(correct, "int32")))
        self.total.assign_add(ops.sum(ops.cast(valid, "int32")))

    def result(self):
        return ops.divide_no_nan(ops.cast(self.correct, "float32"), ops.cast(self.total, "float32"))

    def get_config(self):
        return {"ignore_label": self.ignore_label, "from_logits": self.from_logits, "name": self.name}


def _count(labels, predictions, counted, num_classes):
    """Confusion matrix of the pixels that are counted. (B, N) x 3 -> (K, K) int32"""
    cells = ops.clip(labels * num_classes + predictions, 0, num_classes**2 - 1)
    # Each image has a matrix of its own, as PyTorch's segment_sum adds in float32: exact to 2**24 pixels.
    images = ops.shape(cells)[0]
    cells = cells + num_classes**2 * ops.expand_dims(ops.arange(images, dtype="int32"), 1)
    ones = ops.reshape(ops.cast(counted, "int32"), (-1,))
    counts = ops.segment_sum(ones, ops.reshape(cells, (-1,)), num_segments=images * num_classes**2)
    return ops.sum(ops.reshape(counts, (-1, num_classes, num_classes)), axis=0)


def _label_maps(y_true, y_pred, ignore_label, from_logits, num_classes=None):
    """Labels, predicted classes, and which pixels are valid: (B, N) int32, int32 and bool, N = H W."""
    labels, predictions = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    expected = (*labels.shape, num_classes) if from_logits else tuple(labels.shape)
    pairs = zip(expected, predictions.shape, strict=False)
    fits = all(a == b for a, b in pairs if a is not None and b is not None)
    if len(expected) != len(predictions.shape) or not fits:
        raise ValueError(
            f"With from_logits={from_logits}, labels of shape {tuple(labels.shape)} and "
            f"num_classes={num_classes}, predictions must be of shape {expected}. "
            f"Received: {tuple(predictions.shape)}"
        )
    if from_logits:
        predictions = ops.argmax(predictions, axis=-1)
    pixels = (ops.shape(labels)[0], -1)
    labels = ops.reshape(ops.cast(labels, "int32"), pixels)
    predictions = ops.reshape(ops.cast(predictions, "int32"), pixels)
    valid = ops.ones_like(labels, "bool") if ignore_label is None else ops.not_equal(labels, ignore_label)
    return labels, predictions, valid


def _check_no_sample_weight(sample_weight):
    if sample_weight is not None:
        raise ValueError(
            "Pixels are counted, not weighed: expected sample_weight=None, and void pixels named by "
            f"`ignore_label`. Received: sample_weight={sample_weight}"
        )
