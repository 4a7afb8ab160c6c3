"""Parity of models of language: a file writes in its own runtime, and what it writes is held against the model's."""

import inspect
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..sentence import sentence_of
from ..vocabulary import END, START, pad
from .language import outputs_of, reads
from .metadata import read_archive
from .parity import ParityError, check_functions
from .process import ProcessError, run_python
from .runtime import Runner, RunnerError

# Least share of sentences with the same tokens, or with others that are as likely, see ``SentenceParity.ties``; largest
# difference of a logit along them, and of the log-probability of a sentence that is the same, as shares of the range of
# the model's logits (None: reported, not limited).
LIMITS = {
    "float32": (1.0, 1e-4, 5e-4),
    "float16": (0.99, 1e-2, 5e-2),
    "dynamic": (0.5, None, None),
}
ATTENTION = 1e-3  # largest difference of a weight of attention, of 0..1, where its precision has a tighter limit
MIN_INPUTS = 64
LED = 64  # inputs along whose sentences encode and step are led, a call for each token
TIES = 0.005  # the most sentences that may be ties, as a share; one is allowed in any case
AT_ONCE = 16  # inputs that the model answers together


@dataclass(frozen=True)
class SentenceParity:
    """How far a file is from its model.

    Args:
        inputs: how many were compared.
        agreement: share of them for which all tokens are the same.
        worst: largest difference of a logit of ``step`` along the model's sentences, as a share of the range of the
            model's logits.
        mean: mean difference, likewise.
        ties: share of them for which the file has another sentence that is as likely by the model's own scores, or
            likelier, within what the logits differ: rounding decides between such two.
        log_probability: largest difference of that of a sentence that is the same, as a share of that range.
        attention: largest difference of a weight of such a sentence; None without attention.
        example: text of the model and of the file where they first differ, or of the last input.

    Example:
        >>> parity = SentenceParity(inputs=64, agreement=1.0, worst=1e-6, mean=1e-7, log_probability=1e-5)
        >>> parity.limits("float32")["agreement"]
        1.0
    """

    inputs: int
    agreement: float
    worst: float
    mean: float
    log_probability: float
    attention: float | None = None
    ties: float = 0.0
    example: tuple = field(default=(), compare=False, repr=False)
    answers: ClassVar[str] = "sentences"  # what agrees

    def facts(self):
        """What was measured, as plain data.

        Example:
            >>> sorted(SentenceParity(64, 1.0, 0.0, 0.0, 0.0).facts())
            ['agreement', 'attention', 'inputs', 'log_probability', 'mean', 'ties', 'worst']
        """
        names = ("inputs", "agreement", "ties", "worst", "mean", "log_probability", "attention")
        return {name: getattr(self, name) for name in names}

    @staticmethod
    def limits(precision):
        """What is allowed of a precision, as plain data; None where nothing is.

        Example:
            >>> SentenceParity.limits("dynamic")["worst"]
        """
        return dict(zip(("agreement", "worst", "log_probability"), LIMITS[precision], strict=True))


def check_inputs(inputs, model, max_tokens=None):
    """Raise ValueError unless there are enough texts of different lengths, or real images of the model's size.

    Args:
        inputs: list of str, or uint8 (N, H, W, 3).
        model: keras.Model of language.
        max_tokens: the most tokens of a text.

    Returns:
        dict: name of the model's input -> array with all of them: ``source`` int32 (N, T) or ``image``.

    Raises:
        ValueError: if the model has no vocabulary, too, see ``vocabularies_of``.

    Example:
        >>> check_inputs(["ein Hund"] * 64, model, max_tokens=9)             # doctest: +SKIP
        ValueError: inputs: expected at least 64 different ones. Received: 1 among 64
    """
    from ..models.language.sentences import vocabularies_of

    vocabularies = vocabularies_of(model)
    ((name, (shape, _)),) = reads(model, max_tokens).items()
    if name == "source":
        rows = [vocabularies["source"].encode(text) for text in inputs]
        unfit = [text for text, row in zip(inputs, rows, strict=True) if not 1 <= len(row) <= max_tokens]
        if unfit:
            raise ValueError(f"inputs: expected texts of 1 to {max_tokens} tokens. Received: {unfit[0]!r}")
        arrays = pad(rows, max_tokens)
        if len({len(row) for row in rows}) < 2:
            raise ValueError("inputs: expected texts of different lengths. Received: one length")
    else:
        arrays = np.asarray(inputs)
        if arrays.dtype != np.uint8 or arrays.shape[1:] != shape:
            expected = f"expected uint8 (N, {', '.join(map(str, shape))})"
            raise ValueError(f"inputs: {expected}. Received: {arrays.dtype} {arrays.shape}")
    different, count = len({one.tobytes() for one in arrays if one.min() < one.max()}), len(arrays)
    if different < MIN_INPUTS:
        raise ValueError(f"inputs: expected at least {MIN_INPUTS} different ones. Received: {different} among {count}")
    return {name: arrays}


def compare_sentences(writer, files, inputs, precision, max_tokens=None):
    """Run a file and its model on the same texts or images and hold the sentences against each other.

    ``generate`` has to find the model's tokens. ``encode`` and ``step`` are led along those of the first ``LED``
    inputs, and each of their logits is held against those that the model gives when it is called with the whole
    sentence, as in training.

    Args:
        writer: ``models.Writer`` of the model that the file was made of.
        files: dict: signature -> path of the .tflite file, .onnx file or SavedModel folder that has it.
        inputs: see ``check_inputs``.
        precision: key of ``LIMITS``.
        max_tokens: the most tokens of a text.

    Returns:
        ``SentenceParity``.

    Raises:
        ValueError: if the inputs do not fit.
        ParityError: if the file does not run, has other functions or vocabularies, gives a NaN, always the same
            sentence, or an answer outside of the limit.

    Example:
        >>> compare_sentences(writer, {"generate": path, "encode": path, "step": path}, texts, "float32")
        ... # doctest: +SKIP
        SentenceParity(inputs=64, agreement=1.0, ...)
    """
    from ..models.language.sentences import vocabularies_of

    name = files["generate"].name
    arrays = check_inputs(inputs, writer.model, max_tokens)
    expected, logits = _of_model(writer, arrays)
    vocabularies, served = vocabularies_of(writer.model), outputs_of(writer, max_tokens)
    answers = _saved_model_answers if files["generate"].is_dir() else _answers
    rows, near, others, example = [], [], {}, ()
    for place, answer in enumerate(answers(files, served, vocabularies, inputs, arrays, expected["tokens"])):
        one = {key: array[place] for key, array in expected.items()}
        _check_answer(name, one, answer)
        rows.append(_same(one, answer))
        if not rows[-1][0]:
            others[place] = answer
        if place < LED:
            _check_answer(name, {"logits": logits[place]}, answer)
            near.append(_near(logits[place], answer["logits"]))
        if not example or example[0] == example[1]:
            target = vocabularies["target"]
            example = tuple(sentence_of(found["tokens"], 0.0, target).text for found in (one, answer))
    same, log_probability, attention = np.array(rows, "float64").T
    low, high, worst, mean = np.array(near, "float64").T
    scale = high.max() - low.min()
    if len({tokens.tobytes() for tokens in expected["tokens"]}) < 2 or not scale > 0:
        raise ParityError(f"{name}: expected sentences that vary. The model always writes the same one")
    error = min(worst.max(), (LIMITS[precision][1] or 0) * scale)
    ties, of_others = _ties(writer, arrays, expected["tokens"], others, error)
    parity = SentenceParity(
        inputs=len(rows),
        agreement=float(same.mean()),
        ties=ties / len(rows),
        worst=float(worst.max() / scale),
        mean=float(mean.mean() / scale),
        log_probability=float(max(log_probability.max(), of_others) / scale),
        attention=float(attention.max()) if "attention" in expected else None,
        example=example,
    )
    _hold(parity, precision, name)
    return parity


def _of_model(writer, arrays):
    """What Keras writes, dict of arrays (N, ...); and of the first sentences the logits (S, V), up to their ends."""
    ((name, inputs),) = arrays.items()
    found, logits = [], []
    for first in range(0, len(inputs), AT_ONCE):
        batch = {name: inputs[first : first + AT_ONCE]}
        found.append(writer.predict_on_batch(batch))
        if first >= LED:
            continue
        tokens = found[-1]["tokens"]
        whole = _read(writer, batch, tokens)
        logits += [scores[: length(row)] for row, scores in zip(tokens, whole, strict=True)]
    return {key: np.concatenate([one[key] for one in found]) for key in found[0]}, logits


def _read(writer, inputs, sentences):
    """The logits (N, L, V) of the model when it is called with whole sentences (N, L), as in training."""
    target = np.concatenate([np.full_like(sentences[:, :1], START), sentences[:, :-1]], axis=1)
    return np.asarray(writer.model.predict_on_batch({**inputs, "target": target}))


def _ties(writer, arrays, tokens, others, error):
    """How many other sentences of a file are just as likely by the model as its own, if a logit is off by ``error``.

    Args:
        others: dict, place of an input -> what a file answers to it.

    Returns:
        (int, how far the log-probabilities that the file gives are from those of the model for these sentences).
    """
    count, worst = 0, 0.0
    for place, other in others.items():
        given = {name: array[[place, place]] for name, array in arrays.items()}
        own, found = _scores(writer, given, np.stack([tokens[place], other["tokens"]]))
        whole = found * length(other["tokens"]) ** writer.length_power
        worst = max(worst, abs(other["log_probability"] - whole))
        count += abs(found - own) <= 4 * error  # of either the mean log-probability differs by twice that at most
    return count, worst


def _scores(writer, inputs, sentences):
    """What the search compares: log-probabilities by the model of sentences (N, L), over their lengths to its power."""
    logits = _read(writer, inputs, sentences).astype("float64")                     # (N, L, V)
    logits -= logits.max(-1, keepdims=True)
    shares = np.take_along_axis(logits, sentences[..., None], -1)[..., 0] - np.log(np.exp(logits).sum(-1))  # (N, L)
    lengths = [length(tokens) for tokens in sentences]
    return [each[:steps].sum() / steps**writer.length_power for each, steps in zip(shares, lengths, strict=True)]


def length(tokens):
    """How many tokens a sentence has, its end among them.

    Example:
        >>> length(np.array([7, 8, 3, 3])), length(np.array([7, 8]))
        (3, 2)
    """
    return min(len(tokens), int((tokens != END).sum()) + 1)


def _led(tokens):
    """The tokens along which the steps of each input are led; none behind the first ``LED``."""
    return [row[: length(row) if place < LED else 0] for place, row in enumerate(tokens)]


def follow(call, feed, tokens, start):
    """What a file answers to one input: ``generate``, and ``encode`` and ``step`` led along given tokens.

    Args:
        call: function: name of a signature and its inputs -> dict of arrays.
        feed: dict, what ``generate`` and ``encode`` take.
        tokens: int32 (S,), what the steps write; empty: there are none.
        start: token before the first.

    Returns:
        dict: the outputs of ``generate`` without the batch, and ``logits`` (S, V) if there are steps.

    Example:
        >>> one = np.ones((1, 4), "float32")
        >>> says = {"generate": {"tokens": one}, "encode": {"cell": one}, "step": {"logits": one, "next_cell": one}}
        >>> follow(lambda name, **inputs: dict(says[name]), {}, np.array([5, 3], "int32"), 2)["logits"].shape
        (2, 4)
    """
    answer = {key: array[0] for key, array in call("generate", **feed).items()}
    if not len(tokens):
        return answer
    state, logits = call("encode", **feed), []
    for token in [start, *tokens[:-1]]:
        found = call("step", token=np.array([token], "int32"), **state)
        logits.append(found["logits"][0])
        state |= {key.removeprefix("next_"): x for key, x in found.items() if key.startswith("next_")}
    return {**answer, "logits": np.stack(logits)}


def _answers(files, served, vocabularies, inputs, arrays, tokens):
    try:
        opened = {path: Runner(path) for path in set(files.values())}
        for path, runner in opened.items():
            own = {name: outputs for name, outputs in served.items() if files[name] == path}
            check_functions(path.name, runner.signatures, own)
            _check_vocabularies(path.name, runner.metadata, vocabularies)

        def call(name, **feed):
            return opened[files[name]].run(name, **feed)

        for given, row in zip(inputs, _led(tokens), strict=True):
            yield follow(call, opened[files["generate"]].read(given), row, START)
    except RunnerError as error:
        raise ParityError(str(error)) from error


def _saved_model_answers(files, served, vocabularies, inputs, arrays, tokens):
    """A SavedModel runs in a fresh process, which has TensorFlow but not the code of this package."""
    path = files["generate"]
    _check_vocabularies(path.name, read_archive(path), vocabularies)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/inputs.npz", **arrays)
        np.savez(f"{folder}/tokens.npz", *_led(tokens))
        try:
            run_python("-c", _RUN_SAVED_MODEL, str(path), folder, str(START))
        except ProcessError as error:
            raise ParityError(f"{path.name}: expected a SavedModel that runs. {error}") from error
        check_functions(path.name, json.loads(Path(folder, "functions.json").read_text()), served)
        for place in range(len(tokens)):
            with np.load(f"{folder}/{place}.npz") as answer:
                yield dict(answer)


_RUN_SAVED_MODEL = (
    "import json, sys, numpy as np, tensorflow as tf\n"
    + inspect.getsource(follow)
    + """
path, folder, start = sys.argv[1:]
functions = dict(tf.saved_model.load(path).signatures)
functions.pop("serving_default", None)  # what TensorFlow Serving calls, the first one by another name
with open(f"{folder}/functions.json", "w") as file:
    json.dump({name: list(function.structured_outputs) for name, function in functions.items()}, file)

def call(name, **feed):
    found = functions[name](**{key: tf.constant(x) for key, x in feed.items()})
    return {key: x.numpy() for key, x in found.items()}

tokens = np.load(f"{folder}/tokens.npz")
((name, inputs),) = np.load(f"{folder}/inputs.npz").items()
for place in range(len(inputs)):
    answer = follow(call, {name: inputs[place : place + 1]}, tokens[f"arr_{place}"], int(start))
    np.savez(f"{folder}/{place}.npz", **answer)
"""
)


def _check_vocabularies(name, metadata, vocabularies):
    """Raise ParityError unless a file has the vocabularies of its model."""
    found = metadata.writing.vocabularies if metadata and metadata.writing else {}
    expected = {key: vocabulary.data for key, vocabulary in vocabularies.items()}
    other = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
    if other:
        raise ParityError(f"{name}: expected the vocabularies of the model. Another one or none: {', '.join(other)}")


def _check_answer(name, expected, answer):
    """Raise ParityError unless the model gives numbers, and the file some of the same shapes and types."""
    if not all(np.isfinite(array).all() for array in expected.values()):
        raise ParityError(f"{name}: expected a model with finite logits. Those of Keras are not")
    for key, array in expected.items():
        found = answer[key]
        finite = np.isfinite(found).all()
        if found.shape != array.shape or found.dtype != array.dtype or not finite:
            raise ParityError(
                f"{name}: expected {key}, finite {array.dtype} {array.shape}. Received: {found.dtype} {found.shape}"
                + ("" if finite else f", {np.count_nonzero(~np.isfinite(found))} not finite")
            )


def _near(expected, logits):
    """The range of the logits of one input, and how far they are."""
    difference = np.abs(logits - expected)
    return expected.min(), expected.max(), difference.max(), difference.mean()


def _same(expected, answer):
    """Whether the sentence of one input is the model's, and if it is how far its score and its weights are."""
    same = np.array_equal(answer["tokens"], expected["tokens"])
    others = [
        np.abs(answer[key] - expected[key]).max() if same and key in expected else 0.0
        for key in ("log_probability", "attention")
    ]
    return same, *others


def _hold(parity, precision, name):
    agreement, worst, log_probability = LIMITS[precision]
    ties = min(parity.ties, max(1 / parity.inputs, TIES))
    if not parity.agreement + ties >= agreement:
        here, there = parity.example
        raise ParityError(
            f"{name}: {100 * parity.agreement:.2f} % of the sentences are those of the model, at least "
            f"{100 * agreement:g} % expected. {there!r} in the place of {here!r}"
        )
    for what, largest, limit in (
        ("logits of step, as a share of their range,", parity.worst, worst),
        ("log-probabilities, as a share of that of the logits,", parity.log_probability, log_probability),
        ("weights of attention", parity.attention or 0.0, worst and max(worst, ATTENTION)),
    ):
        if limit is not None and not largest <= limit:
            raise ParityError(f"{name}: {what} differ by {largest:.2e}, at most {limit:.0e} expected")
