"""Models: one architecture a file, each a function that returns a ``keras.Model``.

    >>> from keras_segattn import models
    >>> models.fcn32s((64, 96, 3), num_classes=2, encoder="mobilenet_0.75").output_shape
    (None, 64, 96, 2)
"""

from .encoders import ENCODERS
from .recognition.spatial_transformer import (
    attention,
    cnn,
    fully_connected,
    st_cnn,
    st_fully_connected,
    transformers,
)
from .segmentation.fcn import fcn8s, fcn16s, fcn32s
from .transfer import load_weights, transfer_weights
from .upsampling import UPSAMPLING, convert_upsampling

# Every builder by name: what a recipe may ask for.
BUILDERS = {
    "fcn32s": fcn32s,
    "fcn16s": fcn16s,
    "fcn8s": fcn8s,
    "fully_connected": fully_connected,
    "cnn": cnn,
    "st_fully_connected": st_fully_connected,
    "st_cnn": st_cnn,
}

__all__ = [
    "BUILDERS",
    "ENCODERS",
    "UPSAMPLING",
    "attention",
    "cnn",
    "convert_upsampling",
    "fcn32s",
    "fcn16s",
    "fcn8s",
    "fully_connected",
    "load_weights",
    "st_cnn",
    "st_fully_connected",
    "transfer_weights",
    "transformers",
]
