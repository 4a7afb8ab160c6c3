"""Padding that makes every stride of an encoder come out whole."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_segattn")
class PadToMultiple(keras.layers.Layer):
    """Zeros below and to the right, up to the next multiple of ``multiple``.

    An encoder of total stride 32 then halves whole numbers all the way down, whichever way it rounds,
    and a decoder meets its skip connections at exactly their sizes. ``CropLike`` takes the margin away
    again at the end.

    Args:
        multiple: int >= 1, the encoder's largest stride.

    Input shape: (B, H, W, C), H and W may be unknown (None).
    Output shape: (B, ceil(H / multiple) * multiple, ceil(W / multiple) * multiple, C).

    Raises:
        ValueError: if ``multiple`` is not an integer >= 1, or the input is not of rank 4.

    Example:
        >>> PadToMultiple(32).compute_output_shape((4, 360, 480, 3))
        (4, 384, 480, 3)
    """

    def __init__(self, multiple, **kwargs):
        if not isinstance(multiple, int) or isinstance(multiple, bool) or multiple < 1:
            raise ValueError(f"multiple: expected an integer >= 1. Received: {multiple!r}")
        super().__init__(**kwargs)
        self.multiple = multiple
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        _, height, width, _ = ops.shape(inputs)  # ints where known, tensors where not
        return ops.pad(
            inputs, [[0, 0], [0, -height % self.multiple], [0, -width % self.multiple], [0, 0]]
        )

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(size and size + -size % self.multiple for size in (height, width)), channels)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}
