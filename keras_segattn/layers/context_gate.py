"""How much of what a decoder sees it wants to see."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_segattn")
class ContextGate(keras.layers.Layer):
    """Multiplies each context by one number in 0..1 that the hidden state chooses: beta of Show, Attend and Tell.

    Args:
        kernel_initializer: what ``keras.initializers.get`` takes.

    Input shape: hidden state (..., U) and context (..., M), as a list. Output shape: (..., M).

    Raises:
        ValueError: if the inputs are not two of one rank, or U is unknown.

    Reference:
        Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel and Bengio, Show, Attend and Tell, ICML 2015,
        section 4.2.1.

    Example:
        >>> import numpy as np
        >>> gated = ContextGate()([np.zeros((1, 4)), np.array([[6.0, 8.0]])])
        >>> ops.convert_to_numpy(gated).tolist()
        [[3.0, 4.0]]
    """

    def __init__(self, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        if len(input_shape) != 2 or len(input_shape[0]) != len(input_shape[1]) or input_shape[0][-1] is None:
            raise ValueError(f"inputs: expected [hidden (..., U), context (..., M)], U known. Received: {input_shape}")
        shape = (input_shape[0][-1], 1)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.kernel_initializer)
        self.bias = self.add_weight(name="bias", shape=(1,), initializer="zeros")

    def call(self, inputs):
        hidden, context = inputs
        return ops.sigmoid(ops.matmul(hidden, self.kernel) + self.bias) * context

    def compute_output_shape(self, input_shape):
        return input_shape[1]

    def get_config(self):
        initializer = keras.saving.serialize_keras_object(self.kernel_initializer)
        return {**super().get_config(), "kernel_initializer": initializer}
