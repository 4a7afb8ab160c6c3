"""``segattn predict``: photographs or sentences in; masks, classes or sentences, and where the model looks, out."""

import json
from pathlib import Path

import click

from .target import is_exported, open_target


@click.command("predict")
@click.argument("target")
@click.argument("inputs", nargs=-1)
@click.option("--output", help="Folder for the pictures; default: predictions for photographs, none for sentences.")
@click.option("--tiled", is_flag=True, help="Tile by tile at the photograph's own resolution; segmentation alone.")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads, for a file.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def command(target, inputs, output, tiled, threads, as_json):
    """Ask TARGET, the name of an entry or a .tflite or .onnx file, about INPUTS.

    Segmentation takes photographs and writes STEM_mask.png, whose pixel values are class indices shown in the
    palette, and STEM_overlay.png, both of the size of the photograph, and prints the share of each class.

    Recognition takes images and prints the class and its probability. A model with spatial transformers also writes
    STEM_attention.png: the image with the outline of what each of them looks at.

    Captioning takes photographs and prints a sentence for each; STEM_attention.png shows where it looked, word by word.

    Translation takes sentences, or the lines of the standard input, and prints one for each. With --output it writes
    001_attention.png and so on: which words each word was read from.
    """
    model = _opened(target, inputs, threads)
    if tiled and model.task != "segmentation":
        raise click.UsageError(f"--tiled: expected a model that segments. {target} is one of {model.task}")
    if model.task not in _TASKS:
        raise click.UsageError(f"{target}: expected a file that segments, recognises or writes. It is of another kind")
    answers, tell = _TASKS[model.task]
    found = answers(model, inputs, output, tiled)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for answer in found:
        tell(answer)


def _opened(target, inputs, threads):
    """The model; a photograph that cannot be read fails before one is built."""
    if is_exported(target):
        return open_target(target, threads)

    from .. import zoo
    from ..images import read_image

    if zoo.data.DATASETS[zoo.info(target).dataset].task != "translation":
        read_image(_expected(inputs)[0])
    return open_target(target, threads)


def _expected(inputs):
    if not inputs:
        raise click.UsageError("INPUTS: expected at least one photograph")
    return inputs


def _of_each_photograph(ask):
    """Function that asks about one photograph after the other: inputs -> answers."""

    def answers(model, inputs, output, tiled):
        from .. import images as pictures

        folder = _folder(output or "predictions")
        return [
            {"image": path, **ask(model, pictures.read_image(path), folder / stem, tiled)}
            for path, stem in zip(_expected(inputs), _stems(inputs), strict=True)
        ]

    return answers


def _folder(path):
    Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


def _segment(model, photograph, stem, tiled):
    from .. import images as pictures

    if tiled:
        image = pictures.to_channels(photograph, model.channels)                                    # (H, W, C)
        labels = model.labels_tiled(image)                                                          # as the photograph
    else:
        image = pictures.to_channels(pictures.fit(photograph, *model.image_size), model.channels)   # (H, W, C)
        labels = model.labels(image)                                                                # (H, W), its own
        labels = pictures.restore(labels, *photograph.shape[:2])                                    # as the photograph
    mask, overlay = (stem.with_name(f"{stem.name}_{kind}.png") for kind in ("mask", "overlay"))
    pictures.write_mask(mask, labels, model.palette)
    pictures.write_image(overlay, pictures.overlay(photograph, labels, model.palette))
    shares = pictures.class_shares(labels, len(model.classes))
    named = {name: float(share) for name, share in zip(model.classes, shares, strict=True)}
    return {"mask": str(mask), "overlay": str(overlay), "classes": named}


def _tell_segments(answer):
    click.echo(f"{answer['image']} -> {answer['mask']}, {answer['overlay']}")
    for name, share in sorted(answer["classes"].items(), key=lambda item: -item[1]):
        if share > 0:
            click.echo(f"  {name:<14} {100 * share:6.2f} %")


def _recognize(model, photograph, stem, tiled):
    from .. import images as pictures
    from ..looks import draw_grids

    image = pictures.to_channels(pictures.fit(photograph, *model.image_size), model.channels)   # (H, W, C)
    shares = model.probabilities(image)                                                         # (K,)
    named = {name: float(share) for name, share in zip(model.classes, shares, strict=True)}
    best = max(named, key=named.get)
    answer = {"class": best, "probability": named[best], "classes": named}
    if grids := model.attend(image):
        picture = stem.with_name(f"{stem.name}_attention.png")
        pictures.write_image(picture, draw_grids(image, grids))
        answer["attention"] = str(picture)
    return answer


def _tell_class(answer):
    where = f" -> {answer['attention']}" if "attention" in answer else ""
    click.echo(f"{answer['image']}: {answer['class']}  {100 * answer['probability']:.2f} %{where}")


def _describe(model, photograph, stem, tiled):
    from .. import images as pictures
    from ..alignment import draw_attention

    (sentence,) = model.write([pictures.fit(photograph, *model.image_size)])
    answer = _said(sentence)
    if sentence.attention is not None and sentence.pieces:
        picture = stem.with_name(f"{stem.name}_attention.png")
        pictures.write_image(picture, draw_attention(photograph, sentence.pieces, sentence.attention))
        answer["attention"] = str(picture)
    return answer


def _tell_caption(answer):
    where = f" -> {answer['attention']}" if "attention" in answer else ""
    click.echo(f"{answer['image']}: {answer['text']}{where}")


def _translate(model, inputs, output, tiled):
    texts = list(inputs) or [line.rstrip("\n") for line in click.get_text_stream("stdin")]
    sentences = model.write(texts)
    answers = [{"source": text, **_said(sentence)} for text, sentence in zip(texts, sentences, strict=True)]
    if output is not None:
        folder = _folder(output)
        for number, (answer, sentence) in enumerate(zip(answers, sentences, strict=True), start=1):
            if sentence.attention is not None and sentence.pieces:
                answer["attention"] = _draw_alignment(folder / f"{number:03d}_attention.png", sentence)
    return answers


def _said(sentence):
    return {"text": sentence.text, "log_probability": sentence.log_probability}


def _draw_alignment(path, sentence):
    from ..alignment import draw_alignment, merge_words
    from ..images import write_image

    target, weights = merge_words(sentence.pieces, sentence.attention, axis=0)
    source, weights = merge_words(sentence.source, weights, axis=1)
    write_image(path, draw_alignment(source, target, weights))
    return str(path)


def _tell_translation(answer):
    click.echo(answer["text"])


_TASKS = {
    "segmentation": (_of_each_photograph(_segment), _tell_segments),
    "recognition": (_of_each_photograph(_recognize), _tell_class),
    "captioning": (_of_each_photograph(_describe), _tell_caption),
    "translation": (_translate, _tell_translation),
}


def _stems(paths):
    """File stems, numbered where two photographs have the same."""
    seen = {}
    for path in paths:
        stem = Path(path).stem
        seen[stem] = seen.get(stem, 0) + 1
        yield stem if seen[stem] == 1 else f"{stem}_{seen[stem]}"
