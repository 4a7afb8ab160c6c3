"""Segmentation and visual attention for Keras 3: layers, models, a pretrained zoo, proven exports.

The stages, each importing only from those before it: ``layers`` -> ``models`` -> ``zoo`` -> ``export``.
Importing this package loads neither Keras nor a backend; a stage is loaded when it is first named.

    >>> import keras_segattn
    >>> sorted(keras_segattn.__all__)
    ['decoding', 'export', 'images', 'layers', 'losses', 'metrics', 'models', 'zoo']
"""

import importlib
from pathlib import Path

__version__ = "0.1.0"
__all__ = ["images", "layers", "decoding", "losses", "metrics", "models", "zoo", "export"]

# In a checkout, export/ and zoo/ lie beside this folder; installed, they lie in it.
_root = Path(__file__).resolve().parent.parent
if (_root / "setup.cfg").is_file() and (_root / "export").is_dir():
    __path__.append(str(_root))


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
