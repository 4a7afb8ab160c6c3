"""What attentions have in common: a query or a sequence of queries, and the memory that they read."""

from keras import KerasTensor, ops


def check_memory(input_shape):
    """Refuse shapes that are not of query, memory and, if given, keys.

    Args:
        input_shape: list of shapes, (B, Q) or (B, S, Q), then (B, T, M), then perhaps (B, T, U).

    Raises:
        ValueError: if there are more or fewer, a rank differs, or Q or M is unknown.

    Example:
        >>> check_memory([(None, 4), (None, 7, 5)])
        >>> check_memory([(None, 4), (None, 5)])
        Traceback (most recent call last):
        ValueError: inputs: expected [query (B, Q) or (B, S, Q), memory (B, T, M), ...]. Received: ...
    """
    ranks = [len(shape) for shape in input_shape]
    known = len(ranks) in (2, 3) and None not in (input_shape[0][-1], input_shape[1][-1])
    if not known or ranks[0] not in (2, 3) or ranks[1:] != [3] * len(ranks[1:]):
        expected = "expected [query (B, Q) or (B, S, Q), memory (B, T, M), keys (B, T, U) if any], Q and M known"
        raise ValueError(f"inputs: {expected}. Received: {input_shape}")


def check_projectable(layer, memory):
    """Refuse to make keys that would not learn, or before there are weights to make them with.

    Args:
        layer: an attention.
        memory: what it shall project.

    Raises:
        ValueError: if the layer is not built, or the memory is a symbolic tensor.

    Example:
        >>> from keras_segattn import layers
        >>> check_projectable(layers.BahdanauAttention(4), ops.ones((1, 3, 5)))
        Traceback (most recent call last):
        ValueError: bahdanau_attention: expected to be built before it projects a memory.
    """
    if not layer.built:
        raise ValueError(f"{layer.name}: expected to be built before it projects a memory: call it once, or build it")
    if isinstance(memory, KerasTensor):
        hint = "leave the keys away, for one call makes them once for all of its queries"
        raise ValueError(f"memory: expected a tensor. Received: {memory}; in a functional model {hint}")


def memory_mask(mask):
    """The mask of the memory, of what Keras hands to a layer that is called with ``[query, memory, ...]``.

    Args:
        mask: [query mask, memory mask, ...] of which each may be None, or the memory mask alone, or None.

    Returns:
        The mask (B, T) or None.

    Example:
        >>> memory_mask([None, [[True, False]]])
        [[True, False]]
    """
    return mask[1] if isinstance(mask, (list, tuple)) else mask


def query_mask(mask):
    """The mask of the queries, which is that of their contexts; see ``memory_mask``.

    Example:
        >>> query_mask([[[True, False]], None])
        [[True, False]]
    """
    return mask[0] if isinstance(mask, (list, tuple)) else None


def read(weights, memory):
    """The mean of a memory under each row of weights.

    Args:
        weights: (B, T) or (B, S, T).
        memory: (B, T, M).

    Returns:
        (B, M) or (B, S, M).

    Example:
        >>> memory = ops.reshape(ops.arange(6, dtype="float32"), (1, 3, 2))
        >>> ops.convert_to_numpy(read(ops.array([[0.0, 0.5, 0.5]]), memory)).tolist()
        [[3.0, 4.0]]
    """
    if len(weights.shape) == 3:
        return ops.matmul(weights, memory)
    return ops.squeeze(ops.matmul(ops.expand_dims(weights, 1), memory), 1)


def output_shapes(input_shape):
    """Shapes of context and weights, of those of query and memory.

    Args:
        input_shape: see ``check_memory``.

    Returns:
        tuple of two tuples.

    Example:
        >>> output_shapes([(2, 9, 4), (2, 7, 5)])
        ((2, 9, 5), (2, 9, 7))
    """
    query, memory, *_ = input_shape
    return (*query[:-1], memory[-1]), (*query[:-1], memory[1])


def output_specs(inputs, dtype):
    """Context and weights as symbolic tensors, of the tensors that an attention is called with.

    Args:
        inputs: list of tensors, see ``check_memory``.
        dtype: of both.

    Returns:
        tuple of two ``keras.KerasTensor``.

    Example:
        >>> context, weights = output_specs([KerasTensor((2, 4)), KerasTensor((2, 7, 5))], "float32")
        >>> context.shape, weights.shape
        ((2, 5), (2, 7))
    """
    shapes = output_shapes([x.shape for x in inputs])
    return tuple(KerasTensor(shape, dtype=dtype) for shape in shapes)


def start_reading(memory, keys, mask):
    """What an attention carries from query to query.

    Args:
        memory: (B, T, M).
        keys: (B, T, U), or None of an attention without.
        mask: bool (B, T) or None.

    Returns:
        dict: ``memory``, ``keys`` and ``mask`` if there are any, and ``scores`` (B, T), the weights of the last query:
        0 as long as there is none.

    Example:
        >>> state = start_reading(ops.ones((1, 3, 2)), ops.ones((1, 3, 4)), None)
        >>> sorted(state), tuple(state["scores"].shape)
        (['keys', 'memory', 'scores'], (1, 3))
    """
    state = {"memory": memory, "keys": keys, "mask": mask, "scores": ops.zeros_like(memory[..., 0])}
    return {name: x for name, x in state.items() if x is not None}


def answer(output, scores, choice, return_attention_scores, return_choice):
    """What a layer returns: its output alone, or a tuple with the weights that are asked for.

    Example:
        >>> answer("output", "scores", "choice", False, False), answer("output", "scores", "choice", True, False)
        ('output', ('output', 'scores'))
    """
    others = [x for x, asked in ((scores, return_attention_scores), (choice, return_choice)) if asked]
    return (output, *others) if others else output
