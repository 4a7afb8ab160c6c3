"""ONNX: functions of the same inputs as one graph; a session computes the outputs that it is asked for."""

import contextlib
import gc
from pathlib import Path

import numpy as np

OPSET = 18  # the newest that tf2onnx writes


def write_onnx(served, path, *, precision="float32", calibration=None, float_layers=()):
    """Write served functions as .onnx, checked in full.

    Functions of the same inputs, as ``segment`` and ``logits`` are, make one graph, in which they share all that they
    have in common. Functions of different inputs, as ``encode`` and ``step`` are, make a file each.

    Args:
        served: dict, name -> ``serving.Signature``; outputs of different functions have different names.
        path: file to write; functions of different inputs add their name to its stem.
        precision: "float32", "float16" or "int8".
        calibration: for "int8", see ``quantize.feeds``.
        float_layers: names of the layers that "int8" leaves in float32.

    Returns:
        list of the files.

    Raises:
        onnx.checker.ValidationError: if a graph is not valid.

    Example:
        >>> write_onnx(of_images(model), "model.onnx")                       # doctest: +SKIP
        [PosixPath('model.onnx')]
    """
    from .onnx_quantize import halve_onnx, quantize_onnx

    path = Path(path)
    first, *others = (signature.inputs for signature in served.values())
    if all(inputs == first for inputs in others):
        files = [_write(list(served.values()), path)]
    else:
        files = [_write([signature], path.with_stem(f"{path.stem}_{name}")) for name, signature in served.items()]
    for file in files:
        if precision == "float16":
            halve_onnx(file)
        elif precision == "int8":
            quantize_onnx(file, calibration, float_layers)
    return files


def _write(signatures, path):
    import onnx
    import tensorflow as tf
    import tf2onnx

    from .grid_sample import warps_of_onnx

    specs = [signatures[0].inputs]

    @tf.function(input_signature=specs)
    def together(inputs):
        return {name: output for signature in signatures for name, output in signature.function(inputs).items()}

    with warps_of_onnx() as handlers, _inlined(), _shaped_squares(), _swept():
        # Two loops may not share what tf2onnx takes for the room that one writes to.
        share = [_share] if len(signatures) > 1 else []
        options = {"opset": OPSET, "custom_op_handlers": {**handlers, "Erfc": (_erfc, [])}, "custom_rewriter": share}
        graph, _ = tf2onnx.convert.from_graph_def(**_frozen(together.get_concrete_function(*specs)), **options)
    used = {node.domain for node in graph.graph.node}
    for unused in [entry for entry in graph.opset_import if entry.domain not in used]:
        graph.opset_import.remove(unused)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))
    return path


def _frozen(function):
    """Arguments for ``from_graph_def`` of tf2onnx, whose ``from_function`` takes constants of a function for inputs."""
    import tensorflow as tf
    from tf2onnx import tf_loader

    captured = {id(tensor) for _, tensor in function.graph.captures}
    tensors = [tensor.name for tensor in function.inputs if id(tensor) not in captured]
    specs = tf.nest.flatten(function.structured_input_signature)
    inputs = {tensor: spec.name for tensor, spec in zip(tensors, specs, strict=True)}
    outputs = {tensor.name: name for name, tensor in function.structured_outputs.items()}
    names = {"input_names": list(inputs), "output_names": list(outputs)}
    graph = tf_loader.from_function(function, **names)
    return {"graph_def": graph, **names, "tensors_to_rename": inputs | outputs}


@contextlib.contextmanager
def _inlined():
    """While this is open, a function of TensorFlow within a function is traced as part of it.

    Keras compiles convolutions of groups by XLA, in a function of their own, which tf2onnx cannot look into.
    """
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextlib.contextmanager
def _shaped_squares():
    """While this is open, tf2onnx gives x * x the shape that it has when a transposition moves behind it.

    It forgets to, and then mistakes the channels of a map of one place for its width.
    """
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    before = TransposeOptimizer._mul_handler

    def handler(optimizer, transposition, node):
        moved = before(optimizer, transposition, node)
        if moved and len(set(node.input)) == 1:
            optimizer._g.copy_shape(node.input[0], node.output[0])
        return moved

    TransposeOptimizer._mul_handler = handler
    try:
        yield
    finally:
        TransposeOptimizer._mul_handler = before


@contextlib.contextmanager
def _swept():
    """While this is open, tf2onnx drops what its last pass has left before it copies the graph for the next one.

    Python would find those copies late, for their parts refer to each other: they took forty times the memory of the
    weights, and most of the time.
    """
    from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

    before = GraphOptimizerBase.optimize

    def optimize(*arguments):
        gc.collect()
        return before(*arguments)

    GraphOptimizerBase.optimize = optimize
    gc.freeze()  # what stood before need not be looked through each time
    try:
        yield
    finally:
        gc.unfreeze()
        GraphOptimizerBase.optimize = before


def _erfc(graph, node, name, _):
    """Handler of tf2onnx, which knows Erf alone: the exact gelu of Keras is made of 1 - Erf."""
    (x,) = node.input
    result = {"outputs": node.output, "shapes": node.output_shapes, "dtypes": node.output_dtypes}
    graph.remove_node(name)
    one = graph.make_const(f"{name}/one", np.float32(1))
    erf = graph.make_node("Erf", [x], name=f"{name}/Erf")
    graph.make_node("Sub", [one.output[0], erf.output[0]], name=name, **result)


def _share(graph, nodes):
    """Rewriter of tf2onnx: computes once what several functions need. Its own later pass spares the outputs."""
    from tf2onnx.optimizer import MergeDuplicatedNodesOptimizer

    graph.reset_nodes(list(dict.fromkeys(nodes)))  # the rewriter of Gemm lists its nodes twice
    return MergeDuplicatedNodesOptimizer().optimize(graph, 0).get_nodes()
