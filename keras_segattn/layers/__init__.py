"""Layers: one a file, written in keras.ops, so they run on TensorFlow, JAX and PyTorch.

    >>> from keras_segattn import layers
    >>> layers.BilinearUpsampling2D(2).compute_output_shape((1, 12, 15, 11))
    (1, 24, 30, 11)
"""

from .bilinear_resizing import BilinearResizing2D
from .bilinear_upsampling import BilinearUpsampling2D
from .crop_like import CropLike
from .pad_to_multiple import PadToMultiple
from .resize_conv import ResizeConv2D
from .subpixel_conv_transpose import SubpixelConv2DTranspose
from .subpixel_upsampling import SubpixelUpsampling2D

__all__ = [
    "BilinearResizing2D",
    "BilinearUpsampling2D",
    "CropLike",
    "PadToMultiple",
    "ResizeConv2D",
    "SubpixelConv2DTranspose",
    "SubpixelUpsampling2D",
]
