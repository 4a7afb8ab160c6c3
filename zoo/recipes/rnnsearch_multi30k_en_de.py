"""RNNsearch, English to German, Multi30k (Bahdanau et al. 2015).

Three quarters of an hour on one core.

segattn train rnnsearch_multi30k_en_de
"""

from dataclasses import replace

from .rnnsearch_multi30k_de_en import RECIPE as GERMAN

RECIPE = replace(GERMAN, name="rnnsearch_multi30k_en_de", dataset="multi30k_en_de", learning_rate=2e-3)
