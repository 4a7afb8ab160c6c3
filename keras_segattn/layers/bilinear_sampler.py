"""Reading an image at places between its pixels."""

import keras
from keras import ops

PADDINGS = ("zeros", "border", "reflection")
INTERPOLATIONS = ("bilinear", "nearest")
# A coordinate of float32 has no fraction beyond this, and nothing of a reflection is left.
FAR = 2.0**24


@keras.saving.register_keras_serializable(package="keras_segattn")
class BilinearSampler(keras.layers.Layer):
    """Reads an image at the places of a grid, as ``torch.nn.functional.grid_sample`` does.

    Called with ``[image, grid]``. The four neighbours of a place lie side by side in the channels of a
    zero-padded copy of the image, so a single gather fetches them.

    Args:
        padding: what lies outside of the image: "zeros", "border" (its nearest pixel), or "reflection".
        align_corners: bool. Whether -1 and 1 are the centres of the outermost pixels, or their edges.
        interpolation: "bilinear", or "nearest" (which has no gradient to the grid).

    Input shape: image (B, H, W, C), grid (B, h, w, 2), x before y, in -1..1 within the image. The grid keeps its
    own precision under a mixed policy. A coordinate that is not a number is outside, at the left or top.
    Output shape: (B, h, w, C).

    Raises:
        ValueError: if an argument is none of its values, or the inputs are of another rank.

    Reference:
        Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial Transformer Networks, NIPS 2015, equation 5.

    Example:
        >>> import numpy as np
        >>> image = np.array([0.0, 10.0], "float32").reshape(1, 1, 2, 1)
        >>> grid = np.array([[-0.5, 0], [0, 0], [0.25, 0]], "float32").reshape(1, 1, 3, 2)
        >>> [float(v) for v in BilinearSampler()([image, grid])[0, 0, :, 0]]
        [0.0, 5.0, 7.5]
    """

    def __init__(self, padding="zeros", align_corners=False, interpolation="bilinear", **kwargs):
        if padding not in PADDINGS:
            raise ValueError(f"padding: expected one of {', '.join(PADDINGS)}. Received: {padding!r}")
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation: expected one of {', '.join(INTERPOLATIONS)}. Received: {interpolation!r}")
        super().__init__(autocast=False, **kwargs)
        self.padding = padding
        self.align_corners = align_corners
        self.interpolation = interpolation
        self.input_spec = [keras.layers.InputSpec(ndim=4), keras.layers.InputSpec(ndim=4, axes={-1: 2})]

    def call(self, inputs):
        image, grid = inputs
        image = ops.cast(image, self.compute_dtype)
        _, height, width, _ = ops.shape(image)
        x = self._pixels(grid[..., 0], width)                              # (B, h, w), -1..W
        y = self._pixels(grid[..., 1], height)                             # (B, h, w), -1..H
        image = ops.pad(image, [(0, 0), (1, 1), (1, 1), (0, 0)])           # (B, H + 2, W + 2, C)
        if self.interpolation == "nearest":
            return _read(image, ops.round(y), ops.round(x))
        left, top = ops.minimum(ops.floor(x), width - 1), ops.minimum(ops.floor(y), height - 1)
        values = _read(_quads(image), top, left)                           # (B, h, w, 4C)
        right, down = (ops.cast(part, image.dtype)[..., None] for part in (x - left, y - top))
        upper_left, upper_right, lower_left, lower_right = ops.split(values, 4, axis=-1)
        upper = upper_left + right * (upper_right - upper_left)
        lower = lower_left + right * (lower_right - lower_left)
        return upper + down * (lower - upper)                              # (B, h, w, C)

    def _pixels(self, coordinate, size):
        """From -1..1 to pixels, pixel 0 at 0; outside of the image no further than padding asks for."""
        size = ops.cast(size, coordinate.dtype)
        pixels = (coordinate + 1) / 2 * (size - 1) if self.align_corners else ((coordinate + 1) * size - 1) / 2
        if self.padding == "zeros":
            return _clip(pixels, -1, size)
        if self.padding == "reflection":
            pixels = _reflect(pixels, size, self.align_corners)
        return _clip(pixels, 0, size - 1)

    def compute_output_shape(self, input_shape):
        (batch, _, _, channels), (_, height, width, _) = input_shape
        return (batch, height, width, channels)

    def get_config(self):
        return {
            **super().get_config(),
            "padding": self.padding,
            "align_corners": self.align_corners,
            "interpolation": self.interpolation,
        }


def _clip(x, low, high):
    """x in low..high, low where it is not a number, and no gradient from outside: maximum promises neither."""
    x = ops.where(x > low, x, low)
    return ops.where(x < high, x, high)


def _reflect(x, size, align_corners):
    """Folds the line at the first and the last pixel, at their centres or their edges."""
    start, span = (0.0, ops.maximum(size - 1, 1)) if align_corners else (-0.5, size)
    x = ops.where(ops.abs(x) < FAR, x, 0) - start
    x = ops.abs(x - 2 * span * ops.round(x / (2 * span)))                  # 0..span
    return x + start


def _quads(image):
    """Each pixel with its right, its lower and its lower right neighbour, (B, H - 1, W - 1, 4C)."""
    left, right = image[:, :, :-1], image[:, :, 1:]
    return ops.concatenate([left[:, :-1], right[:, :-1], left[:, 1:], right[:, 1:]], axis=-1)


def _read(image, row, column):
    """One gather: image (B, H, W, C) at whole numbers (B, h, w), counted from -1 as its padding is."""
    batch, height, width, channels = ops.shape(image)
    first = ops.reshape(ops.arange(batch, dtype="int32") * (height * width), (-1, 1, 1))
    row, column = ops.cast(row, "int32") + 1, ops.cast(column, "int32") + 1
    pixels = ops.reshape(image, (-1, channels))
    return ops.take(pixels, first + row * width + column, axis=0)          # (B, h, w, C)
