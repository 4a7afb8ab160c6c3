"""Small copies of the data sets of text, in the layouts of upstream."""

import gzip
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

_WORDS = {
    "de": (("Ein roter", "Ein blauer", "Ein grüner", "Ein großer"), ("Hund", "Vogel", "Ball"), ("fällt", "wartet")),
    "en": (("A red", "A blue", "A green", "A large"), ("dog", "bird", "ball"), ("falls", "waits")),
}
_PLACES = {"de": ("", " im Schnee", " auf dem Dach"), "en": ("", " in the snow", " on the roof")}


def _sentences(language):
    """72 sentences, the same ones in each language."""
    (colours, things, verbs), places = _WORDS[language], _PLACES[language]
    return [f"{c} {t} {v}{p}." for p in places for c in colours for t in things for v in verbs]


@pytest.fixture(scope="session")
def drawn_multi30k(tmp_path_factory):
    """A data folder with ``multi30k`` in it: 56 + 8 + 8 sentence pairs."""
    folder = tmp_path_factory.mktemp("text")
    raw = folder / "multi30k" / "data" / "task1" / "raw"
    raw.mkdir(parents=True)
    order = np.random.default_rng(0).permutation(72)
    parts = {"train": order[:56], "val": order[56:64], "test_2016_flickr": order[64:]}
    for language in ("de", "en"):
        sentences = _sentences(language)
        for split, chosen in parts.items():
            text = "".join(f"{sentences[index]}\n" for index in chosen)
            (raw / f"{split}.{language}.gz").write_bytes(gzip.compress(text.encode()))
    return folder


@pytest.fixture(scope="session")
def drawn_flickr8k(tmp_path_factory):
    """A data folder with ``flickr8k`` in it: 12 + 4 + 4 photographs of 224x224, a bright square on each."""
    folder = tmp_path_factory.mktemp("captions") / "flickr8k"
    folder.mkdir()
    rng, captions, lists = np.random.default_rng(0), [], {}
    with zipfile.ZipFile(folder / "Flickr8k_Dataset.zip", "w") as archive:
        for split, count in {"train": 12, "dev": 4, "test": 4}.items():
            lists[split] = [f"{split}{number:02d}.jpg" for number in range(count)]
            for number, name in enumerate(lists[split]):
                image = np.full((224, 224, 3), 40 * np.eye(3)[number % 3], "uint8")
                top, left = rng.integers(0, 128, 2)
                image[top : top + 96, left : left + 96] = rng.integers(128, 256, 3)
                archive.writestr(f"Flicker8k_Dataset/{name}", jpeg(image))
                side, colour = ("left", "right")[int(left > 64)], ("red", "green", "blue")[number % 3]
                captions += [f"{name}#{i}\tA square {i} on the {side} of {colour} ." for i in range(5)]
    with zipfile.ZipFile(folder / "Flickr8k_text.zip", "w") as archive:
        archive.writestr("Flickr8k.token.txt", "".join(f"{line}\n" for line in captions))
        for split, names in lists.items():
            archive.writestr(f"Flickr_8k.{split}Images.txt", "".join(f"{name}\n" for name in reversed(names)))
    return folder.parent


def jpeg(image):
    """The bytes of a photograph."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG")
    return data.getvalue()
