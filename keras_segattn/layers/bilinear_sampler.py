"""Reading an image at places between its pixels."""

import keras
from keras import ops

PADDINGS = ("zeros", "border", "reflection")
INTERPOLATIONS = ("bilinear", "nearest")
FAR = 2**22  # half images: what is reflected from further away, or from nowhere, is read at the left or top


@keras.saving.register_keras_serializable(package="keras_segattn")
class BilinearSampler(keras.layers.Layer):
    """Reads an image at the places of a grid, as ``torch.nn.functional.grid_sample`` does.

    Called with ``[image, grid]``. The four neighbours of each place come from one gather on a zero-padded copy of
    the image, all pixels in one list, and their weighted sum is the answer.

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
        reach = grid + 1                                                   # (B, h, w, 2), 0..2 within the image
        if self.padding == "reflection":
            reach = ops.where(ops.abs(reach) < FAR, reach, 0)
            reach = ops.abs(reach - 4 * ops.round(reach / 4))              # folded at 0 and at 2
        x = self._pixels(reach[..., 0], width)                             # (B, h, w), -1..W
        y = self._pixels(reach[..., 1], height)                            # (B, h, w), -1..H
        image = ops.pad(image, [(0, 0), (1, 1), (1, 1), (0, 0)])           # (B, H + 2, W + 2, C)
        if self.interpolation == "nearest":
            return _read(image, ops.round(x), ops.round(y), [0])[0]
        left, top = ops.minimum(ops.floor(x), width - 1), ops.minimum(ops.floor(y), height - 1)
        values = _read(image, left, top, [0, 1, width + 2, width + 3])     # (4, B, h, w, C)
        weights = ops.cast(_weights(x - left, y - top), image.dtype)       # (4, B, h, w)
        return ops.sum(values * weights[..., None], axis=0)

    def _pixels(self, reach, size):
        """Pixels from 0, the centre of the first one, and outside no further than padding needs."""
        size = ops.cast(size, reach.dtype)
        places = reach * ((size - 1) / 2) if self.align_corners else reach * (size / 2) - 0.5
        return _clip(places, -1, size) if self.padding == "zeros" else _clip(places, 0, size - 1)

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


def _weights(right, down):
    """What each of four neighbours counts: upper left, upper right, lower left, lower right."""
    left, up = 1 - right, 1 - down
    return ops.stack([up * left, up * right, down * left, down * right])


def _read(image, column, row, neighbours):
    """The one gather: the pixels (N, B, h, w, C) so many places after (column, row) in the list of all pixels.

    Columns and rows count from -1, as the padding of the image (B, H, W, C) does.
    """
    batch, height, width, channels = ops.shape(image)
    first = ops.arange(batch, dtype="int32") * (height * width) + (width + 1)
    neighbours = ops.convert_to_tensor(neighbours, dtype="int32")
    starts = ops.reshape(neighbours, (-1, 1, 1, 1)) + ops.reshape(first, (-1, 1, 1))  # (N, B, 1, 1)
    positions = starts + (ops.cast(row, "int32") * width + ops.cast(column, "int32"))
    return ops.take(ops.reshape(image, (-1, channels)), positions, axis=0)
