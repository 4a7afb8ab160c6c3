"""A layer that looks for what matters in an image, and looks at it straight."""

import contextlib
import math
from functools import partial

import keras
from keras import ops

from .affine_grid import AffineGrid
from .bilinear_sampler import BilinearSampler
from .lattice import lattice
from .parts import config_of
from .projective_grid import ProjectiveGrid
from .thin_plate_spline_grid import ThinPlateSplineGrid

TRANSFORMS = {
    "affine": AffineGrid,
    "attention": partial(AffineGrid, attention=True),
    "projective": ProjectiveGrid,
    "thin_plate_spline": ThinPlateSplineGrid,
}


@keras.saving.register_keras_serializable(package="keras_segattn")
class SpatialTransformer(keras.layers.Layer):
    """Moves, turns, scales or bends each image as its own content asks for, and learns how from the loss behind it.

    ``localization`` sees the image, a kernel and a bias make theta of all that it says, a grid layer makes of theta
    where each output pixel looks, and a ``BilinearSampler`` looks there. The kernel starts as zeros and the bias as
    the identity, so a new SpatialTransformer changes nothing.

    Args:
        localization: a keras layer or model, from the image to features of any shape.
        transform: "affine", "attention", "projective", "thin_plate_spline", or a grid layer of your own, with
            ``parameters``, ``identity()``, ``output_size`` and ``align_corners`` as ``AffineGrid`` has them.
        output_size: (h, w), each an int >= 1, or ``None`` for the size of the image or of the grid layer given.
        padding: what lies outside of the image: "zeros", "border" or "reflection".
        align_corners: bool. Whether -1 and 1 are the centres of the outermost pixels, or their edges.
        interpolation: "bilinear", or "nearest" (which has no gradient to the localization).

    Input shape: (B, H, W, C). Output shape: (B, h, w, C), or with ``return_grid=True`` a tuple of that, theta
    (B, parameters) and the grid (B, h, w, 2). Theta and grid stay float32 under a mixed policy.

    Raises:
        ValueError: if an argument is outside of its range, the grid layer contradicts ``output_size`` or
            ``align_corners``, or a size is unknown that is needed.

    Reference:
        Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial Transformer Networks, NIPS 2015.

    Example:
        >>> image = keras.random.uniform((2, 8, 8, 1), seed=0)
        >>> straight = SpatialTransformer(keras.layers.Conv2D(4, 3))(image)
        >>> float(ops.max(ops.abs(straight - image))) < 1e-5
        True
    """

    def __init__(
        self,
        localization,
        transform="affine",
        output_size=None,
        *,
        padding="zeros",
        align_corners=False,
        interpolation="bilinear",
        **kwargs,
    ):
        if not isinstance(localization, keras.layers.Layer):
            raise ValueError(f"localization: expected a keras layer or model. Received: {localization!r}")
        if output_size is not None:
            lattice(output_size, align_corners)  # raises
        _check_transform(transform, output_size, align_corners)
        super().__init__(**kwargs)
        self.localization = localization
        self.transform = transform
        self.output_size = None if output_size is None else tuple(output_size)
        self.padding = padding
        self.align_corners = align_corners
        self.interpolation = interpolation
        self.sampler = BilinearSampler(padding, align_corners, interpolation, dtype=self.dtype_policy, name="sampler")
        self._given = None
        with contextlib.suppress(NotImplementedError):  # of a part of one's own that does not say how it is made
            self._given = self._parts()  # as they are before they are built
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        if not self.localization.built:
            self.localization.build(input_shape)
        features = self.localization.compute_output_shape(input_shape)[1:]
        if None in features:
            raise ValueError(f"localization: expected features of known shape. Received shape: {(None, *features)}")
        self.grid = self._make_grid(input_shape)
        start = self.grid.identity()
        shape = (math.prod(features), self.grid.parameters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="zeros", autocast=False)
        self.bias = self.add_weight(
            name="bias",
            shape=start.shape,
            initializer=lambda shape, dtype: ops.convert_to_tensor(start, dtype=dtype),
            autocast=False,
        )
        self.grid.build((None, self.grid.parameters))
        self.sampler.build([input_shape, (None, *self.grid.output_size, 2)])

    def _make_grid(self, input_shape):
        if isinstance(self.transform, keras.layers.Layer):
            return self.transform
        size = self.output_size or tuple(input_shape[1:3])
        if None in size:
            raise ValueError(f"output_size: expected (h, w) where the size of the image is unknown. Received: {size}")
        return TRANSFORMS[self.transform](size, align_corners=self.align_corners, dtype=self.dtype_policy, name="grid")

    def call(self, image, return_grid=False):
        kernel, bias = ops.convert_to_tensor(self.kernel), ops.convert_to_tensor(self.bias)
        features = ops.reshape(self.localization(image), (-1, kernel.shape[0]))
        theta = ops.cast(features, kernel.dtype) @ kernel + bias           # (B, parameters)
        grid = self.grid(theta)                                            # (B, h, w, 2)
        warped = self.sampler([image, grid])                               # (B, h, w, C)
        return (warped, theta, grid) if return_grid else warped

    def compute_output_shape(self, input_shape, return_grid=False):
        batch, *size, channels = input_shape
        grid = self.grid if self.built else self._make_grid(input_shape)
        warped = (batch, *grid.output_size, channels)
        return (warped, (batch, grid.parameters), (batch, *grid.output_size, 2)) if return_grid else warped

    def compute_output_spec(self, image, return_grid=False):
        warped, theta, grid = self.compute_output_shape(image.shape, return_grid=True)
        warped = keras.KerasTensor(warped, dtype=self.compute_dtype)
        others = [keras.KerasTensor(shape, dtype=self.variable_dtype) for shape in (theta, grid)]
        return (warped, *others) if return_grid else warped

    def get_config(self):
        return {
            **super().get_config(),
            **(self._given or self._parts()),
            "output_size": self.output_size and list(self.output_size),
            "padding": self.padding,
            "align_corners": self.align_corners,
            "interpolation": self.interpolation,
        }

    def _parts(self):
        return {"localization": config_of(self.localization), "transform": config_of(self.transform)}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for key in ("localization", "transform"):
            if isinstance(config[key], dict):
                config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)


def _check_transform(transform, output_size, align_corners):
    if isinstance(transform, str) and transform in TRANSFORMS:
        return
    parts = ("parameters", "identity", "output_size", "align_corners")
    if not isinstance(transform, keras.layers.Layer) or not all(hasattr(transform, part) for part in parts):
        known = ", ".join(TRANSFORMS)
        raise ValueError(f"transform: expected one of {known}, or a grid layer. Received: {transform!r}")
    if output_size is not None and tuple(output_size) != transform.output_size:
        raise ValueError(f"output_size: expected {transform.output_size} of the grid layer. Received: {output_size}")
    if align_corners != transform.align_corners:
        raise ValueError(f"align_corners: expected {transform.align_corners} as transform. Received: {align_corners}")
