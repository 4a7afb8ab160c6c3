"""The distortions of MNIST: what they promise, on drawn shapes and against scipy."""

import numpy as np
import pytest
from scipy import ndimage

from keras_segattn.zoo.data import distortions

SIZES = {"rotate": 28, "rotate_scale_translate": 42, "project": 42, "warp": 28, "clutter": 60}


@pytest.fixture
def digits():
    """Thirty strokes of different bend, one grey level each."""
    rows, columns = np.mgrid[:28, :28]
    strokes = [np.abs(columns - 14 - bend * np.sin((rows - 14) / 6)) < 2.5 for bend in np.linspace(-6, 6, 30)]
    inside = (abs(rows - 14) < 9) & (abs(columns - 14) < 9)
    return np.array([(130 + 4 * i) * (stroke & inside) for i, stroke in enumerate(strokes)], "uint8")


@pytest.mark.parametrize("name", SIZES)
def test_a_distortion_gives_images_of_its_size_that_are_the_same_for_the_same_seed(name, digits):
    distort = getattr(distortions, name)
    images = distort(digits, np.random.default_rng(3))
    assert images.shape == (30, SIZES[name], SIZES[name], 1)
    assert images.dtype == np.uint8
    assert (images == distort(digits, np.random.default_rng(3))).all()
    assert (images != distort(digits, np.random.default_rng(4))).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("name", SIZES)
def test_no_digit_is_lost(name, digits):
    images = getattr(distortions, name)(digits, np.random.default_rng(0))
    assert (images.max(axis=(1, 2, 3)) > 0.7 * digits.max(axis=(1, 2))).all()


def test_rotation_is_that_of_scipy(digits):
    rng = np.random.default_rng(7)
    angles = np.random.default_rng(7).uniform(-90, 90, len(digits))
    found = distortions.rotate(digits, rng)[..., 0].astype(float)
    for digit, angle, image in zip(digits, angles, found, strict=True):
        expected = ndimage.rotate(digit.astype("float32"), -angle, reshape=False, order=1)
        assert np.abs(image - expected)[2:-2, 2:-2].max() <= 1


def test_a_scaled_digit_covers_what_its_scale_says(digits):
    whole = digits.astype(float).sum(axis=(1, 2))
    images = distortions.rotate_scale_translate(digits, np.random.default_rng(0)).astype(float)
    areas = images.sum(axis=(1, 2, 3)) / whole
    assert 0.7**2 * 0.95 < areas.min() < 0.6
    assert 1.2 < areas.max() < 1.2**2 * 1.05


def test_translated_digits_reach_every_side_of_the_image_and_stay_inside(digits):
    frame = np.full((400, 28, 28), 255, "uint8")
    images = distortions.clutter(np.repeat(digits[:1], 400, 0), np.random.default_rng(0))[..., 0]
    assert images.shape == (400, 60, 60)
    corners = distortions.rotate_scale_translate(frame, np.random.default_rng(0))[..., 0].max(axis=0)
    assert (corners[[3, 3, -4, -4], [3, -4, 3, -4]] == 255).all()


def test_clutter_is_made_of_sixteen_pieces_of_other_digits():
    rng = np.random.default_rng(0)
    blank = np.zeros((50, 28, 28), "uint8")
    full = np.full((50, 28, 28), 9, "uint8")
    assert distortions.clutter(blank, rng).max() == 0
    alone = (distortions.clutter(full, rng) == 9).sum(axis=(1, 2, 3))
    assert alone.min() > 28 * 28
    assert alone.max() <= 28 * 28 + distortions.CLUTTER * distortions.PATCH**2


# Mean and standard deviation of how much ink a digit has afterwards, for each that it had.
INK = {
    "rotate": (1.0, 0.0),
    "rotate_scale_translate": (0.923, 0.276),  # (1.2^3 - 0.7^3) / 1.5
    "project": (0.69, 0.276),
    "warp": (0.77, 0.181),
    "clutter": (2.08, 0.456),
}


@pytest.mark.parametrize("name", INK)
def test_how_far_a_distortion_goes(name, digits):
    many = np.repeat(digits, 40, axis=0)
    images = getattr(distortions, name)(many, np.random.default_rng(0)).astype(float)
    share = images.sum(axis=(1, 2, 3)) / many.sum(axis=(1, 2), dtype=float)
    assert (share.mean(), share.std()) == pytest.approx(INK[name], rel=0.06, abs=0.01)


def test_a_projected_square_has_straight_sides():
    square = np.zeros((20, 28, 28), "uint8")
    square[:, 4:24, 4:24] = 200
    for image in distortions.project(square, np.random.default_rng(0))[..., 0]:
        inside = image > 100
        hull = np.array([[row, line.nonzero()[0].min(), line.nonzero()[0].max()]
                         for row, line in enumerate(inside) if line.any()])  # fmt: skip
        filled = sum(last - first + 1 for _, first, last in hull)
        assert filled == inside.sum()  # convex along rows: nothing is folded


def test_sampling_is_that_of_scipy_inside_and_fades_to_zero_outside():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (3, 5, 7)).astype("float32")
    x, y = rng.uniform(-3, 9, (3, 4, 6)), rng.uniform(-3, 7, (3, 4, 6))
    expected = [
        ndimage.map_coordinates(image, [v, u], order=1, mode="grid-constant")
        for image, u, v in zip(images, x, y, strict=True)
    ]
    np.testing.assert_allclose(distortions.sample(images, x, y), expected, atol=1e-3)
