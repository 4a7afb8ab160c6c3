"""Show, Attend and Tell with hard attention by REINFORCE, Flickr8k (Xu et al. 2015).

Half an hour on one core.

segattn train show_attend_tell_hard_flickr8k
"""

from dataclasses import replace

from .show_attend_tell_soft_flickr8k import RECIPE as SOFT

RECIPE = replace(
    SOFT,
    name="show_attend_tell_hard_flickr8k",
    arguments={**SOFT.arguments, "attention": "hard"},
    label_smoothing=0.0,
    self_critical_epochs=0,
    length_power=0.7,
    operators={"tflite": 312, "onnx": 473},
)
