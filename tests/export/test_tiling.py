"""Tiles of an image make the answer of the whole image."""

import keras
import numpy as np
import pytest

from keras_segattn.export.runtime import Runner, RunnerError
from keras_segattn.export.tiling import tiled_scores

TILE = (64, 96)


def photograph(height, width):
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), "uint8")


@pytest.fixture(scope="module")
def blur():
    """A network that sees 2 + 2 * 2 = 6 pixels far, with a stride of 2, and half a pixel of it more: 8 at most."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 5, padding="same", activation="relu")(image)
    x = keras.layers.AveragePooling2D(2)(x)
    x = keras.layers.Conv2D(5, 3, padding="same")(x)
    model = keras.Model(image, keras.layers.UpSampling2D(2)(x))
    return lambda pixels: model.predict_on_batch(pixels[None].astype("float32"))[0]


def joined(scores, image, overlap):
    return np.concatenate(list(tiled_scores(scores, image, TILE, overlap=overlap)))


@pytest.mark.parametrize("size", [(64, 96), (128, 192), (96, 224), (160, 352), (256, 96)])
def test_tiles_are_the_whole_image_where_nothing_is_seen_from_afar(blur, size):
    image = photograph(*size)
    whole = blur(image)
    assert np.ptp(whole) > 1
    np.testing.assert_allclose(joined(blur, image, overlap=32), whole, atol=1e-5 * np.ptp(whole))


def test_tiles_that_share_too_little_are_not_the_whole_image(blur):
    image = photograph(128, 192)
    whole = blur(image)
    assert np.abs(joined(blur, image, overlap=0) - whole).max() > 0.01 * np.ptp(whole)


@pytest.mark.parametrize("size", [(1, 1), (30, 500), (65, 97), (63, 95), (131, 205)])
def test_every_pixel_of_any_size_is_answered_once(size):
    image = photograph(*size)
    found = joined(lambda pixels: pixels.astype("float32"), image, overlap=32)
    np.testing.assert_allclose(found, image, atol=1e-3)


def test_a_seam_between_tiles_of_different_answers_is_a_ramp():
    """Each tile answers its own number; along the image no step is as large as the ramp's whole height."""
    count = iter(range(100))
    found = joined(lambda pixels: np.full((*TILE, 1), next(count), "float32"), photograph(64, 224), overlap=32)
    row = found[0, :, 0]
    assert row[0] == 0 and row[-1] == 2
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() == pytest.approx(1 / 16)  # over half of the 32 pixels that two tiles share


def test_the_function_sees_whole_tiles_only():
    seen = []

    def scores(pixels):
        seen.append((pixels.shape, pixels.dtype, pixels.flags["C_CONTIGUOUS"]))
        return pixels.astype("float32")

    joined(scores, photograph(100, 200), overlap=32)
    assert len(seen) > 4
    assert set(seen) == {((64, 96, 3), np.dtype("uint8"), True)}


def test_rows_come_as_soon_as_they_are_final():
    bands = list(tiled_scores(lambda pixels: pixels.astype("float32"), photograph(1000, 96), TILE, overlap=32))
    assert len(bands) > 20
    assert sum(len(band) for band in bands) == 1000
    assert max(len(band) for band in bands) <= 64


@pytest.mark.parametrize("overlap", [-1, 33])
def test_an_overlap_out_of_range_is_refused(overlap):
    with pytest.raises(ValueError, match=f"overlap: expected 0 to 32, half of the tile. Received: {overlap}"):
        list(tiled_scores(lambda pixels: pixels, photograph(64, 96), TILE, overlap=overlap))


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_a_runner_labels_an_image_of_its_own_size_in_one_tile(exported, photographs, format):
    runner = Runner(exported(format).path)
    np.testing.assert_array_equal(runner.labels_tiled(photographs[0], overlap=32), runner.labels(photographs[0]))


def test_a_runner_labels_a_large_image_at_its_own_resolution(exported, photographs):
    large = np.concatenate([np.concatenate(photographs[i : i + 3], axis=1) for i in (0, 3)])[:100, :250]
    labels = Runner(exported("tflite").path).labels_tiled(large, overlap=32)
    assert (labels.shape, labels.dtype) == ((100, 250), "uint8")
    assert np.unique(labels).size > 1


@pytest.mark.parametrize("image", [np.zeros((9, 9), "uint8"), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), "uint8")])
def test_what_is_no_image_is_refused(exported, image):
    with pytest.raises(RunnerError, match=r"image: expected uint8 \(H, W, 3\). Received: "):
        Runner(exported("tflite").path).labels_tiled(image)
