"""Cropping to the size of another tensor."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_segattn")
class CropLike(keras.layers.Layer):
    """The top left part of one tensor, as high and wide as another: the inverse of ``PadToMultiple``.

    Called with ``[inputs, reference]``.

    Input shape: inputs (B, H, W, C), reference (B, h, w, any) with h <= H and w <= W.
    Output shape: (B, h, w, C).

    Raises:
        ValueError: if not called with two tensors of rank 4, or the reference is the larger one.

    Example:
        >>> import numpy as np
        >>> padded, image = np.zeros((1, 384, 480, 11)), np.zeros((1, 360, 480, 3))
        >>> tuple(CropLike()([padded, image]).shape)
        (1, 360, 480, 11)
    """

    def build(self, input_shape):
        if [len(shape) for shape in input_shape if isinstance(shape, tuple | list)] != [4, 4]:
            raise ValueError(f"inputs: expected [inputs, reference] of rank 4. Received: {input_shape}")
        (_, *sizes, _), (_, *targets, _) = input_shape
        if any(size and target and target > size for size, target in zip(sizes, targets, strict=True)):
            raise ValueError(
                f"reference: expected at most the height and width of inputs, {tuple(sizes)}. "
                f"Received: {tuple(targets)}"
            )

    def call(self, inputs):
        x, reference = inputs
        _, height, width, _ = ops.shape(reference)
        return x[:, :height, :width, :]

    def compute_output_shape(self, input_shape):
        (batch, _, _, channels), (_, height, width, _) = input_shape
        return (batch, height, width, channels)
