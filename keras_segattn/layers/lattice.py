"""The places of pixels in -1..1, which every sampling grid starts from."""

import numpy as np


def lattice(output_size, align_corners):
    """Where the columns and the rows of an image lie when its width and its height are -1..1.

    Args:
        output_size: (h, w), each an int >= 1.
        align_corners: bool. ``True`` puts the centres of the outermost pixels at -1 and 1, ``False`` their edges.

    Returns:
        (x, y): float64 arrays (w,) and (h,). A single pixel lies at 0.

    Raises:
        ValueError: if ``output_size`` is not a pair of integers >= 1.

    Example:
        >>> x, y = lattice((3, 4), align_corners=False)
        >>> [float(v) for v in x]
        [-0.75, -0.25, 0.25, 0.75]
        >>> [float(v) for v in lattice((3, 4), align_corners=True)[1]]
        [-1.0, 0.0, 1.0]
    """
    pair = isinstance(output_size, tuple | list) and len(output_size) == 2
    if not pair or not all(type(size) is int and size >= 1 for size in output_size):
        raise ValueError(f"output_size: expected (h, w), each an integer >= 1. Received: {output_size!r}")
    height, width = output_size
    return _places(width, align_corners), _places(height, align_corners)


def _places(count, align_corners):
    span = max(count - 1, 1) if align_corners else count
    return (2 * np.arange(count) - (count - 1)) / span
