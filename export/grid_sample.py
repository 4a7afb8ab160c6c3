"""A warp in ONNX: one GridSample in the place of a ``BilinearSampler``, two products in that of an ``AffineGrid``."""

import contextlib

import numpy as np

NCHW, NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
MARK = "PyFunc"  # an operator of TensorFlow that no converter looks into; it is traced and never run
TOKEN = "keras_segattn.BilinearSampler"

# An affine grid as a sum: number of theta, what of the lattice it is multiplied with, coordinate that it adds to.
AFFINE = ((0, "x", 0), (1, "y", 0), (2, "", 0), (3, "x", 1), (4, "y", 1), (5, "", 1))
ATTENTION = ((0, "x", 0), (1, "", 0), (0, "y", 1), (2, "", 1))


@contextlib.contextmanager
def warps_of_onnx():
    """While this is open, the layers of a warp are traced as what ONNX has for them; they know nothing of it.

    A ``BilinearSampler``, 75 nodes otherwise, becomes Transpose, Clip, GridSample and Transpose; an ``AffineGrid``, 11
    otherwise, becomes Mul and MatMul. A warp of 256x256x3 takes onnxruntime 1.9 ms of processor time instead of 7.9.

    onnxruntime 1.31 reads what the layer reads, but for a coordinate that is not a number; with reflection one that is
    2 ** 24 pixels away; and with reflection and "nearest" one midway between two pixels.

    Yields:
        dict, ``custom_op_handlers`` of tf2onnx.

    Example:
        >>> with warps_of_onnx() as handlers:
        ...     sorted(handlers)
        ['PyFunc']
    """
    from ..layers import AffineGrid, BilinearSampler

    own = {layer: layer.call for layer in (AffineGrid, BilinearSampler)}
    AffineGrid.call, BilinearSampler.call = _affine_grid, _mark
    try:
        yield {MARK: (_grid_sample, [])}
    finally:
        for layer, call in own.items():
            layer.call = call


def _affine_grid(layer, theta):
    """(B, h, w, 2) as one product for each row: what the columns make of theta, times what the row makes of it."""
    import tensorflow as tf

    from ..layers.lattice import lattice

    theta = tf.cast(theta, layer.variable_dtype)
    x, y = lattice(layer.output_size, layer.align_corners)
    numbers, lines, coordinates = zip(*(ATTENTION if layer.attention else AFFINE), strict=True)
    columns = np.stack([x if line == "x" else np.ones_like(x) for line in lines], axis=-1)
    rows = np.zeros((1, len(y), len(lines), 2))
    for i, (line, coordinate) in enumerate(zip(lines, coordinates, strict=True)):
        rows[0, :, i, coordinate] = y if line == "y" else 1
    if layer.attention:
        theta = tf.gather(theta, numbers, axis=1)                          # (B, terms)
    if theta.shape[0] != 1:
        theta = theta[:, None, None]                                       # (B, 1, 1, terms)
    return tf.matmul(theta * tf.constant(columns, theta.dtype), tf.constant(rows, theta.dtype))


def _mark(layer, inputs):
    """One opaque operator of the shape (B, h, w, C), which holds what the handler has to know."""
    import tensorflow as tf

    image, grid = (tf.cast(tensor, layer.compute_dtype) for tensor in inputs)
    token = f"{TOKEN} {layer.interpolation} {layer.padding} {layer.align_corners:d}"
    (warped,) = tf.raw_ops.PyFunc(input=[image, grid], token=token, Tout=[image.dtype], name="warp")
    return tf.ensure_shape(warped, layer.compute_output_shape((image.shape, grid.shape)))


def _grid_sample(graph, node, name, _):
    """Handler of tf2onnx: puts the operators of ONNX in the place of the opaque one."""
    token = node.get_attr_str("token")
    if not token.startswith(TOKEN):
        raise ValueError(f"op [{name}: {MARK}] is not supported")  # somebody's tf.numpy_function
    image, grid = node.input
    _, interpolation, padding, align_corners = token.split()
    result = {"outputs": node.output, "shapes": node.output_shapes, "dtypes": node.output_dtypes}
    # Three half images away from the middle is outside like all beyond it, which onnxruntime cannot weigh exactly;
    # with reflection it reads past the image's memory if it is older than 1.26.
    far = 2.0**25 / max(graph.get_shape(image)[1:3]) if padding == "reflection" else 3.0
    graph.remove_node(name)
    limits = [graph.make_const(f"{name}/{end}", np.float32(limit)) for end, limit in (("low", -far), ("high", far))]
    near = graph.make_node("Clip", [grid, *(limit.output[0] for limit in limits)], name=f"{name}/Clip")
    planes = graph.make_node("Transpose", [image], attr={"perm": NCHW}, name=f"{name}/planes")
    attributes = {"mode": interpolation, "padding_mode": padding, "align_corners": int(align_corners)}
    inputs = [planes.output[0], near.output[0]]
    warped = graph.make_node("GridSample", inputs, attr=attributes, name=f"{name}/GridSample")
    graph.make_node("Transpose", warped.output, attr={"perm": NHWC}, name=name, **result)
