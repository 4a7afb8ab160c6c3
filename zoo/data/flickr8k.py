"""Flickr8k: 8,000 photographs, each described by five people."""

from pathlib import Path

from .dataset import DataError, Dataset
from .packed import open_zip, read_lines

CAPTIONS = 5  # of each photograph
_TOKENS = "Flickr8k.token.txt"
_LISTS = {"train": "Flickr_8k.trainImages.txt", "val": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}
_PHOTOGRAPHS = "Flicker8k_Dataset"  # upstream's spelling


def files(folder, split):
    """Photographs and captions of one split, in the order of its list.

    Args:
        folder: data folder that holds ``flickr8k/Flickr8k_Dataset.zip`` and ``flickr8k/Flickr8k_text.zip``, packed or
            unpacked; or is that folder.
        split: "train", "val" or "test", the second of which is upstream's dev.

    Returns:
        list of (key, path of the photograph, tuple of five captions); the path is a ``zipfile.Path`` if it is packed.

    Raises:
        DataError: if a file is missing or damaged, or a photograph of the list has no file or not five captions.

    Example:
        >>> files("nowhere", "test")
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: Flickr8k: expected Flickr8k_text.zip or Flickr8k.token.txt in \
nowhere/flickr8k or nowhere
    """
    text = _find(folder, "Flickr8k_text.zip", _TOKENS)
    photographs = _find(folder, "Flickr8k_Dataset.zip", _PHOTOGRAPHS) / _PHOTOGRAPHS
    captions = _read_captions(text / _TOKENS)
    found = []
    for name in filter(None, map(str.strip, read_lines(text / _LISTS[split]))):
        photograph, told = photographs / name, sorted(captions.get(name, ()))
        if not photograph.is_file():
            raise DataError(f"Flickr8k: expected {photograph}, which {_LISTS[split]} names; the copy is incomplete")
        numbers = [number for number, _ in told]
        if numbers != list(range(CAPTIONS)):
            expected = f"{text / _TOKENS}: expected captions 0..{CAPTIONS - 1} of {name}, which {_LISTS[split]} names"
            raise DataError(f"{expected}. Received: {numbers}")
        found.append((Path(name).stem, photograph, tuple(caption for _, caption in told)))
    return found


def _find(folder, archive, inside):
    """The folder that holds what is inside of an archive: the archive itself, or where it was unpacked."""
    roots = [Path(folder) / "flickr8k", Path(folder)]
    for root in roots:
        if (root / archive).is_file():
            return open_zip(root / archive)
        for unpacked in (root / Path(archive).stem, root):
            if (unpacked / inside).exists():
                return unpacked
    raise DataError(f"Flickr8k: expected {archive} or {inside} in {roots[0]} or {roots[1]}")


def _read_captions(path):
    """Name of a photograph -> list of (number, caption)."""
    captions = {}
    for line, entry in enumerate(read_lines(path), start=1):
        label, _, caption = entry.partition("\t")
        name, _, number = label.partition("#")
        if not number.isdecimal() or not caption.strip():
            raise DataError(f"{path}: expected NAME#NUMBER, a tab and a caption. Line {line} is {entry[:80]!r}")
        captions.setdefault(name, []).append((int(number), caption))
    return captions


FLICKR8K = Dataset(
    name="flickr8k",
    title="Flickr8k",
    task="captioning",
    image_size=(224, 224),
    splits={"train": 6000, "val": 1000, "test": 1000},
    files=files,
    terms="research use; the photographs belong to their authors on Flickr",
    source=(
        "Hodosh, Young and Hockenmaier, Framing image description as a ranking task, JAIR 47, 2013; the photographs "
        "are resized to 224x224"
    ),
)
