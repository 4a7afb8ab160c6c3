"""The contract of a layer, the same for every one: ``check_layer`` calls, saves, loads and differentiates it.

A layer is one row of the table in ``tests/layers/test_contracts.py``. There, the same checks and the answers
are also compared between backends.
"""

import contextlib
import inspect
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

# Relative error of a few operations in each precision, as a share of the range of the answer.
PRECISIONS = {"float32": 1e-5, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}
# Steps to take a slope over, one of which must give the gradient, and the relative error that it may have. Outside of
# TensorFlow a product of Keras is float32, whatever its factors are, so a layer that holds one has a coarse slope.
STEPS, SLOPE_ERROR = ([1e-4], 1e-5) if keras.backend.backend() == "tensorflow" else ([1e-4, 1e-3], 1e-2)


def check_layer(make, shapes, other_shapes):
    """Assert that a layer keeps the contract of all layers.

    Args:
        make: function of keyword arguments (``name``, ``dtype``, ...) to a new layer.
        shapes: shape of its input with the batch, (B, ...), or a list of them.
        other_shapes: the same for an input of another size. What differs is unknown (None) to one model
            that answers both.

    Raises:
        AssertionError: with the part of the contract that is broken.
    """
    check_config(make, shapes)
    check_shapes(make, shapes)
    check_saving(make, shapes)
    check_second_size(make, shapes, other_shapes)
    check_precisions(make, shapes)
    check_gradient(make, shapes)


def check_config(make, shapes):
    """The configuration is plain data, says what was given, and makes the same layer again."""
    layer = make(name="given")
    config = layer.get_config()
    again = type(layer).from_config(plain(config))
    assert plain(again.get_config()) == plain(config), "from_config(get_config()) is another layer"
    assert config["name"] == "given", "the name is lost"
    given = set(inspect.signature(type(layer).__init__).parameters) - {"self", "kwargs"}
    assert given <= set(config), f"get_config lacks {sorted(given - set(config))}"
    call(layer, shapes)
    assert layer.get_config() == config, "building or calling the layer changes its configuration"
    registered = keras.saving.serialize_keras_object(layer)["registered_name"]
    assert registered == f"keras_segattn>{type(layer).__name__}", f"registered as {registered}"
    assert type(layer).__bases__ == (keras.layers.Layer,), "a layer is one step below keras.layers.Layer"


def plain(config):
    """As a saved file has it: Keras puts tuples into the configuration of a model within a layer."""
    return json.loads(json.dumps(config))


def check_shapes(make, shapes):
    """compute_output_shape, the symbolic answer and the computed one have one shape."""
    computed = answer(make(), shapes).shape
    assert tuple(make().compute_output_shape(shapes)) == computed, "compute_output_shape is wrong"
    batch = one_or_many(lambda shape: (None, *shape[1:]), shapes)
    assert tuple(make().compute_output_shape(batch)) == (None, *computed[1:]), "batch of unknown size"
    assert tuple(symbolic(make(), batch)[1].shape) == (None, *computed[1:]), "symbolic shape"


def check_saving(make, shapes):
    """A model saved as .keras and loaded with nothing else known gives the same answer."""
    inputs, outputs = symbolic(make(name="given"), shapes)
    model = keras.Model(inputs, outputs)
    disturb(model)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        loaded = keras.saving.load_model(Path(folder) / "model.keras")
    configs = [plain(m.get_layer("given").get_config()) for m in (loaded, model)]
    assert configs[0] == configs[1], "saving changes the configuration"
    x = random_inputs(shapes)
    np.testing.assert_array_equal(to_numpy(loaded(x)), to_numpy(model(x)), "saved and loaded")


def check_second_size(make, shapes, other_shapes):
    """One model whose size is left open answers both sizes as the layer itself does."""
    sizes = zip(many(shapes), many(other_shapes), strict=True)
    free = [tuple(a if a == b else None for a, b in zip(*pair, strict=True)) for pair in sizes]
    assert free != many(shapes), "the second size is the first"
    layer = make()
    model = keras.Model(*symbolic(layer, free if isinstance(shapes, list) else free[0]))
    disturb(model)
    for size in (shapes, other_shapes):
        expected = to_numpy(call(layer, size))
        assert expected.shape == tuple(make().compute_output_shape(size))
        np.testing.assert_allclose(model.predict_on_batch(random_inputs(size)), expected, atol=1e-6)


def check_precisions(make, shapes):
    """In mixed precision weights stay float32 and the answer is nearly the same."""
    expected = answer(make(), shapes)
    assert np.ptp(expected) > 0, "the answer is constant, so nothing can be seen in it"
    for policy, error in PRECISIONS.items():
        layer = make(dtype=policy)
        found = call(disturb(layer, shapes), shapes)
        policy_of = keras.DTypePolicy(policy)
        is_grid = type(layer).__name__.endswith("Grid")  # half a float is too short for a coordinate
        compute = policy_of.variable_dtype if is_grid else policy_of.compute_dtype
        assert keras.backend.standardize_dtype(found.dtype) == compute, f"{policy}: {found.dtype}"
        assert {v.dtype for v in layer.weights} <= {"float32"}, f"{policy}: weights are not float32"
        difference = np.abs(to_numpy(ops.cast(found, "float32")) - expected).max()
        assert difference <= error * np.ptp(expected), f"{policy}: differs by {difference}"


def check_gradient(make, shapes):
    """The gradient by inputs and weights is the slope along a random direction, in float64."""
    with double_precision():
        layer = disturb(make(dtype="float64"), shapes)
        x = [part.astype("float64") for part in many(random_inputs(shapes))]
        weights = [to_numpy(v) for v in layer.trainable_variables]
        direction = random_like([*x, *weights], seed=1)
        sensitivity = random_like([to_numpy(call(layer, shapes))], seed=2)[0]

        def value(step):
            for variable, weight, way in zip(layer.trainable_variables, weights, direction[len(x) :], strict=True):
                variable.assign(weight + step * way)
            moved = [part + step * way for part, way in zip(x, direction, strict=False)]
            return float((to_numpy(layer(moved if isinstance(shapes, list) else moved[0])) * sensitivity).sum())

        slopes = {step: (value(step) - value(-step)) / (2 * step) for step in STEPS}
        value(0)
        found = gradients(layer, x, sensitivity, many_inputs=isinstance(shapes, list))
        along = sum(float((g * way).sum()) for g, way in zip(found, direction, strict=True))
        assert abs(slopes[1e-4]) > 1e-3, "the answer does not depend on the input"
        agrees = (abs(along - slope) <= SLOPE_ERROR * abs(slope) + 1e-6 for slope in slopes.values())
        assert any(agrees), f"gradient {along}, slope {slopes}"


def gradients(layer, x, sensitivity, many_inputs):
    """Gradients of sum(layer(x) * sensitivity) by inputs and trainable weights, as numpy."""

    def total(parts, call):
        return ops.sum(call(parts if many_inputs else parts[0]) * ops.convert_to_tensor(sensitivity))

    parts = [ops.convert_to_tensor(part) for part in x]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(parts)
            result = total(parts, layer)
        wanted = [*parts, *(v.value for v in layer.trainable_variables)]
        found = tape.gradient(result, wanted, unconnected_gradients="zero")
    elif backend == "jax":
        import jax

        fixed = [v.value for v in layer.non_trainable_variables]

        def function(parts, weights):
            return total(parts, lambda inputs: layer.stateless_call(weights, fixed, inputs)[0])

        by_parts, by_weights = jax.grad(function, (0, 1))(parts, [v.value for v in layer.trainable_variables])
        found = [*by_parts, *by_weights]
    else:
        import torch

        wanted = [*(part.requires_grad_() for part in parts), *(v.value for v in layer.trainable_variables)]
        found = torch.autograd.grad(total(parts, layer), wanted, allow_unused=True, materialize_grads=True)
    return [to_numpy(gradient) for gradient in found]


def double_precision():
    """JAX knows float64 on request only."""
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


def answer(layer, shapes):
    """What a layer says of random inputs with weights that are not just the initial ones, as numpy."""
    return to_numpy(call(disturb(layer, shapes), shapes))


def call(layer, shapes):
    return layer(random_inputs(shapes))


def disturb(layer, shapes=None):
    """Add a little to every weight, so that zeros and ones of the start do not hide a mistake."""
    if not layer.built:
        call(layer, shapes)
    rng = np.random.default_rng(3)
    layer.set_weights([w + rng.uniform(0.01, 0.1, w.shape).astype(w.dtype) for w in layer.get_weights()])
    return layer


def random_inputs(shapes):
    rng = np.random.default_rng(0)
    return one_or_many(lambda shape: rng.normal(size=shape).astype("float32"), shapes)


def random_like(arrays, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=array.shape) for array in arrays]


def symbolic(layer, shapes):
    inputs = one_or_many(lambda shape: keras.Input(batch_shape=shape), shapes)
    return inputs, layer(inputs)


def one_or_many(function, shapes):
    return [function(shape) for shape in shapes] if isinstance(shapes, list) else function(shapes)


def many(x):
    return x if isinstance(x, list) else [x]


def to_numpy(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))
