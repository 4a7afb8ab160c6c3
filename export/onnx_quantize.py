"""Precisions of an .onnx file: what is done to a float32 one."""

import tempfile
from pathlib import Path

from .quantize import feeds, quietly, scopes

KERNELS = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # operators whose second input is the kernel
ACTIVATIONS = ("Clip", "Relu")  # operators that int8 makes part of the one before
TAIL = ("ArgMax", "Cast", "Softmax")  # of the label map and the probabilities; they stay float


def halve_onnx(path):
    """Store kernels and embeddings of a float32 .onnx file as float16, but for depthwise kernels and those of
    ``warps``; the arithmetic stays float32.

    onnxruntime makes the kernels float32 again while it loads the file. Of the trained FCN-8s on 4 test images of
    CamVid, on the CPU: largest difference of a logit 1.2e-6 of the range, all labels equal, 5.3 MB of 10.2, 43 ms of
    processor time an image. With float16 arithmetic (onnxruntime.transformers.float16), for which the CPU has hardly
    a kernel: 1.6e-3, 99.97 %, 5.1 MB, 44 ms. FCN-16s: 9e-7 and all equal against 2.7e-3 and 99.95 %.

    Args:
        path: .onnx file, changed in place.

    Raises:
        onnx.checker.ValidationError: if the graph is not valid.

    Example:
        >>> halve_onnx("model.onnx")                                         # doctest: +SKIP
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from .onnx_reader import read_onnx
    from .warps import warps

    model = onnx.load(str(path))
    exact = {operator.name for operator in warps(read_onnx(Path(path)).functions)}
    graphs = list(_graphs(model.graph))
    halved = [node for graph in graphs for node in graph.node if node.name not in exact and not _is_depthwise(node)]
    kernels = {node.input[1] for node in halved if node.op_type in KERNELS}
    kernels |= {node.input[0] for node in halved if node.op_type == "Gather"}  # the table of an embedding
    kernels |= {name for node in halved if node.op_type == "Loop" for name in _kept(node)}
    halves, casts = [], []
    for graph in graphs:
        floats = [tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT]
        for tensor in [one for one in floats if one.name in kernels and len(one.dims) > 1]:
            half = f"{tensor.name}/float16"
            halves.append(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float16"), half))
            casts.append(helper.make_node("Cast", [half], [tensor.name], name=f"{half}/Cast", to=TensorProto.FLOAT))
            graph.initializer.remove(tensor)
    model.graph.initializer.extend(halves)  # those of a loop too: outside of it they are cast once
    _replace(model.graph.node, [*casts, *model.graph.node])
    _save(model, path)


def _kept(loop):
    """What a Loop is given and hands from step to step as it is: its weights."""
    body = loop.attribute[0].g
    copies = {node.output[0]: node.input[0] for node in body.node if node.op_type == "Identity"}
    # A body takes number, condition and what is handed on, and gives the same but for the number.
    for given, inside, after in zip(loop.input[2:], body.input[2:], body.output[1:], strict=False):
        if copies.get(after.name, after.name) == inside.name:
            yield given


def _graphs(graph):
    """A graph, and after it those inside of its operators."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                yield from _graphs(body)


def quantize_onnx(path, calibration, float_layers=()):
    """Make a float32 .onnx file int8, as QuantizeLinear and DequantizeLinear around its operators.

    Args:
        path: .onnx file, changed in place.
        calibration: uint8 (N, H, W, 3) real images, which the ranges are taken from. Of a model of anything else dict,
            name of an input -> array (N, ...).
        float_layers: names of the layers that stay float32.

    Raises:
        ValueError: if there are no images, or the file has no layer of such a name.

    Example:
        >>> quantize_onnx("model.onnx", calibration=[])
        Traceback (most recent call last):
        ValueError: calibration: expected real images for int8. Received: none
    """
    Int8Onnx(path, calibration).write(path, float_layers)


class Int8Onnx:
    """The int8 files of one float32 .onnx file, which is calibrated once, whatever layers then stay float.

    Kernels are int8 per output channel, activations int8 per tensor with the mean over the images of their extremes
    as range, biases int32. Label map, probabilities and what ``warps`` finds are computed in float.

    Other ways to find the ranges make no difference: on the validation split of CamVid, FCN-8s gained 0.14 points of
    mean IoU with this one, 0.09 with the extremes of all images, 0.12 and 0.14 with percentiles 99.999 and 99.99, and
    0.11 with entropy (benchmarks/onnx_calibration.py), with 99.18 to 99.21 % of the labels unchanged.

    Args:
        path: float32 .onnx file.
        calibration: uint8 (N, H, W, 3) real images, which the ranges are taken from. Of a model of anything else dict,
            name of an input -> array (N, ...).

    Attributes:
        path: that file.
        layers: dict: name of a Keras layer that int8 changes -> bytes of its float32 constants, as the data flows.

    Raises:
        ValueError: if there are no images.

    Example:
        >>> int8 = Int8Onnx("fcn8s.onnx", images)                            # doctest: +SKIP
        >>> int8.write("fcn8s_int8.onnx", float_layers=["conv1"])            # doctest: +SKIP
    """

    def __init__(self, path, calibration):
        if calibration is None or len(calibration) == 0:
            raise ValueError("calibration: expected real images for int8. Received: none")
        import onnx
        from onnxruntime.quantization.shape_inference import quant_pre_process

        from .onnx_reader import read_onnx
        from .warps import warps

        self.path = path
        self._folder = tempfile.TemporaryDirectory()  # it goes with this object
        self._float, self._ranges, self._made = (
            Path(self._folder.name, name) for name in ("float32.onnx", "ranges.json", "int8.onnx")
        )
        # Batch normalisation goes into the kernel before it; a scale of its own would be rounded by itself.
        quant_pre_process(str(path), str(self._float), skip_symbolic_shape=True)
        model = onnx.load(str(self._float))
        self._floats = {node.name for node in model.graph.node if node.op_type in TAIL}
        self._floats |= {operator.name for operator in warps(read_onnx(self._float).functions)}
        self._scopes, self.layers = _layers(model, self._floats)
        self._properties = list(onnx.load(str(path)).metadata_props)
        self._quantize(_images(calibration), ())  # for the ranges, which it leaves in their file

    def write(self, path, float_layers=()):
        """Write one file.

        Args:
            path: .onnx file to write; that of the constructor may be overwritten.
            float_layers: names of the layers that stay float32; that of a nested model stands for all of its layers.

        Raises:
            ValueError: if the file has no layer of such a name.

        Example:
            >>> int8.write("fcn8s_int8.onnx")                                # doctest: +SKIP
        """
        import onnx

        nodes = {layer: [name for name, of in self._scopes.items() if layer in of] for layer in float_layers}
        for layer, found in nodes.items():
            if not found:
                raise ValueError(f"float_layers: expected names of {', '.join(self.layers)}. Received: {layer!r}")
        self._quantize(None, [name for found in nodes.values() for name in found])
        model = onnx.load(str(self._made))
        _replace(model.graph.node, list(_guarded(model.graph)))
        used = {node.domain for node in model.graph.node}
        # onnxruntime declares every domain that it knows, and notes its own steps.
        _replace(model.opset_import, [entry for entry in model.opset_import if entry.domain in used])
        _replace(model.metadata_props, self._properties)
        _save(model, path)

    def _quantize(self, reader, excluded):
        from onnxruntime import quantization

        with quietly():
            quantization.quantize_static(
                self._float,
                self._made,
                reader,
                per_channel=True,
                nodes_to_exclude=[*self._floats, *excluded],
                extra_options={"CalibMovingAverage": True},
                calibration_cache_path=self._ranges,
            )


def _guarded(graph):
    """The nodes of a graph, with a copy, ``Max`` of a single tensor, before every float kernel that follows int8.

    Without, onnxruntime takes such a layer between two int8 ones for a forgotten one and makes its kernel int8 while
    it loads the file, one range for all channels: WeightBiasQuantization, not to be switched off in a file. With
    conv_dw_1 of FCN-8s in float 19 % of the labels of CamVid changed, 0.9 % with nothing in float.
    """
    from onnx import helper

    constants = {tensor.name for tensor in graph.initializer}
    maker = {name: node.op_type for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type in KERNELS and node.input[1] in constants and maker.get(node.input[0]) == "DequantizeLinear":
            copied = f"{node.name}/copy"
            yield helper.make_node("Max", [node.input[0]], [copied], name=copied)
            node.input[0] = copied
        yield node


def _images(images):
    from onnxruntime import quantization

    class Images(quantization.CalibrationDataReader):
        def __init__(self):
            self._feeds = iter(feeds(images))

        def get_next(self):
            return next(self._feeds, None)

    return Images()


def _layers(model, floats):
    """The layers that each node is of, and of each layer that int8 changes the bytes of its constants."""
    sizes = {tensor.name: len(tensor.raw_data) for tensor in model.graph.initializer}
    maker, layers_of, layers = {}, {}, {}
    for node in model.graph.node:
        # A kernel has its layer's own name, unless constants were folded into it.
        kernel = [name for name in node.input[1:2] if node.op_type in KERNELS and name in sizes]
        names = [*kernel, node.name, *node.output]
        own = next((scopes(name)[-1] for name in names if scopes(name) and "/batchnorm/" not in name), None)
        before = next((maker[name] for name in node.input if maker.get(name)), None)
        if node.op_type in ACTIVATIONS or not own:
            own = before or own
        layers_of[node.name] = {own, *(scope for name in names for scope in scopes(name))}
        maker.update(dict.fromkeys(node.output, own))
        if own and node.name not in floats:
            layers[own] = layers.get(own, 0) + sum(sizes.get(name, 0) for name in node.input)
    return layers_of, layers


def _is_depthwise(node):
    return any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)


def _replace(field, values):
    copies = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(copies)


def _save(model, path):
    import onnx

    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
