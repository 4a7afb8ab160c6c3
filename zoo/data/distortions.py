"""What is done to the digits of MNIST before they are read: the distortions of Jaderberg et al. 2015, in numpy.

Each is a function of digits (N, 28, 28), 0..255, and a numpy Generator, and gives uint8 images (N, H, W, C); the same
state of the generator gives the same images.

Reference: Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial Transformer Networks, NIPS 2015, section 4.1 and
the appendix on MNIST.
"""

import numpy as np


def rotate(digits, rng):
    """R: turned by -90 to 90 degrees.

    Args:
        digits: uint8 (N, 28, 28).
        rng: numpy Generator.

    Returns:
        uint8 (N, 28, 28, 1).

    Example:
        >>> rotate(np.ones((2, 28, 28), "uint8"), np.random.default_rng(0)).shape
        (2, 28, 28, 1)
    """
    angle = np.radians(rng.uniform(-90, 90, len(digits)))
    return _placed(digits, 28, angle=angle)


def rotate_scale_translate(digits, rng):
    """RTS: turned by -45 to 45 degrees, scaled by 0.7 to 1.2, and put anywhere in an image of 42 x 42.

    Args:
        digits: uint8 (N, 28, 28).
        rng: numpy Generator.

    Returns:
        uint8 (N, 42, 42, 1).

    Example:
        >>> rotate_scale_translate(np.ones((2, 28, 28), "uint8"), np.random.default_rng(0)).shape
        (2, 42, 42, 1)
    """
    count = len(digits)
    angle, scale = np.radians(rng.uniform(-45, 45, count)), rng.uniform(0.7, 1.2, count)
    reach = np.maximum(0, 42 - 28 * scale) / 2  # how far the middle may go with the scaled frame inside
    x, y = (reach * rng.uniform(-1, 1, count) for _ in "xy")
    return _placed(digits, 42, angle=angle, scale=scale, x=x, y=y)


def project(digits, rng):
    """P: scaled by 0.75 to 1, and each corner moved by a normal amount of 5 pixels, as a plane seen from elsewhere.

    Args:
        digits: uint8 (N, 28, 28).
        rng: numpy Generator.

    Returns:
        uint8 (N, 42, 42, 1).

    Example:
        >>> project(np.ones((2, 28, 28), "uint8"), np.random.default_rng(0)).shape
        (2, 42, 42, 1)
    """
    square = 14.0 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])                      # corners of the digit
    scale = rng.uniform(0.75, 1, (len(digits), 1, 1))
    corners = np.zeros((len(digits), 4, 2))                                             # where they end up
    while (folded := ~_is_convex(corners)).any():
        corners[folded] = scale[folded] * square + rng.normal(0, 5.0, (folded.sum(), 4, 2))
    u, v = corners[..., 0], corners[..., 1]
    # Homography from the image to the digit, by the four corners: eight equations for its eight numbers.
    one, zero = np.ones_like(u), np.zeros_like(u)
    x, y = (np.broadcast_to(square[:, axis], u.shape) for axis in (0, 1))
    rows = [
        np.stack([u, v, one, zero, zero, zero, -x * u, -x * v], -1),
        np.stack([zero, zero, zero, u, v, one, -y * u, -y * v], -1),
    ]
    theta = np.linalg.solve(np.concatenate(rows, 1), np.concatenate([x, y], 1)[..., None])[..., 0]  # (N, 8)
    theta = theta[:, :, None, None]
    u, v = _centred(42)
    depth = theta[:, 6] * u + theta[:, 7] * v + 1
    depth = np.where(depth > 0.01, depth, np.nan)                                       # nothing beyond the horizon
    x = (theta[:, 0] * u + theta[:, 1] * v + theta[:, 2]) / depth
    y = (theta[:, 3] * u + theta[:, 4] * v + theta[:, 5]) / depth
    return _rounded(sample(digits, *(np.nan_to_num(place, nan=-99.0) + 13.5 for place in (x, y))))


def warp(digits, rng):
    """E: scaled by 0.75 to 1, and bent by a thin-plate spline whose 16 points move by a normal amount of 1.5 pixels.

    Args:
        digits: uint8 (N, 28, 28).
        rng: numpy Generator.

    Returns:
        uint8 (N, 28, 28, 1).

    Example:
        >>> warp(np.ones((2, 28, 28), "uint8"), np.random.default_rng(0)).shape
        (2, 28, 28, 1)
    """
    count = len(digits)
    line = np.linspace(-13.5, 13.5, 4)
    points = np.stack(np.meshgrid(line, line), -1).reshape(16, 2)                       # (16, 2)
    moved = points / rng.uniform(0.75, 1, (count, 1, 1)) + rng.normal(0, 1.5, (count, 16, 2))
    pixels = np.stack(_centred(28), -1).reshape(-1, 2)                                  # (784, 2)
    # Each pixel's place is a fixed mixture of the places of the 16 points.
    basis = np.concatenate([_radial(points, points), np.ones((16, 1)), points], 1)      # (16, 19)
    system = np.zeros((19, 19))
    system[:16], system[16:, :16] = basis, basis[:, 16:].T
    mixture = np.concatenate([_radial(pixels, points), np.ones((784, 1)), pixels], 1) @ np.linalg.inv(system)[:, :16]
    places = (mixture @ moved).reshape(count, 28, 28, 2) + 13.5
    return _rounded(sample(digits, places[..., 0], places[..., 1]))


CLUTTER, PATCH = 16, 6  # pieces of other digits, and their side in pixels


def clutter(digits, rng):
    """TC: put anywhere in an image of 60 x 60, among 16 pieces of 6 x 6 pixels of other digits.

    Args:
        digits: uint8 (N, 28, 28), of which the pieces are taken too.
        rng: numpy Generator.

    Returns:
        uint8 (N, 60, 60, 1).

    Example:
        >>> clutter(np.ones((2, 28, 28), "uint8"), np.random.default_rng(0)).shape
        (2, 60, 60, 1)
    """
    count = len(digits)
    images = np.zeros((count, 60, 60), "uint8")

    def windows(side, top, left):
        """Index of a square in each image, (N, side, side)."""
        rows, columns = np.arange(side)[:, None], np.arange(side)
        which = np.arange(len(top))[:, None, None]
        return which, top[:, None, None] + rows, left[:, None, None] + columns

    for _ in range(CLUTTER):
        other = rng.integers(count, size=count)
        source = windows(PATCH, *rng.integers(28 - PATCH + 1, size=(2, count)))
        target = windows(PATCH, *rng.integers(60 - PATCH + 1, size=(2, count)))
        images[target] = np.maximum(images[target], digits[other][source])
    target = windows(28, *rng.integers(60 - 28 + 1, size=(2, count)))
    images[target] = np.maximum(images[target], digits)
    return images[..., None]


def sample(images, x, y):
    """Values of images between their pixels, bilinearly; 0 outside.

    Args:
        images: (N, H, W).
        x: (N, h, w), columns; a whole number is the middle of a pixel.
        y: (N, h, w), rows.

    Returns:
        float32 (N, h, w).

    Example:
        >>> sample(np.array([[[0, 10]]]), np.array([[[0.25, 1.0, 9.0]]]), np.zeros((1, 1, 3))).tolist()
        [[[2.5, 10.0, 0.0]]]
    """
    height, width = images.shape[1:]
    padded = np.pad(images.astype("float32"), ((0, 0), (1, 1), (1, 1)))                 # (N, H + 2, W + 2)
    x, y = np.clip(x + 1, 0, width + 1), np.clip(y + 1, 0, height + 1)
    left, top = np.minimum(x, width).astype("int32"), np.minimum(y, height).astype("int32")
    right, below = (x - left).astype("float32"), (y - top).astype("float32")
    which = np.arange(len(images), dtype="int32")[:, None, None] * (padded.shape[1] * padded.shape[2])
    corner = which + top * padded.shape[2] + left
    flat = padded.reshape(-1)
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    corner += padded.shape[2]
    lower = flat[corner] * (1 - right) + flat[corner + 1] * right
    return upper * (1 - below) + lower * below


def _placed(digits, size, *, angle, scale=1.0, x=0.0, y=0.0):
    """Digits turned, scaled, and moved by (x, y) from the middle of an image, uint8 (N, size, size, 1)."""
    cosine, sine, x, y = (np.broadcast_to(value, len(digits))[:, None, None].astype("float32")
                          for value in (np.cos(angle) / scale, np.sin(angle) / scale, x, y))  # fmt: skip
    u, v = _centred(size)
    u, v = u - x, v - y
    return _rounded(sample(digits, cosine * u + sine * v + 13.5, cosine * v - sine * u + 13.5))


def _centred(size):
    """Columns and rows of a square image, from its middle, float32 (size, size) each."""
    line = np.arange(size, dtype="float32") - (size - 1) / 2
    return np.meshgrid(line, line)


def _is_convex(corners):
    """Whether quadrilaterals (N, 4, 2) turn the same way, and by a little, at each corner: bool (N,)."""
    sides = np.roll(corners, -1, axis=1) - corners
    after = np.roll(sides, -1, axis=1)
    return (sides[..., 0] * after[..., 1] - sides[..., 1] * after[..., 0] > 20).all(1)  # square pixels


def _radial(a, b):
    """r^2 log r^2 between each of the points a and each of b."""
    square = ((a[:, None] - b) ** 2).sum(-1)
    return square * np.log(np.maximum(square, 1e-12))


def _rounded(images):
    return (images + 0.5).astype("uint8")[..., None]
