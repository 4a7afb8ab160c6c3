"""Where each pixel of an image looks that is seen from another side."""

import keras
import numpy as np
from keras import ops

from .lattice import lattice

HORIZON = 1e-4  # how near to zero a denominator may come; what lies beyond is 10,000 half images away


@keras.saving.register_keras_serializable(package="keras_segattn")
class ProjectiveGrid(keras.layers.Layer):
    """The sampling grid of a homography: each output pixel's place in the input, in -1..1.

    Args:
        output_size: (h, w), each an int >= 1.
        align_corners: bool. Whether -1 and 1 are the centres of the outermost pixels, or their edges.

    Input shape: theta (B, 8), the 3x3 matrix row by row without its last entry, which is 1.
    Output shape: (B, h, w, 2), x before y, float32 under a mixed policy too.

    Raises:
        ValueError: if ``output_size`` is not a pair of integers >= 1, or theta is of another length.

    Reference:
        Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial Transformer Networks, NIPS 2015, section 3.2;
        Hartley and Zisserman, Multiple View Geometry in Computer Vision, 2004, section 2.3.

    Example:
        >>> grid = ProjectiveGrid((1, 2))(np.array([[1, 0, 0, 0, 1, 0, 1, 0]], "float32"))
        >>> [round(float(x), 4) for x in grid[0, 0, :, 0]]  # -0.5 / (1 - 0.5) and 0.5 / (1 + 0.5)
        [-1.0, 0.3333]
    """

    def __init__(self, output_size, *, align_corners=False, **kwargs):
        lattice(output_size, align_corners)  # raises
        super().__init__(autocast=False, **kwargs)
        self.output_size = tuple(output_size)
        self.align_corners = align_corners
        self.input_spec = keras.layers.InputSpec(shape=(None, self.parameters))

    @property
    def parameters(self):
        """Length of theta."""
        return 8

    def identity(self):
        """The theta of no motion, float32 (parameters,)."""
        return np.array([1, 0, 0, 0, 1, 0, 0, 0], "float32")

    def call(self, theta):
        theta = ops.cast(theta, self.variable_dtype)
        places = lattice(self.output_size, self.align_corners)
        x, y = (ops.convert_to_tensor(place, dtype=theta.dtype) for place in places)
        matrix = ops.pad(theta, [(0, 0), (0, 1)], constant_values=1)
        matrix = ops.reshape(matrix, (-1, 1, 1, 3, 3))
        row = matrix[..., 0] * ops.reshape(x, (1, -1, 1)) + matrix[..., 2]  # (B, 1, w, 3)
        points = row + matrix[..., 1] * ops.reshape(y, (-1, 1, 1))          # (B, h, w, 3)
        depth = points[..., 2:]
        return points[..., :2] / ops.where(ops.abs(depth) > HORIZON, depth, HORIZON)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.output_size, 2)

    def get_config(self):
        config = {"output_size": list(self.output_size), "align_corners": self.align_corners}
        return {**super().get_config(), **config}
