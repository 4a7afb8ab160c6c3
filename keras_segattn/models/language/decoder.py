"""The two functions that a model of language is made of, for ``keras_segattn.decoding``."""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from ...layers import AttentionDecoderCell


class Decoder(NamedTuple):
    """What reads once, and what writes word by word.

    Args:
        encode: function, dict of the model's inputs but ``target`` -> state, a nested structure of tensors with the
            batch first.
        step: function, token int32 (B,) and state -> logits (B, V) and state. Where there is attention, ``scores`` of
            the state are its weights (B, T).
        parts: keras models whose weights the two use.

    Example:
        >>> Decoder(encode=len, step=max, parts=()).encode("abc")
        3
    """

    encode: Callable
    step: Callable
    parts: tuple


def decoder(model):
    """Take a model of language apart around its layer ``decoder``.

    Args:
        model: functional keras.Model, ``target`` int (B, S) and other inputs -> logits (B, S, V), that has an
            ``AttentionDecoderCell`` or a recurrent layer of keras named "decoder".

    Returns:
        ``Decoder``, which shares the weights of the model.

    Raises:
        ValueError: if the model is not of that kind.

    Example:
        >>> from keras_segattn.decoding import greedy
        >>> from keras_segattn.models import rnnsearch
        >>> read, step, _ = decoder(rnnsearch(60, 50, embedding=4, encoder_units=5, units=6, attention_units=3))
        >>> found = greedy(step, read({"source": ops.array([[7, 8, 9]])}), start=2, end=3, max_length=4)
        >>> found.tokens.shape
        TensorShape([1, 4])
    """
    names = [layer.name for layer in model.layers]
    if "decoder" not in names or not isinstance(model.input, dict) or "target" not in model.input:
        raise ValueError(f"model: expected one with a layer decoder and an input target. Received: {model.name}")
    layer = model.get_layer("decoder")
    node = last_call(model, layer)
    words, *given = node.input_tensors
    output = node.outputs[0]
    others = {name: x for name, x in model.input.items() if name != "target"}
    embed = keras.Model(model.input["target"], words, name="embed")                # (B, S) -> (B, S, E)
    score = keras.Model(output, model.output, name="score")                        # (B, S, U) -> (B, S, V)
    mask = getattr(given[0], "_keras_mask", None)
    read = keras.Model(others, given if mask is None else [*given, mask], name="read")

    def embedded(token):
        return embed(ops.expand_dims(token, 1))[:, 0]                              # (B, E)

    def logits(output):
        return score(ops.expand_dims(output, 1))[:, 0]                             # (B, V)

    if isinstance(layer, AttentionDecoderCell):

        def encode(inputs):
            memory, *states = read(inputs)
            if mask is None:
                return layer.start(memory, None, states)
            return layer.start(memory, states[-1], states[:-1])

        def step(token, state):
            output, state = layer.step(embedded(token), state)
            return logits(output), state

    else:

        def encode(inputs):
            states = read(inputs)
            return {"cell": list(states) if isinstance(states, (list, tuple)) else [states]}

        def step(token, state):
            output, states = layer.cell(embedded(token), state["cell"])
            return logits(output), {"cell": list(states)}

    return Decoder(encode, step, (read, embed, score, layer))


def last_call(model, layer):
    """The last call of a layer within a model: a recurrent layer may have read an image before it wrote.

    Args:
        model: functional keras.Model.
        layer: one of its layers, which may be in other models too.

    Returns:
        Node of keras, with ``input_tensors`` and ``outputs``.

    Example:
        >>> x = keras.Input((2,))
        >>> layer = keras.layers.Dense(2)
        >>> model = keras.Model(x, layer(layer(x)))
        >>> last_call(model, layer).outputs[0] is model.output
        True
    """
    within = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}
    return [node for node in layer._inbound_nodes if id(node) in within][-1]
