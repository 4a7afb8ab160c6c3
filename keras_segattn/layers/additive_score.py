"""How well a query and a key fit, said by a small network."""

from keras import ops


def additive_score(queries, keys, kernel):
    """``v^T tanh(q + k)`` of every pair of projected query and key.

    Args:
        queries: (B, S, U).
        keys: (B, T, U).
        kernel: v, (U, 1).

    Returns:
        (B, S, T).

    Reference:
        Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015,
        appendix A.1.2.

    Example:
        >>> import numpy as np
        >>> ones = np.ones((1, 1, 2), "float32")
        >>> round(float(additive_score(ones, -2 * ones, np.ones((2, 1), "float32"))[0, 0, 0]), 4)  # 2 tanh(-1)
        -1.5232
    """
    together = ops.tanh(ops.expand_dims(queries, 2) + ops.expand_dims(keys, 1))    # (B, S, T, U)
    return ops.squeeze(ops.matmul(together, kernel), -1)
