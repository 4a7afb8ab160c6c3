"""Runner: an exported .tflite or .onnx file on a machine that has neither TensorFlow nor Keras."""

import os
from pathlib import Path

import numpy as np

from .metadata import KEY, Metadata, read_archive


class RunnerError(ValueError):
    """A file that cannot be run, or an image that it does not take; the message says what was expected.

    Example:
        >>> Runner("missing.tflite")
        Traceback (most recent call last):
        keras_segattn.export.runtime.RunnerError: missing.tflite: expected an exported file. There is none
    """


class Runner:
    """Runs an exported segmentation file in LiteRT or onnxruntime.

    Args:
        path: .tflite or .onnx file that keras_segattn exported.
        threads: processor threads, >= 1; None for as many as there are cores.

    Attributes:
        metadata: ``Metadata`` of the file: classes, palette, image size, provenance.

    Raises:
        RunnerError: if the file is missing, truncated, or of another tool.
        ValueError: if ``threads`` is out of its range.
        ImportError: if its runtime is not installed; the message says which extra brings it.

    Example:
        >>> runner = Runner("fcn8s_mobilenet_camvid.tflite")                 # doctest: +SKIP
        >>> runner.labels(photograph).shape                                  # doctest: +SKIP
        (360, 480)
    """

    def __init__(self, path, threads=None):
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

    def labels(self, image):
        """The class of every pixel.

        Args:
            image: uint8 (H, W, 3), RGB, of ``metadata.image_size``; ``images.fit`` brings any photograph there.

        Returns:
            uint8 (H, W).

        Raises:
            RunnerError: if the image is of another shape or type.

        Example:
            >>> runner.labels(photograph).dtype                              # doctest: +SKIP
            dtype('uint8')
        """
        return self._session.run("segment", "labels", self._checked(image))[0]

    def logits(self, image):
        """The unnormalised scores of every pixel; argument as ``labels``.

        Returns:
            float32 (H, W, K).

        Raises:
            RunnerError: if the image is of another shape or type.

        Example:
            >>> runner.logits(photograph).shape                              # doctest: +SKIP
            (360, 480, 11)
        """
        return self._session.run("logits", "logits", self._checked(image))[0]

    def _checked(self, image):
        image = np.asarray(image)
        shape = (*self.metadata.image_size, 3)
        if image.shape != shape or image.dtype != np.uint8:
            raise RunnerError(f"image: expected uint8 {shape}. Received: {image.dtype} {image.shape}")
        return image[None]


class _LiteRT:
    def __init__(self, path, threads):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError(f"{path.name} needs LiteRT: install keras_segattn[lite]") from error
        self.metadata = read_archive(path)
        if self.metadata is None:  # it stands at the end of the file
            raise ValueError("It has none of its metadata: it is truncated, or of another tool")
        self._interpreter = Interpreter(str(path), num_threads=threads)
        self._signatures = {name: self._interpreter.get_signature_runner(name) for name in _SIGNATURES}

    def run(self, signature, output, image):
        return self._signatures[signature](image=image)[output]


class _OnnxRuntime:
    def __init__(self, path, threads):
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError(f"{path.name} needs onnxruntime: install keras_segattn[onnx]") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # fatal; errors are raised, and printed by who catches them
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        properties = self._session.get_modelmeta().custom_metadata_map
        if KEY not in properties:
            raise ValueError("It has none of its metadata: it is of another tool")
        self.metadata = Metadata.from_json(properties[KEY])

    def run(self, signature, output, image):
        return self._session.run([output], {"image": image})[0]


_SIGNATURES = ("segment", "logits")
_RUNTIMES = {".tflite": _LiteRT, ".onnx": _OnnxRuntime}


def _line(error):
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
