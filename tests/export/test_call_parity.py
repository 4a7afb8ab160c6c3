"""Answers are held together output by output, and what is not a number is no excuse."""

import numpy as np
import pytest

from keras_segattn.export.call_parity import hold_together
from keras_segattn.export.parity import ParityError

OURS = np.array([[0.0, 1.0, np.inf, -np.inf, np.nan]])


def held(ours, theirs):
    return hold_together("m.onnx", [{"y": ours}], [{"y": theirs}], largest=1e-4, least=0.9)


def test_what_is_infinite_or_nan_in_both_is_the_same():
    assert held(OURS, OURS).worst == 0


@pytest.mark.parametrize(("place", "value"), [(0, np.nan), (2, 1.0), (2, -np.inf), (3, np.nan), (4, np.inf)])
def test_what_is_infinite_or_nan_otherwise_is_refused(place, value):
    theirs = OURS.copy()
    theirs[0, place] = value
    with pytest.raises(ParityError, match="m.onnx: expected y finite where the model's is, and infinite or NaN as"):
        held(OURS, theirs)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_without_a_finite_answer_proves_nothing(value):
    wild = np.full((1, 4), value)
    with pytest.raises(ParityError, match="expected a model of finite answers. All of y are NaN or infinite"):
        held(wild, wild)


def test_a_constant_answer_is_held_by_its_own_size():
    assert held(np.full((1, 3), 100.0), np.full((1, 3), 100.001)).worst == pytest.approx(1e-5)
    with pytest.raises(ParityError, match="outputs differ by"):
        held(np.full((1, 3), 100.0), np.full((1, 3), 101.0))


def test_whole_numbers_have_to_agree():
    ours = np.arange(10)[None]
    assert held(ours, np.where(ours == 3, 7, ours)).agreement == 0.9
    with pytest.raises(ParityError, match="80.00 % of the whole numbers agree, at least 90 % expected"):
        held(ours, np.where((ours == 3) | (ours == 4), 7, ours))
