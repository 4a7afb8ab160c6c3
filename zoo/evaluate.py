"""The evaluation, the only one: a segmenter over a whole official split."""

import numpy as np

from ..images import fit, restore
from ..scores import confusion_matrix, scores


def evaluate(labels, examples, dataset, *, image_size):
    """Scores of a model, against the labels.

    Segmentation is scored at the labels' own resolution: one confusion matrix is summed over all examples, void left
    out, and the mean IoU is over its classes. Recognition is scored by the share of images of which it is wrong.

    Args:
        labels: function, uint8 (H, W, C) of ``image_size`` -> label map (H, W), or one label for recognition.
        examples: iterable of dict with ``image`` and ``label``, see ``data.builder.open_split``.
        dataset: ``Dataset``.
        image_size: (H, W) that the model takes; photographs of another size are resized, and label maps back.

    Returns:
        dict, in points of 100: ``mean_iou``, ``pixel_accuracy`` and ``iou_<class>`` of segmentation, ``error`` and
        ``error_<class>`` of recognition.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> label = np.arange(12, dtype="uint8").reshape(3, 4)
        >>> example = {"image": label[..., None].repeat(3, -1), "label": label}
        >>> perfect = lambda image: image[..., 0]
        >>> evaluate(perfect, [example], DATASETS["camvid"], image_size=(3, 4))["mean_iou"]
        100.0
    """

    return _EVALUATIONS[dataset.task](labels, examples, dataset, image_size)


def _evaluate_segmentation(labels, examples, dataset, image_size):
    def answer(example):
        found = labels(fit(example["image"], *image_size))
        return restore(np.asarray(found, "uint8"), *example["label"].shape)

    classes = dataset.classes
    confusion = sum(
        confusion_matrix(example["label"], answer(example), len(classes), ignore_label=dataset.ignore_label)
        for example in examples
    )
    found = scores(confusion)
    by_class = {f"iou_{name}": 100 * float(iou) for name, iou in zip(classes, found["class_iou"], strict=True)}
    return {"mean_iou": 100 * found["mean_iou"], "pixel_accuracy": 100 * found["pixel_accuracy"], **by_class}


def _evaluate_recognition(labels, examples, dataset, image_size):
    answers = np.array([(int(example["label"]), int(labels(example["image"]))) for example in examples])
    truth, found = answers.T                                               # (N,) each
    wrong = {
        f"error_{name}": 100 * float((found[truth == index] != index).mean())
        for index, name in enumerate(dataset.classes)
        if (truth == index).any()
    }
    return {"error": 100 * float((found != truth).mean()), **wrong}


_EVALUATIONS = {"segmentation": _evaluate_segmentation, "recognition": _evaluate_recognition}


def labels_of(model):
    """The label or label map of one image, through a Keras model.

    Args:
        model: keras.Model, ``image`` (B, H, W, C), 0..255 -> ``logits`` (B, H, W, K) or (B, K), K <= 256.

    Returns:
        function: uint8 (H, W, C) -> uint8 (H, W) or ().

    Example:
        >>> from keras_segattn.models import fcn32s
        >>> labels_of(fcn32s((32, 64, 3), num_classes=2))(np.zeros((32, 64, 3), "uint8")).shape
        (32, 64)
    """

    def labels(image):
        logits = model.predict_on_batch(image[None].astype("float32"))
        return np.asarray(logits)[0].argmax(-1).astype("uint8")

    return labels
