"""Photographs and sentences to prove a file on where the data of an entry are not there."""

import itertools

import numpy as np
from PIL import Image


def free_photographs(count, height, width, *, seed=0):
    """Crops of the photographs that scikit-learn carries (china.jpg, flower.jpg; CC BY 2.0).

    Args:
        count: how many.
        height: of each, in pixels.
        width: of each, in pixels.
        seed: the same seed gives the same crops.

    Returns:
        uint8 (count, height, width, 3): random crops, some mirrored, in varied light.

    Raises:
        ImportError: if scikit-learn is not installed; the message says which extra brings it.

    Example:
        >>> free_photographs(2, 64, 96).shape
        (2, 64, 96, 3)
    """
    try:
        from sklearn.datasets import load_sample_images
    except ImportError as error:
        raise ImportError("free photographs come with scikit-learn: install keras_segattn[export]") from error
    photographs = [Image.fromarray(image) for image in load_sample_images().images]  # (427, 640, 3) each
    rng = np.random.default_rng(seed)
    return np.stack([_crop(photographs[i % len(photographs)], height, width, rng) for i in range(count)])


def free_sentences(count, language):
    """Sentences on what photographs show, of a small grammar: who, what they do, and where.

    Args:
        count: how many, at most 216; the first ones differ in all of their parts.
        language: "de" or "en".

    Returns:
        list of str, all different, of several lengths.

    Raises:
        ValueError: if there are no sentences in the language, or not so many.

    Example:
        >>> free_sentences(2, "en")
        ['A dog runs.', 'The child plays with a red ball on the beach.']
    """
    if language not in _PHRASES:
        raise ValueError(f"language: expected one of {', '.join(_PHRASES)}. Received: {language!r}")
    who, does, where = _PHRASES[language]
    shifts = itertools.product(range(len(does)), range(len(where)))
    sentences = [
        f"{person}{does[(i + verb) % len(does)]}{where[(i + place) % len(where)]}."
        for verb, place in shifts
        for i, person in enumerate(who)
    ]
    if not 0 <= count <= len(sentences):
        raise ValueError(f"count: expected 0 to {len(sentences)}. Received: {count!r}")
    return sentences[:count]


# Who, what they do, and where.
_PHRASES = {
    "de": (
        ("Der Hund", "Das Kind", "Eine junge Frau", "Der alte Mann mit dem Hut", "Ein Mädchen", "Die Katze"),
        (" rennt", " spielt mit einem roten Ball", " schläft", " springt hoch in die Luft", " wartet", " sieht zu"),
        ("", " am Strand", " auf einer grünen Wiese", " vor einem großen Haus", " im Schnee", " auf der Straße"),
    ),
    "en": (
        ("A dog", "The child", "A young woman", "An old man in a hat", "A girl", "The cat"),
        (" runs", " plays with a red ball", " sleeps", " jumps high into the air", " waits", " watches"),
        ("", " on the beach", " on a green meadow", " in front of a large house", " in the snow", " in the street"),
    ),
}


def _crop(photograph, height, width, rng):
    share = min(photograph.width / width, photograph.height / height) * rng.uniform(0.4, 1.0)
    left = rng.uniform(0, photograph.width - width * share)
    top = rng.uniform(0, photograph.height - height * share)
    box = (left, top, left + width * share, top + height * share)
    crop = photograph.resize((width, height), Image.Resampling.BILINEAR, box=box)
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.clip(np.asarray(crop, "float32") * rng.uniform(0.6, 1.4), 0, 255).astype("uint8")
