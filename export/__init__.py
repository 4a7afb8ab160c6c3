"""Export: a Keras model becomes a file that is proven, in its own runtime, to give the model's answer.

    >>> from keras_segattn import export
    >>> sorted(export.FORMATS)
    ['onnx', 'saved_model', 'tflite']
"""

import importlib

_HOMES = {
    "FORMATS": "contract",
    "ExportReport": "contract",
    "Finding": "lint",
    "LintError": "contract",
    "Metadata": "metadata",
    "ParityError": "parity",
    "Runner": "runtime",
    "RunnerError": "runtime",
    "SentenceParity": "sentence_parity",
    "export": "contract",
    "export_model": "any_model",
    "export_writer": "sentences",
    "free_photographs": "samples",
    "free_sentences": "samples",
    "operators": "lint",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    # One by one and late: a device that only runs a file has neither Keras nor the converters.
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
