"""The evaluation, the only one: a model over a whole official split."""

import itertools

import numpy as np

from ..images import fit, restore, to_channels
from ..scores import confusion_matrix, max_f_measure, scores
from .text_scores import bleu, by_length, caption_bleu, cider_d


def evaluate(answers, examples, dataset, *, image_size=None, batch_size=64):
    """Scores of a model, against the labels or what people wrote.

    Segmentation is scored at the labels' own resolution: one confusion matrix is summed over all examples, void left
    out, and the mean IoU is over its classes. Recognition is scored by the share of images of which it is wrong.
    Translation and captions are scored as whole splits, see ``text_scores``.

    Args:
        answers: function, by the task of the data set:

            - segmentation: uint8 (H, W, C) of ``image_size`` -> label map (H, W);
            - recognition: uint8 (H, W, C) -> one label;
            - translation: list of str -> list of str;
            - captioning: list of uint8 (H, W, 3) of ``image_size`` -> list of str.
        examples: iterable of dict, see ``data.builder.open_split``; text is asked for batch by batch as they come.
        dataset: ``Dataset``.
        image_size: (H, W) that the model takes, or None for that of the data set; photographs of another size are
            resized, and label maps back.
        batch_size: sentences or captions that are asked for at once, at most.

    Returns:
        dict, in points of 100:

        - segmentation: ``mean_iou``, ``pixel_accuracy`` and ``iou_<class>``;
        - recognition: ``error`` and ``error_<class>``;
        - translation: ``bleu``, and by words of the source ``bleu_1_to_5``, ``bleu_6_to_10``, ``bleu_11_to_15`` and
          ``bleu_over_15``, as far as there are such sentences;
        - captioning: ``bleu_1`` .. ``bleu_4``, and ``cider_d``, 100 times that of the paper as is customary.

    Raises:
        ValueError: if there are more or fewer sentences than were asked for, or no examples.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> label = np.arange(12, dtype="uint8").reshape(3, 4)
        >>> example = {"image": label[..., None].repeat(3, -1), "label": label}
        >>> perfect = lambda image: image[..., 0]
        >>> evaluate(perfect, [example], DATASETS["camvid"], image_size=(3, 4))["mean_iou"]
        100.0
    """
    return _EVALUATIONS[dataset.task](answers, examples, dataset, image_size or dataset.image_size, batch_size)


def _evaluate_segmentation(labels, examples, dataset, image_size, batch_size):
    def answer(example):
        found = labels(to_channels(fit(example["image"], *image_size), dataset.channels))
        return restore(np.asarray(found, "uint8"), *example["label"].shape)

    classes = dataset.classes
    confusion = sum(
        confusion_matrix(example["label"], answer(example), len(classes), ignore_label=dataset.ignore_label)
        for example in examples
    )
    found = scores(confusion)
    by_class = {f"iou_{name}": 100 * float(iou) for name, iou in zip(classes, found["class_iou"], strict=True)}
    return {"mean_iou": 100 * found["mean_iou"], "pixel_accuracy": 100 * found["pixel_accuracy"], **by_class}


def _evaluate_recognition(labels, examples, dataset, image_size, batch_size):
    answers = np.array([(int(example["label"]), int(labels(example["image"]))) for example in examples])
    truth, found = answers.T                                               # (N,) each
    wrong = {
        f"error_{name}": 100 * float((found[truth == index] != index).mean())
        for index, name in enumerate(dataset.classes)
        if (truth == index).any()
    }
    return {"error": 100 * float((found != truth).mean()), **wrong}


def _evaluate_translation(translate, examples, dataset, image_size, batch_size):
    told = list(_in_batches(translate, examples, lambda example: example["source"], batch_size))
    found = [answer for answer, _ in told]
    sources, targets = ([example[name] for _, example in told] for name in ("source", "target"))
    score, _ = bleu(found, targets)
    return {"bleu": score, **{f"bleu_{name}": value for name, value in by_length(found, targets, sources).items()}}


def _evaluate_captioning(describe, examples, dataset, image_size, batch_size):
    asked = _in_batches(describe, examples, lambda example: fit(example["image"], *image_size), batch_size)
    told = [(answer, example["captions"]) for answer, example in asked]
    found, captions = ([each[part] for each in told] for part in range(2))
    return {**caption_bleu(found, captions), "cider_d": 100 * cider_d(found, captions)}


def _in_batches(answers, examples, question, batch_size):
    """Pairs of answer and example, in the order of the examples, of which no more are held than are asked about."""
    examples = iter(examples)
    while batch := list(itertools.islice(examples, batch_size)):
        found = answers([question(example) for example in batch])
        if len(found) != len(batch):
            raise ValueError(f"answers: expected a sentence for each of {len(batch)} inputs. Received: {len(found)}")
        yield from zip(found, batch, strict=True)


_EVALUATIONS = {
    "segmentation": _evaluate_segmentation,
    "recognition": _evaluate_recognition,
    "translation": _evaluate_translation,
    "captioning": _evaluate_captioning,
}


def evaluate_foreground(probabilities, examples, dataset, *, image_size=None):
    """How well a model of two classes tells the second, the foreground, from the first, at the best threshold.

    Args:
        probabilities: function, uint8 (H, W, C) of ``image_size`` -> float32 (H, W, 2).
        examples: iterable of dict, see ``data.builder.open_split``.
        dataset: ``Dataset`` of segmentation.
        image_size: (H, W) that the model takes, or None for that of the data set.

    Returns:
        dict: ``max_f_measure``, in points of 100, see ``scores.max_f_measure``; void counts as background.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> mask = np.eye(3, 4, dtype="uint8")
        >>> example = {"image": 255 * mask[..., None].repeat(3, -1), "label": mask}
        >>> perfect = lambda image: image[..., :2] / 255.0
        >>> evaluate_foreground(perfect, [example], DATASETS["camvid"], image_size=(3, 4))
        {'max_f_measure': 100.0}
    """
    size = image_size or dataset.image_size

    def map_of(example):
        found = probabilities(to_channels(fit(example["image"], *size), dataset.channels))[..., 1]     # (H, W)
        return restore(np.rint(255 * found).astype("uint8"), *example["label"].shape)

    one, other = itertools.tee(examples)  # in step, so that no more than one image is held
    masks = (example["label"] == 1 for example in one)
    return {"max_f_measure": 100 * max_f_measure(masks, map(map_of, other))}


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
