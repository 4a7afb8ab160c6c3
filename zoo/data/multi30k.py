"""Multi30k: 31,014 descriptions of photographs in English and in German, line by line."""

from pathlib import Path

from .dataset import DataError, Dataset
from .packed import read_lines

_FILES = {"train": "train", "val": "val", "test": "test_2016_flickr"}


def read_pairs(folder, split, languages):
    """The sentence pairs of one split, in the order of its files.

    Args:
        folder: data folder that holds ``multi30k/data/task1/raw/train.de.gz`` and so on, as the repository of the data
            has them; or one of the folders on that way.
        split: "train", "val" or "test", the last of which is upstream's test_2016_flickr.
        languages: codes of source and target, "de" and "en" in either order.

    Returns:
        list of (key, source, target), str each; a key is the split and the number of the line, from 1 on.

    Raises:
        DataError: if a file is missing or damaged, a line is empty, or the files differ in length.

    Example:
        >>> read_pairs("nowhere", "test", ("de", "en"))
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: Multi30k: expected test_2016_flickr.de.gz in \
nowhere/multi30k/data/task1/raw, nowhere/data/task1/raw or nowhere; see https://github.com/multi30k/dataset
    """
    first, second = (f"{_FILES[split]}.{language}.gz" for language in languages)
    raw = Path("data", "task1", "raw")
    roots = [Path(folder) / "multi30k" / raw, Path(folder) / raw, Path(folder)]
    root = next((root for root in roots if (root / first).is_file()), None)
    if root is None:
        raise DataError(
            f"Multi30k: expected {first} in {roots[0]}, {roots[1]} or {roots[2]}; "
            "see https://github.com/multi30k/dataset"
        )
    sources, targets = _read_sentences(root / first), _read_sentences(root / second)
    if len(sources) != len(targets):
        received = f"{len(sources)} and {len(targets)}"
        raise DataError(f"Multi30k: expected as many lines in {root / first} as in {second}. Received: {received}")
    numbered = enumerate(zip(sources, targets, strict=True), start=1)
    return [(f"{split}-{number:05d}", *pair) for number, pair in numbered]


def _read_sentences(path):
    lines = read_lines(path)
    empty = next((number for number, line in enumerate(lines, start=1) if not line.strip()), None)
    if empty is not None:
        raise DataError(f"{path}: expected a sentence in every line. Line {empty} is empty")
    return lines


def _dataset(source, target, title):
    return Dataset(
        name=f"multi30k_{source}_{target}",
        title=f"Multi30k, {title}",
        task="translation",
        languages=(source, target),
        splits={"train": 29_000, "val": 1014, "test": 1000},
        files=lambda folder, split: read_pairs(folder, split, (source, target)),
        terms="none stated by its authors; the descriptions derive from Flickr30k, which is for research",
        source=(
            "Elliott, Frank, Sima'an and Specia, Multi30K: Multilingual English-German Image Descriptions, VL 2016; "
            "task 1, tested on test_2016_flickr; github.com/multi30k/dataset"
        ),
    )


MULTI30KS = (_dataset("de", "en", "German to English"), _dataset("en", "de", "English to German"))
