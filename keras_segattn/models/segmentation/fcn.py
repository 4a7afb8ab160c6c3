"""Fully convolutional networks for semantic segmentation: FCN-32s, FCN-16s and FCN-8s.

Reference: Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, CVPR 2015.
"""

import keras
from keras import layers

from ...layers import CropLike
from ..encoders import encode
from ..upsampling import UPSAMPLING


def fcn32s(
    image_shape,
    num_classes,
    *,
    encoder="mobilenet_0.75",
    encoder_weights=None,
    head_filters=512,
    dropout=0.2,
    upsampling="conv_transpose",
):
    """FCN-32s: scores at stride 32, upsampled in one step.

    Args:
        image_shape: (H, W, 3), H and W >= 32 or None for any size.
        num_classes: int >= 2, K.
        encoder: key of ``ENCODERS``.
        encoder_weights: None, "imagenet" or the path of an .npz file; see ``encode``.
        head_filters: channels of the two layers between encoder and scores, the paper's fc6 and fc7.
        dropout: rate of dropout after each of them, 0..1.
        upsampling: key of ``UPSAMPLING``. A new model gives the same answer with each; ``convert_upsampling``
            takes a trained one from one to another.

    Returns:
        keras.Model: ``image`` (B, H, W, 3), RGB 0..255 -> ``logits`` (B, H, W, K), unnormalised.
        With "mobilenet_0.75" and 11 classes it has 2.54 million parameters besides the fixed upsampling.

    Raises:
        ValueError: if an argument is outside of its range.

    Reference: Long et al., CVPR 2015, section 4.2.

    Example:
        >>> fcn32s((360, 480, 3), num_classes=11).output_shape
        (None, 360, 480, 11)
    """
    up = _upsampling(upsampling)
    image, features = _encode(image_shape, num_classes, encoder, encoder_weights)
    x = _score_head(features[32], num_classes, head_filters, dropout)      # (B, H/32, W/32, K)
    return _upsampled(image, x, up, 32, name="fcn32s")


def fcn16s(
    image_shape,
    num_classes,
    *,
    encoder="mobilenet_0.75",
    encoder_weights=None,
    head_filters=512,
    dropout=0.2,
    upsampling="conv_transpose",
):
    """FCN-16s: the scores of FCN-32s, doubled, plus scores at stride 16. Arguments as ``fcn32s``.

    The scores at stride 16 start at zero, so a model that starts from the weights of FCN-32s starts
    from its answer.

    Returns:
        keras.Model: ``image`` (B, H, W, 3), RGB 0..255 -> ``logits`` (B, H, W, K), unnormalised.

    Raises:
        ValueError: if an argument is outside of its range.

    Reference: Long et al., CVPR 2015, section 4.2.

    Example:
        >>> fcn16s((360, 480, 3), num_classes=11).output_shape
        (None, 360, 480, 11)
    """
    up = _upsampling(upsampling)
    image, features = _encode(image_shape, num_classes, encoder, encoder_weights)
    x = _score_head(features[32], num_classes, head_filters, dropout)      # (B, H/32, W/32, K)
    x = _fuse(x, features[16], num_classes, up, stride=16)                 # (B, H/16, W/16, K)
    return _upsampled(image, x, up, 16, name="fcn16s")


def fcn8s(
    image_shape,
    num_classes,
    *,
    encoder="mobilenet_0.75",
    encoder_weights=None,
    head_filters=512,
    dropout=0.2,
    upsampling="conv_transpose",
):
    """FCN-8s: the scores of FCN-16s, doubled, plus scores at stride 8. Arguments as ``fcn32s``.

    Returns:
        keras.Model: ``image`` (B, H, W, 3), RGB 0..255 -> ``logits`` (B, H, W, K), unnormalised.

    Raises:
        ValueError: if an argument is outside of its range.

    Reference: Long et al., CVPR 2015, section 4.2.

    Example:
        >>> model = fcn8s((None, None, 3), num_classes=11)
        >>> model.compute_output_shape((1, 333, 517, 3))
        (1, 333, 517, 11)
    """
    up = _upsampling(upsampling)
    image, features = _encode(image_shape, num_classes, encoder, encoder_weights)
    x = _score_head(features[32], num_classes, head_filters, dropout)      # (B, H/32, W/32, K)
    x = _fuse(x, features[16], num_classes, up, stride=16)                 # (B, H/16, W/16, K)
    x = _fuse(x, features[8], num_classes, up, stride=8)                   # (B, H/8, W/8, K)
    return _upsampled(image, x, up, 8, name="fcn8s")


def _upsampling(kind):
    if kind not in UPSAMPLING:
        raise ValueError(f"upsampling: expected one of {', '.join(UPSAMPLING)}. Received: {kind!r}")
    return UPSAMPLING[kind]


def _encode(image_shape, num_classes, encoder, encoder_weights):
    if len(image_shape) != 3 or image_shape[2] != 3 or any(n is not None and n < 32 for n in image_shape[:2]):
        raise ValueError(
            f"image_shape: expected (H, W, 3) with H and W >= 32 or None. Received: {image_shape!r}"
        )
    if not isinstance(num_classes, int) or num_classes < 2:
        raise ValueError(f"num_classes: expected an integer >= 2. Received: {num_classes!r}")
    image = keras.Input(image_shape, name="image")                         # (B, H, W, 3), 0..255
    return image, encode(image, encoder, weights=encoder_weights)


def _score_head(x, num_classes, head_filters, dropout):
    """fc6, fc7 and the score layer, as convolutions: (B, h, w, C) -> (B, h, w, K)."""
    x = layers.SeparableConv2D(head_filters, 7, padding="same", use_bias=False, name="fc6")(x)
    x = layers.ReLU(6.0, name="fc6_relu")(layers.BatchNormalization(name="fc6_bn")(x))
    x = layers.Dropout(dropout, name="fc6_dropout")(x)
    x = layers.Conv2D(head_filters, 1, use_bias=False, name="fc7")(x)
    x = layers.ReLU(6.0, name="fc7_relu")(layers.BatchNormalization(name="fc7_bn")(x))
    x = layers.Dropout(dropout, name="fc7_dropout")(x)
    return _score(x, num_classes, stride=32)


def _fuse(coarse, features, num_classes, up, stride):
    """Double the coarse scores with learnable upsampling and add those of a finer layer."""
    doubled = up.learnable(2, name=f"upsample_{2 * stride}_to_{stride}")(coarse)
    return layers.Add(name=f"fuse_{stride}")([doubled, _score(features, num_classes, stride)])


def _score(x, num_classes, stride):
    return layers.Conv2D(num_classes, 1, kernel_initializer="zeros", name=f"score_{stride}")(x)


def _upsampled(image, scores, up, stride, name):
    """Back to the image's resolution with fixed interpolation, without the padding."""
    x = up.fixed(stride, name=f"upsample_{stride}_to_1")(scores)
    logits = CropLike(name="logits")([x, image])                           # (B, H, W, K)
    return keras.Model(image, logits, name=name)
