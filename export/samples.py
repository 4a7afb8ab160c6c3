"""Real photographs to prove a file on where the data of an entry are not there."""

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


def _crop(photograph, height, width, rng):
    share = min(photograph.width / width, photograph.height / height) * rng.uniform(0.4, 1.0)
    left = rng.uniform(0, photograph.width - width * share)
    top = rng.uniform(0, photograph.height - height * share)
    box = (left, top, left + width * share, top + height * share)
    crop = photograph.resize((width, height), Image.Resampling.BILINEAR, box=box)
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.clip(np.asarray(crop, "float32") * rng.uniform(0.6, 1.4), 0, 255).astype("uint8")
