"""Luong's attention with input feeding, German to English, Multi30k (Luong et al. 2015).

An hour on one core.

segattn train luong_multi30k_de_en
"""

from dataclasses import replace

from .rnn_encdec_multi30k_de_en import RECIPE as WITHOUT

RECIPE = replace(
    WITHOUT,
    name="luong_multi30k_de_en",
    model="luong_nmt",
    epochs=24,
    learning_rate=2e-3,
    operators={"tflite": 385, "onnx": 511},
    arguments={**WITHOUT.arguments, "units": 496, "score": "general", "scope": "global"},
)
