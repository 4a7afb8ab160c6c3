"""Where each pixel of an affinely moved image looks."""

import keras
import numpy as np
from keras import ops

from .lattice import lattice


@keras.saving.register_keras_serializable(package="keras_segattn")
class AffineGrid(keras.layers.Layer):
    """The sampling grid of an affine motion: each output pixel's place in the input, in -1..1.

    An affine grid is a row plus a column, so one addition of h * w values is nearly all of its work.

    Args:
        output_size: (h, w), each an int >= 1.
        attention: bool. ``False`` takes all six numbers of the matrix, row by row. ``True`` takes scale s and
            translation tx, ty, so an upright part of the image is looked at.
        align_corners: bool. Whether -1 and 1 are the centres of the outermost pixels, or their edges.

    Input shape: theta (B, 6), or (B, 3) with ``attention``. Output shape: (B, h, w, 2), x before y, float32 under
    a mixed policy too.

    Raises:
        ValueError: if ``output_size`` is not a pair of integers >= 1, or theta is of another length.

    Reference:
        Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial Transformer Networks, NIPS 2015,
        equations 1 and 2.

    Example:
        >>> half = AffineGrid((1, 4), attention=True)(np.array([[0.5, 0.25, 0.0]], "float32"))
        >>> [float(x) for x in half[0, 0, :, 0]]
        [-0.125, 0.125, 0.375, 0.625]
    """

    def __init__(self, output_size, *, attention=False, align_corners=False, **kwargs):
        lattice(output_size, align_corners)  # raises
        super().__init__(autocast=False, **kwargs)
        self.output_size = tuple(output_size)
        self.attention = attention
        self.align_corners = align_corners
        self.input_spec = keras.layers.InputSpec(shape=(None, self.parameters))

    @property
    def parameters(self):
        """Length of theta."""
        return 3 if self.attention else 6

    def identity(self):
        """The theta of no motion, float32 (parameters,)."""
        return np.array([1, 0, 0] if self.attention else [1, 0, 0, 0, 1, 0], "float32")

    def call(self, theta):
        theta = ops.cast(theta, self.variable_dtype)
        places = lattice(self.output_size, self.align_corners)
        x, y = (ops.convert_to_tensor(place, dtype=theta.dtype) for place in places)
        along_x, along_y, shift = self._columns(theta)                     # (B, 1, 1, 2) each
        row = along_x * ops.reshape(x, (1, -1, 1)) + shift                 # (B, 1, w, 2)
        return row + along_y * ops.reshape(y, (-1, 1, 1))                  # (B, h, w, 2)

    def _columns(self, theta):
        """The columns of the 2x3 matrix: what x brings, what y brings, and the translation."""
        if not self.attention:
            matrix = ops.reshape(theta, (-1, 1, 1, 2, 3))
            return matrix[..., 0], matrix[..., 1], matrix[..., 2]
        theta = ops.reshape(theta, (-1, 1, 1, 3))
        scale, shift = theta[..., :1], theta[..., 1:]
        axes = ops.eye(2, dtype=theta.dtype)
        return scale * axes[0], scale * axes[1], shift

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.output_size, 2)

    def get_config(self):
        return {
            **super().get_config(),
            "output_size": list(self.output_size),
            "attention": self.attention,
            "align_corners": self.align_corners,
        }
