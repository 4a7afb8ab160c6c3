"""Model cards and the README's table, made from recipes and results: ``python -m keras_segattn.zoo.card``."""

import re
import statistics
from dataclasses import dataclass, fields
from pathlib import Path

from . import info, list_models, results
from .data import DATASETS, TASKS
from .recipe import Recipe

CARDS = Path(__file__).with_name("cards")
PHOTOGRAPH = "photograph: Lav Varshney, CC0, from scikit-image"
BEGIN, END = "<!-- results: made by `make cards` -->", "<!-- end of results -->"


def card(name, table):
    """The model card of an entry.

    Args:
        name: name of an entry.
        table: rows of results.csv.

    Returns:
        str, Markdown.

    Example:
        >>> card("fcn8s_mobilenet_camvid", table=[]).splitlines()[0]
        '# fcn8s_mobilenet_camvid'
    """
    from . import recipes

    recipe = info(name)
    dataset = DATASETS[recipe.dataset]
    words = _WORDS[dataset.task]
    about = (recipes.__dict__[name].__doc__ or "").strip().split("\n\n")
    return "\n".join(
        [
            f"# {name}",
            "",
            "\n\n".join(about[:-1]),
            "",
            "```python",
            *_use(recipe, dataset),
            "```",
            "",
            *_picture(name, words),
            f"## Results on {dataset.title}",
            "",
            f"{words.scores}.",
            "",
            results_table([name], table),
            "",
            *_seeds(name, dataset, table),
            *_beams(name, recipe, table),
            "## Files",
            "",
            files_table(name, table),
            "",
            f"Differences are of the logits, as a share of their range, and the same answers {words.answers}; times "
            "are of one input on two processor threads, next to the Keras model in the same run.",
            "",
            *(["## Tails (.tflite, float32)", "", tails_table(name, table), ""] if dataset.classes else []),
            f"## {words.parts[0]} (Keras model, test split)",
            "",
            *_parts_table(name, dataset, table),
            "",
            "## Data",
            "",
            f"{dataset.source}.",
            "",
            f"Terms of the data: {dataset.terms}. Trained on the {dataset.splits['train']} {words.examples} of "
            f"the train split, chosen on the {dataset.splits['val']} of val, measured on the "
            f"{dataset.splits['test']} of test{words.counted}{_signature(name, table)}.",
            "",
            "## Recipe",
            "",
            f"Rerun: `{about[-1].strip()}`",
            "",
            "| argument | value |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in _said(recipe, dataset)),
            "",
        ]
    )


@dataclass(frozen=True)
class _Words:
    """What a card says of a task."""

    scores: str  # of which numbers the table is
    answers: str  # which are the same
    parts: tuple  # title of the other scores; what each is of; its name; and {label: metric}, or that of each class
    examples: str = "images"
    counted: str = ""  # how
    picture: str = ""  # what docs/looks shows


_WORDS = {
    "segmentation": _Words(
        scores="Mean IoU on the test split, in percent",
        answers="those of the pixels of real images",
        parts=("IoU by class", "class", "IoU", "iou"),
        counted="; void pixels count nothing, and the IoU of a class is taken over the whole split",
    ),
    "recognition": _Words(
        scores="Share of the test split of which the answer is wrong, in percent",
        answers="those of real images",
        parts=("Error by class", "class", "Error", "error"),
        picture="Digits of a font, distorted as the data are: `python examples/looks.py {name} PICTURE`",
    ),
    "translation": _Words(
        scores="Corpus BLEU on the test split, in points of 100, by beam search",
        answers="whole sentences, token by token, on real ones",
        parts=(
            "BLEU by length",
            "words of the source",
            "BLEU",
            {label: f"bleu_{label.replace(' ', '_')}" for label in ("1 to 5", "6 to 10", "11 to 15", "over 15")},
        ),
        examples="pairs of sentences",
        counted=", by sacrebleu as it is by default: 13a tokens of plain text, case counts",
        picture="Which words each word was read from: `segattn predict {name} TEXT --output FOLDER`",
    ),
    "captioning": _Words(
        scores="Corpus BLEU-4 on the test split against all five captions, in points of 100, by beam search",
        answers="whole sentences, token by token, on real photographs",
        parts=(
            "All scores",
            "score",
            "points",
            {**{f"BLEU-{n}": f"bleu_{n}" for n in range(1, 5)}, "CIDEr-D": "cider_d"},
        ),
        examples="photographs, of five captions each,",
        counted="; lower case, without punctuation, and 100 times the CIDEr-D of its paper",
        picture="Where it looked, word by word: `segattn predict {name} IMAGE` ({photograph})",
    ),
}
_PIXELS = {1: "grey", 2: "red and green", 3: "RGB"}


def _use(recipe, dataset):
    if dataset.classes:
        shape = ", ".join(map(str, (*recipe.image_size, dataset.channels)))
        pixels = _PIXELS[dataset.channels]
        return [
            "from keras_segattn import zoo",
            f'model = zoo.load("{recipe.name}")  # image (B, {shape}), {pixels} 0..255 -> logits',
        ]
    search = f"beams={recipe.beams}, max_length={recipe.max_tokens}, length_power={recipe.length_power}"
    size = recipe.image_size
    reads = "list of str" if size is None else f"uint8 (B, {size[0]}, {size[1]}, 3), RGB"
    return [
        "from keras_segattn import models, zoo",
        f'writer = models.Writer(zoo.load("{recipe.name}"), {search})',
        f"sentences = writer.write(inputs)  # {reads}; each has .text, .log_probability and .attention",
    ]


_OF_SENTENCES, _OF_VIEWS = ("beams", "length_power", "max_tokens"), ("scale", "colour", "encoder_rate")
_UNUSED = {"segmentation": _OF_SENTENCES, "recognition": _OF_SENTENCES + _OF_VIEWS}  # digits are drawn, not seen anew


def _said(recipe, dataset):
    """Names and values of what a recipe says that is of its task."""
    values = [(field.name, getattr(recipe, field.name)) for field in fields(Recipe)]
    unused = _UNUSED.get(dataset.task, _OF_VIEWS)
    return [(name, value) for name, value in values if value not in (None, (), {}) and name not in unused]


def _picture(name, words):
    """What it looks at, where that was drawn."""
    path = f"docs/looks/{name}.png"
    if not (CARDS.parent.parent / path).is_file():
        return []
    return [
        f"![What the model looks at](../../{path})",
        "",
        f"*{words.picture.format(name=name, photograph=PHOTOGRAPH)}.*",
        "",
    ]


def results_table(names, table):
    """Test scores of entries of one task, as Keras models and as every file that was evaluated, as a Markdown table.

    Example:
        >>> print(results_table([], []))
        | entry | Keras |
        |---|---|
    """
    scores = {}
    for name in names:
        facts = {"entry": name, "metric": _metric(name), "split": "test", "seed": str(info(name).seed)}
        for row in table:
            if row["tail"] in ("", "labels") and all(row[key] == value for key, value in facts.items()):
                file = (row["format"], row["precision"])
                scores.setdefault(file, {})[name] = f"{float(row['value']):.2f}"
    keras = scores.pop(("keras", "float32"), {})
    in_order = sorted(scores.items(), key=lambda item: (list(_TITLES).index(item[0][0]), _PRECISIONS.index(item[0][1])))
    files = {f"{_TITLES[format]} {precision}": score for (format, precision), score in in_order}
    columns = {"Keras": keras, **files}
    lines = [f"| entry | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for name in names:
        lines.append(f"| {name} | {' | '.join(column.get(name, '') for column in columns.values())} |")
    return "\n".join(lines)


def _metric(name):
    return TASKS[DATASETS[info(name).dataset].task].metric


def _seeds(name, dataset, table):
    """The scores of every seed that was trained, if there are several."""
    facts = {"entry": name, "format": "keras", "tail": "", "metric": _metric(name), "split": "test"}
    scores = {int(row["seed"]): float(row["value"]) for row in _of_metric(table=table, **facts)}
    if len(scores) < 2:
        return []
    each = ", ".join(f"{score:.2f} (seed {seed})" for seed, score in sorted(scores.items()))
    median = statistics.median(scores.values())
    return [f"Trained {len(scores)} times: {each}; the median is {median:.2f}, and its weights are the zoo's.", ""]


def _beams(name, recipe, table):
    """The scores of searches with other numbers of hypotheses than the recipe's, if there are some."""
    facts = {"entry": name, "format": "keras", "metric": _metric(name), "split": "test", "seed": str(recipe.seed)}
    scores = {
        int(row["tail"].split()[0]): float(row["value"])
        for row in _of_metric(table, **facts)
        if row["tail"].endswith("beams")
    }
    if not scores:
        return []
    each = ", ".join(f"{score:.2f} with {beams}" for beams, score in sorted(scores.items()))
    return [f"The search has {recipe.beams} beams; it reaches {each}.", ""]


def _signature(name, table):
    """How the score of the Keras model was counted, where sacrebleu tells it."""
    row = results.latest(table, entry=name, format="keras", tail="", metric=_metric(name), split="test")
    return f" (`{row['signature']}`)" if row and row.get("signature") else ""


_PRECISIONS = ("float32", "float16", "dynamic", "int8", "mixed")
_TITLES = {"saved_model": "SavedModel", "tflite": "TFLite", "onnx": "ONNX"}


def files_table(name, table):
    """The exported files of an entry, as a Markdown table: how near, how large, how fast.

    Example:
        >>> print(files_table("fcn8s_mobilenet_camvid", []))
        | format | precision | worst difference | same answer | MB | times as fast as Keras | operators | peak MB |
        |---|---|---|---|---|---|---|---|
    """
    lines = [
        "| format | precision | worst difference | same answer | MB | times as fast as Keras | operators | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in _of_metric(table, entry=name, metric="size"):
        if row["tail"] not in ("", "labels"):
            continue
        value = _values(row, table)
        operators = f"{value['operators']:.0f}" if "operators" in value else ""
        if "delegated" in value:
            operators += f", XNNPACK runs {100 * value['delegated']:.0f} %"
        lines.append(
            f"| {row['format']} | {row['precision']} | {value['worst_difference']:.1e} "
            f"| {value['label_agreement']:.3f} % | {value['size'] / 1e6:.2f} | {value['times_as_fast']:.2f} "
            f"| {operators} | {value['peak_mb']:.0f} |"
        )
    return "\n".join(lines)


def tails_table(name, table):
    """What a .tflite of an entry may answer with, as a Markdown table: time, bytes and score of each.

    Example:
        >>> print(tails_table("fcn8s_mobilenet_camvid", []))
        | tail | ms | kB an answer | test mIoU | lost |
        |---|---|---|---|---|
    """
    task = TASKS[DATASETS[info(name).dataset].task]
    lines = [f"| tail | ms | kB an answer | test {task.title} | lost |", "|---|---|---|---|---|"]
    facts = {"entry": name, "format": "tflite", "precision": "float32"}
    seed = str(info(name).seed)
    whole = results.latest(table, entry=name, format="keras", tail="", metric=task.metric, split="test", seed=seed)
    for row in _of_metric(table, **facts, metric="output_bytes"):
        value = _values(row, table)
        lost = task.direction * (float(whole["value"]) - value[task.metric])
        lines.append(
            f"| {row['tail']} | {value['ms']:.3g} | {_short(value['output_bytes'] / 1000)} | {value[task.metric]:.2f} "
            f"| {lost + 0:.2f} |"
        )
    return "\n".join(lines)


def _short(number):
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def _of_metric(table, **facts):
    return [row for row in table if all(row[key] == value for key, value in facts.items())]


def _values(row, table):
    """All that was measured of the file that a row is about."""
    same = ("entry", "format", "precision", "tail")
    return {
        other["metric"]: float(other["value"])
        for other in table
        if all(other[key] == row[key] for key in same)
    }


def _parts_table(name, dataset, table):
    """The other scores of an entry, in models of language beside those of the other entries of its data."""
    _, part, title, metrics = _WORDS[dataset.task].parts
    if dataset.classes:
        metrics = {label: f"{metrics}_{label}" for label in dataset.classes}
        metrics |= {"all pixels (accuracy)": "pixel_accuracy"}
    names = [name]
    if not dataset.classes:
        names += [other for other in list_models() if info(other).dataset == dataset.name and other != name]
    columns = {title if one == name else one: _values_of(one, metrics, table) for one in names}
    columns = {head: values for head, values in columns.items() if values}
    return [
        f"| {' | '.join([part, *columns])} |",
        f"|{'---|' * (1 + len(columns))}",
        *(
            f"| {' | '.join([label, *(values.get(label, '') for values in columns.values())])} |"
            for label in metrics
            if any(label in values for values in columns.values())
        ),
    ]


def _values_of(name, metrics, table):
    """dict: label -> score of the Keras model on the test split, as a card has it."""
    facts = {"entry": name, "format": "keras", "tail": "", "split": "test", "seed": str(info(name).seed)}
    rows = {label: results.latest(table, **facts, metric=metric) for label, metric in metrics.items()}
    return {label: f"{float(row['value']):.2f}" for label, row in rows.items() if row is not None}


def readme(text, table):
    """The README with its table made anew.

    Args:
        text: README with the two marks around the table.
        table: rows of results.csv.

    Returns:
        str, the README.

    Example:
        >>> "old" in readme(f"{BEGIN} old {END}", table=[])
        False
    """
    made = f"{BEGIN}\n{_tables(table)}\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: made, text, flags=re.DOTALL)


def _tables(table):
    """A table of results for every data set that has entries, by task."""
    parts = []
    for dataset in DATASETS.values():
        names = [name for name in list_models() if info(name).dataset == dataset.name]
        if names:
            examples = _WORDS[dataset.task].examples.split(",")[0]
            title = f"{dataset.title}. {_WORDS[dataset.task].scores}, {dataset.splits['test']} {examples}."
            parts.append(f"{title}\n\n{results_table(names, table)}")
    return "\n\n".join(parts)


def write(root):
    """Write every card and the README's table.

    Args:
        root: the checkout.

    Example:
        >>> write(".")                                                       # doctest: +SKIP
    """
    table = results.read()
    for name in list_models():
        (CARDS / f"{name}.md").write_text(card(name, table))
    path = Path(root) / "README.md"
    path.write_text(readme(path.read_text(), table))


if __name__ == "__main__":
    write(Path(__file__).resolve().parent.parent)
