"""A dense layer of which the strongest pieces go on."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_segattn")
class Maxout(keras.layers.Layer):
    """Dense layer without an activation, each unit the largest of several pieces.

    With two pieces this is the deep output of Bahdanau's decoder, when it reads hidden state, context and input side by
    side.

    Args:
        units: int >= 1, size of the output (l in the paper).
        pieces: int >= 2, how many linear functions each unit chooses from.
        kernel_initializer: what ``keras.initializers.get`` takes.

    Input shape: (..., D). Output shape: (..., units).

    Raises:
        ValueError: if an argument is out of its range, or D is unknown.

    Reference:
        Goodfellow, Warde-Farley, Mirza, Courville and Bengio, Maxout Networks, ICML 2013.

    Example:
        >>> import numpy as np
        >>> layer = Maxout(1)
        >>> layer.build((None, 1))
        >>> layer.set_weights([np.array([[1.0, -1.0]]), np.zeros(2)])
        >>> ops.convert_to_numpy(layer(np.array([[-3.0], [2.0]]))).tolist()
        [[3.0], [2.0]]
    """

    def __init__(self, units, pieces=2, kernel_initializer="glorot_uniform", **kwargs):
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"units: expected an integer >= 1. Received: {units!r}")
        if not isinstance(pieces, int) or pieces < 2:
            raise ValueError(f"pieces: expected an integer >= 2. Received: {pieces!r}")
        super().__init__(**kwargs)
        self.units = units
        self.pieces = pieces
        self.kernel_initializer = kernel_initializer
        self.input_spec = keras.layers.InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape):
        if input_shape[-1] is None:
            raise ValueError(f"input: expected a known number of features. Received shape: {input_shape}")
        shape = (input_shape[-1], self.units * self.pieces)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.kernel_initializer)
        self.bias = self.add_weight(name="bias", shape=(self.units * self.pieces,), initializer="zeros")

    def call(self, inputs):
        pieces = ops.matmul(inputs, self.kernel) + self.bias                       # (..., units * pieces)
        return ops.max(ops.reshape(pieces, (*ops.shape(pieces)[:-1], self.units, self.pieces)), axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "kernel_initializer": keras.saving.serialize_keras_object(self.kernel_initializer),
        }
