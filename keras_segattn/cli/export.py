"""``segattn export``: an entry as a file, proven on real images."""

import json
import os
from pathlib import Path

import click

PROOF_IMAGES = 32
CALIBRATION_IMAGES = 100  # of the training split, evenly spread


@click.command("export")
@click.argument("name")
@click.option("--format", type=click.Choice(["saved_model", "tflite", "onnx"]), default="tflite", show_default=True)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "dynamic", "int8"]),
    default="float32",
    show_default=True,
    help="Of a .tflite file.",
)
@click.option("--output", default="exports", show_default=True, help="Folder for the file and report.json.")
@click.option("--data-dir", help="Folder of the data sets; default: KERAS_SEGATTN_DATA.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one object.")
def command(name, format, precision, output, data_dir, as_json):
    """Export the entry NAME. The file is kept only if it gives the Keras model's answer."""
    from .. import zoo

    recipe = zoo.info(name)
    if format != "tflite" and precision != "float32":
        raise click.UsageError(f"--precision {precision} is of --format tflite; {format} is float32")
    report = export_entry(recipe, output, format=format, precision=precision, data_dir=data_dir)
    facts = write_report(Path(output) / "report.json", name, report)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    parity = report.parity
    click.echo(
        f"{report.path}  {report.size / 1e6:.2f} MB  worst difference {parity.worst:.1e} of the range, "
        f"labels agree {100 * parity.agreement:.3f} %  ({parity.images} images: {report.images})"
    )


def export_entry(recipe, output, *, format, precision, data_dir=None):
    """Export an entry with its own data as proof and calibration, or free photographs where they are not there.

    Args:
        recipe: ``Recipe``.
        output: folder.
        format: key of ``export.FORMATS``.
        precision: of a .tflite file.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Returns:
        ``ExportReport``.

    Example:
        >>> export_entry(recipe, "exports", format="onnx", precision="float32")  # doctest: +SKIP
    """
    import keras

    from .. import __version__, zoo
    from ..export import Metadata, export
    from ..zoo.data import DATASETS
    from ..zoo.weights import checksum

    dataset = DATASETS[recipe.dataset]
    metadata = Metadata(
        name=recipe.name,
        classes=dataset.classes,
        palette=dataset.palette,
        ignore_label=dataset.ignore_label,
        image_size=tuple(recipe.image_size),
        provenance={
            "entry": recipe.name,
            "dataset": dataset.name,
            "terms": dataset.terms,
            "weights_sha256": checksum(f"{recipe.name}.weights.h5"),
            "keras_segattn": __version__,
            "keras": keras.__version__,
        },
    )
    proof, proof_source = sample_images(recipe, "test", PROOF_IMAGES, data_dir)
    calibration = calibration_source = None
    if precision == "int8":
        calibration, calibration_source = sample_images(recipe, "train", CALIBRATION_IMAGES, data_dir)
    return export(
        zoo.load(recipe.name),
        output,
        metadata,
        format=format,
        precision=precision,
        images=proof,
        images_source=proof_source,
        calibration=calibration,
        calibration_source=calibration_source,
        float_layers=recipe.float_layers,
    )


def sample_images(recipe, split, count, data_dir=None):
    """Real images of an entry's size: of its own data where they are there, else free photographs.

    Args:
        recipe: ``Recipe``.
        split: which official split.
        count: how many, evenly spread over the split.
        data_dir: data folder, or None for ``KERAS_SEGATTN_DATA``.

    Returns:
        (uint8 (count, H, W, 3), where they come from in words).

    Raises:
        DataError: if a data folder was named that does not hold the data.

    Example:
        >>> from keras_segattn import zoo
        >>> sample_images(zoo.info("fcn8s_mobilenet_camvid"), "test", 2)[0].shape
        (2, 360, 480, 3)
    """
    import numpy as np

    from ..export import free_photographs
    from ..images import fit
    from ..zoo.data import DATASETS, data_folder

    if not data_dir and not os.environ.get("KERAS_SEGATTN_DATA"):
        return free_photographs(count, *recipe.image_size), "crops of the free photographs of scikit-learn"
    from ..zoo.data.builder import open_split

    dataset = DATASETS[recipe.dataset]
    examples = open_split(dataset, split, data_folder(data_dir))
    chosen = np.linspace(0, len(examples) - 1, min(count, len(examples))).round().astype(int)
    images = np.stack([fit(examples[int(index)]["image"], *recipe.image_size) for index in chosen])
    return images, f"{dataset.title}, {split} split"


def write_report(path, name, report):
    """Add the facts of one file to report.json, in the place of what was said of that file before.

    Args:
        path: of report.json.
        name: of the entry.
        report: ``ExportReport``.

    Returns:
        dict of those facts: what ``report`` says, the entry, and the SHA-256 of its weights.

    Example:
        >>> write_report(Path("exports/report.json"), "fcn8s_mobilenet_camvid", report)  # doctest: +SKIP
    """
    from ..zoo.weights import checksum

    facts = {"entry": name, "weights": checksum(f"{name}.weights.h5"), **report.to_dict()}
    artifacts = json.loads(path.read_text())["artifacts"] if path.is_file() else []
    artifacts = [artifact for artifact in artifacts if artifact["file"] != facts["file"]]
    partial = path.with_name(f".{path.name}")
    partial.write_text(json.dumps({"artifacts": [*artifacts, facts]}, indent=2) + "\n")
    os.replace(partial, path)
    return facts
