"""Attention that looks at one place."""

import keras
from keras import ops

from .memory import answer, output_shapes, output_specs, query_mask, read
from .parts import config_of

SLACK = 1e-6


@keras.saving.register_keras_serializable(package="keras_segattn")
class HardAttention(keras.layers.Layer):
    """In training looks at one position, drawn from the weights of another attention; else at the mean under them.

    To draw has no gradient: ``Reinforce`` teaches the attention where to look. So that its estimate varies less, some
    sentences of a batch are given the mean in training too, as in the paper.

    Called as the attention within is, and with ``noise`` for the draws, so that they can be repeated.

    Args:
        attention: ``BahdanauAttention``, ``LuongAttention`` but for its scope "local-p", or a layer with their
            ``project``, ``start`` and ``step``, whose weights sum to 1.
        mean_rate: float in 0..1, the probability of a sentence to be given the mean in training.
        seed: int or None, of the draws.

    Input shape: see the attention. ``noise`` is (B,) or (B, S), of uniform numbers in [0, 1), or negative ones for the
    mean; None: drawn, as ``draw`` does.
    Output shape: context (B, M) or (B, S, M); with ``return_attention_scores=True`` also the weights (B, T) or
    (B, S, T) that it was drawn from; with ``return_choice=True`` also the weights that it was made with, of the same
    shape: 1 at the position drawn.

    Raises:
        ValueError: if an argument is outside of its range.

    Reference:
        Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel and Bengio, Show, Attend and Tell, ICML 2015, section 4.1.

    Example:
        >>> from keras_segattn.layers import BahdanauAttention
        >>> memory = ops.reshape(ops.arange(3, dtype="float32"), (1, 3, 1))
        >>> hard = HardAttention(BahdanauAttention(4))
        >>> float(hard([memory[:, 0], memory], noise=ops.array([0.999]), training=True)[0, 0])
        2.0
    """

    def __init__(self, attention, *, mean_rate=0.5, seed=None, **kwargs):
        if not isinstance(attention, keras.layers.Layer) or not hasattr(attention, "project"):
            raise ValueError(f"attention: expected a layer with project, start and step. Received: {attention!r}")
        if getattr(attention, "scope", None) == "local-p":
            raise ValueError("attention: expected weights of sum 1 to draw from. Those of local-p are less")
        if not 0 <= mean_rate <= 1:
            raise ValueError(f"mean_rate: expected a number in 0..1. Received: {mean_rate!r}")
        super().__init__(**kwargs)
        self.attention = attention
        self.mean_rate = mean_rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape):
        if not self.attention.built:
            self.attention.build(input_shape)

    def project(self, memory):
        """The keys of a memory (B, T, M): those of the attention within."""
        return self.attention.project(memory)

    def call(self, inputs, mask=None, noise=None, training=False, return_attention_scores=False, return_choice=False):
        context, scores = self.attention(inputs, mask=mask, return_attention_scores=True)
        choice = scores
        if training:
            noise = self.draw(*ops.shape(scores)[:-1]) if noise is None else noise
            choice = self.choose(scores, noise)
            context = read(choice, inputs[1])
        return answer(context, scores, choice, return_attention_scores, return_choice)

    def draw(self, batch, *steps):
        """Noise (batch, *steps) to choose with: uniform in [0, 1), and -1 in all steps of who is given the mean."""
        noise = keras.random.uniform((batch, *steps), seed=self.seed_generator)
        alone = keras.random.uniform((batch, *(1 for _ in steps)), seed=self.seed_generator) >= self.mean_rate
        return ops.where(alone, noise, -1.0)

    def choose(self, scores, noise):
        """The weights of a look at one position, 1 there.

        Args:
            scores: (..., T), each row a distribution.
            noise: (...), in [0, 1): which share of the distribution lies before the position. Where it is negative the
                answer is the scores themselves.

        Returns:
            (..., T).
        """
        noise = ops.expand_dims(ops.cast(noise, "float32"), -1)
        shares = ops.cumsum(ops.cast(scores, "float32"), axis=-1)                  # (..., T)
        # A little less than the whole, so that rounding never steps behind the last position.
        before = shares <= noise * (1 - SLACK) * shares[..., -1:]
        position = ops.sum(ops.cast(before, "int32"), axis=-1, keepdims=True)
        chosen = ops.equal(ops.arange(ops.shape(scores)[-1], dtype="int32"), position)
        return ops.where(noise >= 0, ops.cast(chosen, scores.dtype), scores)

    def start(self, memory, mask=None, steps=None):
        """What ``step`` carries from query to query: that of the attention within, and the noise of every draw.

        Args:
            memory: (B, T, M).
            mask: bool (B, T) or None.
            steps: int, how many positions will be drawn, or None to be given the mean.
        """
        state = self.attention.start(memory, mask)
        if steps is None:
            return state
        turn = ops.zeros_like(memory[:, 0, 0], dtype="int32")                      # (B,)
        noise = self.draw(ops.shape(memory)[0], steps)
        return {**state, "noise": noise, "turn": turn, "choice": state["scores"]}

    def step(self, query, state):
        """The context (B, M) of a query (B, Q), and the new state, with the weights (B, T) as ``scores``.

        In training ``choice`` has the weights that the context was made with.
        """
        within = {name: x for name, x in state.items() if name not in ("noise", "turn", "choice")}
        context, within = self.attention.step(query, within)
        if "noise" not in state:
            return context, within
        noise, turn = state["noise"], state["turn"]
        now = ops.equal(ops.arange(ops.shape(noise)[1], dtype="int32"), ops.expand_dims(turn, 1))
        choice = self.choose(within["scores"], ops.sum(ops.where(now, noise, 0.0), axis=1))
        return read(choice, state["memory"]), {**state, **within, "turn": turn + 1, "choice": choice}

    def compute_mask(self, inputs, mask=None):
        return query_mask(mask)

    def compute_output_shape(self, input_shape):
        return output_shapes(input_shape)[0]

    def compute_output_spec(
        self, inputs, mask=None, noise=None, training=False, return_attention_scores=False, return_choice=False
    ):
        context, weights = output_specs(inputs, self.compute_dtype)
        return answer(context, weights, weights, return_attention_scores, return_choice)

    def get_config(self):
        return {
            **super().get_config(),
            "attention": config_of(self.attention),
            "mean_rate": self.mean_rate,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "attention": keras.saving.deserialize_keras_object(config["attention"])})

