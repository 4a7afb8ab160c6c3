"""Transposed convolution as a small convolution and depth to space: the same sums, in fewer and faster operators."""

from keras import ops


def subpixel_conv_transpose(inputs, kernel, strides, padding="same"):
    """What ``keras.ops.conv_transpose`` does, as a convolution of stride 1 and depth to space.

    Pixel ``q * stride + r`` of the answer sees only the inputs ``q - i``, through the elements ``i * stride + r``
    of the kernel. So the kernel is cut into ceil(k / stride) taps for each of the stride * stride places ``r``
    within a pixel, and each place becomes a group of output channels.

    Args:
        inputs: tensor (B, H, W, C).
        kernel: tensor (kh, kw, F, C), the layout of ``keras.layers.Conv2DTranspose``.
        strides: (sh, sw), each an int >= 1.
        padding: "same" or "valid".

    Returns:
        tensor (B, H * sh, W * sw, F), or with "valid" (B, (H - 1) * sh + max(kh, sh), ..., F).

    Reference:
        Shi et al., Is the deconvolution layer the same as a convolutional layer?, 2016, arXiv:1609.07009.

    Example:
        >>> import numpy as np
        >>> two = np.array([1.0, 10.0], "float32").reshape(1, 1, 2, 1)
        >>> kernel = np.array([1.0, 2.0, 3.0, 4.0], "float32").reshape(1, 4, 1, 1)
        >>> up = subpixel_conv_transpose(two, kernel, strides=(1, 2), padding="valid")
        >>> [float(v) for v in up[0, 0, :, 0]]
        [1.0, 2.0, 13.0, 24.0, 30.0, 40.0]
    """
    sizes = kernel.shape[:2]
    taps = [-(-size // stride) for size, stride in zip(sizes, strides, strict=True)]
    reach = [(tap - 1, tap - 1) for tap in taps]
    x = ops.pad(inputs, [(0, 0), *reach, (0, 0)])                         # (B, H + 2 (th - 1), ..., C)
    x = ops.conv(x, _subpixel_kernel(kernel, strides, taps), padding="valid", data_format="channels_last")
    x = _depth_to_space(x, strides, kernel.shape[2])                       # (B, (H + th - 1) sh, ..., F)
    rows, columns = (
        _kept(length, size, stride, padding)
        for length, size, stride in zip(ops.shape(inputs)[1:3], sizes, strides, strict=True)
    )
    return x[:, rows, columns]


def _subpixel_kernel(kernel, strides, taps):
    """(kh, kw, F, C) -> (th, tw, C, sh * sw * F), the last tap first."""
    (sh, sw), (th, tw) = strides, taps
    height, width, filters, channels = kernel.shape
    kernel = ops.pad(kernel, [(0, th * sh - height), (0, tw * sw - width), (0, 0), (0, 0)])
    kernel = ops.flip(ops.reshape(kernel, (th, sh, tw, sw, filters, channels)), axis=(0, 2))
    return ops.reshape(ops.transpose(kernel, (0, 2, 5, 1, 3, 4)), (th, tw, channels, sh * sw * filters))


def _depth_to_space(x, strides, filters):
    """(B, H, W, sh * sw * F) -> (B, H * sh, W * sw, F).

    ``keras.ops.depth_to_space`` says the same, but ai-edge-quantizer 0.10 leaves its operator in float32 between
    a DEQUANTIZE and a QUANTIZE. Exchanging W and sh is all there is to move, and int8 runs that, too.
    """
    sh, sw = strides
    _, height, width, _ = ops.shape(x)
    x = ops.transpose(ops.reshape(x, (-1, width, sh, sw * filters)), (0, 2, 1, 3))  # (B * H, sh, W, sw * F)
    return ops.reshape(x, (-1, height * sh, width * sw, filters))


def _kept(length, size, stride, padding):
    """Which part of the full answer, ``(length - 1) * stride + size`` pixels long, is asked for."""
    if padding == "valid":
        return slice(0, (length - 1) * stride + max(size, stride))
    start = max(size - stride, 0) // 2
    return slice(start, start + length * stride)
