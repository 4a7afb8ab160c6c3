"""Layers: one a file, written in keras.ops, so they run on TensorFlow, JAX and PyTorch.

    >>> from keras_segattn import layers
    >>> layers.BilinearUpsampling2D(2).compute_output_shape((1, 12, 15, 11))
    (1, 24, 30, 11)
"""

from .affine_grid import AffineGrid
from .bilinear_resizing import BilinearResizing2D
from .bilinear_sampler import BilinearSampler
from .bilinear_upsampling import BilinearUpsampling2D
from .crop_like import CropLike
from .pad_to_multiple import PadToMultiple
from .projective_grid import ProjectiveGrid
from .resize_conv import ResizeConv2D
from .spatial_transformer import SpatialTransformer
from .subpixel_conv_transpose import SubpixelConv2DTranspose
from .subpixel_upsampling import SubpixelUpsampling2D
from .thin_plate_spline_grid import ThinPlateSplineGrid

__all__ = [
    "AffineGrid",
    "BilinearResizing2D",
    "BilinearSampler",
    "BilinearUpsampling2D",
    "CropLike",
    "PadToMultiple",
    "ProjectiveGrid",
    "ResizeConv2D",
    "SpatialTransformer",
    "SubpixelConv2DTranspose",
    "SubpixelUpsampling2D",
    "ThinPlateSplineGrid",
]
