"""The recipes, one entry a file: a docstring that says how to rerun it, and ``RECIPE``."""

from . import fcn8s_mobilenet_camvid, fcn16s_mobilenet_camvid, fcn32s_mobilenet_camvid

RECIPES = {
    module.RECIPE.name: module.RECIPE
    for module in (fcn32s_mobilenet_camvid, fcn16s_mobilenet_camvid, fcn8s_mobilenet_camvid)
}
