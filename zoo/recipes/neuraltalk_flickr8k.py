"""NeuralTalk with an LSTM, Flickr8k (Karpathy and Fei-Fei 2015; Vinyals et al. 2015).

A quarter of an hour on one core.

segattn train neuraltalk_flickr8k
"""

from dataclasses import replace

from .show_attend_tell_soft_flickr8k import RECIPE as SOFT

RECIPE = replace(
    SOFT,
    name="neuraltalk_flickr8k",
    model="neuraltalk",
    optimizer="rmsprop",
    arguments={
        "vocabulary_size": 2537,  # all words that occur five times or more, and four signs
        "cell": "lstm",
        "embedding": 256,
        "units": 512,
        "dropout": 0.5,
        "encoder": "mobilenet_0.75",
    },
    self_critical_epochs=0,
    operators={"tflite": 280, "onnx": 362},
)
