"""A recurrent decoder that attends: one step, and all steps of a known sequence."""

import keras
from keras import ops

from .doubly_stochastic import doubly_stochastic_penalty
from .memory import answer, memory_mask
from .parts import config_of

ORDERS = ("before", "after")
PARTS = ("cell", "attention", "gate", "feed", "readout")
# Of what a step carries, what stays as it was at the start.
FIXED = ("memory", "keys", "mask", "noise")


@keras.saving.register_keras_serializable(package="keras_segattn")
class AttentionDecoderCell(keras.layers.Layer):
    """A decoder that reads a memory in every step, put together of parts.

    The decoders of the papers are choices of parts:

    - Bahdanau: ``AttentionDecoderCell(GRUCell(n), BahdanauAttention(n), readout=Maxout(l))``. The previous hidden state
      asks, and the cell reads the context with its input.
    - Luong: ``AttentionDecoderCell(LSTMCell(n), LuongAttention(), attend="after", feed=Dense(n, "tanh"))``. The new
      hidden state asks, and what ``feed`` makes of it and its context is read with the next input (input feeding).
    - Show, Attend and Tell: ``AttentionDecoderCell(LSTMCell(n), BahdanauAttention(a), gate=ContextGate(),
      readout=Dense(m), doubly_stochastic=1.0)``, or ``HardAttention`` around the attention.

    It is called with a whole sequence of known inputs, to train; to decode, ``start`` and ``step`` are the ``encode``
    and ``step`` that ``keras_segattn.decoding`` asks for, but for the words.

    Args:
        cell: ``GRUCell``, ``LSTMCell`` or ``StackedRNNCells`` of keras, without a dropout of its own.
        attention: ``BahdanauAttention``, ``LuongAttention`` or ``HardAttention``.
        attend: "before" the cell, asked by its previous hidden state, or "after" it, asked by the new one.
        gate: layer called with [hidden state that asked, context] that gives the context to use, or None.
        feed: layer over hidden state and context side by side; its answer is the output, and is read with the next
            input. None: nothing is.
        readout: layer over hidden state, context and input side by side (deep output); its answer is the output. None
            and no ``feed``: they are the output as they are. (The paper's appendix reads the hidden state before the
            step, its equation 4 the one after, as is done here.)
        doubly_stochastic: float >= 0, weight of the ``doubly_stochastic_penalty`` that training adds to the losses,
            mean over the sentences.
        unroll: bool. Whether the loop over a sequence of known length is written out: a larger graph that is slower to
            make and may be faster to run.

    Input shape: inputs (B, S, E), memory (B, T, M), and the states to start the cell from (B, U), if any; as a list.
    ``mask`` is a list of masks, (B, S), (B, T), and None for each state; an entry may be None.
    Output shape: (B, S, O); with ``return_attention_scores=True`` also the weights (B, S, T), and with
    ``return_choice=True`` also those that the contexts were made with, which differ with ``HardAttention`` in training.

    Raises:
        ValueError: if an argument is outside of its range, a part is no layer, or both ``feed`` and ``readout`` are
            given.

    Reference:
        Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015;
        Luong, Pham and Manning, Effective Approaches to Attention-based Neural Machine Translation, EMNLP 2015;
        Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel and Bengio, Show, Attend and Tell, ICML 2015.

    Example:
        >>> from keras_segattn.layers import BahdanauAttention, Maxout
        >>> decoder = AttentionDecoderCell(keras.layers.GRUCell(8), BahdanauAttention(6), readout=Maxout(5))
        >>> inputs, memory = keras.random.uniform((2, 4, 3), seed=0), keras.random.uniform((2, 7, 9), seed=1)
        >>> outputs, weights = decoder([inputs, memory], return_attention_scores=True)
        >>> tuple(outputs.shape), tuple(weights.shape)
        ((2, 4, 5), (2, 4, 7))
        >>> first, state = decoder.step(inputs[:, 0], decoder.start(memory))
        >>> float(ops.max(ops.abs(first - outputs[:, 0]))) < 1e-6
        True
    """

    def __init__(
        self,
        cell,
        attention,
        *,
        attend="before",
        gate=None,
        feed=None,
        readout=None,
        doubly_stochastic=0.0,
        unroll=False,
        **kwargs,
    ):
        _check_cell(cell)
        for name, part in (("attention", attention), ("gate", gate), ("feed", feed), ("readout", readout)):
            if not isinstance(part, keras.layers.Layer) and (part is not None or name == "attention"):
                raise ValueError(f"{name}: expected a keras layer. Received: {part!r}")
        if attend not in ORDERS:
            raise ValueError(f"attend: expected one of {', '.join(ORDERS)}. Received: {attend!r}")
        if feed is not None and readout is not None:
            raise ValueError(f"readout: expected None, for the output is what feed gives. Received: {readout!r}")
        if doubly_stochastic < 0:
            raise ValueError(f"doubly_stochastic: expected a number >= 0. Received: {doubly_stochastic!r}")
        super().__init__(**kwargs)
        self.cell = cell
        self.attention = attention
        self.attend = attend
        self.gate = gate
        self.feed = feed
        self.readout = readout
        self.doubly_stochastic = doubly_stochastic
        self.unroll = unroll
        self.supports_masking = True

    def build(self, input_shape):
        inputs, memory, *_ = input_shape
        if len(inputs) != 3 or len(memory) != 3 or None in (inputs[-1], memory[-1]):
            expected = "expected [inputs (B, S, E), memory (B, T, M), states (B, U) if any], E and M known"
            raise ValueError(f"inputs: {expected}. Received: {input_shape}")
        units, features = _units(self.cell), memory[-1]
        read = inputs[-1] + (features if self.attend == "before" else 0)
        if self.feed is not None:
            read += self.feed.compute_output_shape((None, units + features))[-1]
        for part, shape in (
            (self.cell, (None, read)),
            (self.attention, [(None, units), tuple(memory)]),
            (self.gate, [(None, units), (None, features)]),
            (self.feed, (None, units + features)),
            (self.readout, (None, units + features + inputs[-1])),
        ):
            if part is not None and not part.built:
                part.build(shape)

    def start(self, memory, mask=None, cell_state=(), steps=None):
        """What the decoder carries from step to step, a nested dict of tensors with the batch first.

        Args:
            memory: (B, T, M).
            mask: bool (B, T), True at real positions; None: all are.
            cell_state: tensors (B, U), as many as the cell has states; empty: zeros.
            steps: int, how many positions ``HardAttention`` will draw, or None to look at the mean.

        Returns:
            dict: ``scores`` are the weights (B, T) of the last look, and ``cell`` the states of the cell.
        """
        state = self.attention.start(memory, mask, steps)
        zeros = self.cell.get_initial_state(batch_size=ops.shape(memory)[0])
        cell_state = [ops.cast(x, self.compute_dtype) for x in cell_state] or keras.tree.flatten(zeros)
        state["cell"] = keras.tree.pack_sequence_as(zeros, cell_state)
        if self.feed is not None:
            size = self.feed.compute_output_shape((None, _units(self.cell) + memory.shape[-1]))[-1]
            state["fed"] = ops.zeros((ops.shape(memory)[0], size), dtype=self.compute_dtype)
        return state

    def step(self, inputs, state):
        """One step: inputs (B, E) and state to output (B, O) and state."""
        hidden, context, state = self._advance(inputs, state)
        return self._output(hidden, context, inputs, state.get("fed")), state

    def _advance(self, inputs, state):
        """One step up to the output: hidden state (B, U), context (B, M), and the new state."""
        fed = [state["fed"]] if self.feed is not None else []
        if self.attend == "before":
            context, state = self._look(_hidden(self.cell, state["cell"]), state)
            hidden, cell = self.cell(ops.concatenate([inputs, *fed, context], axis=-1), state["cell"])
        else:
            hidden, cell = self.cell(ops.concatenate([inputs, *fed], axis=-1), state["cell"])
            context, state = self._look(hidden, state)
        state = {**state, "cell": cell}
        if self.feed is not None:
            state["fed"] = self.feed(ops.concatenate([hidden, context], axis=-1))
        return hidden, context, state

    def _look(self, hidden, state):
        mine = {name: state[name] for name in ("cell", "fed") if name in state}
        context, seen = self.attention.step(hidden, {name: x for name, x in state.items() if name not in mine})
        if self.gate is not None:
            context = self.gate([hidden, context])
        return context, {**seen, **mine}

    def _output(self, hidden, context, inputs, fed):
        if self.feed is not None:
            return fed
        together = ops.concatenate([hidden, context, inputs], axis=-1)
        return together if self.readout is None else self.readout(together)

    def call(self, inputs, mask=None, training=False, return_attention_scores=False, return_choice=False):
        inputs, memory, *cell_state = inputs
        step_mask, mask = (None, None) if mask is None else (mask[0], memory_mask(mask))
        steps = ops.shape(inputs)[1] if training else None
        seen = self._all_steps(inputs, self.start(memory, mask, cell_state, steps))
        outputs = self._output(_hidden(self.cell, seen["cell"]), seen["context"], inputs, seen.get("fed"))
        if training and self.doubly_stochastic:
            weights = ops.cast(seen["scores"], self.variable_dtype)  # Keras adds up losses of that type alone
            penalty = doubly_stochastic_penalty(weights, step_mask, mask)
            self.add_loss(self.doubly_stochastic * ops.mean(penalty))
        choice = seen.get("choice", seen["scores"])
        return answer(outputs, seen["scores"], choice, return_attention_scores, return_choice)

    def _all_steps(self, inputs, state):
        """What changes from step to step and the context, after each step: like a state, but (B, S, ...)."""
        fixed = {name: state[name] for name in FIXED if name in state}
        moving = {name: x for name, x in state.items() if name not in FIXED}

        def advance(moving, now):
            _, context, state = self._advance(now, {**fixed, **moving})
            state = {name: x for name, x in state.items() if name not in FIXED}
            return {**state, "context": context}

        first = {**moving, "context": ops.zeros_like(state["memory"][:, 0])}
        inputs = ops.swapaxes(inputs, 0, 1)                                        # (S, B, E)
        if self.unroll:
            seen = []
            for now in ops.unstack(inputs):
                seen.append(advance(seen[-1] if seen else first, now))
            return keras.tree.map_structure(lambda *steps: ops.stack(steps, axis=1), *seen)
        _, seen = ops.scan(lambda carry, now: (advance(carry, now),) * 2, first, inputs)
        return keras.tree.map_structure(lambda x: ops.swapaxes(x, 0, 1), seen)

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else [mask[0]] * 3  # of outputs, weights and choice

    def compute_output_shape(self, input_shape):
        inputs, memory, *_ = input_shape
        together = _units(self.cell) + memory[-1]
        if self.feed is not None:
            size = self.feed.compute_output_shape((None, together))[-1]
        else:
            size = together + inputs[-1]
            size = size if self.readout is None else self.readout.compute_output_shape((None, size))[-1]
        return (*inputs[:-1], size)

    def compute_output_spec(
        self, inputs, mask=None, training=False, return_attention_scores=False, return_choice=False
    ):
        shape = self.compute_output_shape([x.shape for x in inputs])
        shapes = (shape, (*shape[:-1], inputs[1].shape[1]))
        outputs, weights = (keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes)
        return answer(outputs, weights, weights, return_attention_scores, return_choice)

    def get_config(self):
        return {
            **super().get_config(),
            **{name: config_of(getattr(self, name)) for name in PARTS},
            "attend": self.attend,
            "doubly_stochastic": self.doubly_stochastic,
            "unroll": self.unroll,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in PARTS}})


def _check_cell(cell):
    if not isinstance(cell, keras.layers.Layer) or not hasattr(cell, "state_size"):
        raise ValueError(f"cell: expected a GRUCell, an LSTMCell or StackedRNNCells. Received: {cell!r}")
    for one in _cells(cell):
        if getattr(one, "dropout", 0) or getattr(one, "recurrent_dropout", 0):
            hint = "drop out what goes into the decoder and what comes out"
            raise ValueError(f"cell: expected no dropout within its loop; {hint}. Received: {one!r}")


def _cells(cell):
    return cell.cells if isinstance(cell, keras.layers.StackedRNNCells) else [cell]


def _units(cell):
    """Size of the hidden state."""
    return _cells(cell)[-1].units


def _hidden(cell, states):
    """The hidden state among the states of a cell, that of the last one of a stack."""
    last = states[-1] if isinstance(cell, keras.layers.StackedRNNCells) else states
    return last[0] if isinstance(last, (list, tuple)) else last
