"""RNN Encoder-Decoder, German to English, Multi30k (Cho et al. 2014): what RNNsearch is without attention.

Half an hour on one core.

segattn train rnn_encdec_multi30k_de_en
"""

from dataclasses import replace

from .rnnsearch_multi30k_de_en import RECIPE as RNNSEARCH

RECIPE = replace(
    RNNSEARCH,
    name="rnn_encdec_multi30k_de_en",
    model="rnn_encoder_decoder",
    operators={"tflite": 274, "onnx": 403},
    arguments={"source_size": 4000, "target_size": 4000, "embedding": 256, "units": 448, "dropout": 0.4},
)
