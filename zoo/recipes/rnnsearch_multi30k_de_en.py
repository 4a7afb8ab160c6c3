"""RNNsearch, German to English, Multi30k (Bahdanau et al. 2015).

An hour and a half on one core.

segattn train rnnsearch_multi30k_de_en
"""

from ..recipe import Recipe

RECIPE = Recipe(
    name="rnnsearch_multi30k_de_en",
    model="rnnsearch",
    arguments={
        "source_size": 4000,
        "target_size": 4000,
        "embedding": 256,
        "encoder_units": 256,
        "units": 480,  # as many as 12 MB hold in float16
        "attention_units": 256,
        "dropout": 0.4,
    },
    dataset="multi30k_de_en",
    batch_size=64,
    epochs=16,
    learning_rate=1e-3,
    weight_decay=0.01,
    clip_norm=1.0,
    warmup_steps=400,
    label_smoothing=0.1,
    subword_alpha=0.2,
    policy="mixed_bfloat16",
    validate_every=1,
    operators={"tflite": 395, "onnx": 500},
)
