"""Scores of label maps in plain numpy: confusion matrices, summed over a split and read out once.

    >>> total = confusion_matrix([0, 0, 1], [0, 1, 1], num_classes=3)
    >>> total += confusion_matrix([1, 255], [1, 0], num_classes=3, ignore_label=255)
    >>> total.tolist()
    [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    >>> scores(total)["pixel_accuracy"]
    0.75

``metrics`` counts the same inside a Keras training; this file needs neither Keras nor a backend.
"""

import numpy as np


def confusion_matrix(labels, predictions, num_classes, ignore_label=None):
    """Count pixels by label (row) and predicted class (column), void left out.

    Args:
        labels: Integers 0..K-1 or ``ignore_label``, of any shape.
        predictions: Integers, in the shape of labels; 0..K-1, at void anything.
        num_classes: K, at least 1.
        ignore_label: The label of void pixels, or None when every pixel counts.

    Returns:
        The counts, for summing over the images of a split. (K, K) int64

    Raises:
        ValueError: the two differ in shape, are not integers, or hold a class outside 0..K-1 at a pixel
            that is not void.

    Example:
        >>> confusion_matrix([[0, 1], [1, 9]], [[0, 0], [1, 1]], num_classes=2, ignore_label=9).tolist()
        [[1, 0], [1, 1]]
    """
    if num_classes < 1:
        raise ValueError(f"Argument `num_classes` must be at least 1. Received: num_classes={num_classes}")
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise ValueError(
            "Arguments `labels` and `predictions` must have the same shape. "
            f"Received: labels of shape {labels.shape}, predictions of shape {predictions.shape}"
        )
    valid = np.ones(labels.shape, bool) if ignore_label is None else labels != ignore_label
    rows = _classes("labels", labels[valid], num_classes, ignore_label)
    columns = _classes("predictions", predictions[valid], num_classes, ignore_label)
    counts = np.bincount(rows * num_classes + columns, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def scores(confusion):
    """Read mean IoU, pixel accuracy and the IoU of each class from a confusion matrix.

    The IoU of a class is ``hits / (labelled + predicted - hits)``, and the mean is over the classes that
    occur in the labels or in the predictions of the split. As for CamVid and Cityscapes, the split has one
    matrix, summed over all its images: the mean of the scores of single images is another number.

    Args:
        confusion: Counts of pixels, label by predicted class. (K, K)

    Returns:
        A dict: ``mean_iou`` and ``pixel_accuracy``, floats in [0, 1], and ``class_iou`` (K,), NaN for a class
        that is in neither labels nor predictions. Of an empty matrix all are NaN.

    Raises:
        ValueError: confusion is not square.

    Reference:
        Everingham et al., The Pascal Visual Object Classes Challenge, 2015, section 4.2 (IoU).

    Example:
        Class 0 is hit once and missed once, class 1 is hit twice in three, class 2 does not occur.

        >>> result = scores([[1, 1, 0], [0, 2, 0], [0, 0, 0]])
        >>> [round(iou, 4) for iou in result["class_iou"].tolist()]
        [0.5, 0.6667, nan]
        >>> round(result["mean_iou"], 4)
        0.5833
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"Argument `confusion` must be (K, K). Received: shape {confusion.shape}")
    hits = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    class_iou = _ratio(hits, union)
    return {
        "mean_iou": float(_ratio(np.nansum(class_iou), np.count_nonzero(union))),
        "pixel_accuracy": float(_ratio(hits.sum(), confusion.sum())),
        "class_iou": class_iou,
    }


def max_f_measure(masks, maps, *, beta_squared=0.3):
    """How well maps say what is in the foreground, at the threshold that suits all of them best.

    Precision and recall are the means over the images at each of 256 thresholds; the F-measure weighs them,
    ``(1 + b) P R / (b P + R)``, and its greatest value counts. Where a map says nothing, precision is 0.

    Args:
        masks: Iterable of bool (H, W), the foreground. Images without any are left out.
        maps: Iterable of uint8 (H, W), 0..255, how sure it is that a pixel is foreground.
        beta_squared: b, positive; below 1 it weighs precision more.

    Returns:
        A float in [0, 1], NaN where no image has foreground.

    Raises:
        ValueError: a mask and its map differ in shape, or a map is not uint8.

    Reference:
        Achanta et al., Frequency-tuned Salient Region Detection, CVPR 2009; Borji et al., Salient Object
        Detection: A Benchmark, TIP 2015.

    Example:
        >>> max_f_measure([np.array([[True, True, False, False]])], [np.array([[200, 90, 100, 0]], "uint8")])
        0.8125
    """
    curves = [_precision_recall(mask, map) for mask, map in zip(masks, maps, strict=True) if np.any(mask)]
    if not curves:
        return float("nan")
    precision, recall = np.mean(curves, axis=0)                            # (256,) each
    weighed = beta_squared * precision + recall
    return float(np.max((1 + beta_squared) * precision * recall / np.where(weighed, weighed, 1)))


def _precision_recall(mask, map):
    """Precision and recall where a map is at least 0, 1, .. 255, (2, 256)."""
    mask, map = np.asarray(mask, bool), np.asarray(map)
    if mask.shape != map.shape or map.dtype != np.uint8:
        raise ValueError(
            "Arguments `masks` and `maps` must be pairs of one shape, the maps uint8. "
            f"Received: a mask of shape {mask.shape}, a map of shape {map.shape} and {map.dtype}"
        )
    right, said = (np.bincount(part, minlength=256)[::-1].cumsum()[::-1] for part in (map[mask], map.ravel()))
    return right / np.maximum(said, 1), right / mask.sum()


def _classes(name, values, num_classes, ignore_label):
    if values.dtype.kind not in "iu":
        raise ValueError(f"Argument `{name}` must be integers. Received: {values.dtype}")
    outside = np.unique(values[(values < 0) | (values >= num_classes)])
    if outside.size:
        raise ValueError(
            f"Argument `{name}` must be in 0..{num_classes - 1} at every pixel that is not void "
            f"(ignore_label={ignore_label}). Received: {outside[:8].tolist()}"
        )
    return values.astype("int64")


def _ratio(part, whole):
    """part / whole, NaN for 0 / 0 and no warning."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
