"""Luong's attention with input feeding, German to English, Multi30k (Luong et al. 2015).

Three quarters of an hour on one core.

segattn train luong_multi30k_de_en
"""

from dataclasses import replace

from .rnn_encdec_multi30k_de_en import RECIPE as WITHOUT

RECIPE = replace(
    WITHOUT,
    name="luong_multi30k_de_en",
    model="luong_nmt",
    operators={},
    arguments={**WITHOUT.arguments, "units": 496, "score": "general", "scope": "global"},
)
