"""Captions that a model learns from its own tries, each by how much better it is than the others of its image."""

import keras
import numpy as np

from .. import decoding
from ..models import decoder
from ..vocabulary import END, PAD, START
from .text_scores import consensus, sentence_bleu

TRIES = 5  # captions that are drawn of an image
BLEU_SHARE = 2.0  # of BLEU-4 (0..1) in the reward, beside CIDEr-D (0..10), which alone makes captions short
_STOP = "endofcaption"  # a word for the end, so that captions which break off share less with those of people


class SelfCritic:
    """Draws captions, and weighs them: the reward against those of people, less the mean of that of the other tries.

    The reward is CIDEr-D and a share of BLEU-4. As a weight of the cross-entropy that is the policy gradient. Tries of
    one image stand in for the greedy caption of the paper as what a try is measured by (Luo 2020).

    Args:
        model: keras.Model of language, ``grid`` (B, L, D) and ``target`` (B, S) -> logits (B, S, V).
        vocabulary: ``Vocabulary`` of the target.
        references: of each image a sequence of str.
        max_length: the most tokens of a try, its end among them.
        sided: of each image whether it stays as it is, and is not mirrored; None: none does.

    Reference:
        Rennie, Marcheret, Mroueh, Ross and Goel, Self-critical Sequence Training for Image Captioning, CVPR 2017; Luo,
        A Better Variant of Self-Critical Sequence Training, arXiv 2003.09971, 2020.

    Example:
        >>> critic = SelfCritic(model, vocabulary, references, max_length=24)  # doctest: +SKIP
        >>> inputs, labels, weights = next(critic.batches(grids, 64, seed=0, epoch=12))  # doctest: +SKIP
        >>> labels.shape, weights.shape                                      # doctest: +SKIP
        ((60, 24), (60, 24))
    """

    def __init__(self, model, vocabulary, references, *, max_length, sided=None):
        self.drawer = _Drawer(model)
        self.vocabulary = vocabulary
        self.max_length = max_length
        self.images = len(references)
        self.sided = np.zeros(self.images, bool) if sided is None else np.array(sided)
        references = [[f"{text} {_STOP}" for text in each] for each in references]
        self._consensus, self._bleu = consensus(references), sentence_bleu(references)

    def score(self, image, caption):
        """The reward of a caption, which ends with ``_STOP`` if it was brought to its end."""
        return self._consensus(image, caption) + BLEU_SHARE * self._bleu(image, caption)

    def steps(self, batch_size):
        """How many batches an epoch has: every image comes once, but for those that would not fill one."""
        return self.images // self._images_of(batch_size)

    def _images_of(self, batch_size):
        return min(self.images, max(1, batch_size // TRIES))

    def batches(self, grids, batch_size, *, seed, epoch):
        """One epoch of tries, drawn when they are asked for, with the weights that the model has then.

        Args:
            grids: (N, L, D) of N images, or (2 N, L, D) if mirrored ones follow, of which half are drawn.
            batch_size: tries in a batch, at most.
            seed, epoch: of all that is drawn.

        Yields:
            ({"grid": float32 (B, L, D), "target": int32 (B, S)}, labels int32 (B, S), weights float32 (B, S), 0 behind
            the end).
        """
        rng = np.random.default_rng([seed, epoch, 2])
        order, images = rng.permutation(self.images), self._images_of(batch_size)
        for step in range(self.steps(batch_size)):
            chosen = order[step * images : (step + 1) * images]
            mirrored = rng.integers(len(grids) // self.images, size=images) * ~self.sided[chosen]
            chosen, mirrored = np.repeat(chosen, TRIES), np.repeat(mirrored, TRIES)        # (B,) each
            grid = grids[chosen + self.images * mirrored].astype("float32")
            noise = rng.random((len(chosen), self.max_length), dtype="float32")
            labels = np.asarray(self.drawer.predict_on_batch({"grid": grid, "noise": noise}), "int32")  # (B, S)
            within = _is_within(labels)
            target = np.concatenate([np.full_like(labels[:, :1], START), labels[:, :-1]], axis=1)
            target = np.where(within, target, PAD)
            yield {"grid": grid, "target": target}, labels, self._weights(chosen, labels) * within

    def _weights(self, chosen, labels):
        """Of each try its reward less the mean of the other tries of its image, (B, 1)."""
        told = [self.vocabulary.decode(ids) + f" {_STOP}" * (END in ids) for ids in labels]
        rewards = np.array([self.score(int(image), text) for image, text in zip(chosen, told, strict=True)])
        rewards = rewards.reshape(-1, TRIES)
        better = (rewards - rewards.mean(axis=1, keepdims=True)) * TRIES / (TRIES - 1)
        return better.reshape(-1, 1).astype("float32")


def _is_within(labels):
    """Whether tokens of tries (B, S) are not behind the first END."""
    ended = np.cumsum(labels == END, axis=1)
    return (ended == 0) | ((ended == 1) & (labels == END))


class _Drawer(keras.Model):
    """``grid`` (B, L, D), ``noise`` (B, S) -> tokens int32 (B, S) that it draws.

    It may draw every token, such as the unknown one: what is never tried would gain all that the others lose.
    """

    def __init__(self, model):
        super().__init__(name=f"{model.name}_drawer", dtype="float32")  # noise in bfloat16 would be too coarse
        self.encode, self.step, self.parts = decoder(model)

    def call(self, inputs):
        state = self.encode({"grid": inputs["grid"]})
        return decoding.sample(self.step, state, inputs["noise"], start=START, end=END).tokens
