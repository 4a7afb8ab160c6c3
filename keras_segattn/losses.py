"""Losses of logits (B, H, W, K) against label maps (B, H, W), void pixels left out.

Each is a pure function and, by the same name, a ``keras.Loss`` to compile with. The valid pixels of a batch
are scored as one set, so an image that is mostly void counts for the little that it shows; a batch of nothing
but void has the loss 0, and so has its gradient. All is computed in float32, whatever the model computes in.

A label outside 0..K-1 that is not ``ignore_label`` is a mistake that a compiled graph cannot raise: its pixel
is NaN, and so is the loss of its batch, on every backend.
"""

import math

import keras
from keras import ops


def cross_entropy(labels, logits, ignore_label=None, class_weights=None, label_smoothing=0.0):
    """Softmax cross-entropy of every pixel: ``-sum_k w_k q_k log p_k``.

    p is the softmax of the logits, w the class weights, and q the target: ``1 - label_smoothing`` at the
    label, and ``label_smoothing`` shared equally by the K classes.

    Args:
        labels: Integers 0..K-1 or ``ignore_label``. (B, H, W)
        logits: Unnormalised scores. (B, H, W, K)
        ignore_label: The label of void pixels, or None when every pixel counts.
        class_weights: K numbers >= 0, or None for equal weights.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1).

    Returns:
        The loss of every pixel, 0 at void. (B, H, W) float32

    Raises:
        ValueError: the shapes of labels and logits do not fit, or class_weights are not K.

    Reference:
        Szegedy et al., Rethinking the Inception Architecture, 2016 (label smoothing);
        https://arxiv.org/abs/1512.00567

    Example:
        Two classes and equal logits, ln 2 for each pixel; the third one is void.

        >>> losses = cross_entropy([[[0, 1, 255]]], [[[[0, 0], [0, 0], [0, 9]]]], ignore_label=255)
        >>> [round(float(loss), 4) for loss in losses[0, 0]]
        [0.6931, 0.6931, 0.0]
    """
    labels, logits = _prepare(labels, logits)
    weights = pixel_weights(labels, logits.shape[-1], ignore_label, class_weights)
    losses = weights * _negative_log_likelihood(labels, logits)
    if label_smoothing == 0.0:
        return losses
    log_shares = ops.log_softmax(logits)  # (B, H, W, K)
    if class_weights is not None:
        log_shares = log_shares * ops.convert_to_tensor(class_weights, "float32")
    spread = -ops.mean(log_shares, axis=-1) * pixel_weights(labels, logits.shape[-1], ignore_label)
    return (1.0 - label_smoothing) * losses + label_smoothing * spread


def focal(labels, logits, ignore_label=None, class_weights=None, gamma=2.0):
    """Focal loss of every pixel: ``-w_t (1 - p_t)**gamma log p_t``, p_t being the softmax at the label.

    Args:
        labels: Integers 0..K-1 or ``ignore_label``. (B, H, W)
        logits: Unnormalised scores. (B, H, W, K)
        ignore_label: The label of void pixels, or None when every pixel counts.
        class_weights: K numbers >= 0 (alpha in the paper), or None for equal weights.
        gamma: How much less a pixel counts that is right already, >= 0; 0 is the cross-entropy.

    Returns:
        The loss of every pixel, 0 at void. (B, H, W) float32

    Raises:
        ValueError: the shapes of labels and logits do not fit, or class_weights are not K.

    Reference:
        Lin et al., Focal Loss for Dense Object Detection, 2017; https://arxiv.org/abs/1708.02002

    Example:
        Equal logits of two classes: half of the cross-entropy for gamma 1.

        >>> round(float(focal([[[0]]], [[[[0.0, 0.0]]]], gamma=1.0)[0, 0, 0]) / math.log(2), 4)
        0.5
    """
    labels, logits = _prepare(labels, logits)
    losses = _negative_log_likelihood(labels, logits)
    # The floor keeps the derivative of the power finite for gamma < 1.
    missed = ops.maximum(-ops.expm1(-losses), keras.config.epsilon())  # 1 - p_t
    weights = pixel_weights(labels, logits.shape[-1], ignore_label, class_weights)
    return weights * ops.power(missed, gamma) * losses


def dice(labels, logits, ignore_label=None):
    """Soft Dice loss of a batch: ``1 - 2 |A and B| / (|A| + |B|)``, mean over the classes in its labels.

    A is the softmax share and B the label mask of a class, both over the valid pixels of the whole batch.

    Args:
        labels: Integers 0..K-1 or ``ignore_label``. (B, H, W)
        logits: Unnormalised scores. (B, H, W, K)
        ignore_label: The label of void pixels, or None when every pixel counts.

    Returns:
        The loss of the batch, in [0, 1]. () float32

    Raises:
        ValueError: the shapes of labels and logits do not fit.

    Reference:
        Milletari et al., V-Net, 2016; https://arxiv.org/abs/1606.04797 (there with squares in the
        denominator); Sudre et al., Generalised Dice overlap, 2017; https://arxiv.org/abs/1707.03237

    Example:
        Equal logits: one pixel of the one class present, half of it found, ``1 - 2 * 0.5 / (0.5 + 1)``.

        >>> round(float(dice([[[0]]], [[[[0.0, 0.0]]]])), 4)
        0.3333
    """
    labels, logits = _prepare(labels, logits)
    valid = ops.expand_dims(pixel_weights(labels, logits.shape[-1], ignore_label), -1)  # (B, H, W, 1)
    shares = valid * ops.softmax(logits)
    targets = valid * _one_hot(labels, logits.shape[-1])
    overlap, size = ops.sum(shares * targets, axis=(0, 1, 2)), ops.sum(targets, axis=(0, 1, 2))  # (K,)
    losses = 1.0 - ops.divide_no_nan(2.0 * overlap, ops.sum(shares, axis=(0, 1, 2)) + size)
    return _mean_over_present(losses, size)


def lovasz(labels, logits, ignore_label=None):
    """Lovász-softmax loss of a batch: the Jaccard loss, made convex, mean over the classes in its labels.

    On hard predictions it is exactly one minus the intersection over union of labels and predictions over
    the valid pixels of the batch.

    Args:
        labels: Integers 0..K-1 or ``ignore_label``. (B, H, W)
        logits: Unnormalised scores. (B, H, W, K)
        ignore_label: The label of void pixels, or None when every pixel counts.

    Returns:
        The loss of the batch, in [0, 1]. () float32

    Raises:
        ValueError: the shapes of labels and logits do not fit.

    Reference:
        Berman et al., The Lovász-Softmax loss, 2018; https://arxiv.org/abs/1705.08790 (per batch,
        classes "present"). It sorts all pixels once for each class, many times the work of the others. The
        growth of the Jaccard loss is written out rather than differenced, as the difference of neighbours
        loses its digits in a batch of a million pixels.

    Example:
        Two pixels of class 0, one of them taken for class 1: intersection over union is 1 / 2.

        >>> round(float(lovasz([[[0, 0]]], [[[[99.0, 0.0], [0.0, 99.0]]]])), 4)
        0.5
    """
    labels, logits = _prepare(labels, logits)
    num_classes = logits.shape[-1]
    valid = ops.reshape(pixel_weights(labels, num_classes, ignore_label), (1, -1))  # (1, N), N = B H W
    shares = ops.transpose(ops.reshape(ops.softmax(logits), (-1, num_classes)))  # (K, N)
    targets = ops.transpose(ops.reshape(_one_hot(labels, num_classes), (-1, num_classes)))
    targets = ops.where(valid == 1.0, targets, 0.0)
    errors = valid * ops.abs(targets - shares)  # 0 at void, which so sorts behind all that counts

    order = ops.argsort(-errors, axis=1)
    errors = ops.take_along_axis(errors, order, axis=1)
    targets = ops.take_along_axis(targets, order, axis=1)
    size = ops.sum(targets, axis=1, keepdims=True)  # (K, 1)
    overlap = size - ops.cumsum(targets, axis=1)
    union = size + ops.cumsum(1.0 - targets, axis=1)
    growth = ops.where(targets == 1.0, 1.0 / union, overlap / (union * ops.maximum(union - 1.0, 1.0)))
    return _mean_over_present(ops.sum(errors * growth, axis=1), size[:, 0])


def pixel_weights(labels, num_classes, ignore_label=None, class_weights=None):
    """What every pixel counts: the weight of its class, 0 at void, NaN where the label is no class.

    Args:
        labels: Integers 0..K-1 or ``ignore_label``. (B, H, W)
        num_classes: K.
        ignore_label: The label of void pixels, or None when every pixel counts.
        class_weights: K numbers >= 0, or None for 1 each.

    Returns:
        The weights. (B, H, W) float32

    Raises:
        ValueError: class_weights are not K.

    Example:
        >>> weights = pixel_weights([[[0, 1, 2, 3]]], 3, ignore_label=2, class_weights=[0.5, 4.0, 1.0])
        >>> [float(weight) for weight in weights[0, 0]]
        [0.5, 4.0, 0.0, nan]
    """
    if class_weights is not None and len(class_weights) != num_classes:
        raise ValueError(
            f"Argument `class_weights` must hold one weight for each of the {num_classes} classes. "
            f"Received: {len(class_weights)} weights, class_weights={class_weights}"
        )
    labels = ops.cast(ops.convert_to_tensor(labels), "int32")
    weights = ops.ones_like(labels, "float32")
    if class_weights is not None:
        table = ops.convert_to_tensor(class_weights, "float32")
        weights = ops.take(table, ops.clip(labels, 0, num_classes - 1))
    weights = ops.where(ops.logical_and(labels >= 0, labels < num_classes), weights, math.nan)
    return weights if ignore_label is None else ops.where(labels == ignore_label, 0.0, weights)


@keras.saving.register_keras_serializable("keras_segattn")
class CrossEntropy(keras.Loss):
    """Mean softmax cross-entropy of the valid pixels of a batch.

    The weighted mean ``sum_i w_i loss_i / sum_i w_i``, w_i being the class weight of pixel i and 0 at void.
    Keras itself would divide by all pixels, void included; the loss of each pixel is scaled so that its mean
    is the one above. The number is that of PyTorch's ``cross_entropy(..., weight, ignore_index)``.

    Args:
        ignore_label: The label of void pixels, or None when every pixel counts.
        class_weights: K numbers >= 0, or None for equal weights.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1).
        name: Name of the loss.

    Call with labels ``y_true`` (B, H, W), logits ``y_pred`` (B, H, W, K) and, if wanted, a ``sample_weight``
    that broadcasts to (B, H, W): it scales the loss of a pixel, and leaves the divisor.

    Raises:
        ValueError: label_smoothing is not in [0, 1), a class weight is not a number >= 0; at the call: the
            shapes do not fit.

    Reference: see ``cross_entropy``.

    Example:
        One pixel and one void: the mean over the one pixel is ln 2.

        >>> import numpy as np
        >>> loss = CrossEntropy(ignore_label=255)
        >>> round(float(loss(np.array([[[0, 255]]]), np.zeros((1, 1, 2, 2)))), 4)
        0.6931
    """

    def __init__(self, ignore_label=None, class_weights=None, label_smoothing=0.0, name="cross_entropy"):
        super().__init__(name=name, dtype="float32")
        _check_class_weights(class_weights)
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"Argument `label_smoothing` must be in [0, 1). Received: label_smoothing={label_smoothing}"
            )
        self.ignore_label = ignore_label
        self.class_weights = class_weights
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        losses = cross_entropy(y_true, y_pred, self.ignore_label, self.class_weights, self.label_smoothing)
        weights = pixel_weights(y_true, y_pred.shape[-1], self.ignore_label, self.class_weights)
        return _for_weighted_mean(losses, weights)

    def get_config(self):
        return {
            "ignore_label": self.ignore_label,
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
            "name": self.name,
        }


@keras.saving.register_keras_serializable("keras_segattn")
class Focal(keras.Loss):
    """Mean focal loss of the valid pixels of a batch, weighted and divided as in ``CrossEntropy``.

    Args:
        ignore_label: The label of void pixels, or None when every pixel counts.
        class_weights: K numbers >= 0 (alpha in the paper), or None for equal weights.
        gamma: How much less a pixel counts that is right already, >= 0; 0 is the cross-entropy.
        name: Name of the loss.

    Call with labels ``y_true`` (B, H, W), logits ``y_pred`` (B, H, W, K) and, if wanted, a ``sample_weight``
    that broadcasts to (B, H, W).

    Raises:
        ValueError: gamma or a class weight is not a number >= 0; at the call: the shapes do not fit.

    Reference: see ``focal``.

    Example:
        Equal logits of two classes: a quarter of ln 2 for gamma 2.

        >>> import numpy as np
        >>> round(4 * float(Focal()(np.array([[[0, 1]]]), np.zeros((1, 1, 2, 2)))), 4)
        0.6931
    """

    def __init__(self, ignore_label=None, class_weights=None, gamma=2.0, name="focal"):
        super().__init__(name=name, dtype="float32")
        _check_class_weights(class_weights)
        if not 0 <= gamma < math.inf:
            raise ValueError(f"Argument `gamma` must be a number >= 0. Received: gamma={gamma}")
        self.ignore_label = ignore_label
        self.class_weights = class_weights
        self.gamma = gamma

    def call(self, y_true, y_pred):
        losses = focal(y_true, y_pred, self.ignore_label, self.class_weights, self.gamma)
        weights = pixel_weights(y_true, y_pred.shape[-1], self.ignore_label, self.class_weights)
        return _for_weighted_mean(losses, weights)

    def get_config(self):
        return {
            "ignore_label": self.ignore_label,
            "class_weights": self.class_weights,
            "gamma": self.gamma,
            "name": self.name,
        }


@keras.saving.register_keras_serializable("keras_segattn")
class Dice(keras.Loss):
    """Soft Dice loss of a batch, mean over the classes in its labels.

    Args:
        ignore_label: The label of void pixels, or None when every pixel counts.
        name: Name of the loss.

    Call with labels ``y_true`` (B, H, W) and logits ``y_pred`` (B, H, W, K). It is one number for the whole
    batch, so a ``sample_weight`` can only scale that.

    Raises:
        ValueError: at the call, if the shapes do not fit.

    Reference: see ``dice``.

    Example:
        >>> import numpy as np
        >>> round(float(Dice()(np.array([[[0]]]), np.zeros((1, 1, 1, 2)))), 4)
        0.3333
    """

    def __init__(self, ignore_label=None, name="dice"):
        super().__init__(name=name, dtype="float32")
        self.ignore_label = ignore_label

    def call(self, y_true, y_pred):
        return _one_of_a_kind(dice(y_true, y_pred, self.ignore_label))

    def get_config(self):
        return {"ignore_label": self.ignore_label, "name": self.name}


@keras.saving.register_keras_serializable("keras_segattn")
class Lovasz(keras.Loss):
    """Lovász-softmax loss of a batch, mean over the classes in its labels.

    Args:
        ignore_label: The label of void pixels, or None when every pixel counts.
        name: Name of the loss.

    Call with labels ``y_true`` (B, H, W) and logits ``y_pred`` (B, H, W, K). It is one number for the whole
    batch, so a ``sample_weight`` can only scale that.

    Raises:
        ValueError: at the call, if the shapes do not fit.

    Reference: see ``lovasz``.

    Example:
        Equal logits: each of the two pixels is off by 0.5, in a class of its own.

        >>> import numpy as np
        >>> round(float(Lovasz()(np.array([[[0, 1]]]), np.zeros((1, 1, 2, 2)))), 4)
        0.5
    """

    def __init__(self, ignore_label=None, name="lovasz"):
        super().__init__(name=name, dtype="float32")
        self.ignore_label = ignore_label

    def call(self, y_true, y_pred):
        return _one_of_a_kind(lovasz(y_true, y_pred, self.ignore_label))

    def get_config(self):
        return {"ignore_label": self.ignore_label, "name": self.name}


def _prepare(labels, logits):
    """Tensors: labels int32 (B, H, W), logits float32 (B, H, W, K)."""
    labels = ops.cast(ops.convert_to_tensor(labels), "int32")
    logits = ops.cast(ops.convert_to_tensor(logits), "float32")
    pairs = zip(labels.shape, logits.shape, strict=False)
    fits = all(a == b for a, b in pairs if a is not None and b is not None)
    if len(logits.shape) != len(labels.shape) + 1 or not fits:
        raise ValueError(
            "Labels must be (B, H, W) and logits (B, H, W, K), with the same B, H and W. "
            f"Received: labels of shape {tuple(labels.shape)}, logits of shape {tuple(logits.shape)}"
        )
    return labels, logits


def _negative_log_likelihood(labels, logits):
    labels = ops.clip(labels, 0, logits.shape[-1] - 1)  # void and wrong labels: see pixel_weights
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _one_hot(labels, num_classes):
    return ops.one_hot(ops.clip(labels, 0, num_classes - 1), num_classes, dtype="float32")


def _mean_over_present(losses, size):
    """Mean of the losses (K,) of the classes whose size (K,) is not 0; 0 where there is none."""
    present = ops.cast(ops.not_equal(size, 0.0), "float32")
    return ops.sum(present * losses) / ops.maximum(ops.sum(present), 1.0)


def _for_weighted_mean(losses, weights):
    """Scale losses so that their plain mean, which Keras takes, is ``sum(losses) / sum(weights)``."""
    return ops.divide_no_nan(losses, ops.mean(weights))


def _one_of_a_kind(loss):
    """() -> (1,): Keras divides a loss by the number of replicas, but passes a scalar as it is."""
    return ops.expand_dims(loss, 0)


def _check_class_weights(class_weights):
    if class_weights is not None and not all(0 <= weight < math.inf for weight in class_weights):
        raise ValueError(
            f"Argument `class_weights` must be numbers >= 0. Received: class_weights={class_weights}"
        )
