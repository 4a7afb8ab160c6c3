"""Keras metrics against scikit-learn and the numpy scores, on every backend that is installed."""

import doctest
from functools import partial

import keras
import numpy as np
import pytest
import sklearn.metrics

from keras_segattn import metrics as module
from keras_segattn.losses import CrossEntropy
from keras_segattn.metrics import MeanIoU, PixelAccuracy
from keras_segattn.scores import confusion_matrix, scores

from .backends import on_each_backend, run_on

VOID = 11


@pytest.fixture
def batch():
    """Labels 0..11 with void (4, 6, 5), logits (4, 6, 5, 11) that are right about half of the time."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, (4, 6, 5)).astype("uint8")
    logits = rng.normal(size=(4, 6, 5, 11)).astype("float32")
    return labels, logits + 2 * (np.arange(11) == labels[..., None])


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0


def test_mean_iou_is_that_of_scikit_learn(batch):
    labels, logits = batch
    valid, predictions = labels != VOID, logits.argmax(-1)
    expected = sklearn.metrics.jaccard_score(labels[valid], predictions[valid], average="macro")
    assert 0.2 < expected < 0.8
    assert float(MeanIoU(11, VOID)(labels, logits)) == pytest.approx(expected, abs=1e-6)


def test_pixel_accuracy_is_that_of_scikit_learn(batch):
    labels, logits = batch
    valid, predictions = labels != VOID, logits.argmax(-1)
    expected = sklearn.metrics.accuracy_score(labels[valid], predictions[valid])
    assert 0.2 < expected < 0.8
    assert float(PixelAccuracy(VOID)(labels, logits)) == pytest.approx(expected, abs=1e-6)


def test_the_matrix_of_several_batches_is_that_of_numpy(batch):
    labels, logits = batch
    metric = MeanIoU(11, VOID)
    for part in (slice(0, 3), slice(3, 4)):
        metric.update_state(labels[part], logits[part])
    expected = confusion_matrix(labels, logits.argmax(-1), 11, VOID)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(metric.confusion), expected)
    assert float(metric.result()) == pytest.approx(scores(expected)["mean_iou"], abs=1e-6)


def test_pixel_accuracy_is_of_all_pixels_not_the_mean_of_batches():
    metric = PixelAccuracy(from_logits=False)
    metric.update_state([[[0]]], [[[0]]])
    metric.update_state([[[1, 1, 1]]], [[[0, 0, 0]]])
    assert float(metric.result()) == 0.25


def test_a_class_only_predicted_counts_and_a_class_absent_from_both_does_not():
    metric = MeanIoU(4, from_logits=False)
    assert float(metric([[[0, 0]]], [[[0, 1]]])) == 0.25


@pytest.mark.parametrize("make", [partial(MeanIoU, 11), PixelAccuracy], ids=["mean_iou", "accuracy"])
def test_a_label_map_scores_as_its_logits_and_without_void_every_pixel_counts(make, batch):
    labels, logits = batch
    labels = labels % 11
    from_logits = make()(labels, logits)
    assert float(make(from_logits=False)(labels, logits.argmax(-1))) == float(from_logits)
    assert float(make(ignore_label=0)(labels, logits)) != float(from_logits)


@pytest.mark.parametrize("make", [partial(MeanIoU, 11), PixelAccuracy], ids=["mean_iou", "accuracy"])
def test_void_changes_nothing_and_void_alone_is_zero(make, batch):
    labels, logits = batch
    metric = make(VOID)
    metric.update_state(np.full_like(labels, VOID), logits)
    assert float(metric.result()) == 0
    metric.update_state(labels, logits)
    other = np.where(labels[..., None] == VOID, -logits, logits)
    assert float(metric.result()) == float(make(VOID)(labels, other)) > 0


@pytest.mark.parametrize("make", [partial(MeanIoU, 11), PixelAccuracy], ids=["mean_iou", "accuracy"])
def test_reset_forgets_all(make, batch):
    labels, logits = batch
    metric = make(None)
    metric.update_state(labels, -logits)
    metric.reset_state()
    assert float(metric.result()) == 0
    assert float(metric(labels % 11, logits)) == float(make(None)(labels % 11, logits)) > 0


@pytest.mark.parametrize(
    ("label", "prediction"), [(2, 0), (-1, 0), (0, 2), (0, -1)], ids=lambda value: str(value)
)
def test_a_class_that_is_none_makes_mean_iou_nan_until_reset(label, prediction):
    metric = MeanIoU(2, ignore_label=255, from_logits=False)
    metric.update_state([[[0, 1, label]]], [[[0, 1, prediction]]])
    metric.update_state([[[0, 1]]], [[[0, 1]]])
    assert np.isnan(float(metric.result()))
    assert keras.ops.convert_to_numpy(metric.confusion).tolist() == [[2, 0], [0, 2]]
    metric.reset_state()
    assert float(metric([[[0, 1, 255]]], [[[0, 1, prediction]]])) == 1


def test_counts_are_exact_beyond_the_integers_of_float32():
    labels = np.zeros((2, 2048, 4097), "uint8")  # 2**24 + 4096 pixels
    labels[1, 0, 0] = 1
    iou = MeanIoU(2, from_logits=False)
    accuracy = PixelAccuracy(from_logits=False)
    for metric in (iou, accuracy):
        metric.update_state(labels, np.zeros_like(labels))
        metric.update_state([[[0, 0]]], [[[0, 0]]])
    assert keras.ops.convert_to_numpy(iou.confusion).tolist() == [[2**24 + 4097, 0], [1, 0]]
    assert int(accuracy.correct) == 2**24 + 4097
    accuracy.update_state([[[0]]], [[[1]]])
    assert int(accuracy.total) == 2**24 + 4099


def test_the_result_holds_where_int32_sums_would_overflow():
    metric = MeanIoU(2)
    metric.confusion.assign(np.array([[2**30, 2**30], [2**30, 2**30]], "int32"))
    assert float(metric.result()) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "metric", [MeanIoU(3, 255, False, name="iou"), PixelAccuracy(255, False, name="share")], ids=str
)
def test_config_round_trip(metric):
    config = keras.saving.serialize_keras_object(metric)
    assert config["registered_name"] == f"keras_segattn>{type(metric).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == metric.get_config()
    assert (again.ignore_label, again.from_logits) == (255, False)


def test_a_compiled_evaluation_gives_the_numpy_scores(batch, tmp_path):
    labels, logits = batch
    image = keras.Input((None, None, 11))
    model = keras.Model(image, keras.layers.Activation("linear")(image))
    jit = keras.backend.backend() != "torch"  # there it needs a C++ compiler, and minutes
    metrics = [MeanIoU(11, VOID), PixelAccuracy(VOID)]
    model.compile(loss=CrossEntropy(VOID), metrics=metrics, jit_compile=jit)
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    result = model.evaluate(logits, labels, batch_size=3, verbose=0, return_dict=True)
    expected = scores(confusion_matrix(labels, logits.argmax(-1), 11, VOID))
    assert result["mean_iou"] == pytest.approx(expected["mean_iou"], abs=1e-6)
    assert result["pixel_accuracy"] == pytest.approx(expected["pixel_accuracy"], abs=1e-6)


@pytest.mark.parametrize("metric", [MeanIoU(3), PixelAccuracy()], ids=str)
def test_what_does_not_fit_is_refused(metric):
    labels = np.zeros((1, 2, 2), int)
    with pytest.raises(ValueError, match=r"must be of shape \(1, 2, 2, .*Received: \(1, 2, 3, 3\)"):
        metric.update_state(labels, np.zeros((1, 2, 3, 3)))
    with pytest.raises(ValueError, match=r"must be of shape \(1, 2, 2, .*Received: \(1, 2, 2\)"):
        metric.update_state(labels, labels)
    with pytest.raises(ValueError, match="expected sample_weight=None.*Received: sample_weight=2"):
        metric.update_state(labels, np.zeros((1, 2, 2, 3)), sample_weight=2)


def test_mean_iou_refuses_another_number_of_classes():
    with pytest.raises(ValueError, match=r"must be of shape \(1, 1, 1, 3\). Received: \(1, 1, 1, 4\)"):
        MeanIoU(3).update_state([[[0]]], np.zeros((1, 1, 1, 4)))
    with pytest.raises(ValueError, match="`num_classes` must be at least 1. Received: 0"):
        MeanIoU(0)


@on_each_backend
def test_all_of_this_holds_on_backend(backend):
    run_on(backend, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not backend", __file__)
