"""``segattn predict``: photographs in; masks, overlays and class shares out."""

import json
from pathlib import Path

import click


@click.command("predict")
@click.argument("target")
@click.argument("images", nargs=-1, required=True)
@click.option("--output", default="predictions", show_default=True, help="Folder for the pictures.")
@click.option("--tiled", is_flag=True, help="Tile by tile at the photograph's own resolution.")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads, for a file.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def command(target, images, output, tiled, threads, as_json):
    """Segment IMAGES with TARGET, the name of an entry or a .tflite or .onnx file.

    Writes STEM_mask.png, whose pixel values are class indices shown in the palette, and STEM_overlay.png,
    both of the size of the photograph, and prints the share of each class.
    """
    from .. import images as pictures
    from .target import open_target

    photographs = [(path, pictures.read_image(path)) for path in images[:1]]  # a bad path fails before the model
    segmenter = open_target(target, threads)
    Path(output).mkdir(parents=True, exist_ok=True)
    answers = []
    for path, stem in zip(images, _stems(images), strict=True):
        photograph = photographs.pop()[1] if photographs else pictures.read_image(path)
        if tiled:
            labels = segmenter.labels_tiled(photograph)                                 # (H, W) of the photograph
        else:
            labels = segmenter.labels(pictures.fit(photograph, *segmenter.image_size))  # (H, W) of the model
            labels = pictures.restore(labels, *photograph.shape[:2])                    # of the photograph
        mask, overlay = (Path(output) / f"{stem}_{kind}.png" for kind in ("mask", "overlay"))
        pictures.write_mask(mask, labels, segmenter.palette)
        pictures.write_image(overlay, pictures.overlay(photograph, labels, segmenter.palette))
        shares = pictures.class_shares(labels, len(segmenter.classes))
        named = {name: float(share) for name, share in zip(segmenter.classes, shares, strict=True)}
        answers.append({"image": path, "mask": str(mask), "overlay": str(overlay), "classes": named})
    if as_json:
        click.echo(json.dumps(answers, indent=2))
        return
    for answer in answers:
        click.echo(f"{answer['image']} -> {answer['mask']}, {answer['overlay']}")
        for name, share in sorted(answer["classes"].items(), key=lambda item: -item[1]):
            if share > 0:
                click.echo(f"  {name:<14} {100 * share:6.2f} %")


def _stems(paths):
    """File stems, numbered where two photographs have the same."""
    seen = {}
    for path in paths:
        stem = Path(path).stem
        seen[stem] = seen.get(stem, 0) + 1
        yield stem if seen[stem] == 1 else f"{stem}_{seen[stem]}"
