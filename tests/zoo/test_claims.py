"""What the zoo says of itself, held against the papers; the scores on CamVid are measured again on its test split."""

import os

import pytest

from keras_segattn import zoo
from keras_segattn.export import Runner
from keras_segattn.zoo import results
from keras_segattn.zoo.data import DATASETS, data_folder
from keras_segattn.zoo.data.builder import open_split
from keras_segattn.zoo.evaluate import evaluate, labels_of

CAMVID = DATASETS["camvid"]
ENTRIES = ("fcn32s_mobilenet_camvid", "fcn16s_mobilenet_camvid", "fcn8s_mobilenet_camvid")
needs_data = pytest.mark.skipif(not os.environ.get("KERAS_SEGATTN_DATA"), reason="KERAS_SEGATTN_DATA is not set")


def stated(entry, **facts):
    facts = {"format": "keras", "precision": "float32", "metric": "mean_iou", "split": "test", **facts}
    return float(results.latest(results.read(), entry=entry, **facts)["value"])


@pytest.fixture(scope="module")
def test_split():
    return list(open_split(CAMVID, "test", data_folder()))


def test_finer_strides_score_higher_as_in_the_paper():
    coarse, middle, fine = (stated(entry) for entry in ENTRIES)
    assert coarse < middle < fine


def test_fcn8s_beats_the_paper_and_a_plain_script_with_at_most_three_million_parameters():
    assert stated("fcn8s_mobilenet_camvid") >= 62.8  # the paper, with 134.5 million, is reported at 57.0
    assert zoo.load("fcn8s_mobilenet_camvid", weights=False).count_params() <= 3_000_000


def test_int8_loses_at_most_half_a_point():
    entry = "fcn8s_mobilenet_camvid"
    assert stated(entry) - stated(entry, format="tflite", precision="int8") <= 0.5


def error(entry, **facts):
    return stated(entry, metric="error", seed=str(zoo.info(entry).seed), **facts)


def test_turned_digits_are_read_better_than_in_the_paper_and_without_a_transformer():
    plain = error("cnn_mnist_r")
    for entry in ("stn_affine_mnist_r", "stn_tps_mnist_r"):
        assert error(entry) <= 0.7  # the paper's ST-CNN: 0.7
        assert error(entry) <= 0.7 * plain


@pytest.mark.parametrize("kind", ["rts", "cluttered"])
def test_digits_that_have_to_be_found_are_read_better_with_a_transformer(kind):
    assert error(f"stn_affine_mnist_{kind}") <= 0.75 * error(f"cnn_mnist_{kind}")


@pytest.mark.parametrize("entry", ["stn_affine_mnist_r", "cnn_mnist_r"])
def test_the_score_of_three_seeds_is_their_median(entry):
    seeds = [stated(entry, metric="error", seed=str(seed)) for seed in range(3)]
    assert error(entry) == sorted(seeds)[1]


def test_a_spatial_transformer_network_is_below_300_kb_and_loses_at_most_a_tenth_of_a_point():
    entry, facts = "stn_affine_mnist_r", {"format": "tflite", "precision": "int8"}
    assert error(entry, **facts) - error(entry) <= 0.1
    assert stated(entry, metric="size", split="", tail="labels", **facts) < 300_000


def bleu(entry, metric="bleu", **facts):
    if entry not in zoo.list_models():
        pytest.skip(f"{entry} is not trained yet")
    return stated(entry, **{"metric": metric, "tail": "", **facts})


TRANSLATORS = {"rnnsearch_multi30k_de_en": 34, "rnnsearch_multi30k_en_de": 32}


@pytest.mark.parametrize("entry", TRANSLATORS)
def test_attention_translates_well_and_a_wider_search_better(entry):
    assert bleu(entry) >= TRANSLATORS[entry]
    assert bleu(entry, tail="5 beams") > bleu(entry, tail="1 beams")


def test_attention_matters_for_long_sentences_and_what_it_multiplies_does_not():
    plain, additive, product = (f"{name}_multi30k_de_en" for name in ("rnn_encdec", "rnnsearch", "luong"))
    assert bleu(additive, "bleu_over_15") >= bleu(plain, "bleu_over_15") + 5
    assert bleu(product) >= bleu(additive) - 1


def test_captions_that_look_for_each_word_are_better_than_those_that_looked_once():
    soft, once = (bleu(f"{name}_flickr8k", "bleu_4") for name in ("show_attend_tell_soft", "neuraltalk"))
    assert soft > once
    assert soft >= 18
    assert bleu("show_attend_tell_soft_flickr8k", "bleu_4", tail="5 beams") >= 20.4


LANGUAGE = [name for name in zoo.list_models() if not DATASETS[zoo.info(name).dataset].classes]


@pytest.mark.parametrize("entry", LANGUAGE)
@pytest.mark.parametrize(("precision", "formats", "least"), [
    ("float32", ("saved_model", "tflite", "onnx"), 100),
    ("float16", ("tflite", "onnx"), 99),
])  # fmt: skip
def test_files_write_the_sentences_of_keras_or_others_that_it_finds_as_likely(precision, formats, least, entry):
    for format in formats:
        facts = {"entry": entry, "format": format, "precision": precision, "split": "proof", "tail": ""}
        ties = results.latest(results.read(), metric="ties", **facts)
        same = stated(metric="label_agreement", **facts)
        assert same + (float(ties["value"]) if ties else 0) >= least
        assert same >= 99


def test_every_result_is_of_a_whole_official_split():
    for row in results.read():
        whole = DATASETS[zoo.info(row["entry"]).dataset].splits["test"]
        assert row["split"] != "test" or int(row["images"]) == whole


@needs_data
@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    "entry", [pytest.param(entry, marks=[] if entry == ENTRIES[-1] else pytest.mark.every_entry) for entry in ENTRIES]
)
def test_the_stated_score_is_measured_again(entry, test_split):
    values = evaluate(labels_of(zoo.load(entry)), test_split, CAMVID, image_size=zoo.info(entry).image_size)
    assert len(test_split) == 233
    assert values["mean_iou"] == pytest.approx(stated(entry), abs=0.02)


@needs_data
@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.every_entry
def test_the_stated_int8_score_is_measured_again_on_the_exported_file(test_split, tmp_path):
    from keras_segattn.cli.entry import export_entry

    recipe = zoo.info("fcn8s_mobilenet_camvid")
    small, large = (
        export_entry(recipe, tmp_path, format="tflite", precision=precision) for precision in ("int8", "float32")
    )
    values = evaluate(Runner(small.path).labels, test_split, CAMVID, image_size=recipe.image_size)
    assert values["mean_iou"] == pytest.approx(stated(recipe.name, format="tflite", precision="int8"), abs=0.1)
    assert small.size <= large.size / 3
