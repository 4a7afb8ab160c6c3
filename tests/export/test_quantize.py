"""Precisions: what is refused, and a float16 file that passes the gate."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_segattn.export import export
from keras_segattn.export.lint import operators
from keras_segattn.export.quantize import PRECISIONS, quantize_int8, set_precision
from keras_segattn.layers import BilinearUpsampling2D


@pytest.mark.parametrize("precision", ["int4", "FLOAT32", None])
def test_an_unknown_precision_is_refused_with_those_there_are(precision):
    with pytest.raises(ValueError, match=f"expected one of {', '.join(PRECISIONS)}. Received: {precision!r}"):
        set_precision(None, precision)


@pytest.mark.parametrize("calibration", [None, np.zeros((0, 8, 8, 3), "uint8")])
def test_int8_without_images_is_refused(calibration):
    with pytest.raises(ValueError, match="calibration: expected real images for int8"):
        quantize_int8("no.tflite", calibration, ["logits"])


def test_a_float16_file_of_a_shallow_network_passes_its_limit(photographs, metadata, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # the converter has to choose its own backend
    keras.utils.set_random_seed(0)
    image = keras.Input((64, 96, 3), name="image")
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(layers.Rescaling(1 / 127.5, -1)(image))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
    x = layers.Dense(5)(layers.ReLU(6.0)(x))
    model = keras.Model(image, BilinearUpsampling2D(2, name="logits")(x))
    report = export(
        model,
        tmp_path,
        metadata,
        format="tflite",
        precision="float16",
        images=photographs,
        images_source="photographs",
    )
    assert report.path == tmp_path / "small_float16.tflite"
    assert 1e-6 < report.parity.worst < 1e-3  # ten times inside of the limit, and not float32
    assert report.parity.agreement >= 0.999
    # Of the convolution, the dense layer and the upsampling; not of the depthwise convolution.
    assert operators(report.path).counts["logits"]["DEQUANTIZE"] == 3
