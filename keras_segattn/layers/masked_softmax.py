"""The softmax of the real positions."""

import keras
from keras import ops

LOWEST = {"float16": -6e4}  # a score below all others; the other types reach further
LOWEST_OF_OTHERS = -1e30


def masked_softmax(scores, mask=None):
    """Softmax over the last axis, exactly 0 where the mask is False, and all 0 where no position is real.

    Args:
        scores: tensor (..., T).
        mask: bool tensor that broadcasts to the scores, True at real positions; None: all are.

    Returns:
        (..., T), which sums to 1 if any position is real.

    Example:
        >>> import numpy as np
        >>> scores = np.zeros((2, 3), "float32")
        >>> real = np.array([[True, True, False], [False, False, False]])
        >>> ops.convert_to_numpy(masked_softmax(scores, real)).tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    scores = ops.convert_to_tensor(scores)
    if mask is None:
        return ops.softmax(scores)
    mask = ops.convert_to_tensor(mask)
    lowest = LOWEST.get(keras.backend.standardize_dtype(scores.dtype), LOWEST_OF_OTHERS)
    return ops.where(mask, ops.softmax(ops.where(mask, scores, lowest)), 0)
