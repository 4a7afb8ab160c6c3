"""What a training goes through, by task: the model at its start, the batches of an epoch, the loss, the validation."""

import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import ops

from ..class_weights import class_weights_from_frequency
from ..layers import Reinforce
from ..losses import CrossEntropy
from ..models import Writer, load_weights, transfer_weights, transfer_words
from ..models.language.decoder import last_call
from ..models.language.sentences import vocabularies_of
from ..models.transfer import OF_WORDS
from ..vocabulary import END, PAD, Vocabulary
from .build import arithmetic, build
from .data import TASKS, DataError, dataset_of
from .data.builder import open_split
from .data.features import WithMirrored, grid_features, weights_stamp
from .data.pipeline import Fitted, training_batches
from .data.sentences import encode_pairs, sentence_batches
from .evaluate import evaluate, labels_of
from .self_critical import SelfCritic
from .text_scores import caption_bleu

_SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)


class ImageLesson:
    """Images with a label, or a label for each pixel.

    Args:
        recipe: ``Recipe``.
        folder: data folder.

    Raises:
        DataError: if the data are missing or not what the data set says.

    Example:
        >>> from keras_segattn import zoo
        >>> ImageLesson(zoo.info("cnn_mnist_r"), "data").steps               # doctest: +SKIP
        214
    """

    has_tries = False  # see ``self_critical``

    def __init__(self, recipe, folder):
        self.recipe, self.dataset, self.folder = recipe, dataset_of(recipe), folder
        self.examples, self.validation = (open_split(self.dataset, split, folder) for split in ("train", "val"))
        if self.dataset.is_own and self.dataset.task == "segmentation":  # photographs and masks of any size
            self.examples = Fitted(self.examples, recipe.image_size)
        self.steps = len(self.examples) // recipe.batch_size

    def start(self, start_weights=None):
        """The model before its first step: random, with ImageNet's encoder, or that of the entry it continues."""
        size = self.recipe.image_size if self.dataset.task == "recognition" else (None, None)
        model = build(self.recipe, image_size=size, **imagenet(self.recipe, self.folder))
        if self.recipe.start is not None:
            # Classes of one's own begin anew, even where they are as many.
            others = len(self.dataset.classes) + 1 if self.dataset.is_own else None
            transfer_weights(_continued(self.recipe, start_weights, num_classes=others), model)
        return model

    def learner(self, model):
        """The part of the model that is fitted."""
        return model

    def loss(self):
        return CrossEntropy(
            ignore_label=self.dataset.ignore_label,
            class_weights=self._class_weights() if self.dataset.task == "segmentation" or self.dataset.is_own else None,
            label_smoothing=self.recipe.label_smoothing,
        )

    def _class_weights(self):
        num_classes = len(self.dataset.classes)
        counts = sum(np.bincount(example["label"].ravel(), minlength=256)[:num_classes] for example in self.examples)
        if not counts.any():
            raise DataError(f"{self.dataset.title}: expected labelled pixels in the training split. Found none")
        return class_weights_from_frequency(counts / counts.sum())

    def batches(self, epoch):
        """Those of one epoch, ``steps`` of them."""
        return training_batches(self.examples, self.recipe, self.dataset.ignore_label, epoch)

    def score(self, model):
        """That of the validation split, in points of 100."""
        found = evaluate(labels_of(model), self.validation, self.dataset, image_size=self.recipe.image_size)
        return found[TASKS[self.dataset.task].metric]


class TranslationLesson:
    """Pairs of sentences. The vocabularies are learned from those of the training split.

    Args:
        recipe: ``Recipe``.
        folder: data folder.

    Raises:
        DataError: if the data are missing or not what the data set says.

    Example:
        >>> from keras_segattn import zoo
        >>> TranslationLesson(zoo.info("rnnsearch_multi30k_de_en"), "data").steps  # doctest: +SKIP
        453
    """

    has_tries = False

    def __init__(self, recipe, folder):
        self.recipe, self.dataset = recipe, dataset_of(recipe)
        examples, self.validation = (open_split(self.dataset, split, folder) for split in ("train", "val"))
        self.pairs = [(example["source"], example["target"]) for example in examples]
        self.steps = len(self.pairs) // recipe.batch_size

    def start(self, start_weights=None):
        """The model before its first step, with its vocabularies."""
        model = build(self.recipe)
        for name, texts in zip(("source_tokens", "target_tokens"), zip(*self.pairs, strict=True), strict=True):
            tokens = model.get_layer(name)
            tokens.vocabulary = Vocabulary.learn(texts, tokens.size)
        _continue(model, self.recipe, start_weights)
        return model

    def learner(self, model):
        """The part of the model that is fitted."""
        self.vocabularies = vocabularies_of(model).values()
        self._writer = Writer(model, beams=1)
        return model

    def loss(self):
        return CrossEntropy(ignore_label=PAD, label_smoothing=self.recipe.label_smoothing)

    def batches(self, epoch):
        """Those of one epoch, ``steps`` of them."""
        seed, alpha = self.recipe.seed, self.recipe.subword_alpha
        pairs = encode_pairs(self.pairs, self.vocabularies, alpha=alpha, seed=seed, epoch=epoch)
        return sentence_batches(pairs, self.recipe.batch_size, seed=seed, epoch=epoch)

    def score(self, model):
        """That of the validation split by the likeliest words, in points of 100."""

        def translate(texts):
            return [sentence.text for sentence in self._writer.write(texts, batch_size=128)]

        return evaluate(translate, self.validation, self.dataset, batch_size=1024)["bleu"]


class CaptionLesson:
    """Photographs with captions. The encoder stays what ImageNet made it, so its grids are computed once.

    Half of the photographs are mirrored, drawn anew in every epoch; none for a caption that tells left from right.

    Args:
        recipe: ``Recipe``.
        folder: data folder.

    Raises:
        DataError: if the data are missing or not what the data set says.

    Example:
        >>> from keras_segattn import zoo
        >>> CaptionLesson(zoo.info("neuraltalk_flickr8k"), "data").steps     # doctest: +SKIP
        468
    """

    def __init__(self, recipe, folder):
        self.recipe, self.dataset, self.folder = recipe, dataset_of(recipe), folder
        self.examples, self.validation = (open_split(self.dataset, split, folder) for split in ("train", "val"))
        captions = [example["captions"] for example in self.examples]
        self.pairs = [(index, text) for index, texts in enumerate(captions) for text in texts]
        self.sided = np.array([_SIDES.search(text) is not None for _, text in self.pairs])
        self.references = [example["captions"] for example in self.validation]
        self.steps = len(self.pairs) // recipe.batch_size

    def start(self, start_weights=None):
        """The model before its first step, with its vocabulary and ImageNet's encoder."""
        model = build(self.recipe, **imagenet(self.recipe, self.folder))
        tokens = model.get_layer("target_tokens")
        tokens.vocabulary = Vocabulary.learn([text for _, text in self.pairs], tokens.size, "words")
        self.ids = encode_pairs(self.pairs, (None, tokens.vocabulary))
        if "logits" in [layer.name for layer in model.layers]:  # else their own embedding scores the words
            model.get_layer("logits").bias.assign(self._log_frequencies(tokens.size))
        _continue(model, self.recipe, start_weights)
        return model

    def _log_frequencies(self, size):
        """Of each word among those that captions are made of, every one counted once more than it is there."""
        counts = np.bincount(np.concatenate([[*ids, END] for _, ids in self.ids]), minlength=size) + 1.0
        return np.log(counts / counts.sum())

    def learner(self, model):
        """What follows the grid; with hard attention its answer is the loss of each caption."""
        encoder = self._encoder(model)
        stamp = weights_stamp(encoder.get_weights())
        self.grids, self.validation_grids = (
            grid_features(examples, lambda images: encoder.predict_on_batch(images.astype("float32")), encoder=stamp)
            for examples in (WithMirrored(self.examples), self.validation)
        )
        inputs = {"grid": model.get_layer("grid").output, "target": model.input["target"]}
        behind = keras.Model(inputs, model.output)
        self._writer = Writer(behind, beams=1, max_length=self.recipe.max_tokens)
        self._vocabulary = vocabularies_of(model)["target"]
        if self.recipe.self_critical_epochs:
            references = [example["captions"] for example in self.examples]
            sided = [any(map(_SIDES.search, texts)) for texts in references]
            most = self.recipe.max_tokens
            self._critic = SelfCritic(behind, self._vocabulary, references, max_length=most, sided=sided)
        return _reinforced(behind) if self._is_hard() else behind

    def _encoder(self, model):
        """What sees the images, in float32: its grids are kept, and serve trainings of every policy."""
        with arithmetic(replace(self.recipe, policy="float32")):
            exact = build(self.recipe)
        encoders = [keras.Model(one.input["image"], one.get_layer("grid").output) for one in (model, exact)]
        encoders[1].set_weights(encoders[0].get_weights())
        return encoders[1]

    @property
    def has_tries(self):
        """Whether the model can learn from captions of its own: with hard attention it has another loss."""
        return not self._is_hard()

    def _is_hard(self):
        return self.recipe.arguments.get("attention") == "hard"

    def loss(self):
        if self._is_hard():
            return _as_it_is
        return CrossEntropy(ignore_label=PAD, label_smoothing=self.recipe.label_smoothing)

    def batches(self, epoch):
        """Those of one epoch, ``steps`` of them."""
        seed = self.recipe.seed
        mirrored = ~self.sided & (np.random.default_rng([seed, epoch, 1]).random(len(self.ids)) < 0.5)
        shift = mirrored * len(self.examples)
        captions = [(index + by, ids) for by, (index, ids) in zip(shift, self.ids, strict=True)]
        batches = sentence_batches(captions, self.recipe.batch_size, seed=seed, epoch=epoch, grids=self.grids)
        if not self._is_hard():
            return batches
        return (({**inputs, "labels": labels}, np.zeros(len(labels), "float32")) for inputs, labels in batches)

    def tries(self, epoch):
        """The batches of one epoch of the model's own captions, ``steps_of_tries`` of them, with their weights."""
        return self._critic.batches(self.grids, self.recipe.batch_size, seed=self.recipe.seed, epoch=epoch)

    def steps_of_tries(self):
        """Batches in such an epoch."""
        return self._critic.steps(self.recipe.batch_size)

    def loss_of_tries(self):
        """The policy gradient, as a cross-entropy with weights."""
        return CrossEntropy()

    def score(self, model):
        """That of the validation split by the likeliest words, in points of 100."""
        found = []
        for first in range(0, len(self.validation_grids), 250):
            grids = self.validation_grids[first : first + 250].astype("float32")
            found += [self._vocabulary.decode(ids) for ids in self._writer.predict_on_batch({"grid": grids})["tokens"]]
        return caption_bleu(found, self.references)["bleu_4"]


def _continued(recipe, start_weights, **arguments):
    """The entry that a training continues, with its own weights or those of a file."""
    from . import load

    source = load(recipe.start, weights=start_weights is None, **arguments)
    if start_weights is not None:
        load_weights(source, start_weights)
    return source


def _continue(model, recipe, start_weights):
    """Begin a model of language as the entry that it continues, if it does: the words that both have are kept."""
    if recipe.start is not None:
        source = _continued(recipe, start_weights)
        transfer_weights(source, model, without=OF_WORDS)
        transfer_words(source, model)


def _reinforced(model):
    """``grid``, ``target``, ``labels`` -> loss of each caption (B,), in nats a word."""
    labels = keras.Input((None,), dtype="int32", name="labels")
    _, weights, choice = last_call(model, model.get_layer("decoder")).outputs
    real = ops.cast(ops.not_equal(labels, PAD), "float32")                         # (B, S)
    scores = ops.take_along_axis(ops.log_softmax(model.output), ops.expand_dims(labels, -1), axis=-1)
    likelihood = ops.sum(ops.squeeze(scores, -1) * real, axis=1)                   # (B,)
    loss = Reinforce(name="reinforce")([likelihood, weights, choice], mask=[None, ops.not_equal(labels, PAD), None])
    words = ops.maximum(ops.mean(ops.sum(real, axis=1)), 1)
    return keras.Model({**model.input, "labels": labels}, loss / words)


def _as_it_is(_, losses):
    return losses


def imagenet(recipe, folder):
    """Where the encoder of a training starts: the weights beside the data if they are there, else those of Keras.

    Args:
        recipe: ``Recipe``.
        folder: data folder.

    Returns:
        dict, an argument of the builder; empty for a model without such an encoder, or that continues another.

    Example:
        >>> from keras_segattn import zoo
        >>> imagenet(zoo.info("cnn_mnist_r"), "data")
        {}
    """
    if recipe.start is not None or "encoder" not in recipe.arguments:
        return {}
    local = Path(folder) / "weights_mobilenet_v1_0.75_224" / "mobilenet_v1_0.75_224_imagenet.npz"
    use_local = recipe.arguments["encoder"] == "mobilenet_0.75" and local.is_file()
    return {"encoder_weights": local if use_local else "imagenet"}


LESSONS = {
    "segmentation": ImageLesson,
    "recognition": ImageLesson,
    "translation": TranslationLesson,
    "captioning": CaptionLesson,
}
