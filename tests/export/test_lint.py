"""Each rule finds the file that was made to break it and no other; operators are counted as they stand."""

import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_segattn.export import export_model
from keras_segattn.export.artifact import Artifact, Function, Operator, Tensor
from keras_segattn.export.lint import Finding, Operators, lint, operators
from keras_segattn.export.metadata import KEY, attach
from keras_segattn.export.rules import INSTEAD, RULES, Promise

DOCS = Path(__file__).resolve().parents[2] / "docs" / "lint.md"
KERNEL = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype("float32")  # (h, w, in, out)


@pytest.fixture(scope="session")
def write_tflite(tmp_path_factory, metadata):
    """Function: TensorFlow function of one (1, 8, 8, 3) image -> .tflite file with readable names and our metadata."""
    import tensorflow as tf

    def write(function, *, size=8, output="scores", int8=False, half=False, flex=False, described=True):
        folder = tmp_path_factory.mktemp("tflite")
        module = tf.Module()
        spec = tf.TensorSpec((1, size, size, 3), tf.float32, name="image")
        module.run = tf.function(lambda image: {output: function(image)}, input_signature=[spec], autograph=False)
        tf.saved_model.save(module, str(folder / "saved"), signatures={"segment": module.run})
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"), signature_keys=["segment"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if flex:
            converter.target_spec.supported_ops.append(tf.lite.OpsSet.SELECT_TF_OPS)
        if half:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        if int8:
            rng = np.random.default_rng(0)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                [rng.normal(size=(1, size, size, 3)).astype("float32")] for _ in range(4)
            )
        path = folder / "model.tflite"
        path.write_bytes(converter.convert())
        if described:
            attach(path, metadata)
        return path

    return write


@pytest.fixture
def write_onnx(tmp_path, metadata):
    """Function: nodes, constants -> .onnx file of ``image`` (1, 3, 8, 8) -> ``scores``, with our metadata."""

    def write(nodes, constants=None, *, size=8, names=("image", "scores"), opset=18, described=True, domain=None):
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, size, size)) for name in names]
        weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
        graph = helper.make_graph(nodes, "main", ends[:1], ends[1:], weights)
        opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
        path = tmp_path / "model.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
        if described:
            attach(path, metadata)
        return path

    return write


def node(kind, inputs, output, **options):
    return helper.make_node(kind, inputs.split(), [output], name=options.pop("name", output), **options)


RELU = [node("Relu", "image", "scores")]
CONV = [node("Conv", "image kernel", "scores", kernel_shape=[1, 1])]


def convolved(x, kernel=KERNEL):
    import tensorflow as tf

    return tf.nn.relu(tf.nn.conv2d(x, tf.constant(kernel), 1, "SAME"))


def summed(x):
    import tensorflow as tf

    return tf.cumsum(x, axis=1)  # neither an operator of XNNPACK nor one of int8


def resized(x):
    import tensorflow as tf

    return tf.image.resize(x, (16, 16), "bicubic")


def only(findings, rule):
    """The findings, after making sure that they are of this rule and that there are some."""
    assert {finding.rule for finding in findings} == {rule}, findings
    return findings


@pytest.fixture(scope="session")
def clean(write_tflite):
    return write_tflite(convolved)


# --- clean files ---


@pytest.mark.parametrize(("format", "precision"), [("tflite", "float32"), ("tflite", "int8"), ("onnx", "float32")])
def test_what_we_export_is_clean_within_its_own_number_of_operators(exported, format, precision):
    path = exported(format, precision).path
    count = sum(counter.total() for counter in operators(path).counts.values())
    assert lint(path, budget=count) == ()
    only(lint(path, budget=count - 1), "budget")


def test_small_files_of_other_tools_are_clean_once_they_are_described(clean, write_onnx):
    assert lint(clean) == ()
    assert lint(write_onnx(RELU)) == ()


def test_no_file_of_ours_needs_tensorflow_or_keras_to_be_read(clean, write_onnx):
    code = """
import sys
from keras_segattn.export.lint import lint, operators
print([(lint(path), len(operators(path).counts)) for path in sys.argv[1:]])
print({"tensorflow", "keras", "torch", "jax"} & set(sys.modules))
"""
    command = [sys.executable, "-c", code, clean, write_onnx(RELU)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[((), 1), ((), 1)]\nset()\n"


# --- one rule, one test ---


def test_custom_operator_names_flex_and_what_to_use_instead(write_tflite, write_onnx):
    path = write_tflite(lambda x: resized(resized(x)) + 1, flex=True)
    (found,) = only(lint(path), "custom-operator")
    assert found.where == "FlexResizeBicubic"
    assert "used 2 times, is TensorFlow's own ResizeBicubic" in found.what
    assert found.remedy == INSTEAD["ResizeBicubic"]

    path = write_onnx([node("Gelu", "image", "scores", domain="com.microsoft")], domain="com.microsoft")
    (found,) = only(lint(path), "custom-operator")
    assert (found.where, found.remedy) == ("com.microsoft::Gelu", RULES["custom-operator"].remedy)
    (found,) = only(lint(write_onnx([node("MatrixInverse", "image", "scores")])), "custom-operator")
    assert (found.where, found.remedy) == ("MatrixInverse", INSTEAD["MatrixInverse"])


def test_custom_operator_does_not_mean_a_function_that_the_file_brings_itself(write_onnx):
    path = write_onnx([node("Twice", "image", "scores", domain="own")], domain="own")
    model = onnx.load(path)
    body = [node("Add", "x x", "y")]
    model.functions.append(helper.make_function("own", "Twice", ["x"], ["y"], body, [helper.make_opsetid("", 18)]))
    onnx.save(model, path)
    assert lint(path) == ()
    assert operators(path).counts == {"main": Counter({"own::Twice": 1}), "Twice": Counter(Add=1)}


def test_float_island_is_a_float_operator_between_quantized_ones_unless_its_layer_was_asked_for(write_tflite):
    import tensorflow as tf

    def network(x):
        with tf.name_scope("net/score_1"):
            middle = summed(convolved(x))
        return tf.nn.softmax(convolved(middle, KERNEL * 2))

    path = write_tflite(network, int8=True)
    (found,) = only(lint(path), "float-island")
    assert found.where == "net/score_1/Cumsum"
    assert "The CUMSUM of net/score_1/Cumsum computes in float" in found.what
    assert lint(path, float_layers=["score"]) == ()
    only(lint(path, float_layers=["core", "score_2"]), "float-island")
    assert lint(write_tflite(network)) == ()  # not int8: nothing is an island


def chain(*steps):
    """A .tflite artifact in memory, of operators one after the other: (kind, dtype of what it makes)."""
    tensors = [Tensor("image", "uint8", (1,))]
    tensors += [Tensor(f"net/{kind}", dtype, (1,), quantized=dtype == "int8") for kind, dtype in steps]
    made = [
        Operator(kind, f"net/{kind}", False, (before,), (after,))
        for (kind, _), before, after in zip(steps, tensors, tensors[1:], strict=False)
    ]
    return Artifact(format="tflite", functions=(Function("main", True, {}, {}, tuple(made), tuple(tensors)),))


HEAD = [("CAST", "float32"), ("MUL", "float32"), ("QUANTIZE", "int8"), ("ADD", "int8"), ("DEQUANTIZE", "float32")]


@pytest.mark.parametrize(
    ("steps", "islands"),
    [
        ([*HEAD, ("SOFTMAX", "float32"), ("ARG_MAX", "int32")], []),
        ([*HEAD, ("SOFTMAX", "float32"), ("QUANTIZE", "int8")], ["net/SOFTMAX"]),
        ([*HEAD, ("CONV_2D", "float32")], ["net/CONV_2D"]),  # where the arithmetic is, even at the tail
        ([("CONV_2D", "float32"), *HEAD], ["net/CONV_2D"]),
        ([*HEAD, ("ARG_MAX", "int32"), ("CAST", "float32"), ("QUANTIZE", "int8")], []),
        ([("CAST", "float32"), ("CONV_2D", "float32"), ("SOFTMAX", "float32")], []),
    ],
)
def test_float_island_leaves_head_and_tail_alone_but_for_convolutions(steps, islands):
    found = RULES["float-island"].find(chain(*steps), Promise())
    assert [where for where, _ in found] == islands


def test_a_table_of_int8_rows_makes_no_int8_file(tmp_path):
    ids = keras.Input((4,), dtype="int32", name="ids")
    x = keras.layers.Flatten()(keras.layers.Embedding(400, 16)(ids))
    model = keras.Model(ids, keras.layers.Dense(64)(x), name="table")
    samples = np.random.default_rng(0).integers(0, 400, (8, 4), "int32")
    report = export_model(model, tmp_path, samples=samples, format="tflite", precision="dynamic")
    kinds = sum(operators(report.path).counts.values(), Counter())
    assert kinds["GATHER"] == kinds["FULLY_CONNECTED"] == 1
    assert not lint(report.path)


def test_float_island_of_onnx_is_a_convolution_that_dequantize_does_not_feed(write_onnx):
    constants = {"kernel": KERNEL[:1, :1].T, "bytes": np.ones((3, 3, 1, 1), "int8")}
    constants |= {"scale": np.float32(0.1), "zero": np.int8(0)}
    quantized = [
        node("QuantizeLinear", "image scale zero", "q"),
        node("DequantizeLinear", "q scale zero", "d"),
        node("DequantizeLinear", "bytes scale zero", "w"),
        node("Conv", "d w", "c"),
    ]
    assert lint(write_onnx([*quantized, node("Relu", "c", "scores")], constants)) == ()
    path = write_onnx([*quantized, node("Conv", "c kernel", "scores", name="net/score_1/conv")], constants)
    (found,) = only(lint(path), "float-island")
    assert found.where == "net/score_1/conv"
    assert lint(path, float_layers=["score"]) == ()
    weights_alone = [node("DequantizeLinear", "bytes scale zero", "w"), node("Conv", "image w", "scores")]
    assert lint(write_onnx(weights_alone, constants)) == ()


def test_float64_is_found_in_tensors_and_constants(write_tflite, write_onnx):
    import tensorflow as tf

    path = write_tflite(lambda x: tf.cast(tf.cast(x, tf.float64), tf.float32))
    (found,) = only(lint(path), "float64")
    assert found.what.endswith("of segment are float64.") or found.what.endswith("of main are float64.")
    wide = [
        node("Cast", "image", "wide", to=TensorProto.DOUBLE),
        node("Mul", "wide two", "double"),
        node("Cast", "double", "scores", to=TensorProto.FLOAT),
    ]
    (found,) = only(lint(write_onnx(wide, {"two": np.float64(2)})), "float64")
    assert "and 2 more tensors of main are float64" in found.what


def test_dynamic_shape_is_found_at_the_ends_or_where_it_first_appears(write_tflite, write_onnx):
    import tensorflow as tf

    found = only(lint(write_tflite(convolved, size=None)), "dynamic-shape")
    assert [finding.where for finding in found] == ["image", "scores"]
    assert "has the shape (1, ?, ?, 3)" in found[0].what
    path = write_tflite(lambda x: tf.reduce_sum(tf.cast(tf.where(x > 0), tf.float32), axis=0))
    (found,) = only(lint(path), "dynamic-shape")
    assert "WHERE" in found.what
    assert "(?, 4)" in found.what
    found = only(lint(write_onnx(RELU, size="side")), "dynamic-shape")
    assert [finding.where for finding in found] == ["image", "scores"]
    assert "(1, 3, ?, ?)" in found[0].what
    places = [node("NonZero", "image", "places"), node("ReduceSum", "places", "sum"), node("Cast", "sum", "f", to=1)]
    (found,) = only(lint(write_onnx([*places, node("Add", "image f", "scores")])), "dynamic-shape")
    assert found.where == "places"


@pytest.mark.parametrize(
    ("name", "made_up"),
    [
        *[(name, True) for name in ("Identity:0", "Identity_1", "serving_default_x:0", "unk__12", "output_0")],
        *[(name, True) for name in ("StatefulPartitionedCall_1:0", "keras_tensor_12", "712", "input.1", "args_0")],
        *[(name, False) for name in ("scores", "pixels", "input", "layer_2", "output_mask", "identity_card", "x2")],
    ],
)
def test_unnamed_is_what_a_converter_numbers(write_onnx, name, made_up):
    found = lint(write_onnx([node("Relu", "image", name)], names=("image", name)))
    assert [(finding.rule, finding.where) for finding in found] == [("unnamed", name)] * made_up


def test_unnamed_are_outputs_of_a_signature_and_files_without_one(write_tflite, clean, tmp_path):
    (found,) = only(lint(write_tflite(convolved, output="output_0")), "unnamed")
    assert "of the outputs of " in found.what
    path = changed(clean, tmp_path, lambda model: setattr(model, "signatureDefs", []))
    found = {finding.rule: finding for finding in lint(path)}
    assert "has no signature" in found["unnamed"].what


def changed(path, folder, change):
    """A copy of a .tflite file, without metadata, after a change of its content."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    change(model)
    builder = Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    (folder / "changed.tflite").write_bytes(builder.Output())
    return folder / "changed.tflite"


def test_metadata_are_missed_and_their_damage_is_told(write_tflite, write_onnx, clean, tmp_path):
    for path in (write_tflite(convolved, described=False), write_onnx(RELU, described=False)):
        (found,) = only(lint(path), "metadata")
        assert "does not say what its classes" in found.what
    model = onnx.load(write_onnx(RELU))
    helper.set_model_props(model, {KEY: "{}"})
    onnx.save(model, tmp_path / "other.onnx")
    (found,) = only(lint(tmp_path / "other.onnx"), "metadata")
    assert "do not read" in found.what
    (tmp_path / "cut.tflite").write_bytes(clean.read_bytes()[:-1])
    (found,) = only(lint(tmp_path / "cut.tflite"), "metadata")
    assert "their end is cut off" in found.what


def test_invalid_is_what_the_runtime_or_the_full_check_refuses(clean, write_onnx, tmp_path, metadata):
    path = changed(clean, tmp_path, lambda model: setattr(model.operatorCodes[0], "version", 99))
    attach(path, metadata)
    (found,) = only(lint(path), "invalid")
    assert "CONV_2D" in found.what
    assert operators(path).delegated == 0

    path = changed(clean, tmp_path, lambda model: setattr(model.subgraphs[0].tensors[0], "shape", [1, 8, 8, 2]))
    attach(path, metadata)
    assert "invalid" in {finding.rule for finding in lint(path)}
    (found,) = only(lint(write_onnx([node("Relu", "nowhere", "scores")])), "invalid")
    assert "onnx.checker refuses the file" in found.what
    wrong = [node("Add", "image five", "scores")]  # sizes that do not fit are found by the full check alone
    only(lint(write_onnx(wrong, {"five": np.ones(5, "float32")})), "invalid")


def test_opset_below_18_is_found(write_onnx):
    (found,) = only(lint(write_onnx(RELU, opset=17)), "opset")
    assert "of opset 17" in found.what


def test_missing_weights_are_variables_that_nothing_sets(tmp_path, metadata):
    import keras
    import tensorflow as tf

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    traced = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((1, 4))], autograph=False)
    # The trap: with the model handed over, its variables stay behind.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()], model)
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    assert "missing-weights" in {finding.rule for finding in lint(path)}


def test_missing_weights_are_a_file_that_is_not_there(write_onnx, tmp_path):
    model = onnx.load(write_onnx(CONV, {"kernel": KERNEL[:1, :1].T}))
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="split.bin", size_threshold=0)
    assert lint(tmp_path / "split.onnx") == ()
    (tmp_path / "split.bin").unlink()
    (found,) = only(lint(tmp_path / "split.onnx"), "missing-weights")
    assert found.where == "split.bin"


def test_not_finite_is_nan_anywhere_and_infinity_in_a_kernel_but_not_in_a_mask(write_tflite, write_onnx):
    mask = np.where(np.eye(8) > 0, 0, -np.inf).astype("float32")
    for bad in (np.nan, np.inf):
        kernel = KERNEL.copy()
        kernel[0, 0, 0, 0] = bad
        (found,) = only(lint(write_tflite(lambda x, kernel=kernel: convolved(x, kernel))), "not-finite")
        assert re.fullmatch("Of the 81 values of .*, 1 are NaN or infinite.", found.what)
        only(lint(write_onnx(CONV, {"kernel": kernel[:1, :1].T})), "not-finite")
    assert lint(write_onnx([node("Add", "image mask", "scores")], {"mask": mask})) == ()
    only(lint(write_onnx([node("Add", "image mask", "scores")], {"mask": mask * 0})), "not-finite")  # -inf * 0 is NaN


def test_constant_weights_are_a_large_kernel_without_differences(write_tflite, write_onnx):
    large = np.zeros((3, 3, 3, 10), "float32")
    (found,) = only(lint(write_tflite(lambda x: convolved(x, large + 0.5))), "constant-weights")
    assert "All 270 weights" in found.what
    assert "are 0.5" in found.what
    assert lint(write_tflite(lambda x: convolved(x, large[..., :9]))) == ()  # 243: small enough for a hand
    only(lint(write_tflite(lambda x: convolved(x, large + 0.5), half=True)), "constant-weights")
    nodes = [node("Conv", "image kernel", "wide"), node("Conv", "wide back", "scores")]
    back = np.arange(300, dtype="float32").reshape(3, 100, 1, 1)
    path = write_onnx(nodes, {"kernel": np.zeros((100, 3, 1, 1), "float32"), "back": back})
    (found,) = only(lint(path), "constant-weights")
    assert found.where == "kernel"


def test_budget_counts_every_function_and_names_the_most_frequent(write_onnx):
    nodes = [node("Relu", "image", "a"), node("Relu", "a", "b"), node("Neg", "b", "c"), node("Relu", "c", "scores")]
    path = write_onnx(nodes)
    assert lint(path, budget=4) == ()
    (found,) = only(lint(path, budget=3), "budget")
    assert found.what == "The file has 4 operators where 3 are budgeted; most are 3 Relu, 1 Neg."


# --- the table ---


def test_every_rule_has_its_test():
    tested = "\n".join(name for name in globals() if name.startswith("test_"))
    assert [name for name in RULES if f"test_{name.replace('-', '_')}" not in tested] == []


def test_the_page_about_the_rules_is_what_the_table_says():
    rows = [f"| `{name}` | {rule.finds} | {rule.why} | {rule.remedy} |" for name, rule in RULES.items()]
    rows += [f"| `{name}` | {remedy} |" for name, remedy in INSTEAD.items()]
    assert re.findall(r"^\| `.*", DOCS.read_text(), flags=re.MULTILINE) == rows


def test_every_text_of_the_table_is_a_sentence():
    texts = [text for rule in RULES.values() for text in (rule.finds, rule.why, rule.remedy)] + [*INSTEAD.values()]
    assert [text for text in texts if not re.fullmatch(r"[A-Z].*\.", text)] == []


# --- what cannot be read ---


@pytest.mark.parametrize("read", [lint, operators])
@pytest.mark.parametrize("format", ["tflite", "onnx"])
@pytest.mark.parametrize("content", [b"", b"not a model\n" * 100, b"\0" * 1000, b"\xff" * 999, b"\0\0\0\0TFL3" * 9])
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path, read, format, content):
    path = tmp_path / f"renamed.{format}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: expected an? .{format} model. "):
        read(path)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.6])
def test_a_truncated_file_is_refused_by_name(clean, write_onnx, tmp_path, share):
    described = write_onnx(CONV, {"kernel": KERNEL[:1, :1].T})
    with zipfile.ZipFile(clean) as archive:
        sizes = {clean: archive.infolist()[0].header_offset, described: described.stat().st_size}
    for path, size in sizes.items():
        cut = tmp_path / f"cut{path.suffix}"
        cut.write_bytes(path.read_bytes()[: int(share * size)])
        with pytest.raises(ValueError, match=f"^{re.escape(str(cut))}: expected an? .* model"):
            lint(cut)


@pytest.mark.parametrize(("name", "received"), [("model", "no suffix"), ("model.keras", ".keras"), ("a.zip", ".zip")])
def test_a_file_of_another_format_is_refused(tmp_path, name, received):
    with zipfile.ZipFile(tmp_path / name, "w"):
        pass
    with pytest.raises(ValueError, match=f"expected a .tflite or .onnx file. Received: {received}"):
        lint(tmp_path / name)


@pytest.mark.parametrize(
    ("format", "package", "extra"), [("tflite", "ai_edge_litert", "lite"), ("onnx", "onnx", "export")]
)
def test_a_missing_reader_is_named_with_the_extra_that_brings_it(tmp_path, monkeypatch, format, package, extra):
    (tmp_path / f"model.{format}").touch()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"model.{format} needs .* install keras_segattn\[{extra}\]"):
        lint(tmp_path / f"model.{format}")


@pytest.mark.parametrize("wrong", [{"budget": 0}, {"budget": 2.5}, {"float_layers": "conv1"}, {"float_layers": [1]}])
def test_arguments_out_of_range_are_refused(clean, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        lint(clean, **wrong)


# --- operators ---


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (convolved, Operators({"main": Counter(CONV_2D=1)}, (), Counter(), 1.0)),
        (summed, Operators({"main": Counter(CUMSUM=1)}, (), Counter(CUMSUM=1), 0.0)),
        (
            lambda x: convolved(summed(convolved(summed(convolved(x))))),
            Operators({"main": Counter(CONV_2D=3, CUMSUM=2)}, (), Counter(CUMSUM=2), 0.6),
        ),
    ],
)
def test_what_is_not_delegated_is_named_and_the_rest_is_a_share(write_tflite, function, expected):
    found = operators(write_tflite(function))
    assert (list(found.counts.values()), found.left) == (list(expected.counts.values()), expected.left)
    assert found.delegated == pytest.approx(expected.delegated)


@pytest.mark.parametrize("function", [convolved, summed])
def test_litert_itself_says_whether_all_is_delegated(write_tflite, function):
    from ai_edge_litert.compiled_model import CompiledModel

    path = write_tflite(function)
    assert CompiledModel.from_file(str(path)).is_fully_accelerated() == (not operators(path).left)


def test_an_operator_of_tensorflow_is_found_by_its_name(write_tflite):
    found = operators(write_tflite(lambda x: resized(x) + 1, flex=True))
    assert found.custom == ("FlexResizeBicubic",)
    assert list(found.counts.values()) == [found.left] == [Counter(FlexResizeBicubic=1, ADD=1)]
    assert found.delegated == 0


def test_the_operators_of_an_onnx_file_are_counted_with_those_inside_of_others(write_onnx):
    one = helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, 3, 8, 8))
    branches = {
        "then_branch": helper.make_graph([node("Relu", "image", "out")], "then", [], [one]),
        "else_branch": helper.make_graph([node("Neg", "image", "n"), node("Abs", "n", "out")], "else", [], [one]),
    }
    path = write_onnx([node("If", "yes", "scores", name="choose", **branches)], {"yes": np.bool_(True)})
    assert lint(path) == ()
    assert operators(path) == Operators(
        {
            "main": Counter(If=1),
            "main/choose/else_branch": Counter(Neg=1, Abs=1),
            "main/choose/then_branch": Counter(Relu=1),
        },
        (),
    )


def test_the_same_fault_in_two_signatures_is_told_once(monkeypatch, clean):
    monkeypatch.setitem(RULES, "opset", RULES["opset"].__class__("A.", "B.", "C.", lambda *_: [("a", "b.")] * 2))
    assert lint(clean) == (Finding("opset", "a", "b.", "C."),)
