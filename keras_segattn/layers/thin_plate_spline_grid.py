"""Where each pixel of an image looks that is bent like a thin plate."""

import keras
import numpy as np
from keras import ops

from .lattice import lattice


@keras.saving.register_keras_serializable(package="keras_segattn")
class ThinPlateSplineGrid(keras.layers.Layer):
    """The sampling grid of a thin-plate spline: the smoothest motion that takes n * n points where they should go.

    The control points stand on a regular lattice, at -1 and 1 and between, so the system of equations never
    changes: it is solved once, in float64, and each call is one product with a constant (h * w, n * n) matrix.

    Args:
        output_size: (h, w), each an int >= 1.
        control_points: int >= 2, n: how many control points stand in a row and in a column.
        align_corners: bool. Whether -1 and 1 are the centres of the outermost pixels, or their edges.

    Input shape: theta (B, n * n * 2): where each control point looks, x before y, row by row, in -1..1.
    Output shape: (B, h, w, 2), x before y, float32 under a mixed policy too.

    Raises:
        ValueError: if ``output_size`` is not a pair of integers >= 1, ``control_points`` is not an integer >= 2, or
            theta is of another length.

    Reference:
        Bookstein, Principal Warps: Thin-Plate Splines and the Decomposition of Deformations, PAMI 1989;
        Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial Transformer Networks, NIPS 2015.

    Example:
        >>> layer = ThinPlateSplineGrid((3, 3), control_points=2, align_corners=True)
        >>> theta = layer.identity() + np.array([0, 0, 0, 0, 0, 0, 1, 0], "float32")  # the last point looks right
        >>> [round(float(x), 2) for x in layer(theta[None])[0, 2, :, 0]]
        [-1.0, 0.5, 2.0]
    """

    def __init__(self, output_size, *, control_points=4, align_corners=False, **kwargs):
        if type(control_points) is not int or control_points < 2:
            raise ValueError(f"control_points: expected an integer >= 2. Received: {control_points!r}")
        places = lattice(output_size, align_corners)
        super().__init__(autocast=False, **kwargs)
        self.output_size = tuple(output_size)
        self.control_points = control_points
        self.align_corners = align_corners
        self.input_spec = keras.layers.InputSpec(shape=(None, self.parameters))
        controls = _points(*lattice((control_points, control_points), align_corners=True))
        self._influence = spline_matrix(_points(*places), controls)        # (h * w, n * n)

    @property
    def parameters(self):
        """Length of theta."""
        return 2 * self.control_points**2

    def identity(self):
        """The theta of no motion, float32 (parameters,)."""
        n = self.control_points
        return _points(*lattice((n, n), align_corners=True)).ravel().astype("float32")

    def call(self, theta):
        theta = ops.cast(theta, self.variable_dtype)
        influence = ops.convert_to_tensor(self._influence, dtype=theta.dtype)
        targets = ops.reshape(theta, (-1, self.control_points**2, 2))
        return ops.reshape(influence @ targets, (-1, *self.output_size, 2))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.output_size, 2)

    def get_config(self):
        return {
            **super().get_config(),
            "output_size": list(self.output_size),
            "control_points": self.control_points,
            "align_corners": self.align_corners,
        }


def spline_matrix(points, controls):
    """How much each control point moves each point: spline(points) = spline_matrix(points, controls) @ targets.

    Args:
        points: array (P, 2).
        controls: array (N, 2), not all on one line, no two alike.

    Returns:
        float64 array (P, N), each row of sum 1.

    Example:
        >>> corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> [round(float(v), 6) for v in spline_matrix(np.array([[0.5, 0.5]]), corners)[0]]
        [0.25, 0.25, 0.25, 0.25]
    """
    count = len(controls)
    affine = _with_one(controls)                                           # (N, 3)
    system = np.block([[_bending(controls, controls), affine], [affine.T, np.zeros((3, 3))]])
    solution = np.linalg.inv(system)[:, :count]                            # (N + 3, N): targets to coefficients
    return np.hstack([_bending(points, controls), _with_one(points)]) @ solution


def _bending(points, controls):
    """r^2 log(r^2) of every distance, (P, N): how a plate bends that is held at one point."""
    squares = ((points[:, None] - controls[None]) ** 2).sum(-1)
    return squares * np.log(np.where(squares > 0, squares, 1))


def _with_one(points):
    return np.hstack([np.ones((len(points), 1)), points])                  # (P, 3)


def _points(x, y):
    """Every pair of an x and a y, row by row, (h * w, 2)."""
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
