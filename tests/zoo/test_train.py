"""A training can be stopped anywhere and taken up again; what it keeps is the best average of its weights."""

import csv
import doctest
import pickle
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from keras_segattn import models, zoo
from keras_segattn.zoo import train as module
from keras_segattn.zoo.build import build
from keras_segattn.zoo.data import DATASETS, TASKS, DataError
from keras_segattn.zoo.data.builder import open_split
from keras_segattn.zoo.evaluate import evaluate, labels_of
from keras_segattn.zoo.train import OPTIMIZERS, TwoRateAdamW, train

TINY = replace(
    zoo.info("fcn32s_mobilenet_camvid"),
    model="fcn8s",
    arguments={"encoder": "mobilenet_0.75", "head_filters": 16},
    image_size=(96, 128),
    crop=(64, 64),
    epochs=3,  # of three steps
    learning_rate=0.02,
    warmup_steps=2,
    averaging=0.9,
    validate_every=1,
)

# Trains or goes on, until a moment comes at which the machine loses power.
KILLED = """
import os, pickle, signal, sys
from keras_segattn.zoo import lessons, train as module

recipe, output, data, moment = pickle.loads(bytes.fromhex(sys.argv[1]))

def lose_power():
    os.kill(os.getpid(), signal.SIGKILL)

def dying_batches(examples, recipe, ignore_label, epoch, batches=lessons.training_batches):
    for number, batch in enumerate(batches(examples, recipe, ignore_label, epoch)):
        if (epoch, number) == (1, 1):
            lose_power()
        yield batch

def dying_replace(source, target, replace=os.replace):
    if moment == "while the checkpoint is written" and target.name == "checkpoint-0002.weights.h5":
        lose_power()
    replace(source, target)

if moment == "in the second epoch":
    lessons.training_batches = dying_batches
os.replace = dying_replace
module.train(recipe, output, data_dir=data, resume=True)
"""


@pytest.fixture(scope="module")
def whole(trainable_camvid, once):
    """The folder of a training that nothing interrupted."""
    return once("whole", lambda folder: train(TINY, folder, data_dir=trainable_camvid).parent)


def curve(output):
    """Columns of log.csv: epoch, loss, val_mean_iou."""
    with (output / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [[float(row[name]) for row in rows] for name in ("epoch", "loss", "val_mean_iou")]


def curve_of_losses(output):
    """Epochs of log.csv."""
    with (output / "log.csv").open(newline="") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def arrays(path):
    """Everything in a file of weights, by its path inside."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, x: found.update({name: x[()]} if isinstance(x, h5py.Dataset) else {}))
    return found


def names(output):
    return sorted(path.name for path in output.iterdir())


# Stopped and taken up again


def test_a_training_that_is_killed_twice_and_resumed_is_the_one_that_was_not(whole, trainable_camvid, tmp_path):
    for moment in ("in the second epoch", "while the checkpoint is written"):
        task = pickle.dumps((TINY, tmp_path, trainable_camvid, moment)).hex()
        killed = subprocess.run([sys.executable, "-c", KILLED, task], capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-4000:]
        assert "checkpoint-0001.weights.h5" in names(tmp_path)
        assert "checkpoint-0002.weights.h5" not in names(tmp_path)

    train(TINY, tmp_path, data_dir=trainable_camvid, resume=True)
    np.testing.assert_allclose(curve(tmp_path), curve(whole), rtol=1e-5)
    assert names(tmp_path) == names(whole)
    for name in ("checkpoint-0003.weights.h5", "best.weights.h5"):
        resumed, expected = arrays(tmp_path / name), arrays(whole / name)
        assert resumed.keys() == expected.keys()
        for path, array in expected.items():
            np.testing.assert_allclose(resumed[path], array, rtol=1e-4, atol=1e-5, err_msg=path)


def test_a_training_leaves_one_checkpoint_the_best_weights_and_the_log(whole):
    assert names(whole) == ["best.weights.h5", "checkpoint-0003.weights.h5", "log.csv", "recipe.json"]
    assert curve(whole)[0] == [1, 2, 3]


def test_a_finished_training_that_is_resumed_stays_as_it_is(whole, trainable_camvid):
    before = {path: path.read_bytes() for path in whole.iterdir()}
    assert train(TINY, whole, data_dir=trainable_camvid, resume=True) == whole / "best.weights.h5"
    assert {path: path.read_bytes() for path in whole.iterdir()} == before


def test_weights_are_left_however_early_somebody_stops(trainable_camvid, tmp_path):
    def stop(rows, best):
        raise KeyboardInterrupt

    late = replace(TINY, validate_every=TINY.epochs)
    with pytest.raises(KeyboardInterrupt):
        train(late, tmp_path, data_dir=trainable_camvid, watch=stop)
    assert curve_of_losses(tmp_path) == ["1"]
    models.load_weights(build(late), tmp_path / "best.weights.h5")


def test_weights_before_the_first_step_are_those_that_it_began_with(trainable_camvid, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_fit", stop)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path, data_dir=trainable_camvid)
    models.load_weights(model := build(TINY), tmp_path / "best.weights.h5")
    kernels = [weight for weight in model.trainable_weights if weight.path.endswith("kernel")]
    assert kernels and all(np.ptp(weight) > 0 for weight in kernels if "score" not in weight.path)


def test_a_folder_that_holds_a_run_is_not_written_over(whole, trainable_camvid):
    before = {path: path.read_bytes() for path in whole.iterdir()}
    with pytest.raises(FileExistsError, match=f"{whole} holds a run already; resume it, or name another"):
        train(TINY, whole, data_dir=trainable_camvid)
    assert {path: path.read_bytes() for path in whole.iterdir()} == before


def test_the_policy_of_the_session_comes_back_even_if_the_training_fails(trainable_camvid, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with pytest.raises(ValueError, match="batch_size: expected at most the 12 training images"):
            train(replace(TINY, batch_size=13), tmp_path, data_dir=trainable_camvid)
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy(before)


def test_every_epoch_and_every_layer_draws_its_own_dropout_and_the_same_again():
    inputs = keras.Input((64,))
    drops = [keras.layers.Dropout(0.5)(inputs) for _ in range(2)]
    model = keras.Model(inputs, ops.stack(drops, axis=1))

    def drawn(seed):
        module._reseed(model, seed)
        return ops.convert_to_numpy(model(np.ones((1, 64), "float32"), training=True))[0]

    first, other = drawn(1), drawn(2)
    np.testing.assert_array_equal(drawn(1), first)
    assert (first != other).any() and (first[0] != first[1]).any()


# What is learned


def test_looking_at_the_averages_does_not_change_the_training(whole, trainable_camvid, tmp_path):
    recipe = replace(TINY, averaging=0.5, validate_every=3)
    train(recipe, tmp_path, data_dir=trainable_camvid)
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([float(row["loss"]) for row in rows], curve(whole)[1], rtol=1e-5)
    assert [row["val_mean_iou"] != "" for row in rows] == [False, False, True]


def test_the_best_weights_score_what_the_log_says_of_the_best_epoch(whole, trainable_camvid):
    dataset = DATASETS["camvid"]
    model = models.fcn8s((96, 128, 3), len(dataset.classes), **TINY.arguments)
    model.load_weights(whole / "best.weights.h5")
    examples = open_split(dataset, "val", trainable_camvid)
    result = evaluate(labels_of(model), [examples[i] for i in range(4)], dataset, image_size=(96, 128))
    scores = curve(whole)[2]
    assert result["mean_iou"] == pytest.approx(max(scores), abs=1e-3)
    assert len(set(scores)) > 1


def test_of_two_that_score_the_same_the_one_that_was_trained_longer_is_kept(tmp_path):
    log = module._Log(tmp_path / "log.csv", TASKS["translation"], 0)
    for epoch, score, kept in [(1, 0.0, True), (2, 0.0, True), (3, 12.0, True), (4, 11.0, False), (5, 12.0, True)]:
        assert log.is_best(score) == kept
        log.append({"epoch": epoch, "loss": 1.0, log.score: score})
        assert log.ends_with_best() == kept
    assert log.stale() == 2  # a tie is no progress: a training that only repeats itself ends


def test_training_without_labelled_pixels_is_refused(trainable_camvid, tmp_path):
    data = shutil.copytree(trainable_camvid, tmp_path / "data")
    for path in (data / "CamVid" / "trainannot").iterdir():
        Image.fromarray(np.full((96, 128), 11, "uint8")).save(path)
    with pytest.raises(DataError, match="expected labelled pixels in the training split. Found none"):
        train(TINY, tmp_path / "run", data_dir=data)


# The two rates


def two_layers(**kwargs):
    """A model of an encoder and a score, and one step of its optimizer: how far each weight moved."""
    image = keras.Input((2,))
    encoder = keras.layers.Dense(3, name="encoder")
    model = keras.Model(image, keras.layers.Dense(1, name="score")(encoder(image)))
    before = [v.numpy() for v in model.trainable_variables]
    slow = [v.path for v in encoder.trainable_variables]
    model.compile(TwoRateAdamW(slow=slow, learning_rate=0.1, **kwargs), "mse", jit_compile=False)
    model.fit(np.array([[1.0, 2.0]]), np.array([[5.0]]), verbose=0)
    return [np.abs(v.numpy() - was) for v, was in zip(model.trainable_variables, before, strict=True)]


def test_the_encoder_moves_at_its_share_of_the_rate():
    *encoder, kernel, bias = two_layers(share=0.3, weight_decay=0.0)
    for moved in encoder:  # the first step of Adam moves every weight by the rate
        np.testing.assert_allclose(moved, 0.03, rtol=1e-3)
    for moved in (kernel, bias):
        np.testing.assert_allclose(moved, 0.1, rtol=1e-3)


def test_neuraltalk_learns_by_rmsprop_with_averages_of_its_weights():
    optimizer = OPTIMIZERS[zoo.info("neuraltalk_flickr8k").optimizer](
        slow=[], share=1.0, learning_rate=0.1, use_ema=True, ema_momentum=0.5
    )
    weight = keras.Variable(np.zeros(2, "float32"))
    optimizer.build([weight])
    places, mean_square, rho = [0.0], 0.0, optimizer.rho
    for _ in range(2):
        optimizer.apply([ops.array([4.0, 0.0])], [weight])
        mean_square = rho * mean_square + (1 - rho) * 16
        places.append(places[-1] - 0.1 * 4 / np.sqrt(mean_square))
    np.testing.assert_allclose(weight, [places[2], 0], rtol=1e-5)
    optimizer.use_averages()
    np.testing.assert_allclose(weight, [(places[1] + places[2]) / 2, 0], rtol=1e-5)


def test_an_encoder_with_no_share_of_the_rate_stays_as_it_is():
    *encoder, kernel, _ = two_layers(share=0.0, weight_decay=0.1)
    assert all((moved == 0).all() for moved in encoder)
    assert (kernel > 0.05).all()


def test_weights_decay_at_their_own_rate():
    weight = keras.Variable([2.0, 2.0], name="weight")
    slow = keras.Variable([2.0, 2.0], name="slow")
    optimizer = TwoRateAdamW(slow=["slow"], share=0.5, learning_rate=0.1, weight_decay=0.1)
    optimizer.build([weight, slow])
    optimizer.apply([ops.zeros(2), ops.zeros(2)])
    np.testing.assert_allclose(ops.convert_to_numpy(weight), 2 * (1 - 0.01), rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(slow), 2 * (1 - 0.005), rtol=1e-6)


def test_training_with_no_share_changes_nothing_of_the_encoder_but_its_statistics(trainable_camvid, tmp_path):
    recipe = replace(TINY, encoder_rate=0.0, epochs=1)
    train(recipe, tmp_path, data_dir=trainable_camvid)
    model = models.fcn8s((96, 128, 3), 11, **TINY.arguments)
    model.load_weights(tmp_path / "best.weights.h5")
    folder = trainable_camvid / "weights_mobilenet_v1_0.75_224"
    with np.load(folder / "mobilenet_v1_0.75_224_imagenet.npz") as start:
        for layer in model.get_layer("encoder").layers:
            for variable in layer.weights:
                before = start[f"{layer.name}/{variable.name}"]
                same = np.allclose(variable.numpy(), before, rtol=1e-5)  # averages are rounded
                assert same == (not variable.name.startswith("moving_")), variable.path


def test_a_short_training_warms_up_in_half_of_its_steps_and_decays_over_the_other(
    trainable_camvid, tmp_path, monkeypatch
):
    schedules = []

    class Spy(TwoRateAdamW):
        def __init__(self, *, learning_rate, **kwargs):
            schedules.append(learning_rate)
            raise InterruptedError("the schedule is seen")

    monkeypatch.setitem(module.OPTIMIZERS, "adamw", Spy)
    with pytest.raises(InterruptedError):
        train(replace(TINY, warmup_steps=200, epochs=4), tmp_path, data_dir=trainable_camvid)
    rates = [float(schedules[0](step)) / 0.02 for step in range(13)]
    np.testing.assert_allclose(rates[:7], np.arange(7) / 6, atol=1e-6)
    np.testing.assert_allclose(rates[6:], (1 + np.cos(np.pi * np.arange(7) / 6)) / 2, atol=1e-6)


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0


def test_tries_are_learned_without_dropout_which_comes_back():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.9), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.0))
    x, labels = np.random.default_rng(0).normal(size=(8, 4)).astype("float32"), np.arange(8) % 3
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    tries = SimpleNamespace(
        steps_of_tries=lambda: 1, loss_of_tries=lambda: loss, tries=lambda epoch: [(x, labels, np.ones((8, 1)))]
    )
    found = module._fit_to_tries(model, tries, 0)
    assert found == pytest.approx(float(loss(labels, model(x, training=False))), rel=1e-5)
    assert model.layers[0].rate == 0.9


def test_after_the_cosine_comes_another_rate():
    schedule = module.CosineThenConstant(
        0.25, initial_learning_rate=0.0, decay_steps=8, warmup_target=1.0, warmup_steps=2
    )
    rates = [float(schedule(step)) for step in (0, 1, 2, 6, 9, 10, 50)]
    assert rates == pytest.approx([0, 0.5, 1, 0.5, (1 + np.cos(np.pi * 7 / 8)) / 2, 0.25, 0.25], abs=1e-5)
