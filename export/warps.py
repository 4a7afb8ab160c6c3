"""Where an operator reads, and how it weighs what it read: what int8 would spoil, found by its use, not by names."""

# What reads at places, its second input: at whole numbers, or an image between its pixels.
READERS = ("GATHER", "GATHER_ND", "Gather", "GatherElements", "GatherND", "GridSample")
SUMS = ("ADD", "ADD_N", "Add", "Sum", "SUM", "ReduceSum")
PRODUCTS = ("BATCH_MATMUL", "FULLY_CONNECTED", "Gemm", "MatMul")
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "Conv", "ConvTranspose")


def warps(functions):
    """The operators of warps that have to stay float.

    int8 knows 256 places along an image, so with int8 coordinates little is left of it. Coordinates begin at the
    layer whose kernel decides about them, such as the last dense one of a localization net, and end where they are
    rounded to whole numbers that a gather reads at, or in a GridSample. What is computed of nothing else belongs to
    them, such as how far a place is from the next pixel; and so do the sums of pixels with such weights, for int8
    cuts off the rare large difference of two neighbours. The words of a sentence are no coordinates.

    Args:
        functions: those of an ``artifact.Artifact``. What one of them only answers with is a coordinate if another
            reads there.

    Returns:
        list of ``artifact.Operator``, in their order.

    Example:
        >>> from keras_segattn.export.artifact import Function, Operator, Tensor
        >>> theta, grid, image, warped = (Tensor(name, "float32") for name in ("theta", "grid", "image", "warped"))
        >>> move = Operator("Mul", "move", False, (theta,), (grid,))
        >>> read = Operator("GridSample", "read", False, (image, grid), (warped,))
        >>> [operator.name for operator in warps([Function("warp", True, {}, {}, (move, read), ())])]
        ['move']
    """
    found = [operator for function in functions for operator in _warps(function.operators, set())]
    kernels = {_values(operator) for operator in found} - {None}
    return [operator for function in functions for operator in _warps(function.operators, kernels)]


def _warps(operators, kernels):
    makers = {tensor: operator for operator in operators for tensor in operator.outputs}
    sources = {operator: _sources(operator, makers) for operator in operators}
    places = {operator: _places(operator, makers) for operator in operators if operator.kind in READERS}
    samplers = {operator for operator, found in places.items() if found}

    decisive = [operator for operator in operators if _values(operator) in kernels]
    coordinates = _before([*decisive, *(maker for found in places.values() for maker in found)], sources)
    for operator in operators:
        if operator not in places and sources[operator] and coordinates.issuperset(sources[operator]):
            coordinates.add(operator)

    read, weighed = set(samplers), []  # what follows a sampler up to the next layer; what of it meets a coordinate
    for operator in operators:
        made = set(sources[operator])
        if made & read and operator not in coordinates and operator not in samplers:
            read.add(operator)
            weighed += [operator] if made & coordinates else []
    sums = read & _before(weighed, sources)
    for operator in operators:
        made = set(sources[operator])
        if operator.kind in SUMS and made and made <= sums and made - samplers:
            sums.add(operator)
    floats = coordinates | sums - samplers
    return [operator for operator in operators if operator in floats]


def _before(operators, sources):
    """These operators and all that they are computed of."""
    found, waiting = set(), list(operators)
    while waiting:
        operator = waiting.pop()
        if operator not in found:
            found.add(operator)
            waiting.extend(sources[operator])
    return found


def _sources(operator, makers):
    """The operators that made what it computes with; none for a layer, which has learnt what it does."""
    kernel = _kernel(operator)
    # A grid has products as well, but by a stack of matrices, or with the matrix at the left.
    matrix = kernel and len(kernel.shape or ()) == 2 and _is_constant(kernel, makers)
    if operator.kind in CONVOLUTIONS or matrix:
        return []
    return [makers[tensor] for tensor in operator.inputs if tensor in makers and not _is_constant(tensor, makers)]


def _kernel(operator):
    """The second operand of a product or convolution, or None."""
    return next(iter(operator.inputs[1:2]), None) if operator.kind in PRODUCTS + CONVOLUTIONS else None


def _is_constant(tensor, makers):
    """Whether it is a constant, or a conversion of one."""
    maker = makers.get(tensor)
    return tensor.constant is not None or bool(maker) and all(one.constant is not None for one in maker.inputs)


def _values(layer):
    """What a layer has learnt, to know it again in another function, or None."""
    kernel = _kernel(layer)
    return None if kernel is None or kernel.constant is None else (kernel.shape, kernel.constant.tobytes())


def _places(reader, makers):
    """What made the real numbers that a reader's second input is, or is rounded from."""
    found, waiting = [], list(reader.inputs[1:2])
    while waiting:
        tensor = waiting.pop()
        maker = makers.get(tensor)
        if maker and tensor.dtype.startswith("float"):
            found.append(maker)
        elif maker:
            real = any(one.dtype.startswith("float") for one in maker.inputs)
            # An arg max makes whole numbers of real ones too, but those are no places.
            waiting.extend(maker.inputs if not real or maker.kind in ("CAST", "Cast") else ())
    return found
