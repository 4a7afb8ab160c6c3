"""Which models are served, and with which functions."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_segattn import models
from keras_segattn.export.serving import check, functions, label_map, of_images


class Subclassed(keras.Model):
    def call(self, image):
        return image


def scores(image, **options):
    return layers.Conv2D(5, 1, **options)(image)


def functional(*shape, outputs=scores):
    image = keras.Input(shape, name="image")
    return keras.Model(image, outputs(image))


def with_two_images():
    left, right = keras.Input((64, 96, 3)), keras.Input((64, 96, 3))
    return keras.Model([left, right], scores(layers.Add()([left, right])))


def for_batches_of_four():
    image = keras.Input(batch_shape=(4, 64, 96, 3))
    return keras.Model(image, scores(image))


REFUSED = {
    "unknown size": (lambda: functional(None, None, 3), r"Received: \(None, None, None, 3\) -> "),
    "unknown width": (lambda: functional(64, None, 3), r"Received: \(None, 64, None, 3\) -> "),
    "images of four channels": (lambda: functional(64, 96, 4), r"Received: \(None, 64, 96, 4\) -> "),
    "flat images": (lambda: functional(96, 3, outputs=layers.Dense(5)), r"Received: \(None, 96, 3\) -> "),
    "a class for every row": (
        lambda: functional(64, 96, 3, outputs=lambda image: layers.Reshape((64, 96))(layers.Conv2D(1, 1)(image))),
        r"-> \(None, 64, 96\)",
    ),
    "a smaller answer": (
        lambda: functional(64, 96, 3, outputs=lambda image: scores(image, strides=2)),
        r"-> \(None, 32, 48, 5\)",
    ),
    "257 classes": (
        lambda: functional(64, 96, 3, outputs=lambda image: layers.Conv2D(257, 1)(image)),
        r"-> \(None, 64, 96, 257\)",
    ),
    "two images": (with_two_images, r"Received: \[\(None, 64, 96, 3\), \(None, 64, 96, 3\)\] -> "),
    "two answers": (lambda: functional(64, 96, 3, outputs=lambda image: [scores(image)] * 2), r"-> \[\(None, 64"),
    "a dict": (lambda: functional(64, 96, 3, outputs=lambda image: {"logits": scores(image)}), "-> {'logits': "),
    "a fixed batch": (for_batches_of_four, r"Received: \(4, 64, 96, 3\) -> "),
    "no known shapes": (Subclassed, "Received: None -> None"),
    "not built": (lambda: keras.Sequential([layers.Conv2D(5, 1)]), "Received: None -> None"),
    "no model": (lambda: "fcn8s_mobilenet_camvid", "Received: None -> None"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_of_another_kind_is_refused_with_its_shapes(kind):
    build, received = REFUSED[kind]
    with pytest.raises(ValueError, match=rf"model: expected one image \(B, H, W, C\) of known size.*{received}"):
        check(build())


@pytest.mark.parametrize("classes", [1, 2, 256])
def test_a_label_map_has_room_for_256_classes(classes):
    check(functional(64, 96, 3, outputs=layers.Conv2D(classes, 1)))


def test_a_sequential_model_and_one_in_a_list_are_served():
    check(keras.Sequential([keras.Input((64, 96, 3)), layers.Conv2D(5, 1)]))
    image = keras.Input((64, 96, 3))
    check(keras.Model([image], scores(image)))


def test_half_precision_inside_is_refused_by_the_name_of_the_layer():
    inner = functional(64, 96, 3, outputs=lambda image: scores(image, dtype="mixed_float16", name="half"))
    model = functional(64, 96, 3, outputs=lambda image: layers.Activation("linear", dtype="float32")(inner(image)))
    with pytest.raises(ValueError, match="model: expected float32 arithmetic.* Received: float16 in half"):
        check(model)


def test_a_model_that_recognises_is_served_with_one_label_an_image_and_where_it_looks():
    model = models.st_cnn((28, 28, 1), 10)
    served = of_images(model)
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28, 1)).astype("uint8")
    answers = {name: signature.function({"image": image}) for name, signature in served.items()}
    logits = model.predict_on_batch(image.astype("float32"))
    assert np.asarray(answers["classify"]["labels"]).tolist() == logits.argmax(-1).tolist()
    np.testing.assert_allclose(answers["logits"]["logits"], logits, atol=1e-5)
    assert sorted(answers["attend"]) == ["transformer_grid", "transformer_theta"]
    np.testing.assert_allclose(answers["attend"]["transformer_theta"], [[1, 0, 0, 0, 1, 0]], atol=1e-6)


def test_a_tail_of_pixels_is_refused_for_a_model_that_recognises():
    with pytest.raises(ValueError, match="tail: expected one of labels, probabilities, logits for recognition"):
        of_images(models.cnn((28, 28, 1), 10), "labels-fast")


def test_labels_are_the_first_of_the_largest_logits():
    logits = np.zeros((1, 1, 3, 256), "float32")
    logits[0, 0, 0, 255] = 1
    logits[0, 0, 1, [7, 9]] = 1
    assert np.asarray(label_map(logits)).tolist() == [[[255, 7, 0]]]


def test_both_functions_take_one_uint8_image_and_agree_with_the_model(model, photographs):
    import tensorflow as tf

    served = of_images(model)
    image = {"image": tf.constant(photographs[:1])}
    assert served["segment"].inputs["image"].is_compatible_with(image["image"])
    (labels,) = served["segment"].function(image).values()
    (logits,) = served["logits"].function(image).values()
    expected = model.predict_on_batch(photographs[:1].astype("float32"))
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.ptp(expected))
    np.testing.assert_array_equal(labels, expected.argmax(-1))


def test_an_unknown_tail_is_refused(model):
    with pytest.raises(ValueError, match="tail: expected one of labels, labels-fast, .* Received: 'boxes'"):
        of_images(model, "boxes")


# Several functions over one network


@pytest.fixture(scope="module")
def doubler():
    """Two functions over one embedding: the sum of a sentence, and a word added to a sum."""
    sentence, word = keras.Input((3,), dtype="int32", name="sentence"), keras.Input((), dtype="int32", name="word")
    total = keras.Input((4,), name="total")
    embedding = layers.Embedding(10, 4, name="embedding")
    state = layers.Lambda(lambda x: keras.ops.sum(x, axis=1), output_shape=(4,))(embedding(sentence))
    return keras.Model(
        {"sentence": sentence, "word": word, "total": total},
        {"state": state, "next": layers.Add()([total, embedding(word)])},
    )


def test_functions_of_one_model_take_only_what_they_need(doubler):
    import tensorflow as tf

    served = functions(doubler, {"encode": (["sentence"], ["state"]), "step": (["word", "total"], ["next"])})
    assert {name: sorted(one.inputs) for name, one in served.items()} == {
        "encode": ["sentence"],
        "step": ["total", "word"],
    }
    assert served["encode"].inputs["sentence"] == tf.TensorSpec((1, 3), tf.int32, name="sentence")
    table = doubler.get_layer("embedding").get_weights()[0]
    state = served["encode"].function({"sentence": tf.constant([[1, 2, 2]])})["state"]
    np.testing.assert_allclose(state, (table[1] + 2 * table[2])[None], rtol=1e-5)
    after = served["step"].function({"word": tf.constant([3]), "total": state})["next"]
    np.testing.assert_allclose(after, state + table[3], rtol=1e-5)


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ((["sentense"], ["state"]), "expected inputs of the model, .*sentence.* Received: 'sentense'"),
        ((["sentence"], ["next one"]), "expected outputs of the model, .*next.* Received: 'next one'"),
        ((["word"], ["next"]), "encode: expected all inputs that its outputs need"),
    ],
)
def test_a_function_that_the_model_does_not_hold_is_refused(doubler, signature, message):
    with pytest.raises(ValueError, match=f"signatures: .*{message}"):
        functions(doubler, {"encode": signature})


def test_a_model_without_names_for_its_inputs_has_no_functions(model):
    with pytest.raises(ValueError, match="model: expected a dict of inputs and a dict of outputs"):
        functions(model, {"logits": (["image"], ["logits"])})
