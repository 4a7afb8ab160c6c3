"""Show, Attend and Tell with soft attention, Flickr8k (Xu et al. 2015).

An hour on one core; the last eight epochs are self-critical (Rennie et al. 2017).

segattn train show_attend_tell_soft_flickr8k
"""

from ..recipe import Recipe

RECIPE = Recipe(
    name="show_attend_tell_soft_flickr8k",
    model="show_attend_tell",
    arguments={
        "vocabulary_size": 2537,  # all words that occur five times or more, and four signs
        "attention": "soft",
        "embedding": 256,
        "units": 512,
        "attention_units": 256,
        "features": 256,
        "dropout": 0.5,
        "grid_dropout": 0.5,
        "doubly_stochastic": 0.01,
        "encoder": "mobilenet_0.75",
    },
    dataset="flickr8k",
    image_size=(224, 224),
    batch_size=64,
    epochs=12,
    learning_rate=1e-3,
    weight_decay=0.01,
    clip_norm=5.0,
    warmup_steps=400,
    label_smoothing=0.1,
    policy="mixed_bfloat16",
    validate_every=1,
    max_tokens=24,
    self_critical_epochs=8,
    self_critical_rate=5e-5,
    length_power=0.7,
    operators={"tflite": 312, "onnx": 473},
)
