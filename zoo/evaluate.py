"""The evaluation, the only one: a predictor over a whole official split."""

import numpy as np

from ..scores import confusion_matrix


def keras_predictor(model, batch_size=4):
    """A function from images to label maps, through a Keras model.

    Args:
        model: keras.Model, ``image`` (B, H, W, 3) -> ``logits`` (B, H, W, K).
        batch_size: images in one call.

    Returns:
        function: iterable of uint8 (H, W, 3) -> iterator of int64 (H, W).

    Example:
        >>> from keras_segattn.models import fcn32s
        >>> predict = keras_predictor(fcn32s((32, 64, 3), num_classes=2))
        >>> next(predict([np.zeros((32, 64, 3), "uint8")])).shape
        (32, 64)
    """

    def predict(images):
        batch = []
        for image in images:
            batch.append(image)
            if len(batch) == batch_size:
                yield from model.predict_on_batch(np.stack(batch).astype("float32")).argmax(-1)
                batch = []
        if batch:
            yield from model.predict_on_batch(np.stack(batch).astype("float32")).argmax(-1)

    return predict


def confusion_of(predict, examples, dataset):
    """Confusion matrix of a predictor, summed over all examples.

    Args:
        predict: function from an iterable of images to an iterator of label maps.
        examples: sequence of ``zoo.data.builder.open_split``.
        dataset: ``Dataset``.

    Returns:
        int64 (K, K), rows are labels and columns predictions, void left out.

    Example:
        >>> from keras_segattn.zoo.data import DATASETS
        >>> labels = np.arange(12, dtype="uint8").reshape(3, 4)
        >>> example = {"image": labels[..., None].repeat(3, -1), "label": labels}
        >>> perfect = lambda images: (image[..., 0] for image in images)
        >>> int(confusion_of(perfect, [example], DATASETS["camvid"]).trace())
        11
    """
    images = (examples[index]["image"] for index in range(len(examples)))
    return sum(
        confusion_matrix(
            examples[index]["label"], prediction, len(dataset.classes), ignore_label=dataset.ignore_label
        )
        for index, prediction in enumerate(predict(images))
    )
