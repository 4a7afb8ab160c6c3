"""The recipes, one entry a file: a docstring that says how to rerun it, and ``RECIPE``."""

from . import (
    cnn_mnist_cluttered,
    cnn_mnist_r,
    cnn_mnist_rts,
    fcn8s_mobilenet_camvid,
    fcn16s_mobilenet_camvid,
    fcn32s_mobilenet_camvid,
    luong_multi30k_de_en,
    neuraltalk_flickr8k,
    rnn_encdec_multi30k_de_en,
    rnnsearch_multi30k_de_en,
    rnnsearch_multi30k_en_de,
    show_attend_tell_hard_flickr8k,
    show_attend_tell_soft_flickr8k,
    stn_affine_mnist_cluttered,
    stn_affine_mnist_r,
    stn_affine_mnist_rts,
    stn_digit_addition,
    stn_tps_mnist_r,
)

_MODULES = (
    fcn32s_mobilenet_camvid,
    fcn16s_mobilenet_camvid,
    fcn8s_mobilenet_camvid,
    cnn_mnist_r,
    stn_affine_mnist_r,
    stn_tps_mnist_r,
    cnn_mnist_rts,
    stn_affine_mnist_rts,
    cnn_mnist_cluttered,
    stn_affine_mnist_cluttered,
    stn_digit_addition,
    rnn_encdec_multi30k_de_en,
    rnnsearch_multi30k_de_en,
    luong_multi30k_de_en,
    rnnsearch_multi30k_en_de,
    neuraltalk_flickr8k,
    show_attend_tell_soft_flickr8k,
    show_attend_tell_hard_flickr8k,
)
RECIPES = {module.RECIPE.name: module.RECIPE for module in _MODULES}
