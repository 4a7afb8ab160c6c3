"""Weights of the classes in a loss, from how often they occur."""

import numpy as np


def class_weights_from_frequency(frequency, method="log", offset=1.10):
    """Weights for ``class_weights`` that lift rare classes.

    Args:
        frequency: Share f of the pixels that each class has, in [0, 1]. (K,)
        method: ``"log"`` for ``1 / ln(offset + f)``, bounded for any f; ``"median"`` for ``median(f) / f``.
        offset: The constant of ``"log"``, above 1: the nearer to 1, the more a rare class weighs. The
            paper has 1.02, which lifts the rarest class to 50; 1.10 stops at 10.5.

    Returns:
        K floats, in the order of the classes.

    Raises:
        ValueError: a frequency is not in [0, 1], or is 0 under ``"median"``; offset is not above 1; method
            is neither of the two.

    Reference:
        Paszke et al., ENet, 2016; https://arxiv.org/abs/1606.02147 (log).
        Eigen and Fergus, 2015; https://arxiv.org/abs/1411.4734 and Badrinarayanan et al., SegNet, 2017;
        https://arxiv.org/abs/1511.00561 (median: there f counts only the images in which the class occurs).

    Example:
        >>> class_weights_from_frequency([0.5, 0.25, 0.125], "median")
        (0.5, 1.0, 2.0)
    """
    shares = np.asarray(frequency, "float64")
    if shares.ndim != 1 or not np.all((shares >= 0) & (shares <= 1)):
        raise ValueError(f"Argument `frequency` must be K shares in [0, 1]. Received: frequency={frequency}")
    if method == "log":
        if not offset > 1:
            raise ValueError(f"Argument `offset` must be above 1. Received: offset={offset}")
        return tuple((1 / np.log(offset + shares)).tolist())
    if method == "median":
        if not np.all(shares > 0):
            raise ValueError(
                'Argument `frequency` must be above 0 in every class for method="median". '
                f"Received: frequency={frequency}"
            )
        return tuple((np.median(shares) / shares).tolist())
    raise ValueError(f'Argument `method` must be "log" or "median". Received: method={method!r}')
