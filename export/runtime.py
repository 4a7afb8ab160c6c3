"""Runner: an exported .tflite or .onnx file on a machine that has neither TensorFlow nor Keras."""

import os
from pathlib import Path

import numpy as np

from .metadata import KEY, Metadata, read_archive
from .tails import softmax
from .tiling import OVERLAP, tiled_labels


class RunnerError(ValueError):
    """A file that cannot be run, or an image that it does not take; the message says what was expected.

    Example:
        >>> Runner("missing.tflite")
        Traceback (most recent call last):
        keras_segattn.export.runtime.RunnerError: missing.tflite: expected an exported file. There is none
    """


class Runner:
    """Runs an exported file in LiteRT or onnxruntime.

    Args:
        path: .tflite or .onnx file that keras_segattn exported.
        threads: processor threads, >= 1; None for as many as there are cores.
        warm_up: answer one empty image first, so that the first photograph takes no longer than the next.

    Attributes:
        metadata: ``Metadata`` of the file: task, classes, palette, image size, tail, provenance.
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
        if not path.is_file():
            raise RunnerError(f"{path}: expected an exported file. There is none")
        if path.suffix not in _RUNTIMES:
            raise RunnerError(f"{path}: expected a .tflite or .onnx file. Received: {path.suffix or 'no suffix'}")
        self.path = path
        try:
            self._session = _RUNTIMES[path.suffix](path, threads or os.cpu_count() or 1)
        except ImportError:
            raise
        except Exception as error:  # the runtimes' own have no class in common
            raise RunnerError(f"{path}: expected an exported file of keras_segattn. {_line(error)}") from error
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

    def labels_tiled(self, image, *, overlap=OVERLAP):
        """The class of every pixel of an image of any size, at its own resolution, tile by tile.

        Args:
            image: uint8 (H, W, 3), RGB.
            overlap: pixels that neighbouring tiles share; see ``tiling.tiled_scores``.

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
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype != np.uint8:
            raise RunnerError(f"image: expected uint8 (H, W, 3). Received: {image.dtype} {image.shape}")
        values = self.logits if "logits" in self.signatures else self.probabilities
        return tiled_labels(values, image, self.metadata.image_size, overlap=overlap)

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
        image = np.asarray(image)
        shape = (*self.metadata.image_size, self.metadata.channels)
        if image.shape != shape or image.dtype != np.uint8:
            raise RunnerError(f"image: expected uint8 {shape}. Received: {image.dtype} {image.shape}")
        return image


_DERIVED = {"labels": lambda values: values.argmax(-1).astype("uint8"), "probabilities": softmax}


class _LiteRT:
    def __init__(self, path, threads):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError(f"{path.name} needs LiteRT: install keras_segattn[lite]") from error
        self.metadata = read_archive(path)
        if self.metadata is None:  # it stands at the end of the file
            raise ValueError("It has none of its metadata: it is truncated, or of another tool")
        interpreter = Interpreter(str(path), num_threads=threads)
        self.signatures = {name: tuple(facts["outputs"]) for name, facts in interpreter.get_signature_list().items()}
        self._runners = {name: interpreter.get_signature_runner(name) for name in self.signatures}

    def inputs(self, signature):
        details = self._runners[signature].get_input_details()
        return {name: (np.dtype(one["dtype"]), tuple(one["shape"].tolist())) for name, one in details.items()}

    def run(self, signatures, inputs):
        return {key: answer for name in signatures for key, answer in self._runners[name](**inputs).items()}


class _OnnxRuntime:
    def __init__(self, path, threads):
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError(f"{path.name} needs onnxruntime: install keras_segattn[onnx]") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.force_spinning_stop", "1")  # between answers; it takes a core
        options.log_severity_level = 4  # fatal; errors are raised, and printed by who catches them
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        properties = self._session.get_modelmeta().custom_metadata_map
        if KEY not in properties:
            raise ValueError("It has none of its metadata: it is of another tool")
        self.metadata = Metadata.from_json(properties[KEY])
        self.signatures = self.metadata.signatures
        missing = {*self._outputs(self.signatures)} - {output.name for output in self._session.get_outputs()}
        if missing:
            raise ValueError(f"It has no output {', '.join(sorted(missing))}: it is not what its metadata say")

    def inputs(self, signature):
        return {one.name: (_NUMPY[one.type], tuple(one.shape)) for one in self._session.get_inputs()}

    def run(self, signatures, inputs):
        outputs = self._outputs(signatures)
        return dict(zip(outputs, self._session.run(outputs, inputs), strict=True))

    def _outputs(self, signatures):
        return [output for name in signatures for output in self.signatures[name]]


_NUMPY = {
    "tensor(uint8)": np.dtype("uint8"),
    "tensor(int32)": np.dtype("int32"),
    "tensor(int64)": np.dtype("int64"),
    "tensor(float)": np.dtype("float32"),
    "tensor(float16)": np.dtype("float16"),
    "tensor(bool)": np.dtype("bool"),
}
_RUNTIMES = {".tflite": _LiteRT, ".onnx": _OnnxRuntime}


def _line(error):
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
