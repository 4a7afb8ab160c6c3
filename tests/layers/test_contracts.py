"""Every layer keeps the contract of ``tests/contracts.py``, on every backend, and all give the same answer."""

import sys
from functools import partial

import keras
import numpy as np
import pytest

from keras_segattn import layers

from ..backends import on_each_backend, run_on
from ..contracts import answer, check_layer


def spatial_transformer(transform, dtype="float32", **arguments):
    """One with a small localization that takes images of any size."""
    image = keras.Input((None, None, 3), dtype=dtype if dtype == "float64" else "float32")
    edges = keras.layers.Conv2D(4, 3, kernel_initializer="zeros", dtype=dtype)(image)
    localization = keras.Model(image, keras.layers.GlobalMaxPooling2D(dtype=dtype)(edges))
    return layers.SpatialTransformer(localization, transform, (4, 3), dtype=dtype, **arguments)


def hard_attention(dtype="float32", **arguments):
    attention = layers.BahdanauAttention(5, kernel_initializer="zeros", dtype=dtype)
    return layers.HardAttention(attention, dtype=dtype, **arguments)


def bahdanau_decoder(dtype="float32", **arguments):
    """As in Show, Attend and Tell, with the deep output of Bahdanau."""
    start = {"kernel_initializer": "zeros", "dtype": dtype}
    return layers.AttentionDecoderCell(
        keras.layers.GRUCell(4, recurrent_initializer="zeros", **start),
        layers.BahdanauAttention(5, **start),
        gate=layers.ContextGate(**start),
        readout=layers.Maxout(3, **start),
        dtype=dtype,
        **arguments,
    )


def luong_decoder(dtype="float32", **arguments):
    """Two LSTMs, a window and input feeding."""
    start = {"kernel_initializer": "zeros", "dtype": dtype}
    cells = [keras.layers.LSTMCell(4, recurrent_initializer="zeros", **start) for _ in range(2)]
    return layers.AttentionDecoderCell(
        keras.layers.StackedRNNCells(cells, dtype=dtype),
        layers.LuongAttention("general", "local-m", window=2, **start),
        attend="after",
        feed=keras.layers.Dense(3, "tanh", **start),
        unroll=True,
        dtype=dtype,
        **arguments,
    )


# name: (maker, shape or shapes of the input, the same of another size)
LAYERS = {
    "bilinear_upsampling_2": (partial(layers.BilinearUpsampling2D, 2), (2, 3, 4, 3), (2, 5, 2, 3)),
    "bilinear_upsampling_3": (partial(layers.BilinearUpsampling2D, 3), (2, 4, 3, 2), (1, 2, 5, 2)),
    "bilinear_upsampling_8_fixed": (
        partial(layers.BilinearUpsampling2D, 8, trainable=False),
        (1, 3, 2, 2),
        (1, 2, 4, 2),
    ),
    "subpixel_upsampling_2": (partial(layers.SubpixelUpsampling2D, 2), (2, 3, 4, 3), (2, 5, 2, 3)),
    "subpixel_upsampling_3": (partial(layers.SubpixelUpsampling2D, 3), (2, 4, 3, 2), (1, 2, 5, 2)),
    "subpixel_upsampling_8_fixed": (
        partial(layers.SubpixelUpsampling2D, 8, trainable=False),
        (1, 3, 2, 2),
        (1, 2, 4, 2),
    ),
    "subpixel_conv_transpose_same": (
        partial(layers.SubpixelConv2DTranspose, 4, 3, 2, padding="same", kernel_initializer="zeros"),
        (2, 3, 4, 3),
        (2, 5, 2, 3),
    ),
    "subpixel_conv_transpose_valid": (
        partial(layers.SubpixelConv2DTranspose, 2, (5, 1), (2, 3), use_bias=False, kernel_initializer="zeros"),
        (2, 3, 4, 3),
        (1, 5, 2, 3),
    ),
    "bilinear_resizing_2": (partial(layers.BilinearResizing2D, 2), (2, 3, 4, 3), (2, 5, 2, 3)),
    "bilinear_resizing_3": (partial(layers.BilinearResizing2D, 3), (2, 4, 3, 2), (1, 2, 5, 2)),
    "resize_conv_2": (partial(layers.ResizeConv2D, 2), (2, 3, 4, 3), (2, 5, 2, 3)),
    "resize_conv_4_pointwise": (partial(layers.ResizeConv2D, 4, 1), (2, 3, 2, 3), (1, 2, 4, 3)),
    "pad_to_multiple_32": (partial(layers.PadToMultiple, 32), (2, 33, 64, 3), (2, 20, 65, 3)),
    "pad_to_multiple_1": (partial(layers.PadToMultiple, 1), (2, 3, 4, 3), (2, 5, 2, 3)),
    "crop_like": (
        layers.CropLike,
        [(2, 5, 6, 3), (2, 4, 3, 1)],
        [(2, 8, 8, 3), (2, 8, 7, 1)],
    ),
    "affine_grid": (partial(layers.AffineGrid, (3, 4)), (2, 6), (3, 6)),
    "affine_grid_attention": (partial(layers.AffineGrid, (3, 4), attention=True, align_corners=True), (2, 3), (3, 3)),
    "projective_grid": (partial(layers.ProjectiveGrid, (2, 3)), (2, 8), (3, 8)),
    "thin_plate_spline_grid": (
        partial(layers.ThinPlateSplineGrid, (3, 4), control_points=3, align_corners=True),
        (2, 18),
        (3, 18),
    ),
    "bilinear_sampler": (layers.BilinearSampler, [(2, 5, 6, 3), (2, 4, 3, 2)], [(2, 4, 7, 3), (2, 6, 2, 2)]),
    "bilinear_sampler_border": (
        partial(layers.BilinearSampler, "border", align_corners=True),
        [(2, 5, 6, 3), (2, 4, 3, 2)],
        [(1, 2, 2, 3), (1, 4, 3, 2)],
    ),
    "bilinear_sampler_reflection_nearest": (
        partial(layers.BilinearSampler, "reflection", interpolation="nearest"),
        [(2, 5, 6, 3), (2, 4, 3, 2)],
        [(2, 4, 7, 3), (2, 6, 2, 2)],
    ),
    "spatial_transformer": (partial(spatial_transformer, "affine"), (2, 5, 6, 3), (3, 7, 4, 3)),
    "spatial_transformer_thin_plate_spline": (
        partial(spatial_transformer, "thin_plate_spline", padding="border"),
        (2, 5, 6, 3),
        (3, 7, 4, 3),
    ),
    "bahdanau_attention": (
        partial(layers.BahdanauAttention, 6, "zeros"),
        [(2, 3, 4), (2, 5, 7)],
        [(2, 2, 4), (2, 3, 7)],
    ),
    "bahdanau_attention_of_one_query": (
        partial(layers.BahdanauAttention, 6, "zeros"),
        [(2, 4), (2, 5, 7)],
        [(3, 4), (3, 6, 7)],
    ),
    "luong_attention_dot": (partial(layers.LuongAttention, "dot"), [(2, 3, 4), (2, 5, 4)], [(2, 2, 4), (2, 3, 4)]),
    "luong_attention_general_monotonic": (
        partial(layers.LuongAttention, "general", "local-m", window=1, kernel_initializer="zeros"),
        [(2, 3, 4), (2, 5, 7)],
        [(2, 2, 4), (2, 3, 7)],
    ),
    "luong_attention_concat_predictive": (
        partial(layers.LuongAttention, "concat", "local-p", units=6, window=2, kernel_initializer="zeros"),
        [(2, 3, 4), (2, 5, 7)],
        [(2, 2, 4), (2, 3, 7)],
    ),
    "mean_attention": (layers.MeanAttention, [(2, 3, 4), (2, 5, 6)], [(2, 2, 4), (2, 7, 6)]),
    "hard_attention": (hard_attention, [(2, 3, 4), (2, 5, 7)], [(2, 2, 4), (2, 3, 7)]),
    "reinforce": (layers.Reinforce, [(2,), (2, 3, 4), (2, 3, 4)], [(3,), (3, 2, 5), (3, 2, 5)]),
    "maxout": (partial(layers.Maxout, 3, kernel_initializer="zeros"), (2, 5, 4), (2, 2, 4)),
    "maxout_of_three_pieces": (partial(layers.Maxout, 3, 3, "zeros"), (2, 4), (3, 4)),
    "context_gate": (partial(layers.ContextGate, "zeros"), [(2, 3), (2, 5)], [(4, 3), (4, 5)]),
    "attention_decoder_cell_bahdanau": (bahdanau_decoder, [(2, 3, 4), (2, 5, 7)], [(2, 2, 4), (2, 3, 7)]),
    "attention_decoder_cell_luong": (luong_decoder, [(2, 3, 4), (2, 5, 7)], [(2, 3, 4), (2, 3, 7)]),
}


@pytest.mark.parametrize("row", LAYERS.values(), ids=LAYERS)
def test_every_layer_keeps_the_contract(row):
    check_layer(*row)


def test_every_public_layer_has_a_row():
    made = {type(make()).__name__ for make, _, _ in LAYERS.values()}
    assert made | {"Tokens"} == set(layers.__all__)  # of whole numbers, without a gradient: test_tokens.py


@on_each_backend
def test_the_answers_are_those_of_backend(backend, tmp_path):
    run_on(backend, "-m", __spec__.name, tmp_path / "answers.npz")
    theirs = np.load(tmp_path / "answers.npz")
    assert set(theirs) == set(LAYERS)
    for name, (make, shapes, _) in LAYERS.items():
        ours = answer(make(), shapes)
        np.testing.assert_allclose(theirs[name], ours, atol=1e-5 * np.ptp(ours), err_msg=name)


if __name__ == "__main__":  # on another backend: the same checks, and the answers to compare
    for row in LAYERS.values():
        check_layer(*row)
    np.savez(sys.argv[1], **{name: answer(make(), shapes) for name, (make, shapes, _) in LAYERS.items()})
