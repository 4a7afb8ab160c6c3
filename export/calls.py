"""Any Keras model as one function of named inputs and outputs, whatever it takes and gives."""

import re
from dataclasses import asdict, dataclass
from string import ascii_lowercase

import numpy as np

from .process import first_line

FUNCTIONS = ("function", "Lambda", "__lambda__")  # how Keras keeps code that is nobody's class
CALL = "call"  # the signature; TensorFlow's converter drops the others beside one called "serve"


@dataclass(frozen=True)
class Interface:
    """What a model takes and gives, by names.

    Args:
        structure: "one", "list" or "dict": how the model takes its inputs.
        inputs: names, in the order in which the model takes them.
        shapes: of the inputs, without the batch.
        dtypes: of the inputs.
        outputs: names, in the order in which the answer is flattened.

    Example:
        >>> Interface("one", ("input",), ((4,),), ("float32",), ("output",)).feed([1.0])
        {'input': 1.0}
    """

    structure: str
    inputs: tuple
    shapes: tuple
    dtypes: tuple
    outputs: tuple

    def feed(self, arrays):
        """Arrays by the names of their inputs."""
        return dict(zip(self.inputs, arrays, strict=True))

    def feeds(self, arrays):
        """One feed a sample, with a batch of one: list of dict.

        Args:
            arrays: list of arrays (N, ...).
        """
        return [self.feed([array[place : place + 1] for array in arrays]) for place in range(len(arrays[0]))]

    def given(self, feed):
        """What the model is called with.

        Args:
            feed: dict, name of an input -> tensor.
        """
        values = [feed[name] for name in self.inputs]
        if self.structure == "one":
            return values[0]
        return values if self.structure == "list" else feed

    def to_json(self):
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, facts):
        """From ``to_json``."""
        return cls(**{name: _tuples(value) for name, value in facts.items()})


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def interface_of(model, samples):
    """What a model takes and gives, of samples of what it takes.

    Args:
        model: keras.Model.
        samples: array (N, ...), or list or dict of arrays, as the model is called with.

    Returns:
        (``Interface``, list of the arrays, in its order and types).

    Raises:
        ValueError: if the samples are no such structure, differ in number, or are not what the model takes.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2, name="y")])
        >>> interface_of(model, np.zeros((8, 4)))[0]
        Interface(structure='one', inputs=('x',), shapes=((4,),), dtypes=('float32',), outputs=('y',))
    """
    import keras

    structure, names, arrays = _parts(samples)
    known = getattr(model, "inputs", None) or []
    if structure != "dict" and len(known) == len(arrays) and not any(_is_numbered(one.name) for one in known):
        names = [re.sub(r"\W", "_", tensor.name) for tensor in known]
    if any(re.search(r"\W", name) for name in names):
        raise ValueError(f"samples: expected keys of letters, digits and _. Received: {', '.join(names)}")
    wanted = dict(zip(names, [one.dtype for one in known], strict=True)) if len(known) == len(names) else {}
    if structure == "dict":
        wanted = {one.name: one.dtype for one in known}
    if structure == "dict" and isinstance(getattr(model, "input", None), dict):
        wanted = {name: tensor.dtype for name, tensor in model.input.items()}
    arrays = [_typed(array, wanted.get(name)) for name, array in zip(names, arrays, strict=True)]
    if len({len(array) for array in arrays}) != 1:
        raise ValueError(f"samples: expected as many of each input. Received: {[len(array) for array in arrays]}")
    first = [array[:1] for array in arrays]
    given = Interface(structure, tuple(names), (), (), ()).given(dict(zip(names, first, strict=True)))
    try:
        answer = model(keras.tree.map_structure(keras.ops.convert_to_tensor, given), training=False)
    except Exception as error:  # of whatever the model is made of
        shapes = {name: array.shape for name, array in zip(names, arrays, strict=True)}
        said = first_line(error)[:200]
        raise ValueError(f"samples: expected what the model takes. Received: {shapes}. {said}") from error
    outputs = _named(model, answer, names)
    shapes, dtypes = [array.shape[1:] for array in arrays], [str(array.dtype) for array in arrays]
    return Interface(structure, tuple(names), tuple(shapes), tuple(dtypes), outputs), arrays


def _parts(samples):
    if isinstance(samples, dict):
        return "dict", list(samples), [np.asarray(array) for array in samples.values()]
    if isinstance(samples, (list, tuple)):
        return "list", _lettered("input", len(samples)), [np.asarray(array) for array in samples]
    return "one", ["input"], [np.asarray(samples)]


def _lettered(name, count):
    """Names for what has none; a number would be that of a converter."""
    if count == 1:
        return [name]
    return [f"{name}_{ascii_lowercase[place // 26 - 1] if place > 25 else ''}{ascii_lowercase[place % 26]}"
            for place in range(count)]  # fmt: skip


def _is_numbered(name):
    return name.startswith("keras_tensor")


def _typed(array, dtype):
    if array.ndim < 1 or array.dtype == object:
        raise ValueError(f"samples: expected arrays (N, ...) of numbers. Received: {array.dtype} {array.shape}")
    if dtype is None:
        dtype = {"float64": "float32", "int64": "int32"}.get(str(array.dtype), str(array.dtype))
    return array.astype(dtype)


def _named(model, answer, inputs):
    """Names of the flattened outputs: keys where there are any, else those of the layers that made them."""
    import keras

    flat = keras.tree.flatten_with_path(answer)
    if isinstance(answer, dict):
        names = ["_".join(map(str, path)) for path, _ in flat]
    elif len(getattr(model, "outputs", None) or ()) == len(flat):
        names = [tensor._keras_history.operation.name for tensor in model.outputs]
    else:
        names = _lettered("output", len(flat))
    if any(map(_is_numbered, names)):
        names = _lettered("output", len(flat))
    taken, unique = set(inputs), []
    for name in names:  # ONNX wants each name once, of inputs and outputs together
        while name in taken:
            name = f"{name}_out"
        taken.add(name)
        unique.append(name)
    return tuple(unique)


def of_calls(model, interface):
    """A model as the function that an exported file answers to.

    Args:
        model: keras.Model.
        interface: ``Interface``.

    Returns:
        dict: "call" -> ``serving.Signature``, with a batch of one.

    Example:
        >>> of_calls(model, interface)["call"].inputs                        # doctest: +SKIP
        {'x': TensorSpec(shape=(1, 4), dtype=tf.float32, name='x')}
    """
    import keras
    import tensorflow as tf

    from .serving import Signature

    def call(inputs):
        answer = model(interface.given(inputs), training=False)
        return {
            name: tf.identity(output)
            for name, output in zip(interface.outputs, keras.tree.flatten(answer), strict=True)
        }

    specs = zip(interface.inputs, interface.shapes, interface.dtypes, strict=True)
    return {CALL: Signature(call, {name: tf.TensorSpec((1, *shape), dtype, name=name) for name, shape, dtype in specs})}


def of_saved_model(path):
    """The functions of a SavedModel of ours, to be converted.

    Args:
        path: its folder.

    Returns:
        dict: name -> ``serving.Signature``.

    Example:
        >>> of_saved_model("model_saved_model")                              # doctest: +SKIP
    """
    import tensorflow as tf

    from .serving import Signature

    loaded = tf.saved_model.load(path)

    def one(function):
        _, specs = function.structured_input_signature
        served = Signature(lambda inputs: function(**inputs), dict(specs))
        served.function.kept = loaded  # its weights live as long as it does
        return served

    return {name: one(function) for name, function in loaded.signatures.items() if name != "serving_default"}


def is_of_known_layers(model):
    """Whether another process can load a model: its layers are those of Keras and of this package.

    Example:
        >>> import keras
        >>> is_of_known_layers(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
        True
    """
    import keras

    try:
        facts = keras.saving.serialize_keras_object(model)
    except Exception:  # of a class that does not say how it is made
        return False
    return _is_known(facts)


def _is_known(facts):
    if isinstance(facts, (list, tuple)):
        return all(map(_is_known, facts))
    if not isinstance(facts, dict):
        return True
    home = str(facts.get("module", "keras")).split(".")[0]
    if home not in ("keras", "keras_segattn", "builtins") or facts.get("class_name") in FUNCTIONS:
        return False
    return all(map(_is_known, facts.values()))


def names_of_layers(model):
    """The names of all layers of a model, and of those inside of them.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2, name="mix")], name="whole")
        >>> names_of_layers(model)
        ['mix', 'whole', 'x']
    """
    from .serving import _layers

    return sorted({layer.name for layer in _layers(model)} | {
        layer.name for layer in getattr(model, "_flatten_layers", list)()
    })  # fmt: skip
