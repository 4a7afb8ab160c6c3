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
