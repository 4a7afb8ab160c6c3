"""Models: one architecture a file, each a function that returns a ``keras.Model``.

    >>> from keras_segattn import models
    >>> models.fcn32s((64, 96, 3), num_classes=2, encoder="mobilenet_0.75").output_shape
    (None, 64, 96, 2)
"""

from .encoders import ENCODERS
from .language.decoder import Decoder, decoder
from .language.luong_nmt import luong_nmt
from .language.neuraltalk import neuraltalk
from .language.rnn_encoder_decoder import rnn_encoder_decoder
from .language.rnnsearch import rnnsearch
from .language.show_attend_tell import show_attend_tell
from .language.writer import Writer
from .recognition.spatial_transformer import (
    attention,
    cnn,
    fully_connected,
    st_cnn,
    st_fully_connected,
    transformers,
)
from .segmentation.fcn import fcn8s, fcn16s, fcn32s
from .transfer import load_weights, transfer_weights, transfer_words
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
    "rnn_encoder_decoder": rnn_encoder_decoder,
    "rnnsearch": rnnsearch,
    "luong_nmt": luong_nmt,
    "neuraltalk": neuraltalk,
    "show_attend_tell": show_attend_tell,
}

__all__ = [
    "BUILDERS",
    "Decoder",
    "ENCODERS",
    "UPSAMPLING",
    "Writer",
    "attention",
    "cnn",
    "convert_upsampling",
    "decoder",
    "fcn32s",
    "fcn16s",
    "fcn8s",
    "fully_connected",
    "load_weights",
    "luong_nmt",
    "neuraltalk",
    "rnn_encoder_decoder",
    "rnnsearch",
    "show_attend_tell",
    "st_cnn",
    "st_fully_connected",
    "transfer_weights",
    "transfer_words",
    "transformers",
]
