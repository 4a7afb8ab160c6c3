"""The SavedModel as TensorFlow Serving sees it."""

import pytest


@pytest.fixture(scope="module")
def served(exported):
    import tensorflow as tf

    return tf.saved_model.load(str(exported("saved_model").path)).signatures


def test_the_signatures_have_readable_names_and_static_sizes(served):
    labels, logits = {"labels": ("uint8", [1, 64, 96])}, {"logits": ("float32", [1, 64, 96, 5])}
    outputs = {"segment": labels, "logits": logits, "serving_default": labels}
    assert set(served) == set(outputs)
    for name, function in served.items():
        (positional, named) = function.structured_input_signature
        assert positional == ()
        assert {key: (spec.dtype.name, spec.shape.as_list()) for key, spec in named.items()} == {
            "image": ("uint8", [1, 64, 96, 3])
        }
        assert {
            key: (spec.dtype.name, spec.shape.as_list()) for key, spec in function.structured_outputs.items()
        } == outputs[name]
