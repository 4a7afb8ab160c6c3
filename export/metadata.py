"""What an exported file says of itself: classes or vocabularies, normalisation, where it comes from."""

import base64
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

KEY = "keras_segattn"  # property of an ONNX model; <KEY>.json inside a .tflite or a SavedModel
LABELS = "labels.txt"
SUFFIX = ".spm"  # of a SentencePiece model


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How a model of language reads and writes.

    Args:
        vocabularies: dict: "source" of translation, and "target" -> bytes of a SentencePiece model, see ``Vocabulary``.
        max_tokens: T, the most tokens of a text that is read; None for captions.
        max_length: L, the most tokens that are written, their end among them.
        beams: hypotheses of the search.
        length_power: of the search, see ``decoding.beam_search``.
        places: (h, w) of the places of an image that ``attention`` is over, h w = T; None for translation.

    Example:
        >>> Writing(max_tokens=48, max_length=48, beams=5, length_power=1.0).places is None
        True
    """

    vocabularies: dict = field(default_factory=dict)
    max_tokens: int | None = None
    max_length: int
    beams: int
    length_power: float
    places: tuple | None = None


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The facts that travel inside an exported file.

    In a .tflite they are a zip archive after the model, as TFLite's own associated files are, so that
    ``unzip model.tflite`` shows them, and beside them are TFLite's own metadata; in
    ONNX a metadata property; in a SavedModel a file of
    ``assets.extra``. Vocabularies are ``source.spm`` and ``target.spm`` beside it, in ONNX properties in base64.

    Args:
        name: entry or model; the file is called after it.
        task: "segmentation", a class for every pixel; "recognition", one class for the image; "translation", a sentence
            for a sentence; or "captioning", one for an image.
        classes: K class names, of segmentation and recognition.
        palette: of segmentation, K colours (red, green, blue), 0..255.
        ignore_label: label that counts nothing in the data it was trained on, or None.
        languages: codes of source and target of translation, or of the captions.
        image_size: (H, W) of the input, or None if it is no image.
        channels: C of the input: 1 grey, 2 red and green, 3 red, green and blue.
        writing: ``Writing`` of a model of language, else None.
        precision: of the weights and the arithmetic.
        tail: key of ``tails.TAILS``: what the file answers with; "" of a model of language, which has no choice.
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
    classes: tuple = ()
    palette: tuple = ()
    ignore_label: int | None = None
    languages: tuple = ()
    image_size: tuple | None = None
    channels: int = 3
    writing: Writing | None = None
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

    @property
    def files(self):
        """What travels beside these facts: dict, name of a file -> bytes.

        Example:
            >>> Metadata(name="one", task="recognition", classes=("one",)).files
            {'labels.txt': b'one'}
        """
        if self.writing is None:
            return {LABELS: "\n".join(self.classes).encode()}
        return {f"{name}{SUFFIX}": data for name, data in self.writing.vocabularies.items()}

    def to_json(self):
        """As a JSON text, without ``files``.

        Example:
            >>> Metadata(name="none", classes=(), palette=(), image_size=(1, 1)).to_json()[:15]
            '{"name": "none"'
        """
        facts = asdict(self)
        if self.writing is not None:
            del facts["writing"]["vocabularies"]
        return json.dumps(facts)

    @classmethod
    def from_json(cls, text, files=None):
        """From the text of ``to_json``.

        Args:
            text: str.
            files: dict, name -> bytes of what lies beside it, as ``files`` gives them.

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
            facts["classes"] = tuple(facts["classes"])
            facts["image_size"] = _tuple(facts["image_size"])
            facts["languages"] = tuple(facts.get("languages", ()))
            facts["signatures"] = {name: tuple(outputs) for name, outputs in facts["signatures"].items()}
            if facts.get("writing") is not None:
                beside = (files or {}).items()
                found = {name.removesuffix(SUFFIX): data for name, data in beside if name.endswith(SUFFIX)}
                found["target"]  # KeyError: what it writes cannot be read
                writing = {**facts["writing"], "places": _tuple(facts["writing"]["places"])}
                facts["writing"] = Writing(vocabularies=found, **writing)
            return cls(**facts)
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise ValueError(f"metadata: expected the JSON of keras_segattn. Received: {text[:80]!r}") from error


def _tuple(values):
    return None if values is None else tuple(values)


def attach(path, metadata):
    """Put the metadata into an exported file that has none yet.

    Args:
        path: .tflite file, .onnx file, SavedModel folder, or .keras file.
        metadata: ``Metadata``.

    Example:
        >>> attach("model.tflite", metadata)                                 # doctest: +SKIP
    """
    path = Path(path)
    if path.is_dir():
        extra = path / "assets.extra"
        extra.mkdir(exist_ok=True)
        for name, data in {f"{KEY}.json": metadata.to_json().encode(), **metadata.files}.items():
            (extra / name).write_bytes(data)
    elif path.suffix == ".keras":
        with zipfile.ZipFile(path, "a") as archive:
            for name, data in {f"{KEY}.json": metadata.to_json(), **metadata.files}.items():
                archive.writestr(zipfile.ZipInfo(name), data)
    elif path.suffix == ".onnx":
        import onnx

        model = onnx.load(path)
        onnx.helper.set_model_props(model, {KEY: metadata.to_json(), **_properties(metadata.files)})
        onnx.save(model, path)
    else:
        from .tflite_metadata import attach_tflite_metadata

        attach_tflite_metadata(path, metadata)  # with its files
        with zipfile.ZipFile(path, "a") as archive:
            # ZipInfo has a fixed date: the same model gives the same file.
            archive.writestr(zipfile.ZipInfo(f"{KEY}.json"), metadata.to_json())


def _properties(files):
    """Files as properties of an ONNX model, which are text: name without a suffix -> the text, or base64 of bytes."""
    return {
        Path(name).stem: data.decode() if name == LABELS else base64.b64encode(data).decode()
        for name, data in files.items()
    }


def read_properties(properties):
    """The metadata of an ONNX model.

    Args:
        properties: dict of str, those of the model.

    Returns:
        ``Metadata``, or None if there is none.

    Raises:
        ValueError: if they do not read.

    Example:
        >>> read_properties({"author": "somebody"})
    """
    if KEY not in properties:
        return None
    files = {
        f"{name}{SUFFIX}": base64.b64decode(properties[name]) for name in ("source", "target") if name in properties
    }
    return Metadata.from_json(properties[KEY], files)


def read_archive(path):
    """The metadata after a .tflite model, in a SavedModel, or in a .keras file.

    Args:
        path: .tflite file, SavedModel folder or .keras file.

    Returns:
        ``Metadata``, or None if there is none.

    Example:
        >>> Path("empty.tflite").write_bytes(b"")
        0
        >>> read_archive("empty.tflite")
    """
    path = Path(path)
    if path.is_dir():
        extra = path / "assets.extra"
        files = {file.name: file.read_bytes() for file in extra.glob("*") if file.is_file()}
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                files = {name: archive.read(name) for name in archive.namelist()}
        except zipfile.BadZipFile:
            return None
    text = files.pop(f"{KEY}.json", None)
    return None if text is None else Metadata.from_json(text.decode(), files)
