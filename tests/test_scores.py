"""Confusion matrices and what is read from them, against scikit-learn."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics

from keras_segattn import scores as module
from keras_segattn.scores import confusion_matrix, max_f_measure, scores

VOID = 11


@pytest.fixture
def maps():
    """Labels 0..11 with void, predictions 0..10 that are right about half of the time."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, (4, 9, 7)).astype("uint8")
    predictions = np.where(rng.random(labels.shape) < 0.5, labels, rng.integers(0, 11, labels.shape))
    return labels, predictions


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0


def test_confusion_matrix_is_that_of_scikit_learn(maps):
    labels, predictions = maps
    valid = labels != VOID
    expected = sklearn.metrics.confusion_matrix(labels[valid], predictions[valid], labels=range(11))
    confusion = confusion_matrix(labels, predictions, 11, VOID)
    assert confusion.dtype == np.int64
    np.testing.assert_array_equal(confusion, expected)


def test_scores_are_those_of_scikit_learn(maps):
    labels, predictions = maps
    valid = labels != VOID
    result = scores(confusion_matrix(labels, predictions, 11, VOID))
    class_iou = sklearn.metrics.jaccard_score(labels[valid], predictions[valid], average=None)
    np.testing.assert_allclose(result["class_iou"], class_iou, rtol=1e-12)
    assert result["mean_iou"] == pytest.approx(class_iou.mean(), rel=1e-12)
    accuracy = sklearn.metrics.accuracy_score(labels[valid], predictions[valid])
    assert result["pixel_accuracy"] == pytest.approx(accuracy, rel=1e-12)


def test_rows_are_labels_and_columns_are_predictions():
    assert confusion_matrix([0, 0, 0], [1, 1, 0], 2).tolist() == [[1, 2], [0, 0]]


def test_matrices_of_the_images_sum_to_that_of_the_split(maps):
    labels, predictions = maps
    total = sum(confusion_matrix(*pair, 11, VOID) for pair in zip(labels, predictions, strict=True))
    np.testing.assert_array_equal(total, confusion_matrix(labels, predictions, 11, VOID))


def test_the_score_of_a_split_is_not_the_mean_of_its_images():
    # Class 0 has 1 of 1 pixel in one image and 0 of 9 in the other: 1 / 10, and 1 / 2 as mean of images.
    one, other = confusion_matrix([0], [0], 2), confusion_matrix([0] * 9, [1] * 9, 2)
    assert scores(one + other)["class_iou"][0] == pytest.approx(0.1)
    assert scores(one + other)["pixel_accuracy"] == pytest.approx(0.1)


def test_a_class_only_predicted_counts_and_a_class_absent_from_both_does_not():
    result = scores(confusion_matrix([0, 0], [0, 1], 4))
    np.testing.assert_array_equal(result["class_iou"], [0.5, 0, np.nan, np.nan])
    assert result["mean_iou"] == 0.25


def test_void_may_be_any_label_and_hides_any_prediction():
    assert confusion_matrix([-1, 1, 0], [77, 1, 0], 2, ignore_label=-1).tolist() == [[1, 0], [0, 1]]
    assert confusion_matrix([0, 1, 1], [1, 1, 0], 2, ignore_label=0).tolist() == [[0, 0], [1, 1]]


def test_labels_of_eight_bits_count_among_many_classes():
    confusion = confusion_matrix(np.array([0, 199], "uint8"), np.array([199, 2], "uint8"), 200)
    assert np.argwhere(confusion).tolist() == [[0, 199], [199, 2]]


@pytest.mark.filterwarnings("error")
def test_an_image_of_void_has_no_counts_and_its_scores_are_nan():
    confusion = confusion_matrix(np.full((2, 3), VOID), np.zeros((2, 3), int), 11, VOID)
    assert confusion.shape == (11, 11)
    assert confusion.sum() == 0
    result = scores(confusion)
    assert np.isnan([result["mean_iou"], result["pixel_accuracy"], *result["class_iou"]]).all()


def test_scores_stay_exact_beyond_the_integers_of_float32():
    assert scores([[2**24, 1], [0, 0]])["class_iou"][0] == 2**24 / (2**24 + 1)


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 2], [0, 1], r"`labels` must be in 0\.\.1 .*Received: \[2\]"),
        ([0, -1], [0, 1], r"`labels` must be in 0\.\.1 .*Received: \[-1\]"),
        ([0, 1], [0, 2], r"`predictions` must be in 0\.\.1 .*Received: \[2\]"),
        ([0, 1], [0, -3], r"`predictions` must be in 0\.\.1 .*Received: \[-3\]"),
        ([0, 1], [0.0, 1.0], "`predictions` must be integers. Received: float64"),
        ([0, 1], [0], r"same shape.*\(2,\).*\(1,\)"),
    ],
)
def test_what_is_no_class_is_refused(labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(labels, predictions, 2, ignore_label=255)


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="`num_classes` must be at least 1. Received: num_classes=0"):
        confusion_matrix([0], [0], 0)
    with pytest.raises(ValueError, match=r"`confusion` must be \(K, K\). Received: shape \(2, 3\)"):
        scores(np.zeros((2, 3), int))


def test_scores_are_imported_without_keras():
    code = "import sys, keras_segattn.scores; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_greatest_f_measure_is_that_of_the_best_threshold():
    rng = np.random.default_rng(0)
    mask = rng.random((20, 30)) < 0.3
    map = np.clip(rng.normal(90 + 60 * mask, 40), 0, 255).astype("uint8")
    found = []
    for threshold in range(256):
        said = map >= threshold
        right = (said & mask).sum()
        precision, recall = right / max(1, said.sum()), right / mask.sum()
        found.append(1.3 * precision * recall / (0.3 * precision + recall) if right else 0)
    assert max_f_measure([mask], [map]) == pytest.approx(max(found))
    assert 0.5 < max(found) < 0.9
    assert max_f_measure([mask], [map], beta_squared=1e9) == pytest.approx(1)  # recall alone


def test_every_image_counts_as_much_as_any_other():
    small, large = np.array([[1, 0]], bool), np.ones((10, 10), bool)
    maps = [np.array([[0, 255]], "uint8"), np.full((10, 10), 255, "uint8")]
    # At a threshold of 0 precision is (1/2 + 1) / 2 and recall 1; above it both are 1/2.
    assert max_f_measure([small, large], maps) == pytest.approx(1.3 * 0.75 / (0.3 * 0.75 + 1))


@pytest.mark.filterwarnings("error")
def test_a_map_that_says_nothing_or_a_mask_without_foreground_is_no_error():
    mask, nothing = np.eye(2, dtype=bool), np.zeros((2, 2), "uint8")
    assert max_f_measure([mask], [nothing]) == pytest.approx(1.3 * 0.5 / (0.3 * 0.5 + 1))
    assert np.isnan(max_f_measure([~mask & mask], [nothing]))
    assert max_f_measure([mask, ~mask & mask], [mask * np.uint8(255), nothing]) == 1


def test_maps_that_do_not_fit_their_masks_are_refused():
    with pytest.raises(ValueError, match=r"the maps uint8. Received: a mask of shape \(2, 2\), a map .* \(2, 3\)"):
        max_f_measure([np.eye(2, dtype=bool)], [np.zeros((2, 3), "uint8")])
    with pytest.raises(ValueError, match="float32"):
        max_f_measure([np.eye(2, dtype=bool)], [np.zeros((2, 2), "float32")])
