"""What an exported file says of itself: classes, palette, normalisation, where it comes from."""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

KEY = "keras_segattn"  # property of an ONNX model; <KEY>.json inside a .tflite or a SavedModel


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The facts that travel inside an exported file.

    In a .tflite they are a zip archive after the model, as TFLite's own associated files are, so that
    ``unzip model.tflite`` shows them, and beside them are TFLite's own metadata; in
    ONNX a metadata property; in a SavedModel a file of
    ``assets.extra``.

    Args:
        name: entry or model; the file is called after it.
        task: "segmentation", a class for every pixel, or "recognition", one class for the image.
        classes: K class names.
        palette: of segmentation, K colours (red, green, blue), 0..255.
        ignore_label: label that counts nothing in the data it was trained on, or None.
        image_size: (H, W) of the input.
        channels: C of the input: 1 grey, 2 red and green, 3 red, green and blue.
        precision: of the weights and the arithmetic.
        tail: key of ``tails.TAILS``: what the file answers with.
        signatures: functions of the file, name -> names of its outputs.
        normalization: what a caller has to do to the pixels.
        provenance: anything JSON about origin: entry, data set, terms, versions.

    Raises:
        ValueError: if the name is that of no file, or there are not as many colours as classes.

    Example:
        >>> facts = Metadata(
        ...     name="two", classes=("no", "yes"), palette=((0, 0, 0), (255, 0, 0)), image_size=(64, 96)
        ... )
        >>> Metadata.from_json(facts.to_json()) == facts
        True
    """

    name: str
    task: str = "segmentation"
    classes: tuple
    palette: tuple = ()
    ignore_label: int | None = None
    image_size: tuple
    channels: int = 3
    precision: str = "float32"
    tail: str = "labels"
    signatures: dict = field(default_factory=dict)
    normalization: str = "none: uint8, 0..255, a colour photograph as RGB; the normalisation is inside the graph"
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        if not self.name or Path(self.name).name != self.name:
            raise ValueError(f"name: expected the name of a file, without folders. Received: {self.name!r}")
        if self.task == "segmentation" and len(self.classes) != len(self.palette):
            raise ValueError(
                f"palette: expected a colour for each of the {len(self.classes)} classes. "
                f"Received: {len(self.palette)}"
            )

    def to_json(self):
        """As a JSON text.

        Example:
            >>> Metadata(name="none", classes=(), palette=(), image_size=(1, 1)).to_json()[:15]
            '{"name": "none"'
        """
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text):
        """From the text of ``to_json``.

        Raises:
            ValueError: if the text is not such a JSON.

        Example:
            >>> Metadata.from_json("[]")
            Traceback (most recent call last):
            ValueError: metadata: expected the JSON of keras_segattn. Received: '[]'
        """
        try:
            facts = json.loads(text)
            facts["palette"] = tuple(tuple(colour) for colour in facts["palette"])
            for name in ("classes", "image_size"):
                facts[name] = tuple(facts[name])
            facts["signatures"] = {name: tuple(outputs) for name, outputs in facts["signatures"].items()}
            return cls(**facts)
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise ValueError(f"metadata: expected the JSON of keras_segattn. Received: {text[:80]!r}") from error


def attach(path, metadata):
    """Put the metadata into an exported file that has none yet.

    Args:
        path: .tflite file, .onnx file or SavedModel folder.
        metadata: ``Metadata``.

    Example:
        >>> attach("model.tflite", metadata)                                 # doctest: +SKIP
    """
    path = Path(path)
    if path.is_dir():
        extra = path / "assets.extra"
        extra.mkdir(exist_ok=True)
        (extra / f"{KEY}.json").write_text(metadata.to_json(), encoding="utf-8")
        (extra / "labels.txt").write_text("\n".join(metadata.classes), encoding="utf-8")
    elif path.suffix == ".onnx":
        import onnx

        model = onnx.load(path)
        onnx.helper.set_model_props(model, {KEY: metadata.to_json(), "labels": "\n".join(metadata.classes)})
        onnx.save(model, path)
    else:
        from .tflite_metadata import attach_tflite_metadata

        attach_tflite_metadata(path, metadata)  # with labels.txt
        with zipfile.ZipFile(path, "a") as archive:
            # ZipInfo has a fixed date: the same model gives the same file.
            archive.writestr(zipfile.ZipInfo(f"{KEY}.json"), metadata.to_json())


def read_archive(path):
    """The metadata after a .tflite model, or in a SavedModel.

    Args:
        path: .tflite file or SavedModel folder.

    Returns:
        ``Metadata``, or None if there is none.

    Example:
        >>> Path("empty.tflite").write_bytes(b"")
        0
        >>> read_archive("empty.tflite")
    """
    path = Path(path)
    if path.is_dir():
        file = path / "assets.extra" / f"{KEY}.json"
        return Metadata.from_json(file.read_text(encoding="utf-8")) if file.is_file() else None
    try:
        with zipfile.ZipFile(path) as archive:
            return Metadata.from_json(archive.read(f"{KEY}.json").decode())
    except (zipfile.BadZipFile, KeyError):
        return None
