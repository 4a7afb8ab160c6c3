"""What is served of a model of language: ``generate`` for sentences, ``encode`` and ``step`` to write word by word."""

UNREAD = "scores"  # entry of a state that a step gives and never reads; a file calls it ``attention``
NEXT = "next_"  # before the name of what a step changes: an ONNX output may not have the name of an input


def of_sentences(model, *, beams, max_length, length_power, max_tokens=None):
    """The functions that an exported model of language answers to.

    Args:
        model: keras.Model of language, see ``models.decoder``.
        beams, max_length, length_power: of the search, see ``models.Writer``; max_length is L.
        max_tokens: T, the most tokens of a text that is read; None for a model that reads an image.

    Returns:
        dict: name -> ``serving.Signature``.

        - ``generate`` takes ``source`` int32 (1, T), filled up with PAD, or ``image`` uint8 (1, H, W, 3), and gives
          ``tokens`` int32 (1, L), ``log_probability`` float32 (1,) and, of a model with attention, ``attention``
          float32 (1, L, T);
        - ``encode`` takes the same and gives the state, a tensor for each of its entries;
        - ``step`` takes ``token`` int32 (1,) and the state, and gives ``logits`` float32 (1, V), ``attention`` (1, T)
          and what it changes of the state, each by its name with ``next_`` before it.

    Example:
        >>> from keras_segattn.models import rnnsearch
        >>> model = rnnsearch(60, 50, embedding=4, encoder_units=5, units=6, attention_units=3)
        >>> served = of_sentences(model, beams=2, max_length=7, length_power=1.0, max_tokens=9)
        >>> sorted(served["step"].inputs)
        ['cell_0', 'keys', 'mask', 'memory', 'token']
    """
    import keras
    import tensorflow as tf

    from ..models import Writer
    from .serving import Signature

    writer = Writer(model, beams=beams, max_length=max_length, length_power=length_power)
    start, _ = _first_states(writer, max_tokens)

    def generate(inputs):
        return writer(_as_read(inputs))

    def encode(inputs):
        return _named(writer.encode(_as_read(inputs)))

    def step(inputs):
        state = keras.tree.pack_sequence_as(start, [inputs[name] for name in _named(start)])
        logits, new = writer.step(inputs["token"], state)
        return _given(logits, inputs, new)

    reading = {
        name: tf.TensorSpec((1, *shape), dtype, name=name) for name, (shape, dtype) in reads(model, max_tokens).items()
    }
    state = {name: tf.TensorSpec(x.shape, x.dtype, name=name) for name, x in _named(start).items()}
    token = {"token": tf.TensorSpec((1,), tf.int32, name="token")}
    return {
        "generate": Signature(generate, reading),
        "encode": Signature(encode, reading),
        "step": Signature(step, {**token, **state}),
    }


def outputs_of(writer, max_tokens=None):
    """The names of what an exported model of language answers, on any backend.

    Args:
        writer: ``models.Writer``.
        max_tokens: see ``of_sentences``.

    Returns:
        dict: signature -> names of its outputs.

    Example:
        >>> from keras_segattn.models import Writer, neuraltalk
        >>> outputs_of(Writer(neuraltalk((64, 64, 3), 50, embedding=4, units=6)))["step"]
        ('logits', 'next_cell_0', 'next_cell_1')
    """
    start, (logits, new) = _first_states(writer, max_tokens)
    state = _named(start)
    attention = ("attention",) if UNREAD in new else ()
    return {
        "generate": ("tokens", "log_probability", *attention),
        "encode": tuple(state),
        "step": tuple(_given(logits, state, new)),
    }


def reads(model, max_tokens=None):
    """What an exported model of language takes: dict, name of the input -> (shape without the batch, dtype).

    Args:
        model: keras.Model of language.
        max_tokens: see ``of_sentences``.

    Example:
        >>> from keras_segattn.models import neuraltalk
        >>> reads(neuraltalk((64, 96, 3), 50, embedding=4, units=6))
        {'image': ((64, 96, 3), 'uint8')}
    """
    if "image" in model.input:
        return {"image": (tuple(model.input["image"].shape[1:]), "uint8")}
    return {"source": ((max_tokens,), "int32")}


def task_of_language(model):
    """The task of a model of language, by what it reads.

    Example:
        >>> from keras_segattn.models import neuraltalk
        >>> task_of_language(neuraltalk((64, 64, 3), 50, embedding=4, units=6))
        'captioning'
    """
    return "captioning" if "image" in model.input else "translation"


def _first_states(writer, max_tokens):
    """The state of an empty input, without what is never read; and what a first step gives."""
    from keras import ops

    empty = {name: ops.zeros((1, *shape), dtype) for name, (shape, dtype) in reads(writer.model, max_tokens).items()}
    start = {name: x for name, x in writer.encode(_as_read(empty)).items() if name != UNREAD}
    return start, writer.step(ops.zeros((1,), "int32"), start)


def _as_read(inputs):
    """Images as the model reads them, in float32."""
    from keras import ops

    return {name: ops.cast(x, "float32") if name == "image" else x for name, x in inputs.items()}


def _named(state):
    """The entries of a state, a nested structure, each by its path in it."""
    import keras

    entries = {"_".join(map(str, path)): x for path, x in keras.tree.flatten_with_path(state)}
    return {name: x for name, x in entries.items() if name != UNREAD}


def _given(logits, before, new):
    """What a step gives a caller who keeps the rest of the state."""
    moved = {f"{NEXT}{name}": x for name, x in _named(new).items() if x is not before[name]}
    attention = {"attention": new[UNREAD]} if UNREAD in new else {}
    return {"logits": logits, **moved, **attention}
