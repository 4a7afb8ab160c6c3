"""The loss of those who drew where to look."""

import keras
from keras import ops

TINY = 1e-30  # of a probability, so that its logarithm is finite


@keras.saving.register_keras_serializable(package="keras_segattn")
class Reinforce(keras.layers.Layer):
    """REINFORCE with a moving-average baseline and an entropy term: a loss whose gradient teaches ``HardAttention``.

    In training ``-log p(y) - reward_weight * (log p(y) - b) * sum_s log a_s - entropy_weight * sum_s H(a_s)``, where
    the reward ``log p(y) - b`` is held fixed, a_s is the probability of the position drawn in step s, H the entropy of
    the weights that it was drawn from, and b the mean of earlier log-likelihoods. Otherwise ``-log p(y)``.

    Args:
        momentum: float in [0, 1), share of the old baseline in the new one; the first one is 0.
        reward_weight: float >= 0 (lambda_r in the paper).
        entropy_weight: float >= 0 (lambda_e in the paper).

    Input shape: log-likelihood of each sentence (B,), then weights and choice (B, S, T) as ``HardAttention`` returns
    them, as a list. ``mask``, bool (B, S) or the second of a list as Keras hands it on, is True at the steps that
    count; None: all.
    Output shape: (B,).

    Raises:
        ValueError: if an argument is outside of its range, or the inputs are of another rank.

    Reference:
        Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel and Bengio, Show, Attend and Tell, ICML 2015, equations 11
        and 12; Williams, Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning,
        Machine Learning 1992.

    Example:
        >>> weights, choice = ops.array([[[0.5, 0.5]]]), ops.array([[[0.0, 1.0]]])
        >>> loss = Reinforce(entropy_weight=0.0)([ops.array([-2.0]), weights, choice], training=True)
        >>> round(float(loss[0]), 4)                                      # 2 - (-2 - 0) * log 0.5
        0.6137
    """

    def __init__(self, momentum=0.9, reward_weight=1.0, entropy_weight=0.01, **kwargs):
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: expected a number in [0, 1). Received: {momentum!r}")
        for name, value in (("reward_weight", reward_weight), ("entropy_weight", entropy_weight)):
            if value < 0:
                raise ValueError(f"{name}: expected a number >= 0. Received: {value!r}")
        super().__init__(autocast=False, **kwargs)
        self.momentum = momentum
        self.reward_weight = reward_weight
        self.entropy_weight = entropy_weight
        self.supports_masking = True
        self.input_spec = [keras.layers.InputSpec(ndim=rank) for rank in (1, 3, 3)]

    def build(self, input_shape):
        self.baseline = self.add_weight(name="baseline", shape=(), initializer="zeros", trainable=False)

    def call(self, inputs, mask=None, training=False):
        log_likelihood, scores, choice = (ops.cast(x, self.variable_dtype) for x in inputs)
        if not training:
            return ops.cast(-log_likelihood, self.compute_dtype)
        mask = mask[1] if isinstance(mask, (list, tuple)) else mask
        logs = ops.log(ops.maximum(scores, TINY))                                  # (B, S, T)
        drawn = _total(ops.stop_gradient(choice) * logs, mask)                     # (B,)
        entropy = -_total(scores * logs, mask)
        known = ops.stop_gradient(log_likelihood)
        reward = known - self.baseline
        self.baseline.assign(self.momentum * self.baseline + (1 - self.momentum) * ops.mean(known))
        loss = -log_likelihood - self.reward_weight * reward * drawn - self.entropy_weight * entropy
        return ops.cast(loss, self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "reward_weight": self.reward_weight,
            "entropy_weight": self.entropy_weight,
        }


def _total(x, mask):
    """Sum over the positions of every step that counts, (B,)."""
    x = ops.sum(x, axis=-1)                                                        # (B, S)
    return ops.sum(x if mask is None else ops.where(mask, x, 0), axis=-1)
