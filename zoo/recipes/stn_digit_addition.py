"""ST-CNN with two affine transformers in parallel: the sum of two distorted digits (Jaderberg et al. 2015, appendix).

About 50 minutes on two cores.

segattn train stn_digit_addition
"""

from dataclasses import replace

from .stn_affine_mnist_rts import RECIPE as RTS

RECIPE = replace(
    RTS,
    name="stn_digit_addition",
    operators={"tflite": 285, "onnx": 50},
    epochs=80,
    policy="mixed_bfloat16",
    dataset="mnist_addition",
    arguments={**RTS.arguments, "output_size": (28, 28), "dropout": 0.1, "transformers": 2, "arrangement": "parallel"},
)
