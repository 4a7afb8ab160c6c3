"""Attention that sees all of the memory."""

from keras import ops


def doubly_stochastic_penalty(scores, step_mask=None, mask=None):
    """How far from 1 the weights add up to that each position receives over all steps: ``sum_t (1 - sum_s a_st)^2``.

    Args:
        scores: the weights of every step, (B, S, T).
        step_mask: bool (B, S), True at the steps that count; None: all.
        mask: bool (B, T), True at the real positions; None: all.

    Returns:
        (B,).

    Reference:
        Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel and Bengio, Show, Attend and Tell, ICML 2015, equation 14.

    Example:
        Two steps that both see the first of two positions.

        >>> float(doubly_stochastic_penalty([[[1.0, 0.0], [1.0, 0.0]]])[0])
        2.0
    """
    scores = ops.convert_to_tensor(scores)
    if step_mask is not None:
        scores = ops.where(ops.expand_dims(step_mask, -1), scores, 0)
    missing = ops.square(1 - ops.sum(scores, axis=1))                              # (B, T)
    return ops.sum(missing if mask is None else ops.where(mask, missing, 0), axis=-1)
