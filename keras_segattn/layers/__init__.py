"""Layers: one a file, written in keras.ops, so they run on TensorFlow, JAX and PyTorch.

    >>> from keras_segattn import layers
    >>> layers.BilinearUpsampling2D(2).compute_output_shape((1, 12, 15, 11))
    (1, 24, 30, 11)
"""

from .affine_grid import AffineGrid
from .attention_decoder_cell import AttentionDecoderCell
from .bahdanau_attention import BahdanauAttention
from .bilinear_resizing import BilinearResizing2D
from .bilinear_sampler import BilinearSampler
from .bilinear_upsampling import BilinearUpsampling2D
from .context_gate import ContextGate
from .crop_like import CropLike
from .hard_attention import HardAttention
from .luong_attention import LuongAttention
from .maxout import Maxout
from .mean_attention import MeanAttention
from .pad_to_multiple import PadToMultiple
from .projective_grid import ProjectiveGrid
from .reinforce import Reinforce
from .resize_conv import ResizeConv2D
from .spatial_transformer import SpatialTransformer
from .subpixel_conv_transpose import SubpixelConv2DTranspose
from .subpixel_upsampling import SubpixelUpsampling2D
from .thin_plate_spline_grid import ThinPlateSplineGrid
from .tokens import Tokens

__all__ = [
    "AffineGrid",
    "AttentionDecoderCell",
    "BahdanauAttention",
    "BilinearResizing2D",
    "BilinearSampler",
    "BilinearUpsampling2D",
    "ContextGate",
    "CropLike",
    "HardAttention",
    "LuongAttention",
    "Maxout",
    "MeanAttention",
    "PadToMultiple",
    "ProjectiveGrid",
    "Reinforce",
    "ResizeConv2D",
    "SpatialTransformer",
    "SubpixelConv2DTranspose",
    "SubpixelUpsampling2D",
    "ThinPlateSplineGrid",
    "Tokens",
]
