"""Encoders: classification networks of keras.applications, tapped by layer name at strides 4 to 32."""

from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from keras import ops

from ..layers import PadToMultiple


@dataclass(frozen=True)
class Encoder:
    """Where one network of keras.applications is tapped.

    Args:
        application: name of the builder in ``keras.applications``.
        taps: layer name by stride.
        pixels: how the network wants its pixels: "-1..1", or "bgr" (BGR order minus the ImageNet mean).
        arguments: what else the builder is called with.

    Example:
        >>> ENCODERS["vgg16"].taps[32]
        'block5_pool'
    """

    application: str
    taps: dict
    pixels: str
    arguments: dict = field(default_factory=dict)


_MOBILENET = {4: "conv_pw_3_relu", 8: "conv_pw_5_relu", 16: "conv_pw_11_relu", 32: "conv_pw_13_relu"}

ENCODERS = {
    "mobilenet": Encoder("MobileNet", _MOBILENET, "-1..1"),
    "mobilenet_0.75": Encoder("MobileNet", _MOBILENET, "-1..1", {"alpha": 0.75}),
    "mobilenet_v2": Encoder(
        "MobileNetV2",
        {4: "block_3_expand_relu", 8: "block_6_expand_relu", 16: "block_13_expand_relu", 32: "out_relu"},
        "-1..1",
    ),
    "vgg16": Encoder(
        "VGG16", {4: "block2_pool", 8: "block3_pool", 16: "block4_pool", 32: "block5_pool"}, "bgr"
    ),
    "resnet50": Encoder(
        "ResNet50",
        {4: "conv2_block3_out", 8: "conv3_block4_out", 16: "conv4_block6_out", 32: "conv5_block3_out"},
        "bgr",
    ),
}

MAX_STRIDE = 32
_IMAGENET_MEAN_BGR = [103.939, 116.779, 123.68]  # 0..255, as keras.applications subtracts it


def encode(image, encoder, *, weights=None):
    """Features of an image at strides 4, 8, 16 and 32, from an encoder of the table.

    The image is normalised as the encoder wants it and padded to a multiple of 32, so that every
    feature map has exactly the padded size divided by its stride. The encoder is one layer of the model
    that is made of it, ``model.get_layer("encoder")``, to freeze or to look into.

    Args:
        image: symbolic tensor (B, H, W, 3), RGB, 0..255.
        encoder: key of ``ENCODERS``.
        weights: None (random), "imagenet" (fetched by keras.applications), or the path of an .npz file
            with arrays named ``layer/variable``.

    Returns:
        dict: stride -> symbolic tensor (B, ceil(H / 32) * 32 / stride, ceil(W / 32) * 32 / stride, C).

    Raises:
        ValueError: if the encoder is unknown, or the file of weights does not fit it.

    Example:
        >>> features = encode(keras.Input((360, 480, 3)), "mobilenet_0.75")
        >>> features[16].shape
        (None, 24, 30, 384)
    """
    if encoder not in ENCODERS:
        raise ValueError(f"encoder: expected one of {', '.join(sorted(ENCODERS))}. Received: {encoder!r}")
    row = ENCODERS[encoder]
    pixels = PadToMultiple(MAX_STRIDE, name="pad")(_normalise(image, row.pixels))
    network = getattr(keras.applications, row.application)(
        input_shape=pixels.shape[1:],
        include_top=False,
        weights="imagenet" if weights == "imagenet" else None,
        **row.arguments,
    )
    if weights not in (None, "imagenet"):
        load_arrays(network, weights)
    taps = {f"stride_{stride}": network.get_layer(name).output for stride, name in row.taps.items()}
    features = keras.Model(network.input, taps, name="encoder")(pixels)
    return {stride: features[f"stride_{stride}"] for stride in row.taps}


def _normalise(image, pixels):
    if pixels == "-1..1":
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(image)
    blue_green_red = ops.concatenate(ops.split(image, 3, axis=-1)[::-1], axis=-1)
    return keras.layers.Rescaling(1.0, offset=[-mean for mean in _IMAGENET_MEAN_BGR], name="rescale")(
        blue_green_red
    )


def load_arrays(network, path):
    """Set the weights of a network by name from an .npz file.

    Args:
        network: built keras.Model.
        path: .npz file with arrays named ``layer/variable``, e.g. ``conv1/kernel``. A depthwise kernel
            may be called ``depthwise_kernel``, as Keras 2 did. Arrays of other layers are left alone.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if an array is missing or has another shape.

    Example:
        >>> network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
        >>> np.savez("two.npz", **{"head/kernel": [[1.0], [2.0]], "head/bias": [3.0]})
        >>> load_arrays(network, "two.npz")
        >>> network.get_layer("head").kernel.numpy().tolist()
        [[1.0], [2.0]]
    """
    with np.load(Path(path)) as arrays:
        for layer in network.layers:
            for variable in layer.weights:
                names = (f"{layer.name}/{variable.name}", f"{layer.name}/depthwise_{variable.name}")
                array = next((arrays[name] for name in names if name in arrays), None)
                if array is None or array.shape != tuple(variable.shape):
                    raise ValueError(
                        f"{Path(path).name}: expected {names[0]} of shape {tuple(variable.shape)}. "
                        f"Received: {'nothing of that name' if array is None else array.shape}"
                    )
                variable.assign(array.astype("float32"))
