"""The training loop, the only one: epochs that can be stopped anywhere and taken up again."""

import contextlib
import csv
import math
import re
from pathlib import Path

import keras
import numpy as np

from ..files import replacing
from .build import arithmetic
from .data import DATASETS, TASKS, data_folder, dataset_of
from .lessons import LESSONS
from .recipe import Recipe, write_recipe


class _TwoRates:
    """An optimizer that updates the encoder's variables at a share of the learning rate, and decays each at its own.

    The averages of the weights stay beside them: ``fit`` would put them in their place at its end, which is
    that of every epoch here, and training would go on from the averages.

    Args:
        slow: paths of the variables that learn slowly.
        share: 0..1, their share of the learning rate.
        weight_decay: of all weights, times their learning rate.
    """

    def __init__(self, *, slow, share, weight_decay=0.0, **kwargs):
        super().__init__(**kwargs)
        self.weight_decay = weight_decay
        self.slow = frozenset(slow)
        self.share = share

    def update_step(self, gradient, variable, learning_rate):
        # TensorFlow hands over its own variable, which has no path; its index tells which one it is.
        path = self._trainable_variables[self._get_variable_index(variable)].path
        rate = learning_rate * (self.share if path in self.slow else 1.0)
        self.assign_sub(variable, variable * self.weight_decay * rate)
        super().update_step(gradient, variable, rate)

    def _apply_weight_decay(self, variables):
        """Nothing: ``update_step`` decays each variable at its own rate."""

    def finalize_variable_values(self, var_list):
        """Nothing, see above."""

    def use_averages(self):
        """Set the variables to their averages, which stay apart: JAX may give up what is in a variable."""
        if int(self.iterations) == 0:
            return  # there are none before the first step
        averages = self._model_variables_moving_average
        for variable, average in zip(self._trainable_variables, averages, strict=True):
            variable.assign(keras.ops.copy(average))


class TwoRateAdamW(_TwoRates, keras.optimizers.AdamW):
    """AdamW of two rates.

    Reference: Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019.

    Example:
        >>> TwoRateAdamW(slow=[], share=0.3, learning_rate=1e-3).share
        0.3
    """


class TwoRateRMSprop(_TwoRates, keras.optimizers.RMSprop):
    """RMSprop of two rates, as NeuralTalk is trained.

    Reference: Tieleman and Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012.

    Example:
        >>> TwoRateRMSprop(slow=[], share=0.3, learning_rate=1e-3).share
        0.3
    """


OPTIMIZERS = {"adamw": TwoRateAdamW, "rmsprop": TwoRateRMSprop}


class CosineThenConstant(keras.optimizers.schedules.CosineDecay):
    """A warm-up, a cosine to 0, and then another rate.

    Args:
        rate: after ``warmup_steps + decay_steps`` steps.
        **kwargs: of ``CosineDecay``.

    Example:
        >>> schedule = CosineThenConstant(0.1, initial_learning_rate=1.0, decay_steps=10)
        >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 99)]
        [1.0, 0.5, 0.1, 0.1]
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def __call__(self, step):
        rate = super().__call__(step)
        return keras.ops.where(step < self.warmup_steps + self.decay_steps, rate, keras.ops.cast(self.rate, rate.dtype))

    def get_config(self):
        return {"rate": self.rate, **super().get_config()}


def train(recipe, output, *, data_dir=None, resume=False, start_weights=None, watch=None):
    """Train an entry and keep its best weights by the score of the validation split.

    Every epoch ends with a checkpoint (model, optimizer, averages), written whole or not at all, and draws
    its random numbers anew; a training that was killed and resumed follows the curve of one that was not.

    Args:
        recipe: ``Recipe``.
        output: folder of this run: ``recipe.json``, ``checkpoint-0007.weights.h5``, ``log.csv``, ``best.weights.h5``.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.
        resume: take up the run in ``output`` where it stopped; otherwise the folder must hold none.
        start_weights: weights file of the entry ``recipe.start``, or None to look it up in the zoo.
        watch: function, called when an epoch is over: the rows of log.csv, and whether they end with a new best score.

    Returns:
        pathlib.Path of the best weights: the averaged ones, in the precision that they were trained in.

    Raises:
        DataError: if the data are missing or not what the data set says.
        FileExistsError: if ``output`` holds a run and ``resume`` is False.
        ValueError: if there are self-critical epochs, and the entry draws no captions of its own.
        KeyboardInterrupt: if somebody stops it; the best weights are there all the same.

    Example:
        >>> from keras_segattn import zoo
        >>> train(zoo.info("fcn8s_mobilenet_camvid"), "runs/fcn8s")          # doctest: +SKIP
    """
    output, dataset = Path(output), dataset_of(recipe)
    folder = data_folder(data_dir) if recipe.dataset in DATASETS else Path(recipe.dataset)
    if not resume:
        expect_no_run(output)
    lesson = LESSONS[dataset.task](recipe, folder)
    if recipe.self_critical_epochs and not lesson.has_tries:
        raise ValueError(f"self_critical_epochs: expected 0 of {recipe.name}, which draws no captions of its own")
    output.mkdir(parents=True, exist_ok=True)
    write_recipe(recipe, output)

    with arithmetic(recipe):
        whole, model = begin(lesson, start_weights)
        done = _restore(model, output)
        log = _Log(output / "log.csv", TASKS[dataset.task], keep=done)
        try:
            _go_on(whole, model, lesson, output, log, done, watch)
        except KeyboardInterrupt:
            if not log.is_scored():  # a usable model is left, however early
                _validate(whole, model, lesson, output, log)
            raise
    return output / "best.weights.h5"


def _go_on(whole, model, lesson, output, log, done, watch):
    """The epochs from ``done`` on."""
    recipe = lesson.recipe
    for epoch in range(done, recipe.all_epochs):
        if log.stale() >= (recipe.patience or math.inf):
            break
        _reseed(model, recipe.seed * 10_000 + epoch)
        learn = _fit if epoch < recipe.epochs else _fit_to_tries
        row = {"epoch": epoch + 1, "loss": learn(model, lesson, epoch)}
        if (epoch + 1) % recipe.validate_every == 0 or epoch + 1 == recipe.all_epochs:
            row[log.score] = _validate(whole, model, lesson, output, log)
        log.append(row)
        _save(model, output, epoch + 1)
        if watch is not None:
            watch(log.rows, log.ends_with_best())


def _fit(model, lesson, epoch):
    """One epoch of the examples; its loss."""
    history = model.fit(
        lesson.batches(epoch),
        epochs=epoch + 1,
        initial_epoch=epoch,
        steps_per_epoch=lesson.steps,  # or TensorFlow counts one step too many
        shuffle=False,
    )
    return history.history["loss"][0]


def _fit_to_tries(model, lesson, epoch):
    """One epoch of the model's own tries, each drawn after the step before; its loss."""
    bar, losses = keras.utils.Progbar(lesson.steps_of_tries()), []
    with _without_dropout(model):  # as the tries are drawn: what another policy learns from them has no bounds
        model.compile(model.optimizer, lesson.loss_of_tries())
        for batch in lesson.tries(epoch):
            losses.append(float(model.train_on_batch(*batch)))
            bar.add(1, [("loss", losses[-1])])
    return float(np.mean(losses))


@contextlib.contextmanager
def _without_dropout(model):
    """Rates of 0 for what is compiled in the block."""
    rates = [(layer, layer.rate) for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    for layer, _ in rates:
        layer.rate = 0.0
    try:
        yield
    finally:
        for layer, rate in rates:
            layer.rate = rate


def expect_no_run(output):
    """Raise FileExistsError if a folder holds a run already.

    Example:
        >>> expect_no_run("nowhere")
    """
    if _checkpoints(Path(output)):
        raise FileExistsError(f"output: {output} holds a run already; resume it, or name another folder")


def begin(lesson, start_weights=None):
    """The models of a lesson before its first step.

    Args:
        lesson: one of ``LESSONS``, of a recipe and a folder.
        start_weights: see ``train``.

    Returns:
        (keras.Model, the whole; keras.Model, the part of it that is fitted, compiled).

    Example:
        >>> whole, model = begin(lesson)                                     # doctest: +SKIP
    """
    keras.utils.set_random_seed(lesson.recipe.seed)
    whole = lesson.start(start_weights)
    model = lesson.learner(whole)
    _compile(model, lesson.recipe, lesson)
    return whole, model


def _compile(model, recipe, lesson):
    steps = recipe.epochs * lesson.steps
    warmup = min(recipe.warmup_steps, steps // 2)
    schedule = CosineThenConstant(
        recipe.self_critical_rate if recipe.self_critical_epochs else 0.0,
        initial_learning_rate=0.0,
        decay_steps=max(1, steps - warmup),
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup,
    )
    pretrained = [layer for layer in model.layers if layer.name == "encoder" and isinstance(layer, keras.Model)]
    optimizer = OPTIMIZERS[recipe.optimizer](
        slow=[variable.path for layer in pretrained for variable in layer.trainable_variables],
        share=recipe.encoder_rate,
        learning_rate=schedule,
        weight_decay=recipe.weight_decay,
        global_clipnorm=recipe.clip_norm,
        use_ema=True,
        ema_momentum=recipe.averaging,
    )
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, lesson.loss())


def _reseed(model, seed):
    """Start the random numbers of dropout anew: Keras does not keep their state in a file of weights."""
    states = [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
    for index, state in enumerate(states):
        state.assign([seed, 1_000_000 * index])  # a counter, far from those of the other layers


def _validate(whole, model, lesson, output, log):
    """The score of the averaged weights, in points of 100; they are kept if they are the best so far."""
    raw = model.get_weights()
    model.optimizer.use_averages()
    value = lesson.score(whole)
    print(f"validation {log.task.title} {value:.2f}", flush=True)
    if log.is_best(value):
        bare = keras.Model(whole.input, whole.output)  # the same layers without the optimizer
        with replacing(output / "best.weights.h5") as partial:
            bare.save_weights(partial)
    model.set_weights(raw)
    return value


def _checkpoints(output):
    return sorted(p for p in output.glob("checkpoint-*.weights.h5") if re.fullmatch(r"\d+", _epoch(p)))


def _epoch(path):
    return path.name.removeprefix("checkpoint-").removesuffix(".weights.h5")


def _restore(model, output):
    """Load the newest checkpoint. Returns the number of epochs that it holds."""
    checkpoints = _checkpoints(output)
    if not checkpoints:
        return 0
    model.load_weights(checkpoints[-1])
    return int(_epoch(checkpoints[-1]))


def _save(model, output, epoch):
    older = _checkpoints(output)
    with replacing(output / f"checkpoint-{epoch:04d}.weights.h5") as partial:
        model.save_weights(partial)
    for path in older:
        path.unlink()


class _Log:
    """log.csv: one row an epoch; rows of epochs that a resume repeats are dropped."""

    def __init__(self, path, task, keep):
        self.path, self.task, self.rows = path, task, []
        self.score = f"val_{task.metric}"
        if path.is_file():
            with path.open(newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= keep]

    def append(self, row):
        self.rows.append({name: row.get(name, "") for name in self._fields()})
        with replacing(self.path) as partial:
            self._write(partial)

    def is_best(self, value):
        """Of two that score the same, the one that was trained longer."""
        return all(self.task.direction * value >= score for score in self._scores())

    def is_scored(self):
        return bool(self._scores())

    def stale(self):
        """How many looks there were since the best score."""
        scores = self._scores()
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0

    def ends_with_best(self):
        scores = self._scores()
        return bool(scores) and self.rows[-1][self.score] != "" and scores[-1] == max(scores)

    def _scores(self):
        """More is better."""
        return [self.task.direction * float(row[self.score]) for row in self.rows if row[self.score] != ""]

    def _fields(self):
        return ("epoch", "loss", self.score)

    def _write(self, path):
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._fields())
            writer.writeheader()
            writer.writerows(self.rows)


__all__ = ["Recipe", "TwoRateAdamW", "begin", "expect_no_run", "train"]
