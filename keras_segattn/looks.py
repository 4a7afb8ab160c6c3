"""Pictures of where a model looks, with numpy and Pillow alone.

    >>> whole = np.stack(np.meshgrid([-0.5, 0.5], [-0.5, 0.5]), -1)
    >>> draw_grids(np.zeros((2, 2, 1), "uint8"), [whole], side=64).shape
    (64, 64, 3)
"""

import numpy as np
from PIL import Image, ImageDraw

from .images import from_channels

_GREY = (70, 70, 70)
COLOURS = ((255, 170, 0), (0, 190, 255), (255, 80, 200), (120, 230, 80))  # of the transformers, in their order
MARGIN = 0.125  # of the picture, around the image: a grid may look beyond it
INNER_LINES = 2  # across a grid, between its edges; a bent one shows by them


def draw_grids(image, grids, side=280):
    """Draw on an image the outline and a few lines of what each spatial transformer looks at.

    Args:
        image: uint8 (H, W, C), C in 1..3.
        grids: list of (h, w, 2): where each output pixel looks, as x, y, -1..1 from edge to edge of the image.
        side: pixels of the longer side of the picture.

    Returns:
        uint8 (h, w, 3): the image in a grey margin. The first line of each grid, its upper edge, is drawn thick.

    Raises:
        ValueError: if an array has another shape or type.

    Example:
        >>> draw_grids(np.zeros((28, 42, 1), "uint8"), []).shape
        (210, 280, 3)
    """
    shown = Image.fromarray(from_channels(image))
    scale = side * (1 - 2 * MARGIN) / max(shown.size)
    shown = shown.resize([round(scale * length) for length in shown.size], Image.Resampling.NEAREST)
    corner = round(side * MARGIN)
    picture = Image.new("RGB", [length + 2 * corner for length in shown.size], _GREY)
    picture.paste(shown, (corner, corner))
    draw = ImageDraw.Draw(picture)
    for grid, colour in zip(grids, COLOURS * len(grids), strict=False):
        grid = np.asarray(grid, "float64")
        if grid.ndim != 3 or grid.shape[2] != 2:
            raise ValueError(f"grids: expected arrays (h, w, 2). Received: {grid.shape}")
        points = (np.clip(np.nan_to_num(grid), -9, 9) + 1) / 2 * shown.size + corner  # (h, w, 2), pixels
        for lines in (points, points.transpose(1, 0, 2)):
            for number in np.linspace(0, len(lines) - 1, INNER_LINES + 2).round().astype(int):
                draw.line([tuple(point) for point in lines[number]], fill=colour, width=1)
        draw.line([tuple(point) for point in points[0]], fill=colour, width=3)
    return np.array(picture)


def chained(grids):
    """The grids of transformers in a row, each as places in the image that the first one sees.

    Args:
        grids: list of (h, w, 2), each in places of what the one before gives; see ``draw_grids``.

    Returns:
        list of (h, w, 2).

    Example:
        >>> half = np.stack(np.meshgrid([-0.25, 0.25], [-0.25, 0.25]), -1)
        >>> chained([half, half])[1][0, 0].tolist()
        [-0.125, -0.125]
    """
    places = []
    for grid in grids:
        places.append(grid if not places else _at(places[-1], grid))
    return places


def _at(places, grid):
    """What stands in places (H, W, 2) where a grid looks; beyond its edges it goes on as a plane would."""
    sizes = np.array(places.shape[1::-1])
    at = ((grid + 1) * sizes - 1) / 2                                               # (h, w, 2), pixels
    first = np.clip(np.floor(at), 0, np.maximum(sizes - 2, 0)).astype(int)
    x, y = first[..., 0], first[..., 1]
    right, below = np.minimum(x + 1, sizes[0] - 1), np.minimum(y + 1, sizes[1] - 1)
    across, down = np.split(at - first, 2, axis=-1)
    upper = places[y, x] + across * (places[y, right] - places[y, x])
    lower = places[below, x] + across * (places[below, right] - places[below, x])
    return upper + down * (lower - upper)
