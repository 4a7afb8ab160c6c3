"""What tests of several stages share: a cache of their own, and small copies of the data sets."""

import fcntl
import gzip
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH, VOID = 96, 128, 11
_WORDS = {
    "de": (("Ein roter", "Ein blauer", "Ein grüner", "Ein großer"), ("Hund", "Vogel", "Ball"), ("fällt", "wartet")),
    "en": (("A red", "A blue", "A green", "A large"), ("dog", "bird", "ball"), ("falls", "waits")),
}
_PLACES = {"de": ("", " im Schnee", " auf dem Dach"), "en": ("", " in the snow", " on the roof")}


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """The cache of this session: prepared data sets and fetched weights never reach the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_SEGATTN_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Function: name, make -> what ``make(folder)`` gave to the first of the processes of this run that asked.

    What costs many seconds, as an exported file, is made once though several workers share the tests.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all workers

    def get(name, make):
        place = folder / "once" / name
        place.mkdir(parents=True, exist_ok=True)
        with open(place.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            answer = place.with_suffix(".pickle")
            if not answer.exists():
                answer.write_bytes(pickle.dumps(make(place)))
            return pickle.loads(answer.read_bytes())

    return get


@pytest.fixture(scope="session")
def drawn_camvid(tmp_path_factory):
    """A data folder with ``CamVid`` in it: 12 + 4 + 4 scenes of 96x128 in the upstream layout.

    A scene is ten noisy rectangles over a ground, each in the colour of its class; grey is void.
    """
    from keras_segattn.zoo.data import DATASETS

    colours = np.array([*DATASETS["camvid"].palette, (200, 200, 200)])
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split, count in {"train": 12, "val": 4, "test": 4}.items():
        for kind in (split, f"{split}annot"):
            (folder / "CamVid" / kind).mkdir(parents=True)
        lines = []
        for name in (f"{split}{number:02d}.png" for number in range(count)):
            image, label = draw_scene(colours, rng)
            Image.fromarray(image).save(folder / "CamVid" / split / name)
            Image.fromarray(label).save(folder / "CamVid" / f"{split}annot" / name)
            lines.append(f"/SegNet/CamVid/{split}/{name} /SegNet/CamVid/{split}annot/{name}\n")
        (folder / "CamVid" / f"{split}.txt").write_text("".join(lines))
    return folder


def draw_scene(colours, rng):
    """Image (96, 128, 3) and label (96, 128), uint8."""
    label = np.full((HEIGHT, WIDTH), rng.integers(len(colours)), "uint8")
    for _ in range(10):
        top, left = rng.integers(0, HEIGHT - 32), rng.integers(0, WIDTH - 32)
        height, width = rng.integers(24, 64, 2)
        label[top : top + height, left : left + width] = rng.integers(len(colours))
    image = colours[label] + rng.normal(0, 20, (HEIGHT, WIDTH, 3))
    return image.clip(0, 255).astype("uint8"), label


@pytest.fixture(scope="session")
def settle():
    """Function (network, images): the statistics of batch norm become those of the images.

    The features of a network with random weights fade away without.
    """

    def set_statistics(network, images):
        import keras

        layers = [x for x in network._flatten_layers() if isinstance(x, keras.layers.BatchNormalization)]
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.momentum = 0.0
        network(images, training=True)
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum

    return set_statistics


@pytest.fixture(scope="session")
def trainable_camvid(drawn_camvid, settle):
    """``drawn_camvid`` with a random encoder where training looks for ImageNet's, so it needs no network."""
    import keras

    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNet((32, 32, 3), alpha=0.75, include_top=False, weights=None)
    settle(network, np.random.default_rng(0).uniform(-1, 1, (16, 32, 32, 3)).astype("float32"))
    path = drawn_camvid / "weights_mobilenet_v1_0.75_224" / "mobilenet_v1_0.75_224_imagenet.npz"
    path.parent.mkdir()
    arrays = {f"{layer.name}/{v.name}": v.numpy() for layer in network.layers for v in layer.weights}
    np.savez(path, **arrays)
    return drawn_camvid


def sentences(language):
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
        lines = sentences(language)
        for split, chosen in parts.items():
            text = "".join(f"{lines[index]}\n" for index in chosen)
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
