"""The runtimes of exported files, behind classes of the same methods. ``Runner`` is what callers use."""

import contextlib

import numpy as np

from .metadata import read_archive, read_properties


class LiteRT:
    """A .tflite file in LiteRT; the methods are those of ``OnnxRuntime``.

    Example:
        >>> LiteRT(Path("model.tflite"), threads=2).signatures               # doctest: +SKIP
        {'segment': ('labels',), 'logits': ('logits',)}
    """

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


class OnnxRuntime:
    """An .onnx file in onnxruntime.

    Args:
        path: pathlib.Path of the file.
        threads: processor threads.

    Attributes:
        metadata: ``Metadata`` of the file.
        signatures: dict, name of a function -> names of its outputs.

    Raises:
        ImportError: if the runtime is not installed; the message says which extra brings it.
        Exception: of its own, if it cannot run the file, and ValueError if that is of another tool.

    Example:
        >>> OnnxRuntime(Path("model.onnx"), threads=2).inputs("segment")     # doctest: +SKIP
        {'image': (dtype('uint8'), (1, 360, 480, 3))}
    """

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
        self.metadata = read_properties(self._session.get_modelmeta().custom_metadata_map)
        if self.metadata is None:
            raise ValueError("It has none of its metadata: it is of another tool")
        self.signatures = self.metadata.signatures
        missing = {*self._outputs(self.signatures)} - {output.name for output in self._session.get_outputs()}
        if missing:
            raise ValueError(f"It has no output {', '.join(sorted(missing))}: it is not what its metadata say")

    def inputs(self, signature):
        """What a function takes: dict, name -> (dtype, shape)."""
        return {one.name: (_NUMPY[one.type], tuple(one.shape)) for one in self._session.get_inputs()}

    def run(self, signatures, inputs):
        """What some functions answer to the same inputs: dict, name of an output -> array."""
        outputs = self._outputs(signatures)
        return dict(zip(outputs, self._session.run(outputs, inputs), strict=True))

    def _outputs(self, signatures):
        return [output for name in signatures for output in self.signatures[name]]


class TensorFlow:
    """A SavedModel in TensorFlow; the methods are those of ``OnnxRuntime``.

    The number of threads is one for all that TensorFlow does, so it counts where it has not computed anything before.

    Example:
        >>> TensorFlow(Path("model_saved_model"), threads=2).signatures      # doctest: +SKIP
        {'segment': ('labels',), 'logits': ('logits',)}
    """

    def __init__(self, path, threads):
        try:
            import tensorflow as tf
        except ImportError as error:
            raise ImportError(f"{path.name} needs TensorFlow: install keras_segattn[cpu]") from error
        self.metadata = read_archive(path)
        if self.metadata is None:
            raise ValueError("It has none of its metadata: it is of another tool")
        with contextlib.suppress(RuntimeError):  # it has computed before
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        self._constant = tf.constant
        self._model = tf.saved_model.load(str(path))  # its functions need it as long as they live
        self._functions = {name: function for name, function in self._model.signatures.items() if name != _SERVING}
        self.signatures = {name: tuple(function.structured_outputs) for name, function in self._functions.items()}

    def inputs(self, signature):
        _, named = self._functions[signature].structured_input_signature
        return {name: (np.dtype(one.dtype.as_numpy_dtype), tuple(one.shape)) for name, one in named.items()}

    def run(self, signatures, inputs):
        given = {name: self._constant(array) for name, array in inputs.items()}
        found = [self._functions[name](**given) for name in signatures]
        return {key: answer.numpy() for one in found for key, answer in one.items()}


_SERVING = "serving_default"  # what TensorFlow Serving calls, the first function by another name
_NUMPY = {
    "tensor(uint8)": np.dtype("uint8"),
    "tensor(int32)": np.dtype("int32"),
    "tensor(int64)": np.dtype("int64"),
    "tensor(float)": np.dtype("float32"),
    "tensor(float16)": np.dtype("float16"),
    "tensor(bool)": np.dtype("bool"),
}
RUNTIMES = {".tflite": LiteRT, ".onnx": OnnxRuntime, "": TensorFlow}  # by suffix; a SavedModel is a folder
