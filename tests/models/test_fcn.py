"""FCN-32s, 16s and 8s: every size comes out exact, answers move with the image, stages start from another."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from keras_segattn import models as package
from keras_segattn.layers import BilinearUpsampling2D
from keras_segattn.models import BUILDERS, fcn8s, fcn16s, fcn32s, transfer_weights
from keras_segattn.models.segmentation import fcn as module

STRIDES = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8}
every_model = pytest.mark.parametrize("name", STRIDES)


def photo(height, width, batch=1, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (batch, height, width, 3)).astype("float32")


@pytest.fixture(scope="module")
def alive(settle):
    """Models of any size with random scores and features that do not fade, by name."""
    made = {}
    for name in STRIDES:
        keras.utils.set_random_seed(1)
        model = BUILDERS[name]((None, None, 3), 5, head_filters=16)
        settle(model, photo(96, 96, batch=4))
        for layer in model.layers:
            if layer.name.startswith("score_"):
                layer.kernel.assign(np.random.default_rng(2).normal(size=layer.kernel.shape))
        made[name] = model
    return made


def answer(model, image):
    logits = ops.convert_to_numpy(model(image))
    assert logits.std() > 0.1
    return logits


# Sizes


@every_model
def test_the_answer_is_as_large_as_the_image_for_every_size_modulo_32(alive, name):
    for rest in range(32):
        height, width = 32 + rest, 32 + 11 * rest % 32  # 11 and 32 have no common factor
        assert alive[name](photo(height, width)).shape == (1, height, width, 5)


def test_scores_are_whole_before_the_cropping_for_all_pairs_of_sizes_modulo_32(alive):
    model = alive["fcn8s"]
    fused = keras.Model(model.input, [model.get_layer("fuse_16").output, model.get_layer("fuse_8").output])
    for height in range(32, 64):
        for width in range(64, 96):
            rows, columns = -(-height // 32), -(-width // 32)
            shapes = fused.compute_output_shape((1, height, width, 3))
            assert shapes == [(1, 2 * rows, 2 * columns, 5), (1, 4 * rows, 4 * columns, 5)]


@every_model
@pytest.mark.parametrize("size", [(360, 480), (33, 63), (63, 33), (32, 32)])
def test_symbolic_and_computed_sizes_are_those_of_the_image(alive, name, size):
    assert alive[name].compute_output_shape((2, *size, 3)) == (2, *size, 5)
    assert BUILDERS[name]((*size, 3), 5, head_filters=4).output_shape == (None, *size, 5)
    assert alive[name](photo(*size)).shape == (1, *size, 5)


@every_model
def test_a_model_of_one_size_is_the_model_of_any_size(alive, name):
    fixed = BUILDERS[name]((33, 63, 3), 5, head_filters=16)
    fixed.set_weights(alive[name].get_weights())
    image = photo(33, 63, batch=2)
    expected = answer(alive[name], image)
    np.testing.assert_allclose(answer(fixed, image), expected, atol=1e-5 * np.ptp(expected))


# What the answer is


@every_model
def test_a_shift_of_the_image_by_32_pixels_shifts_the_answer(alive, name):
    """In the interior, out of reach of the border: MobileNet sees 158 pixels far, fc6 96, upsampling 32."""
    scene, reach = photo(736, 736), 158 + 96 + 32
    here = answer(alive[name], scene[:, :704, :704])
    there = answer(alive[name], scene[:, 32:, 32:])
    interior = slice(reach, 704 - 32 - reach)
    expected = here[:, 32:, 32:][:, interior, interior]
    assert expected.std() > 0.01
    shifted = there[:, :-32, :-32][:, interior, interior]
    np.testing.assert_allclose(shifted, expected, atol=1e-4 * np.ptp(expected))
    unshifted = there[:, 32:, 32:][:, interior, interior]
    assert np.abs(unshifted - expected).max() > 0.1 * np.ptp(expected)


@every_model
def test_the_images_of_a_batch_do_not_mix(alive, name):
    images = photo(64, 96, batch=3)
    together = answer(alive[name], images)
    alone = np.concatenate([answer(alive[name], images[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-5 * np.ptp(alone))


@every_model
def test_a_new_model_favours_no_class(name):
    model = BUILDERS[name]((64, 96, 3), 5)
    assert np.abs(ops.convert_to_numpy(model(photo(64, 96)))).max() == 0


@every_model
def test_dropout_acts_in_training_only(alive, name):
    image = photo(64, 64)
    first, second = (ops.convert_to_numpy(alive[name](image, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    without = BUILDERS[name]((None, None, 3), 5, head_filters=16, dropout=0.0)
    for model, differs in ((alive[name], True), (without, False)):
        if model is without:
            model.set_weights(alive[name].get_weights())
        before = model.get_weights()  # training moves the statistics of batch norm
        answers = []
        for _ in range(2):
            answers.append(ops.convert_to_numpy(model(image, training=True)))
            model.set_weights(before)
        assert (np.abs(answers[0] - answers[1]).max() > 0.01) == differs


def test_fcn8s_of_eleven_classes_has_two_and_a_half_million_weights_to_train():
    model = fcn8s((None, None, 3), 11)
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trainable == pytest.approx(2.53e6, rel=0.01)
    assert model.count_params() <= 3e6


def test_parameters_besides_the_upsampling_are_as_the_docstring_says():
    model = fcn32s((None, None, 3), 11)
    fixed = model.get_layer("upsample_32_to_1").count_params()
    assert model.count_params() - fixed == pytest.approx(2.54e6, rel=0.005)


# From one stage to the next


def test_fcn16s_starts_from_the_scores_of_fcn32s_doubled_before_they_are_enlarged(alive):
    coarse, finer = alive["fcn32s"], fcn16s((None, None, 3), 5, head_filters=16)
    kept = transfer_weights(coarse, finer)
    assert kept == ["upsample_32_to_16", "score_16", "upsample_16_to_1"]
    image = photo(96, 128)
    scores = keras.Model(coarse.input, coarse.get_layer("score_32").output)(image)
    expected = ops.convert_to_numpy(BilinearUpsampling2D(16)(BilinearUpsampling2D(2)(scores)))
    np.testing.assert_allclose(answer(finer, image), expected, atol=1e-5 * np.ptp(expected))
    # Enlarging in two steps is nearly enlarging in one: the answers agree up to a few percent.
    difference = answer(finer, image) - answer(coarse, image)
    assert np.abs(difference).mean() < 0.05 * np.ptp(expected)


def test_fcn8s_starts_from_the_answer_of_fcn16s(alive):
    coarse, finer = alive["fcn16s"], fcn8s((None, None, 3), 5, head_filters=16)
    assert transfer_weights(coarse, finer) == ["upsample_16_to_8", "score_8", "upsample_8_to_1"]
    image = photo(96, 128)
    scores = keras.Model(coarse.input, coarse.get_layer("fuse_16").output)(image)
    expected = ops.convert_to_numpy(BilinearUpsampling2D(8)(BilinearUpsampling2D(2)(scores)))
    np.testing.assert_allclose(answer(finer, image), expected, atol=1e-5 * np.ptp(expected))


@every_model
def test_every_score_layer_has_its_say(alive, name):
    model, image = alive[name], photo(64, 96)
    before = answer(model, image)
    for layer in model.layers:
        if layer.name.startswith("score_"):
            kernel = layer.kernel.numpy()
            layer.kernel.assign(0 * kernel)
            assert np.abs(ops.convert_to_numpy(model(image)) - before).max() > 0.1
            layer.kernel.assign(kernel)


@every_model
def test_the_last_upsampling_stays_interpolation_and_those_before_learn(name):
    model = BUILDERS[name]((32, 32, 3), 2, head_filters=4)
    ups = [layer for layer in model.layers if isinstance(layer, BilinearUpsampling2D)]
    assert [(layer.factor, layer.trainable) for layer in ups[:-1]] == [(2, True)] * (len(ups) - 1)
    assert (ups[-1].factor, ups[-1].trainable_variables) == (STRIDES[name], [])


# Training with a part held


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_keeps_its_weights_and_statistics_while_the_scores_learn(frozen):
    model = fcn8s((64, 64, 3), 3, head_filters=8)
    encoder, score = model.get_layer("encoder"), model.get_layer("score_32")
    encoder.trainable = not frozen
    before, before_score = encoder.get_weights(), score.get_weights()[0]
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    labels = np.random.default_rng(0).integers(0, 3, (2, 64, 64))
    model.fit(photo(64, 64, batch=2), labels, verbose=0, epochs=2)
    same = [np.array_equal(now, was) for now, was in zip(encoder.get_weights(), before, strict=True)]
    assert all(same) == frozen
    assert np.abs(score.get_weights()[0] - before_score).max() > 0


# Arguments


@every_model
def test_inputs_and_outputs_are_named(name):
    model = BUILDERS[name]((32, 32, 3), 2, head_filters=4)
    assert (model.name, model.input.name, model.layers[-1].name) == (name, "image", "logits")


@every_model
@pytest.mark.parametrize("shape", [(31, 32, 3), (32, 31, 3), (32, 32, 1), (32, 32), (None, 16, 3)])
def test_an_image_shape_that_cannot_be_is_refused(name, shape):
    with pytest.raises(ValueError, match=r"image_shape: expected \(H, W, 3\) with H and W >= 32 or None. Rec"):
        BUILDERS[name](shape, 2)


@every_model
@pytest.mark.parametrize("classes", [1, 0, -3, 2.0, None])
def test_a_number_of_classes_that_cannot_be_is_refused(name, classes):
    with pytest.raises(ValueError, match=f"num_classes: expected an integer >= 2. Received: {classes}"):
        BUILDERS[name]((32, 32, 3), classes)


@pytest.mark.parametrize("part", [module, package], ids=["fcn", "models"])
def test_the_examples_run(part):
    assert doctest.testmod(part).failed == 0
