"""A grid says where each pixel looks: against torch, scipy and the definitions."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_segattn.layers import (
    AffineGrid,
    ProjectiveGrid,
    ThinPlateSplineGrid,
    affine_grid,
    lattice,
    projective_grid,
    thin_plate_spline_grid,
)

RNG = np.random.default_rng(0)
SIZE = st.tuples(st.integers(1, 9), st.integers(1, 9))
GRIDS = {
    "affine": AffineGrid,
    "attention": lambda size, **kwargs: AffineGrid(size, attention=True, **kwargs),
    "projective": ProjectiveGrid,
    "thin_plate_spline": ThinPlateSplineGrid,
}


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def grid_of(layer, theta):
    return ops.convert_to_numpy(layer(np.asarray(theta, "float32")))


def points(size, align_corners):
    """Every pixel's (x, y), float64 (h * w, 2)."""
    x, y = lattice.lattice(size, align_corners)
    return np.array([(column, row) for row in y for column in x])


@pytest.mark.filterwarnings("ignore:Since version 1.3.0")  # of torch, about one pixel and its corners
@given(size=SIZE, align_corners=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_an_affine_grid_is_that_of_torch_down_to_a_single_pixel(size, align_corners, seed):
    torch = pytest.importorskip("torch")
    theta = np.random.default_rng(seed).normal(size=(2, 6)).astype("float32")
    matrices = torch.tensor(theta).reshape(2, 2, 3)
    expected = torch.nn.functional.affine_grid(matrices, (2, 1, *size), align_corners=align_corners)
    found = grid_of(AffineGrid(size, align_corners=align_corners), theta)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("align_corners", [False, True])
def test_attention_is_the_affine_grid_of_one_scale_and_no_rotation(align_corners):
    s, tx, ty = 0.5, -0.3, 0.8
    attention = AffineGrid((3, 5), attention=True, align_corners=align_corners)
    affine = AffineGrid((3, 5), align_corners=align_corners)
    np.testing.assert_allclose(grid_of(attention, [[s, tx, ty]]), grid_of(affine, [[s, 0, tx, 0, s, ty]]), atol=1e-6)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_at_the_identity_every_pixel_looks_at_its_own_place(make, align_corners):
    layer = make((4, 7), align_corners=align_corners)
    theta = layer.identity()
    assert theta.shape == (layer.parameters,) and theta.dtype == np.float32
    found = grid_of(layer, theta[None])
    assert found.shape == (1, 4, 7, 2)
    np.testing.assert_allclose(found.reshape(-1, 2), points((4, 7), align_corners), atol=1e-5)


def test_align_corners_puts_the_outermost_centres_at_one_and_else_their_edges():
    assert lattice.lattice((2, 5), True)[0].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert lattice.lattice((2, 5), False)[1].tolist() == [-0.5, 0.5]
    assert lattice.lattice((1, 1), True)[0].tolist() == lattice.lattice((1, 1), False)[0].tolist() == [0]


@pytest.mark.parametrize("align_corners", [False, True])
def test_a_homography_without_perspective_is_affine(align_corners):
    theta = normal(3, 6)
    projective = ProjectiveGrid((4, 3), align_corners=align_corners)
    expected = grid_of(AffineGrid((4, 3), align_corners=align_corners), theta)
    np.testing.assert_allclose(grid_of(projective, np.pad(theta, [(0, 0), (0, 2)])), expected, atol=1e-5)


def test_a_homography_takes_four_corners_where_they_should_go():
    corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)])
    targets = np.array([(-0.9, -0.8), (0.7, -1.1), (-1.2, 0.6), (1.0, 0.9)])
    rows = []  # x' (1 + g x + h y) = a x + b y + c, and the same of y'
    for (x, y), (u, v) in zip(corners, targets, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    theta = np.linalg.solve(rows, targets.ravel())
    found = grid_of(ProjectiveGrid((2, 2), align_corners=True), theta[None])
    np.testing.assert_allclose(found.reshape(-1, 2), targets, atol=1e-5)


def test_at_and_beyond_the_horizon_a_homography_stays_finite():
    x = np.array([-1, -0.5, 0, 0.5, 1])  # so one of the denominators 1 + 2x is 0
    away = [0, 2, 3, 4]
    found = grid_of(ProjectiveGrid((1, 5), align_corners=True), [[1, 0, 0.25, 0, 1, 0.5, 2, 0]])[0, 0]
    assert np.isfinite(found).all()
    assert np.abs(found[1]).min() > 1000, "the horizon is far away"
    np.testing.assert_allclose(found[away, 0], (x[away] + 0.25) / (1 + 2 * x[away]), rtol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_spline_takes_its_control_points_exactly_where_they_look(n):
    targets = normal(2, n * n * 2)
    found = grid_of(ThinPlateSplineGrid((n, n), control_points=n, align_corners=True), targets)
    np.testing.assert_allclose(found.reshape(2, -1), targets, atol=1e-5)


@pytest.mark.parametrize("align_corners", [False, True])
def test_a_spline_whose_control_points_move_affinely_is_the_affine_grid(align_corners):
    theta = normal(1, 6)
    spline = ThinPlateSplineGrid((6, 5), control_points=4, align_corners=align_corners)
    matrix = theta.reshape(2, 3)
    moved = points((4, 4), True) @ matrix[:, :2].T + matrix[:, 2]
    expected = grid_of(AffineGrid((6, 5), align_corners=align_corners), theta)
    np.testing.assert_allclose(grid_of(spline, moved.reshape(1, -1)), expected, atol=1e-5)


@pytest.mark.parametrize("n", [2, 4])
def test_a_spline_is_that_of_scipy(n):
    interpolate = pytest.importorskip("scipy.interpolate")
    targets = RNG.normal(size=(n * n, 2))
    oracle = interpolate.RBFInterpolator(points((n, n), True), targets, kernel="thin_plate_spline", degree=1)
    found = grid_of(ThinPlateSplineGrid((7, 6), control_points=n), targets.reshape(1, -1))
    expected = oracle(points((7, 6), False))
    np.testing.assert_allclose(found.reshape(-1, 2), expected, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("size", [(0, 3), (3,), 3, (2.0, 3), (True, 3), None, "ab"])
@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_an_output_size_that_cannot_be_is_refused(make, size):
    with pytest.raises(ValueError, match=r"output_size: expected \(h, w\), each an integer >= 1. Received: "):
        make(size)


@pytest.mark.parametrize("n", [1, 0, 2.0, True, "4"])
def test_too_few_control_points_are_refused(n):
    with pytest.raises(ValueError, match=f"control_points: expected an integer >= 2. Received: {n!r}"):
        ThinPlateSplineGrid((3, 3), control_points=n)


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_a_theta_of_another_length_is_refused(make):
    layer = make((3, 3))
    with pytest.raises(ValueError, match=rf"expected shape=\(None, {layer.parameters}\), found shape=\(2, 5\)"):
        layer(normal(2, 5))


@pytest.mark.parametrize("part", [lattice, affine_grid, projective_grid, thin_plate_spline_grid])
def test_the_examples_run(part):
    assert doctest.testmod(part).failed == 0
