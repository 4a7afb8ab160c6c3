"""Losses against their formulas in numpy and PyTorch, and their properties, on every backend installed."""

import doctest

import keras
import numpy as np
import pytest
import sklearn.metrics
from keras import ops

from keras_segattn import losses as module
from keras_segattn.class_weights import class_weights_from_frequency
from keras_segattn.losses import CrossEntropy, Dice, Focal, Lovasz

from .backends import on_each_backend, run_on

VOID = 11
WEIGHTS = np.linspace(0.5, 3, 11).tolist()
LOSSES = [
    CrossEntropy(VOID),
    CrossEntropy(VOID, WEIGHTS, 0.1, name="weighted"),
    Focal(VOID, WEIGHTS, gamma=1.5),
    Dice(VOID),
    Lovasz(VOID),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)


@pytest.fixture
def batch():
    """Labels 0..11 with void (3, 6, 5), the second image nearly all void; logits (3, 6, 5, 11)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, (3, 6, 5)).astype("uint8")
    labels[1, 1:] = VOID
    return labels, (3 * rng.normal(size=(3, 6, 5, 11))).astype("float32")


def softmax(logits):
    powers = np.exp(logits.astype("float64") - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def valid_pixels(labels, logits):
    """Labels (N,) and softmax shares (N, K) in float64 of the pixels that are not void."""
    return labels[labels != VOID], softmax(logits)[labels != VOID]


def gradient(loss, labels, logits):
    """d loss / d logits, as numpy."""
    labels, logits = ops.convert_to_tensor(labels), ops.convert_to_tensor(logits)
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: loss(labels, x))(logits))
    if backend == "torch":
        import torch

        logits.requires_grad_()
        return torch.autograd.grad(loss(labels, logits), logits)[0].numpy()
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits)
    return tape.gradient(value, logits).numpy()


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0


# Agreement with independent references


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_its_formula(batch, weights, smoothing):
    labels, shares = valid_pixels(*batch)
    w = np.ones(11) if weights is None else np.array(weights)
    targets = (1 - smoothing) * np.eye(11)[labels] + smoothing / 11
    expected = -(w * targets * np.log(shares)).sum() / w[labels].sum()
    assert float(CrossEntropy(VOID, weights, smoothing)(*batch)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_that_of_pytorch(batch, weights, smoothing):
    torch = pytest.importorskip("torch")
    labels, logits = batch
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(np.moveaxis(logits, -1, 1)),
        torch.tensor(labels, dtype=torch.int64),
        weight=None if weights is None else torch.tensor(weights),
        ignore_index=VOID,
        label_smoothing=smoothing,
    )
    value = float(CrossEntropy(VOID, weights, smoothing)(labels, logits))
    assert value == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_is_its_formula(batch, gamma):
    labels, shares = valid_pixels(*batch)
    p, w = shares[np.arange(len(labels)), labels], np.array(WEIGHTS)[labels]
    expected = -(w * (1 - p) ** gamma * np.log(p)).sum() / w.sum()
    assert float(Focal(VOID, WEIGHTS, gamma)(*batch)) == pytest.approx(expected, rel=1e-6)


def test_dice_is_its_formula(batch):
    labels, shares = valid_pixels(*batch)
    labels = np.where(labels == 3, 4, labels)  # class 3 does not occur
    ratios = [
        2 * shares[labels == k, k].sum() / ((labels == k).sum() + shares[:, k].sum())
        for k in np.unique(labels)
    ]
    assert len(ratios) == 10
    value = float(Dice(VOID)(np.where(batch[0] == 3, 4, batch[0]), batch[1]))
    assert value == pytest.approx(1 - np.mean(ratios), rel=1e-6)


def test_lovasz_is_the_extension_of_the_jaccard_set_function(batch):
    """Errors in falling order, each times what its pixel adds to the Jaccard loss of the set before it."""
    labels, shares = valid_pixels(*batch)
    labels = np.where(labels == 3, 4, labels)  # class 3 does not occur

    def jaccard_loss(wrong, truth):
        return len(wrong) / len(truth | wrong)

    losses = []
    for k in np.unique(labels):
        truth = set(np.flatnonzero(labels == k))
        errors = np.abs((labels == k) - shares[:, k])
        order = np.argsort(-errors).tolist()
        steps = [jaccard_loss(set(order[:n]), truth) for n in range(len(order) + 1)]
        losses.append((errors[order] * np.diff(steps)).sum())
    assert len(losses) == 10
    value = float(Lovasz(VOID)(np.where(batch[0] == 3, 4, batch[0]), batch[1]))
    assert value == pytest.approx(np.mean(losses), rel=1e-6)


def test_lovasz_of_hard_predictions_is_one_minus_the_jaccard_score(batch):
    labels, logits = batch
    valid, predictions = labels != VOID, logits.argmax(-1)
    present = np.unique(labels[valid])
    iou = sklearn.metrics.jaccard_score(labels[valid], predictions[valid], labels=present, average="macro")
    hard = 1e3 * np.eye(11, dtype="float32")[predictions]
    assert float(Lovasz(VOID)(labels, hard)) == pytest.approx(1 - iou, abs=1e-6)


def test_lovasz_keeps_its_digits_in_a_batch_of_many_pixels():
    # One class of two, every pixel off by 0.5: half of the loss 1 of all pixels wrong.
    labels = np.zeros((1, 1024, 1024), "int32")
    assert float(Lovasz()(labels, np.zeros((1, 1024, 1024, 2), "float32"))) == pytest.approx(0.5, abs=1e-5)


# Void


def test_cross_entropy_is_a_mean_over_pixels_not_over_images():
    # -log p is ln 2 in the only pixel of one image and 0 in the three of the other: ln 2 / 4.
    labels = np.array([[[0, VOID, VOID]], [[0, 0, 0]]])
    logits = np.array([[[[0, 0]] * 3], [[[99, 0]] * 3]], "float32")
    assert float(CrossEntropy(VOID)(labels, logits)) == pytest.approx(np.log(2) / 4)


@every_loss
def test_void_pixels_change_nothing(loss, batch):
    labels, logits = batch
    other = np.where(labels[..., None] == VOID, -7 * logits, logits)
    assert float(loss(labels, other)) == pytest.approx(float(loss(labels, logits)), rel=1e-6)
    wider = np.pad(labels, ((0, 0), (0, 0), (0, 4)), constant_values=VOID)
    other = np.pad(logits, ((0, 0), (0, 0), (0, 4), (0, 0)), constant_values=9)
    assert float(loss(wider, other)) == pytest.approx(float(loss(labels, logits)), rel=1e-6)


@every_loss
def test_the_gradient_is_zero_at_void_and_only_there(loss, batch):
    labels, logits = batch
    slope = np.abs(gradient(loss, labels, logits)).max(-1)
    assert (slope[labels == VOID] == 0).all()
    assert (slope[labels != VOID] > 0).all()


@every_loss
def test_a_batch_of_void_has_loss_and_gradient_zero(loss, batch):
    labels, logits = np.full_like(batch[0], VOID), batch[1]
    assert float(loss(labels, logits)) == 0
    np.testing.assert_array_equal(gradient(loss, labels, logits), 0)


@every_loss
def test_void_may_be_minus_one_or_the_number_of_a_class(loss, batch):
    labels, logits = batch[0].astype(int), batch[1]
    expected = float(loss(labels, logits))
    minus_one = type(loss).from_config({**loss.get_config(), "ignore_label": -1})
    assert float(minus_one(np.where(labels == VOID, -1, labels), logits)) == pytest.approx(expected)
    first = type(loss).from_config({**loss.get_config(), "ignore_label": 0})
    zero = type(loss).from_config({**loss.get_config(), "ignore_label": None})
    labels = np.where(labels == VOID, 0, labels)
    assert float(first(labels, logits)) != pytest.approx(float(zero(labels, logits)), rel=1e-3)


@every_loss
@pytest.mark.parametrize("label", [12, -1])
def test_a_label_that_is_no_class_makes_the_loss_nan(loss, batch, label):
    labels, logits = batch[0].astype(int), batch[1]
    labels[0, 0, 0] = label
    assert np.isnan(float(loss(labels, logits)))
    assert np.isnan(float(loss(np.full_like(labels, label), logits)))


# Properties


@pytest.mark.parametrize("loss", [CrossEntropy(VOID), *LOSSES[2:]], ids=lambda loss: loss.name)
def test_a_perfect_prediction_has_no_loss(loss, batch):
    labels = batch[0]
    logits = 50 * np.eye(12, dtype="float32")[labels][..., :11]
    assert float(loss(labels, logits)) == pytest.approx(0, abs=1e-6)
    assert float(loss(labels, -logits)) > 0.9


@every_loss
def test_the_gradient_is_the_slope(loss, batch):
    labels, logits = batch
    analytic = gradient(loss, labels, logits)
    direction = np.sign(analytic) * np.random.default_rng(1).random(logits.shape, "float32")
    step = 1e-2 * direction
    slope = (float(loss(labels, logits + step)) - float(loss(labels, logits - step))) / 2e-2
    assert slope > 0.03
    assert (analytic * direction).sum() == pytest.approx(slope, rel=5e-3)


def test_the_gradient_of_cross_entropy_is_share_minus_target(batch):
    labels, logits = batch
    valid = labels != VOID
    expected = (softmax(logits) - np.eye(12)[labels][..., :11]) * valid[..., None] / valid.sum()
    np.testing.assert_allclose(gradient(CrossEntropy(VOID), labels, logits), expected, atol=1e-7)


def test_focal_without_gamma_is_cross_entropy(batch):
    expected = float(CrossEntropy(VOID, WEIGHTS)(*batch))
    assert float(Focal(VOID, WEIGHTS, gamma=0.0)(*batch)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_a_finite_gradient_where_the_prediction_is_certain(gamma):
    labels, logits = np.array([[[0, 1]]]), np.array([[[[200, 0], [200, 0]]]], "float32")
    slope = gradient(Focal(gamma=gamma), labels, logits)
    np.testing.assert_allclose(slope, [[[[0, 0], [0.5, -0.5]]]], atol=1e-5)


def test_only_the_ratio_of_class_weights_counts(batch):
    twice = [2 * weight for weight in WEIGHTS]
    for make in (CrossEntropy, Focal):
        assert float(make(VOID, twice)(*batch)) == pytest.approx(float(make(VOID, WEIGHTS)(*batch)), rel=1e-6)


def test_a_class_weight_counts_its_class_so_often():
    # The loss is 0 for class 0 and ln 2 for class 1; class 1 counts thrice: 3 / (1 + 3) ln 2.
    labels, logits = np.array([[[0, 1]]]), np.array([[[[99, 0], [0, 0]]]], "float32")
    assert float(CrossEntropy(class_weights=[1, 3])(labels, logits)) == pytest.approx(0.75 * np.log(2))


@every_loss
def test_half_precision_logits_are_computed_in_single_precision(loss, batch):
    labels, logits = batch[0], (4000 * batch[1]).astype("float16")
    assert np.isfinite(logits).all()
    value = loss(labels, ops.convert_to_tensor(logits))
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    assert float(value) == pytest.approx(float(loss(labels, logits.astype("float32"))), rel=1e-6)


@pytest.mark.parametrize("function", [module.cross_entropy, module.focal, module.dice, module.lovasz])
def test_functions_give_single_precision_and_take_lists(function):
    half = ops.convert_to_tensor(np.array([[[[1, 2]]]], "float16"))
    assert keras.backend.standardize_dtype(function([[[0]]], half).dtype) == "float32"
    single = function([[[0]]], [[[[1.0, 2.0]]]])
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (function([[[0]]], half), single)))


@pytest.mark.parametrize("loss", LOSSES[:3], ids=lambda loss: loss.name)
def test_a_sample_weight_scales_the_loss_of_its_pixel(loss, batch):
    labels, logits = batch
    image = np.array([1, 0, 0]).reshape(3, 1, 1)
    parts = [float(loss(labels, logits, sample_weight=np.roll(image, n))) for n in range(3)]
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(float(loss(labels, logits)), rel=1e-6)


# As part of Keras


@every_loss
def test_config_round_trip(loss, batch):
    config = keras.saving.serialize_keras_object(loss)
    assert config["registered_name"] == f"keras_segattn>{type(loss).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(loss)
    assert again.name == loss.name
    assert again.get_config() == loss.get_config()
    assert float(again(*batch)) == float(loss(*batch))


@every_loss
def test_keras_gets_an_array_to_reduce_which_it_can_share_among_replicas(loss, batch):
    values = loss.call(*map(ops.convert_to_tensor, batch))
    assert len(values.shape) > 0
    assert float(ops.mean(values)) == pytest.approx(float(loss(*batch)), rel=1e-6)


@every_loss
def test_a_compiled_training_lowers_it_and_is_saved_with_it(loss, batch, tmp_path):
    labels, logits = batch
    image = keras.Input((None, None, 11))
    start = keras.initializers.Identity()
    model = keras.Model(image, keras.layers.Dense(11, kernel_initializer=start)(image))
    jit = keras.backend.backend() != "torch"  # there it needs a C++ compiler, and minutes
    model.compile(keras.optimizers.Adam(0.1), loss, jit_compile=jit)
    losses = model.fit(logits, labels, batch_size=3, epochs=4, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(float(loss(labels, logits)), rel=1e-5)
    assert losses[-1] < 0.95 * losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == loss.get_config()


@every_loss
def test_shapes_that_do_not_fit_are_refused(loss):
    with pytest.raises(ValueError, match=r"labels of shape \(1, 2, 2\), logits of shape \(1, 2, 3, 11\)"):
        loss(np.zeros((1, 2, 2)), np.zeros((1, 2, 3, 11)))
    with pytest.raises(ValueError, match=r"labels of shape \(1, 2, 2, 1\), logits of shape \(1, 2, 2, 11\)"):
        loss(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 11)))
    with pytest.raises(ValueError, match=r"labels of shape \(1, 2, 2\), logits of shape \(1, 2, 2\)"):
        loss(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CrossEntropy(label_smoothing=1.0), r"`label_smoothing` must be in \[0, 1\).*=1.0"),
        (lambda: CrossEntropy(label_smoothing=-0.1), r"`label_smoothing` must be in \[0, 1\).*=-0.1"),
        (lambda: CrossEntropy(class_weights=[1, -2]), r"`class_weights` must be numbers >= 0.*\[1, -2\]"),
        (lambda: Focal(class_weights=[1, np.nan]), r"`class_weights` must be numbers >= 0.*\[1, nan\]"),
        (lambda: Focal(gamma=-1), "`gamma` must be a number >= 0. Received: gamma=-1"),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [CrossEntropy, Focal])
def test_class_weights_must_be_as_many_as_the_classes(make):
    with pytest.raises(ValueError, match="each of the 2 classes. Received: 3 weights"):
        make(class_weights=[1, 2, 3])(np.zeros((1, 1, 1)), np.zeros((1, 1, 1, 2)))


# Class weights


def test_log_weights_are_those_of_enet():
    # 1 / ln(1.02) = 50.498 bounds them from above, 1 / ln(2.02) = 1.4222 from below.
    weights = class_weights_from_frequency([0.0, 1.0], offset=1.02)
    assert weights == pytest.approx((50.498, 1.4222), abs=5e-4)
    assert class_weights_from_frequency([0.0])[0] == pytest.approx(1 / np.log(1.1))


def test_median_weights_make_every_class_weigh_the_same():
    frequency = np.array([0.6, 0.3, 0.1])
    weights = class_weights_from_frequency(frequency, method="median")
    np.testing.assert_allclose(weights * frequency, 0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5, 1.5],), r"`frequency` must be K shares in \[0, 1\]. Received: frequency=\[0.5, 1.5\]"),
        (([0.5, -0.5],), r"`frequency` must be K shares in \[0, 1\]"),
        (([0.5, np.nan],), r"`frequency` must be K shares in \[0, 1\]"),
        (([[0.5, 0.5]],), r"`frequency` must be K shares in \[0, 1\]"),
        (([0.5, 0.0], "median"), "`frequency` must be above 0"),
        (([0.5, 0.5], "log", 1.0), "`offset` must be above 1. Received: offset=1.0"),
        (([0.5, 0.5], "mean"), "`method` must be .*Received: method='mean'"),
    ],
)
def test_frequencies_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        class_weights_from_frequency(*arguments)


# Backends


@on_each_backend
def test_all_of_this_holds_on_backend(backend):
    run_on(backend, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not backend", __file__)
