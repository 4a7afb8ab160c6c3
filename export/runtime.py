"""Runner: an exported file; a .tflite or .onnx file on a machine that has neither TensorFlow nor Keras."""

import functools
import os
from pathlib import Path

import numpy as np

from ..sentence import sentence_of
from ..vocabulary import Vocabulary, pad
from .process import first_line
from .sessions import RUNTIMES
from .tails import softmax
from .tiling import tiled_labels


class RunnerError(ValueError):
    """A file that cannot be run, or an image or text that it does not take; the message says what was expected.

    Example:
        >>> Runner("missing.tflite")
        Traceback (most recent call last):
        keras_segattn.export.runtime.RunnerError: missing.tflite: expected an exported file. There is none
    """


class Runner:
    """Runs an exported file in LiteRT or onnxruntime, or a SavedModel in TensorFlow.

    Args:
        path: .tflite or .onnx file, or folder of a SavedModel, that keras_segattn exported.
        threads: processor threads, >= 1; None for as many as there are cores.
        warm_up: answer one empty image first, so that the first photograph takes no longer than the next.

    Attributes:
        metadata: ``Metadata`` of the file: task, classes, palette or vocabularies, image size, tail, provenance.
        signatures: dict, name of a function of the file -> names of its outputs.

    Raises:
        RunnerError: if the file is missing, truncated, or of another tool.
        ValueError: if ``threads`` is out of its range.
        ImportError: if its runtime is not installed; the message says which extra brings it.

    Example:
        >>> runner = Runner("fcn8s_mobilenet_camvid.tflite")                 # doctest: +SKIP
        >>> runner.labels(photograph).shape                                  # doctest: +SKIP
        (360, 480)
    """

    def __init__(self, path, threads=None, *, warm_up=False):
        path = Path(path)
        if threads is not None and threads < 1:
            raise ValueError(f"threads: expected at least 1, or None. Received: {threads!r}")
        if not path.is_file() and not is_saved_model(path):
            raise RunnerError(f"{path}: expected an exported file. There is none")
        kind = "" if path.is_dir() else path.suffix or "no suffix"
        if kind not in RUNTIMES:
            raise RunnerError(f"{path}: expected a .tflite or .onnx file. Received: {kind}")
        self.path = path
        try:
            self._session = RUNTIMES[kind](path, threads or os.cpu_count() or 1)
        except ImportError:
            raise
        except Exception as error:  # the runtimes' own have no class in common
            raise RunnerError(f"{path}: expected an exported file of keras_segattn. {first_line(error)}") from error
        self.metadata = self._session.metadata
        self.signatures = self._session.signatures
        if warm_up:
            for name in self.signatures:
                inputs = self._session.inputs(name).items()
                self.run(name, **{key: np.zeros(shape, dtype) for key, (dtype, shape) in inputs})

    def run(self, signature, /, **inputs):
        """One function of the file, as it is served.

        Args:
            signature: key of ``signatures``.
            **inputs: array for each input of the function, a batch of one.

        Returns:
            dict: name of an output -> array, a batch of one.

        Raises:
            RunnerError: if the file has no such function, or an input is missing, unknown, or of another shape or type.

        Example:
            >>> runner.run("logits", image=photograph[None])["logits"].shape  # doctest: +SKIP
            (1, 360, 480, 11)
        """
        if signature not in self.signatures:
            served = f"{self.path.name} serves, {', '.join(self.signatures)}"
            raise RunnerError(f"signature: expected one that {served}. Received: {signature!r}")
        expected = self._session.inputs(signature)
        if expected.keys() != inputs.keys():
            raise RunnerError(f"inputs: expected {', '.join(expected)}. Received: {', '.join(inputs) or 'none'}")
        for name, (dtype, shape) in expected.items():
            array = inputs[name] = np.asarray(inputs[name])
            if array.shape != shape or array.dtype != dtype:
                raise RunnerError(f"{name}: expected {dtype} {shape}. Received: {array.dtype} {array.shape}")
        return self._session.run([signature], inputs)

    def answers(self, image):
        """Every output of every function; argument as ``labels``.

        An .onnx file runs once for it, as its functions are one graph, and a .tflite file once for each function.

        Returns:
            dict: name of an output -> array, without the batch.

        Raises:
            RunnerError: if the image is of another shape or type.

        Example:
            >>> sorted(runner.answers(photograph))                           # doctest: +SKIP
            ['labels', 'logits']
        """
        image = self._checked(image)
        return {key: answer[0] for key, answer in self._session.run(self.signatures, {"image": image[None]}).items()}

    def labels(self, image):
        """The class of every pixel, or of the image for a file that recognises.

        Args:
            image: uint8 (H, W, C), of ``metadata.image_size`` and ``metadata.channels``; ``images.fit`` and
                ``images.to_channels`` bring any photograph there.

        Returns:
            uint8 (H, W), or () for recognition.

        Raises:
            RunnerError: if the image is of another shape or type.

        Example:
            >>> runner.labels(photograph).dtype                              # doctest: +SKIP
            dtype('uint8')
        """
        return self._answer(image, "labels", "logits", "probabilities")

    def logits(self, image):
        """The unnormalised scores; argument as ``labels``.

        Returns:
            float32 (H, W, K), or (K,) for recognition.

        Raises:
            RunnerError: if the image is of another shape or type, or the file does not serve logits.

        Example:
            >>> runner.logits(photograph).shape                              # doctest: +SKIP
            (360, 480, 11)
        """
        return self._answer(image, "logits")

    def probabilities(self, image):
        """The probability of every class; argument as ``labels``.

        Returns:
            float32 (H, W, K), or (K,) for recognition.

        Raises:
            RunnerError: if the image is of another shape or type, or the file serves labels only.

        Example:
            >>> runner.probabilities(photograph).sum(-1).max()               # doctest: +SKIP
            1.0
        """
        return self._answer(image, "probabilities", "logits")

    def attention(self, image):
        """Where each spatial transformer of the model looks; argument as ``labels``.

        Returns:
            dict: ``<layer>_theta`` (P,), the transformation, and ``<layer>_grid`` (h, w, 2), the place of each sample
            as x, y, -1..1 from edge to edge; empty for a model without one.

        Raises:
            RunnerError: if the image is of another shape or type.

        Example:
            >>> sorted(runner.attention(digit))                              # doctest: +SKIP
            ['transformer_grid', 'transformer_theta']
        """
        image = self._checked(image)
        if "attend" not in self.signatures:
            return {}
        return {key: answer[0] for key, answer in self._session.run(["attend"], {"image": image[None]}).items()}

    def grids(self, image):
        """The grids of ``attention`` alone, in the order of their transformers; argument as ``labels``.

        Returns:
            list of float32 (h, w, 2).

        Example:
            >>> [grid.shape for grid in runner.grids(digit)]                 # doctest: +SKIP
            [(28, 28, 2)]
        """
        return [look for key, look in sorted(self.attention(image).items()) if key.endswith("_grid")]

    def labels_of(self, images, *, progress=False):
        """The label maps of many images, one after the other.

        Args:
            images: iterable of what ``labels`` takes.
            progress: show a bar on the terminal.

        Yields:
            uint8 (H, W).

        Raises:
            RunnerError: if an image is of another shape or type.

        Example:
            >>> maps = list(runner.labels_of(photographs, progress=True))    # doctest: +SKIP
        """
        if progress:
            from rich.console import Console
            from rich.progress import track

            images = track(images, self.path.name, console=Console(stderr=True))
        for image in images:
            yield self.labels(image)

    def labels_tiled(self, image, *, overlap=None):
        """The class of every pixel of an image of any size, at its own resolution, tile by tile.

        Args:
            image: uint8 (H, W, C), of ``metadata.channels``.
            overlap: pixels that neighbouring tiles share, see ``tiling.tiled_scores``; None for 128, or half a tile.

        Returns:
            uint8 (H, W).

        Raises:
            RunnerError: if the image is no such array, or the file serves labels only, or recognises.
            ValueError: if ``overlap`` is out of its range.

        Example:
            >>> runner.labels_tiled(panorama).shape == panorama.shape[:2]    # doctest: +SKIP
            True
        """
        image = np.asarray(image)
        if self.metadata.task != "segmentation":
            raise RunnerError(f"{self.path.name}: expected a file that segments. It is one of {self.metadata.task}")
        channels = self.metadata.channels
        if image.ndim != 3 or image.shape[2] != channels or 0 in image.shape or image.dtype != np.uint8:
            raise RunnerError(f"image: expected uint8 (H, W, {channels}). Received: {image.dtype} {image.shape}")
        values = self.logits if "logits" in self.signatures else self.probabilities
        return tiled_labels(values, image, self.metadata.image_size, overlap=overlap)

    def write(self, inputs):
        """A sentence for each text or image, one after the other.

        Args:
            inputs: list of str for translation, of at most ``metadata.writing.max_tokens`` tokens each, or of images as
                ``labels`` takes them for captioning.

        Returns:
            list of ``Sentence``.

        Raises:
            RunnerError: if the file writes no sentences, or an input is of another kind, has no token, or too many.

        Example:
            >>> runner.write(["Ein Hund rennt."])[0].text                    # doctest: +SKIP
            'A dog is running.'
        """
        if isinstance(inputs, str):
            raise RunnerError(f"inputs: expected a list. Received: {_short(inputs)}")
        feeds = [self.read(one) for one in inputs]
        return [self._sentence(one, self.run("generate", **feed)) for one, feed in zip(inputs, feeds, strict=True)]

    def read(self, given):
        """What ``generate`` and ``encode`` of a file that writes sentences take, of one text or image.

        Args:
            given: str, or an image, see ``write``.

        Returns:
            dict: ``source`` int32 (1, T), filled up with PAD, or ``image`` uint8 (1, H, W, 3).

        Raises:
            RunnerError: see ``write``.

        Example:
            >>> state = runner.run("encode", **runner.read("Ein Hund."))     # doctest: +SKIP
            >>> runner.run("step", token=np.array([2], "int32"), **state)["logits"].shape  # doctest: +SKIP
            (1, 4000)
        """
        if self.metadata.writing is None:
            raise RunnerError(f"{self.path.name}: expected a file that writes. It is one of {self.metadata.task}")
        if "source" not in self._vocabularies:
            return {"image": self._fitting(given)[None]}
        ids, most = self._ids(given), self.metadata.writing.max_tokens
        if not 1 <= len(ids) <= most:
            raise RunnerError(f"text: expected 1 to {most} tokens. Received: {len(ids)}, of {_short(given)}")
        return {"source": pad([ids], most)}

    def _ids(self, text):
        try:
            return self._vocabularies["source"].encode(text)
        except (TypeError, ValueError) as error:  # the latter of half a surrogate pair
            raise RunnerError(f"text: expected str that UTF-8 can write. Received: {_short(text)}") from error

    def _sentence(self, given, found):
        words = self._vocabularies
        source = words["source"].pieces(self._ids(given)) if "source" in words else ()
        attention = found["attention"][0] if "attention" in found else None
        places = self.metadata.writing.places
        return sentence_of(
            found["tokens"][0], found["log_probability"][0], words["target"], attention, source, places
        )

    @functools.cached_property
    def _vocabularies(self):
        return {name: Vocabulary(data) for name, data in self.metadata.writing.vocabularies.items()}

    def _answer(self, image, wanted, *sources):
        """An output for one image, or what makes it."""
        image = self._checked(image)
        served = {output: signature for signature, outputs in self.signatures.items() for output in outputs}
        for output in (wanted, *sources):
            if output in served:
                answer = self._session.run([served[output]], {"image": image[None]})[output][0]
                return answer if output == wanted else _DERIVED[wanted](answer)
        raise RunnerError(f"{self.path.name}: expected a file that serves {wanted}. Its outputs: {', '.join(served)}")

    def _checked(self, image):
        if self.metadata.writing is not None:
            raise RunnerError(f"{self.path.name}: expected a file of labels. It is one of {self.metadata.task}")
        return self._fitting(image)

    def _fitting(self, image):
        image = np.asarray(image)
        shape = (*self.metadata.image_size, self.metadata.channels)
        if image.shape != shape or image.dtype != np.uint8:
            raise RunnerError(f"image: expected uint8 {shape}. Received: {image.dtype} {image.shape}")
        return image


def is_saved_model(path):
    """Whether a path is that of the folder of a SavedModel.

    Example:
        >>> is_saved_model("nowhere")
        False
    """
    return (Path(path) / "saved_model.pb").is_file()


_DERIVED = {"labels": lambda values: values.argmax(-1).astype("uint8"), "probabilities": softmax}


def _short(text):
    """A value as a message shows it."""
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
