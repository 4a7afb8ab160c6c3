"""Sentences for training: as ids, and in batches of nearly equal length."""

import itertools

import grain
import numpy as np

from ...vocabulary import END, START, pad
from ...vocabulary import seed as seed_segmentations

MULTIPLE = 4  # lengths of batches are rounded up to it, so that few shapes occur


def encode_pairs(pairs, vocabularies, *, alpha=None, seed=0, epoch=0):
    """Sentences as ids, each split into its likeliest subwords, or anew in every epoch.

    Args:
        pairs: list of (source, target), str each; or of (index, target), whose first is kept as it is.
        vocabularies: ``Vocabulary`` of the source, or None for an index, and that of the target.
        alpha: of ``Vocabulary.encode``, for both, subwords alone; None draws nothing, and all epochs are alike.
        seed: int >= 0, of what is drawn.
        epoch: int >= 0; each draws by itself, whether or not it is the first after a resume.

    Returns:
        list of (list of int or index, list of int), without ``START`` and ``END``.

    Example:
        >>> from keras_segattn.vocabulary import Vocabulary
        >>> words = Vocabulary.learn(["a dog", "a cat"], size=7, kind="words")
        >>> encode_pairs([(0, "a dog"), (0, "a cat")], (None, words)) == [
        ...     (0, words.encode("a dog")), (0, words.encode("a cat"))
        ... ]
        True
    """
    source, target = vocabularies
    if alpha is not None:
        seed_segmentations(seed * 10_000 + epoch)
    return [
        (first if source is None else source.encode(first, alpha=alpha), target.encode(second, alpha=alpha))
        for first, second in pairs
    ]


def sentence_batches(pairs, batch_size, *, seed, epoch, grids=None):
    """One epoch of sentences, in shuffled batches of nearly equal length.

    There are ``len(pairs) // batch_size`` batches. The pairs left over would make an incomplete one; which they are is
    drawn in every epoch, and all others come exactly once.

    Args:
        pairs: list of (source ids, target ids), lists of int, see ``encode_pairs``; with ``grids`` of (index, ids).
        batch_size: B.
        seed: int >= 0.
        epoch: int >= 0; each has an order of its own, whether or not it is the first after a resume.
        grids: (N, L, D), see ``grid_features``; or None.

    Returns:
        iterable of ({"source": int32 (B, T), "target": int32 (B, S)}, labels int32 (B, S)). T and S are multiples of 4,
        and ids are filled up with ``PAD``; a target begins with ``START``, labels end with ``END``. With ``grids``
        there is "grid" float32 (B, L, D) in place of the source.

    Raises:
        ValueError: if there are fewer pairs than one batch holds.

    Example:
        >>> (inputs, labels), = sentence_batches([([7, 8], [9])], 1, seed=0, epoch=0)
        >>> inputs["source"].tolist(), inputs["target"].tolist(), labels.tolist()
        ([[7, 8, 0, 0]], [[2, 9, 0, 0]], [[9, 3, 0, 0]])
    """
    if len(pairs) < batch_size:
        raise ValueError(f"batch_size: expected at most the {len(pairs)} training pairs. Received: {batch_size}")
    rng = np.random.default_rng([seed, epoch])
    batches, shapes = _buckets(pairs, batch_size, rng, look_up=grids is not None)

    def draw(number):
        firsts, targets = zip(*(pairs[index] for index in batches[number]), strict=True)
        source_length, target_length = shapes[number]
        if grids is None:
            first = {"source": pad(firsts, source_length)}                          # (B, T)
        else:
            first = {"grid": grids[list(firsts)].astype("float32")}                 # (B, L, D)
        inputs = {**first, "target": pad([[START, *ids] for ids in targets], target_length)}  # (B, S)
        return inputs, pad([[*ids, END] for ids in targets], target_length)

    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=8)
    return grain.MapDataset.range(len(batches)).map(draw).to_iter_dataset(options)


def _buckets(pairs, batch_size, rng, look_up):
    """Indices (steps, B), and the length of source and target of each batch (steps, 2)."""
    lengths = np.array([(0 if look_up else len(source), len(target) + 1) for source, target in pairs])
    lengths = -(-np.maximum(lengths, 1) // MULTIPLE) * MULTIPLE                     # (N, 2)
    order = rng.permutation(len(pairs))[: len(pairs) // batch_size * batch_size]
    order = order[np.lexsort(lengths[order].T)]  # by target, then by source; those alike remain as they were drawn
    batches = rng.permutation(order.reshape(-1, batch_size))                        # (steps, B)
    shapes = lengths[batches].max(axis=1)                                           # (steps, 2)
    # Keras takes the first two batches for all: a length in which these agree would be fixed.
    vary = (shapes != shapes[0]).any(axis=0)
    couples = itertools.combinations(range(len(batches)), 2)
    first = next((pair for pair in couples if ((shapes[pair[0]] != shapes[pair[1]]) == vary).all()), ())
    front = [*first, *(number for number in range(len(batches)) if number not in first)]
    return batches[front], shapes[front]
