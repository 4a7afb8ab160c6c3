"""Token ids, and the vocabulary that they are of."""

import keras
import numpy as np
from keras import ops

from ..vocabulary import UNKNOWN, Vocabulary


@keras.saving.register_keras_serializable(package="keras_segattn")
class Tokens(keras.layers.Layer):
    """Token ids of a text; it carries their vocabulary, which is saved and loaded with the weights of its model.

    Ids that the vocabulary does not have become ``UNKNOWN``, so that no file reads beyond an embedding.

    Args:
        size: int >= 5, how many tokens its vocabulary has.

    Input shape: integers (B, T). Output shape: int32 (B, T), 0..size - 1.

    Raises:
        ValueError: if ``size`` is out of its range, or a vocabulary of another size.

    Example:
        >>> layer = Tokens(8)
        >>> layer.vocabulary = Vocabulary.learn(["to be or not to be"], size=8, kind="words")
        >>> ids = layer(np.array([[*layer.vocabulary.encode("to be"), 99]]))
        >>> layer.vocabulary.decode(ops.convert_to_numpy(ids)[0, :2])
        'to be'
    """

    def __init__(self, size, **kwargs):
        if not isinstance(size, int) or size < 5:
            raise ValueError(f"size: expected an integer >= 5. Received: {size!r}")
        kwargs.setdefault("dtype", "int32")
        super().__init__(**kwargs)
        self.size = size
        self._vocabulary = None

    @property
    def vocabulary(self):
        """The ``Vocabulary``, or None as long as none was set or loaded."""
        return self._vocabulary

    @vocabulary.setter
    def vocabulary(self, vocabulary):
        if not isinstance(vocabulary, Vocabulary) or len(vocabulary) != self.size:
            raise ValueError(
                f"vocabulary: expected a Vocabulary of {self.size} tokens. Received: {vocabulary!r}"
            )
        self._vocabulary = vocabulary

    def build(self, input_shape):
        """Nothing to build."""

    def call(self, inputs):
        tokens = ops.cast(inputs, "int32")
        known = ops.logical_and(tokens >= 0, tokens < self.size)
        return ops.where(known, tokens, UNKNOWN)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype="int32")

    def compute_output_shape(self, input_shape):
        return input_shape

    def save_own_variables(self, store):
        if self._vocabulary is not None:
            store["vocabulary"] = np.frombuffer(self._vocabulary.data, "uint8")

    def load_own_variables(self, store):
        if "vocabulary" in [*store.keys()]:  # of a file, which is no dict
            self.vocabulary = Vocabulary(np.asarray(store["vocabulary"]).tobytes())

    def get_config(self):
        return {**super().get_config(), "size": self.size}
