"""Images larger than a model: overlapping tiles whose answers are blended where they meet."""

import numpy as np

OVERLAP = 128  # pixels that neighbours share at most where nobody says otherwise: four of the coarsest scores
STRIDE = 32  # tiles begin at its multiples, where every feature map of an encoder has a pixel's edge


def tiled_scores(scores, image, tile, *, overlap):
    """Scores of an image of any size, from a function that takes images of one size.

    Two neighbours are blended over the middle half of what they share. What lies nearer than ``overlap / 4`` to
    an inner edge of a tile counts nothing, so the scores are those of the whole image at once if no score depends
    on pixels farther away than that; otherwise no seam is sharp. At the right and lower edge, tiles may reach up to
    31 pixels beyond the image, which is continued there.

    Args:
        scores: function, uint8 (h, w, 3) -> float32 (h, w, K).
        image: uint8 (H, W, 3).
        tile: (h, w), what the function takes.
        overlap: pixels that neighbours share at least, 0 to half of the tile's height and width.

    Yields:
        float32 (n, W, K), as many rows as are final, from the top; together there are H.

    Raises:
        ValueError: if ``overlap`` is out of its range.

    Example:
        >>> red = lambda image: image[..., :1].astype("float32")
        >>> image = np.random.default_rng(0).integers(0, 256, (100, 70, 3), "uint8")
        >>> bands = list(tiled_scores(red, image, (64, 64), overlap=16))
        >>> [band.shape for band in bands], bool(np.allclose(np.concatenate(bands), red(image), atol=1e-4))
        ([(32, 70, 1), (32, 70, 1), (36, 70, 1)], True)
    """
    if not 0 <= overlap <= min(tile) / 2:
        raise ValueError(f"overlap: expected 0 to {min(tile) // 2}, half of the tile. Received: {overlap!r}")
    height, width = image.shape[:2]
    tops, lefts = (_starts(size, length, overlap) for size, length in zip((height, width), tile, strict=True))
    beyond = tops[-1] + tile[0] - height, lefts[-1] + tile[1] - width
    image = np.pad(image, [(0, beyond[0]), (0, beyond[1]), (0, 0)], mode="edge")
    down, across = (_weights(starts, length, overlap) for starts, length in zip((tops, lefts), tile, strict=True))
    open_rows = []  # scores that the next row of tiles completes
    for top, after, rows in zip(tops, [*tops[1:], height], down, strict=True):
        for left, columns in zip(lefts, across, strict=True):
            found = scores(np.ascontiguousarray(image[top : top + tile[0], left : left + tile[1]]))
            if left == 0:
                strip = np.zeros((tile[0], image.shape[1], found.shape[-1]), "float32")
            strip[:, left : left + tile[1]] += found * columns[:, None]
        strip *= rows[:, None, None]
        if top:
            strip[: len(open_rows)] += open_rows
        yield strip[: after - top, :width]
        open_rows = strip[after - top :]


def tiled_labels(scores, image, tile, *, overlap=None):
    """The class of every pixel of an image of any size; arguments as ``tiled_scores``.

    ``overlap`` is 128 if nobody says otherwise, or half of a tile that is smaller.

    Returns:
        uint8 (H, W).

    Example:
        >>> image = np.eye(3, dtype="uint8")[np.arange(70 * 90).reshape(70, 90) % 3]
        >>> labels = tiled_labels(lambda tile: tile.astype("float32"), image, (64, 64), overlap=16)
        >>> bool((labels == image.argmax(-1)).all())
        True
    """
    bands = tiled_scores(scores, image, tile, overlap=min(OVERLAP, min(tile) // 2) if overlap is None else overlap)
    return np.concatenate([band.argmax(-1).astype("uint8") for band in bands])


def _starts(size, length, overlap):
    """Where tiles begin along one axis: evenly, at multiples of ``STRIDE``, the last at the end of the image."""
    last = max(0, -(-(size - length) // STRIDE))                    # in strides
    step = max(1, (length - overlap) // STRIDE)
    count = -(-last // step)
    return [STRIDE * (last * index // count) for index in range(count + 1)] if count else [0]


def _weights(starts, length, overlap):
    """The share of each tile at its pixels along one axis, (length,) each; all shares of a pixel make 1."""
    centres = [(later + earlier + length) / 2 for earlier, later in zip(starts, starts[1:], strict=False)]
    positions = np.arange(length) + 0.5

    def beyond(centre, start):
        return np.clip((start + positions - centre) / max(overlap / 2, 1e-3) + 0.5, 0, 1)

    weights = []
    for index, start in enumerate(starts):
        rising = beyond(centres[index - 1], start) if index else 1.0
        falling = 1 - beyond(centres[index], start) if index < len(centres) else 1.0
        weights.append(np.broadcast_to(rising * falling, (length,)).astype("float32"))
    return weights
