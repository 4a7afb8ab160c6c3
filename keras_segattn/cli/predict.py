"""``segattn predict``: photographs in; masks and class shares, or classes and where the model looks, out."""

import json
from pathlib import Path

import click


@click.command("predict")
@click.argument("target")
@click.argument("images", nargs=-1, required=True)
@click.option("--output", default="predictions", show_default=True, help="Folder for the pictures.")
@click.option("--tiled", is_flag=True, help="Tile by tile at the photograph's own resolution; segmentation alone.")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads, for a file.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def command(target, images, output, tiled, threads, as_json):
    """Ask TARGET, the name of an entry or a .tflite or .onnx file, about IMAGES.

    Segmentation writes STEM_mask.png, whose pixel values are class indices shown in the palette, and
    STEM_overlay.png, both of the size of the photograph, and prints the share of each class.

    Recognition prints the class and its probability. A model with spatial transformers also writes
    STEM_attention.png: the image with the outline of what each of them looks at.
    """
    from .. import images as pictures
    from .target import open_target

    photographs = [(path, pictures.read_image(path)) for path in images[:1]]  # a bad path fails before the model
    model = open_target(target, threads)
    if tiled and model.task != "segmentation":
        raise click.UsageError(f"--tiled: expected a model that segments. {target} is one of {model.task}")
    ask, tell = _TASKS[model.task]
    Path(output).mkdir(parents=True, exist_ok=True)
    answers = []
    for path, stem in zip(images, _stems(images), strict=True):
        photograph = photographs.pop()[1] if photographs else pictures.read_image(path)
        answers.append({"image": path, **ask(model, photograph, Path(output) / stem, tiled)})
    if as_json:
        click.echo(json.dumps(answers, indent=2))
        return
    for answer in answers:
        tell(answer)


def _segment(model, photograph, stem, tiled):
    from .. import images as pictures

    if tiled:
        labels = model.labels_tiled(photograph)                                     # (H, W) of the photograph
    else:
        labels = model.labels(pictures.fit(photograph, *model.image_size))          # (H, W) of the model
        labels = pictures.restore(labels, *photograph.shape[:2])                    # of the photograph
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


_TASKS = {"segmentation": (_segment, _tell_segments), "recognition": (_recognize, _tell_class)}


def _stems(paths):
    """File stems, numbered where two photographs have the same."""
    seen = {}
    for path in paths:
        stem = Path(path).stem
        seen[stem] = seen.get(stem, 0) + 1
        yield stem if seen[stem] == 1 else f"{stem}_{seen[stem]}"
