"""Pictures of where a model looks."""

import numpy as np
import pytest

from keras_segattn.looks import COLOURS, draw_grids


def grid(scale=1.0, x=0.0, y=0.0, size=5):
    """Where an attention of this scale and place looks, edge to edge."""
    line = scale * (2 * (np.arange(size) + 0.5) / size - 1)
    return np.stack(np.meshgrid(line + x, line + y), -1)


def test_a_grid_is_drawn_where_it_looks():
    picture = draw_grids(np.zeros((20, 40, 1), "uint8"), [grid(0.5, x=0.5, size=50)], side=400)
    rows, columns = (picture == COLOURS[0]).all(-1).nonzero()
    assert picture.shape == (250, 400, 3)  # the image is 300 wide and 150 high, and begins at 50
    assert abs(columns.min() - 200) <= 3
    assert abs(columns.max() - 350) <= 3
    assert abs(rows.min() - 87) <= 3
    assert abs(rows.max() - 163) <= 3


def test_an_outline_beyond_the_image_is_drawn_on_the_margin():
    picture = draw_grids(np.full((20, 20, 1), 255, "uint8"), [grid(1.1, size=50)], side=400)
    outline = (picture == COLOURS[0]).all(-1)
    assert outline[:, :50].any()
    assert (picture[25, 25] == picture[0, 0]).all()
    assert (picture[60, 60] == 255).all()


def test_the_upper_edge_is_the_thick_one():
    picture = (draw_grids(np.zeros((30, 30, 1), "uint8"), [grid(0.5, size=50)], side=300) == COLOURS[0]).all(-1)
    upper, lower = picture[85:103, 110:190].sum(), picture[197:215, 110:190].sum()
    assert upper > 1.5 * lower


def test_each_transformer_has_its_colour():
    picture = draw_grids(np.zeros((30, 30, 2), "uint8"), [grid(0.4, x=-0.5), grid(0.4, x=0.5)], side=300)
    for colour, half in zip(COLOURS[:2], (picture[:, :150], picture[:, 150:]), strict=True):
        assert (half == colour).all(-1).any()


def test_a_grid_that_looks_nowhere_is_drawn_without_an_error():
    assert draw_grids(np.zeros((9, 9, 1), "uint8"), [np.full((3, 3, 2), np.nan)]).shape == (280, 280, 3)


def test_another_shape_is_an_error():
    with pytest.raises(ValueError, match=r"grids: expected arrays \(h, w, 2\). Received: \(3, 3\)"):
        draw_grids(np.zeros((9, 9, 1), "uint8"), [np.zeros((3, 3))])
