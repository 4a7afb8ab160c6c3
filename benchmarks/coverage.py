"""Which Keras models export, and which do not: every builder of keras.applications, and one small model for each layer.

    python benchmarks/coverage.py docs/coverage.md [PATTERN]

Each model has random weights and goes through SavedModel, TFLite float32 and ONNX in a process of its own. What was
found is kept in runs/coverage.json, so that a run that was stopped goes on. This command alone writes the page.
"""

import fnmatch
import json
import multiprocessing
import os
import sys
import tempfile
import textwrap
import time
from importlib.metadata import version
from pathlib import Path

os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}

FORMATS = ("saved_model", "tflite", "onnx")
KEPT = Path("runs") / "coverage.json"
SEQUENCE, IMAGE, VOLUME = (12, 6), (16, 20, 4), (6, 8, 8, 2)
SECONDS = 1500  # for one model in one format
# The smallest size that a builder allows; all others have their own.
SMALLEST = {"VGG16": 32, "VGG19": 32, "ResNet": 32, "MobileNet": 32, "Inception": 75, "Xception": 71, "DenseNet": 32,
            "EfficientNet": 32, "ConvNeXt": 32}  # fmt: skip
# Share of the scales of its normalizations that a model keeps whose own answer moves by two thirds of its range where
# what it sees moves by a millionth: nothing could give the same answer.
KEPT_SCALE = {"EfficientNetV2L": 0.5}


def small_models():
    """Name -> (shape of the input, function that gives what stands between it and the output)."""
    from keras import activations, layers, ops

    return {
        "Dense": (SEQUENCE, lambda: layers.Dense(3)),
        "EinsumDense": (SEQUENCE, lambda: layers.EinsumDense("abc,cd->abd", (None, 5))),
        "Embedding": ((7,), lambda: layers.Embedding(11, 4)),
        "Conv1D": (SEQUENCE, lambda: layers.Conv1D(4, 3)),
        "Conv2D": (IMAGE, lambda: layers.Conv2D(4, 3, strides=2, padding="same")),
        "Conv2D, dilated": (IMAGE, lambda: layers.Conv2D(4, 3, dilation_rate=2)),
        "Conv2D, grouped": (IMAGE, lambda: layers.Conv2D(4, 3, groups=2)),
        "Conv3D": (VOLUME, lambda: layers.Conv3D(3, 3)),
        "Conv1DTranspose": (SEQUENCE, lambda: layers.Conv1DTranspose(4, 3, strides=2)),
        "Conv2DTranspose": (IMAGE, lambda: layers.Conv2DTranspose(4, 4, strides=2, padding="same")),
        "Conv2DTranspose, dilated": (IMAGE, lambda: layers.Conv2DTranspose(4, 3, dilation_rate=2)),
        "Conv3DTranspose": (VOLUME, lambda: layers.Conv3DTranspose(3, 2, strides=2)),
        "DepthwiseConv1D": (SEQUENCE, lambda: layers.DepthwiseConv1D(3)),
        "DepthwiseConv2D": (IMAGE, lambda: layers.DepthwiseConv2D(3)),
        "SeparableConv2D": (IMAGE, lambda: layers.SeparableConv2D(4, 3)),
        "BatchNormalization": (IMAGE, lambda: layers.BatchNormalization()),
        "LayerNormalization": (SEQUENCE, lambda: layers.LayerNormalization()),
        "GroupNormalization": (IMAGE, lambda: layers.GroupNormalization(2)),
        "UnitNormalization": (SEQUENCE, lambda: layers.UnitNormalization()),
        "RMSNormalization": (SEQUENCE, lambda: layers.RMSNormalization()),
        "SpectralNormalization": (SEQUENCE, lambda: layers.SpectralNormalization(layers.Dense(3))),
        "MaxPooling1D": (SEQUENCE, lambda: layers.MaxPooling1D()),
        "MaxPooling2D": (IMAGE, lambda: layers.MaxPooling2D(3, 2, padding="same")),
        "MaxPooling3D": (VOLUME, lambda: layers.MaxPooling3D()),
        "AveragePooling2D": (IMAGE, lambda: layers.AveragePooling2D(2)),
        "AveragePooling3D": (VOLUME, lambda: layers.AveragePooling3D(2)),
        "GlobalAveragePooling2D": (IMAGE, lambda: layers.GlobalAveragePooling2D()),
        "GlobalMaxPooling2D": (IMAGE, lambda: layers.GlobalMaxPooling2D()),
        "UpSampling2D, nearest": (IMAGE, lambda: layers.UpSampling2D()),
        "UpSampling2D, bilinear": (IMAGE, lambda: layers.UpSampling2D(interpolation="bilinear")),
        "UpSampling2D, bicubic": (IMAGE, lambda: layers.UpSampling2D(interpolation="bicubic")),
        "Resizing": (IMAGE, lambda: layers.Resizing(9, 11)),
        "CenterCrop": (IMAGE, lambda: layers.CenterCrop(8, 8)),
        "ZeroPadding2D": (IMAGE, lambda: layers.ZeroPadding2D()),
        "Cropping2D": (IMAGE, lambda: layers.Cropping2D()),
        "Permute, Reshape, Flatten": (IMAGE, lambda: _permuted),
        "RepeatVector": ((5,), lambda: layers.RepeatVector(3)),
        "LSTM": (SEQUENCE, lambda: layers.LSTM(5)),
        "LSTM, sequence": (SEQUENCE, lambda: layers.LSTM(5, return_sequences=True)),
        "GRU": (SEQUENCE, lambda: layers.GRU(5)),
        "SimpleRNN": (SEQUENCE, lambda: layers.SimpleRNN(5)),
        "Bidirectional": (SEQUENCE, lambda: layers.Bidirectional(layers.GRU(5, return_sequences=True))),
        "ConvLSTM2D": ((4, 8, 8, 2), lambda: layers.ConvLSTM2D(3, 3)),
        "TimeDistributed": ((4, 8, 8, 2), lambda: layers.TimeDistributed(layers.Conv2D(3, 3))),
        "Attention": (SEQUENCE, lambda: lambda x: layers.Attention()([x, x])),
        "AdditiveAttention": (SEQUENCE, lambda: lambda x: layers.AdditiveAttention()([x, x])),
        "MultiHeadAttention": (SEQUENCE, lambda: lambda x: layers.MultiHeadAttention(2, 4)(x, x)),
        "GroupQueryAttention": (SEQUENCE, lambda: lambda x: layers.GroupQueryAttention(4, 4, 2)(x, x)),
        "LeakyReLU": (SEQUENCE, lambda: layers.LeakyReLU()),
        "PReLU": (SEQUENCE, lambda: layers.PReLU()),
        "ELU": (SEQUENCE, lambda: layers.ELU()),
        "Softmax": (SEQUENCE, lambda: layers.Softmax()),
        "gelu, exact": (SEQUENCE, lambda: lambda x: activations.gelu(x, approximate=False)),
        "gelu, tanh": (SEQUENCE, lambda: lambda x: activations.gelu(x, approximate=True)),
        "silu, selu, softplus": (SEQUENCE, lambda: lambda x: ops.silu(x) + ops.selu(x) + ops.softplus(x)),
        "hard_swish, hard_sigmoid": (SEQUENCE, lambda: lambda x: ops.hard_silu(x) + ops.hard_sigmoid(x)),
        "erf": (SEQUENCE, lambda: ops.erf),
        "einsum": (SEQUENCE, lambda: lambda x: ops.einsum("bij,bkj->bik", x, x)),
        "argmax": (SEQUENCE, lambda: lambda x: ops.argmax(x, axis=-1)),
        "top_k": (SEQUENCE, lambda: lambda x: ops.top_k(x, 3)[0]),
        "sort": (SEQUENCE, lambda: lambda x: ops.sort(x, axis=-1)),
        "cumsum": (SEQUENCE, lambda: lambda x: ops.cumsum(x, axis=1)),
        "roll": (SEQUENCE, lambda: lambda x: ops.roll(x, 2, axis=1)),
        "where, clip, maximum": (SEQUENCE, lambda: lambda x: ops.where(x > 0, ops.clip(x, 0, 1), ops.maximum(x, -1))),
        "take_along_axis": (SEQUENCE, lambda: lambda x: ops.take_along_axis(x, ops.cast(x > 0, "int32"), axis=1)),
        "depth to space": (IMAGE, lambda: _depth_to_space),
        "unfold": (IMAGE, lambda: lambda x: ops.image.extract_patches(x, 3)),
        "std, logsumexp": (SEQUENCE, lambda: lambda x: ops.logsumexp(x, -1) + ops.std(x, -1)),
        "norm": (SEQUENCE, lambda: lambda x: ops.norm(x, axis=-1)),
        "inv": ((4, 4), lambda: lambda x: ops.inv(x + 9 * ops.eye(4))),
        "fft": (SEQUENCE, lambda: lambda x: ops.rfft(x)[0]),
        "affine_transform": (IMAGE, lambda: lambda x: ops.image.affine_transform(x, ops.ones((1, 8)) * 0.1)),
        "map_coordinates": ((9, 9), lambda: layers.Lambda(_looked_up, output_shape=(5,))),
        "while_loop": ((5,), lambda: layers.Lambda(_grown, output_shape=(5,))),
        "cond": ((5,), lambda: layers.Lambda(_turned, output_shape=(5,))),
    }  # fmt: skip


def _permuted(x):
    from keras import layers

    return layers.Flatten()(layers.Reshape((80, 16))(layers.Permute((3, 1, 2))(x)))


def _depth_to_space(x):
    from keras import ops

    blocks = ops.transpose(ops.reshape(x, (-1, 16, 20, 2, 2, 1)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(blocks, (-1, 32, 40, 1))


def _looked_up(x):
    from keras import ops

    return ops.image.map_coordinates(x[0], ops.ones((2, 5)), order=1)[None]


def _grown(x):
    from keras import ops

    return ops.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 1.1), (0, x))[1]


def _turned(x):
    from keras import ops

    return ops.cond(ops.sum(x) > 0, lambda: x, lambda: -x)


def applications():
    """Names of the builders of keras.applications."""
    import keras

    return sorted(name for name, one in vars(keras.applications).items() if callable(one) and name[0].isupper())


def model_of(name):
    """(keras.Model, samples)."""
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    if name in applications():
        build = getattr(keras.applications, name)
        size = next((size for start, size in SMALLEST.items() if name.startswith(start)), None)
        # All of NASNet: without the softmax, which would be 0 and 1 of these weights whatever it sees.
        whole, bare = {"classifier_activation": None}, {"include_top": False, "input_shape": (size, size, 3)}
        model = build(weights=None, **(whole if size is None else bare))
        for layer in model.layers if name in KEPT_SCALE else ():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.gamma.assign(KEPT_SCALE[name] * layer.gamma)
        return model, rng.uniform(0, 255, (8, *model.input_shape[1:])).astype("float32")
    shape, made = small_models()[name]
    dtype = "int32" if name == "Embedding" else "float32"
    inputs = keras.Input(shape, dtype=dtype, name="given")
    model = keras.Model(inputs, made()(inputs), name="small")
    samples = rng.integers(0, 11, (8, *shape)) if dtype == "int32" else rng.normal(size=(8, *shape))
    return model, samples.astype(dtype)


def tried(name, format):
    """What came of one model in one format: dict, ``worst`` if it is proven, ``refused`` with the reason if not."""
    from keras_segattn.export import export_model

    try:
        model, samples = model_of(name)
    except Exception as error:
        return {"unbuilt": f"{type(error).__name__}: {error}".splitlines()[0]}
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = export_model(model, folder, samples=samples, format=format)
        except Exception as error:
            return {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}
    return {"worst": report.parity.worst}


def measured(name, format):
    """``tried`` in a process of its own, which may die; it is forked from one that has the packages loaded."""
    began = time.perf_counter()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", "tf2onnx", "keras_segattn.export"])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(there, name, format))
    process.start()
    there.close()
    try:
        found = here.recv() if here.poll(SECONDS) else {"died": f"no answer in {SECONDS} s"}
    except EOFError:
        process.join()
        found = {"died": process.exitcode}
    process.kill()
    process.join()
    return {**found, "seconds": round(time.perf_counter() - began, 1), "versions": _versions()}


def _versions():
    packages = ("keras_segattn", "keras", "tensorflow-cpu", "tf2onnx", "onnxruntime", "ai-edge-litert")
    return ", ".join(f"{name} {version(name)}" for name in packages)


def _tell(pipe, name, format):
    pipe.send(tried(name, format))


def page(found):
    """The page, Markdown."""
    small, large = small_models(), applications()
    found = {name: found[name] for name in [*small, *large] if name in found}
    pairs = [one for formats in found.values() for one in formats.values()]
    proven = sum("worst" in one for one in pairs)
    refused = [one["refused"] for one in pairs if "refused" in one]
    versions = sorted({one["versions"] for one in pairs})
    told = [
        f"{sum(name in small for name in found)} small models, which put a layer or an operation of Keras to the test, "
        f"and {sum(name in large for name in found)} builders of keras.applications, all with random weights, went "
        f"through `export_model` in SavedModel, TFLite float32 and ONNX: {proven} of {len(pairs)} files "
        f"({100 * proven / max(1, len(pairs)):.1f} %) are proven to give the answer of Keras within 1e-4 of its range, "
        f"on eight random inputs. {len(refused)} are refused, {sum(' of layer ' in why for why in refused)} of them "
        f"with the layer to blame, {sum('ParityError' in why for why in refused)} because the answers differ. "
        f"{sum('died' in one for one in pairs)} ended the process; {sum('unbuilt' in one for one in pairs)} models "
        "could not be built.",
        f"Of {', '.join(f'{name} the normalizations keep {share:g}' for name, share in KEPT_SCALE.items())} of their "
        "scale: as Keras builds it, its own answer moves by two thirds of its range where the image moves by a "
        "millionth, so that there is none to prove.",
        "`python benchmarks/coverage.py docs/coverage.md` writes this page. "
        + "; ".join(f"Measured with {one}" for one in versions) + ".",
    ]
    lines = [
        "# What exports",
        "",
        *(line for paragraph in told for line in (*textwrap.wrap(paragraph, 120), "")),
        "## Largest difference, as a share of the range of the answers",
        "",
        "| model | SavedModel | TFLite | ONNX |",
        "|---|---|---|---|",
    ]
    reasons = []
    for name, formats in found.items():
        cells = []
        for format in FORMATS:
            one = formats.get(format, {})
            kind = next((kind for kind in ("worst", "refused", "died", "unbuilt") if kind in one), "-")
            cells.append(f"{one['worst']:.0e}" if kind == "worst" else kind)
            if kind in ("refused", "died", "unbuilt"):
                reasons.append(f"- {name}, {format}, {kind}: {_reason(str(one[kind]))}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "## Why not", "", *reasons, ""])


def _reason(said):
    """The layers to blame, without what the converter said before them."""
    return said.split("; ", 1)[-1] if " of layer " in said else said


def main(path, pattern="*"):
    from keras_segattn.files import replacing

    names = [name for name in [*small_models(), *applications()] if fnmatch.fnmatchcase(name, pattern)]
    KEPT.parent.mkdir(exist_ok=True)
    found = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    for name in names:
        for format in FORMATS:
            if format in found.get(name, {}):
                continue
            found.setdefault(name, {})[format] = measured(name, format)
            with replacing(KEPT) as partial:
                partial.write_text(json.dumps(found, indent=1))
            print(name, format, found[name][format], flush=True)
    Path(path).write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
