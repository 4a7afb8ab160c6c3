"""Culprits: which layers of an int8 file cost its labels, and which of them to keep in float."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAX_DROP = 0.3  # points of mean IoU that a mixed file may lose against float32


class QuantizationError(RuntimeError):
    """A mixed file that loses too much; the message says how much, and with how many layers in float.

    Example:
        >>> raise QuantizationError("m.tflite: 20 of 40 layers in float still lose 0.41 points, 0.30 at most expected")
        Traceback (most recent call last):
        keras_segattn.export.culprits.QuantizationError: m.tflite: 20 of 40 layers in float still lose 0.41 \
points, 0.30 at most expected
    """


@dataclass(frozen=True)
class Culprit:
    """One layer, and what it costs to make it int8.

    Args:
        layer: name of the Keras layer.
        error: share of the labels, of pixels or images, that change when this layer alone is int8, 0..1.
        difference: of the scores then, mean and as a share of their range.
        size: bytes of its float32 constants.

    Example:
        >>> print(Culprit("conv_dw_2", error=0.00499, difference=0.002, size=1920))
        conv_dw_2: 0.499 % of the labels, 2.0e-03 of the scores, 1.9 kB
    """

    layer: str
    error: float
    difference: float
    size: int

    def __str__(self):
        changed = f"{100 * self.error:.3f} % of the labels, {self.difference:.1e} of the scores"
        return f"{self.layer}: {changed}, {self.size / 1000:.1f} kB"


@dataclass(frozen=True)
class Mixed:
    """How a mixed file came about.

    Args:
        kept: tuple of ``Culprit``, the layers that stay float32, worst first.
        drop: points that the file loses against float32; below zero it gains.
        tried: tuple of (number of layers in float, drop) of every file that was tried, in that order.

    Example:
        >>> Mixed((Culprit("conv1", 0.002, 0.001, 2688),), 0.1, ((0, 0.6), (1, 0.1))).float_layers
        ('conv1',)
    """

    kept: tuple
    drop: float
    tried: tuple

    @property
    def float_layers(self):
        """Names of the layers that stay float32.

        Example:
            >>> Mixed((), 0.1, ((0, 0.1),)).float_layers
            ()
        """
        return tuple(culprit.layer for culprit in self.kept)


def culprits(int8, images):
    """The layers of a file, worst first, each by the labels that it alone changes, and of as many by its difference.

    A file is made for each layer in which nothing else is int8, and its labels are held against those of float32.
    On FCN-8s that predicts better what keeping layers in float will bring than the other way round, one layer in
    float and all others int8: with the 13 worst layers in float 0.49 % of other labels changed against 0.88 %,
    of 1.58 % in plain int8.

    Args:
        int8: ``quantize.Int8`` of a .tflite or ``onnx_quantize.Int8Onnx`` of an .onnx file, which is still there.
        images: uint8 (N, H, W, 3) real images; 6 of CamVid tell the layers of FCN-8s apart; a
            hundred are none too many where each has one label.

    Returns:
        list of ``Culprit``, the largest error first.

    Raises:
        ValueError: if there are no images.

    Example:
        >>> culprits(Int8("fcn8s.tflite", train, ["segment", "logits"]), val)[0].layer   # doctest: +SKIP
        'conv_dw_2'
    """
    if len(images) == 0:
        raise ValueError("images: expected real images to see the labels of. Received: none")
    expected = _scores(int8.path, images)                                  # (N, H, W, K) or (N, K)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / Path(int8.path).name
        for layer, size in int8.layers.items():
            int8.write(made, [other for other in int8.layers if other != layer])
            scores = _scores(made, images)
            error = (scores.argmax(-1) != expected.argmax(-1)).mean()
            difference = np.abs(scores - expected).mean() / np.ptp(expected)
            found.append(Culprit(layer, float(error), float(difference), size))
    return sorted(found, key=lambda culprit: (-culprit.error, -culprit.difference))


def mix(int8, path, ranking, drop, *, limit=MAX_DROP):
    """Write the file with the fewest of the worst layers in float32 that loses no more than a limit.

    The number of layers is doubled until the file is good enough, and halved in between until it is the fewest.

    Args:
        int8: see ``culprits``.
        path: file to write; it is also where the files lie that are tried.
        ranking: list of ``Culprit``, worst first. It may come from the other format, whose layers have the same names.
        drop: function: path -> points of mean IoU that the file there loses against float32. It may attach metadata.
        limit: the most that the file may lose, in those points.

    Returns:
        ``Mixed``.

    Raises:
        QuantizationError: if half of the layers in float do not bring it there; no file is left then.

    Example:
        >>> ranking = culprits(int8, images)                                 # doctest: +SKIP
        >>> mix(int8, "fcn8s_mixed.tflite", ranking, drop).float_layers      # doctest: +SKIP
        ('conv_dw_2', 'conv_dw_3')
    """
    path = Path(path)
    ranking = [culprit for culprit in ranking if culprit.layer in int8.layers]
    most, tried, files = len(ranking) // 2, {}, {}

    def is_enough(count):
        int8.write(path, [culprit.layer for culprit in ranking[:count]])
        tried[count], files[count] = float(drop(path)), path.read_bytes()
        return tried[count] <= limit  # never so of a NaN

    enough, too_few = 0, -1
    while not is_enough(enough):
        if enough == most:
            path.unlink()
            raise QuantizationError(
                f"{path.name}: {most} of {len(ranking)} layers in float still lose {tried[most]:.2f} points, "
                f"{limit:.2f} at most expected. The worst: {'; '.join(map(str, ranking[:3]))}"
            )
        too_few, enough = enough, min(max(1, 2 * enough), most)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if is_enough(middle):
            enough = middle
        else:
            too_few = middle
    path.write_bytes(files[enough])
    return Mixed(tuple(ranking[:enough]), tried[enough], tuple(tried.items()))


def _scores(path, images):
    """Logits or probabilities of a file that has no metadata yet, so that no ``Runner`` takes it."""
    if Path(path).suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        wanted = _of_scores(output.name for output in session.get_outputs())
        answers = [session.run([wanted], {"image": image[None]})[0] for image in images]
    else:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path))
        functions = {key: name for name, one in interpreter.get_signature_list().items() for key in one["outputs"]}
        wanted = _of_scores(functions)
        function = interpreter.get_signature_runner(functions[wanted])
        answers = [function(image=image[None])[wanted] for image in images]
    return np.concatenate(answers)


def _of_scores(outputs):
    return next(name for name in outputs if name in ("logits", "probabilities"))
