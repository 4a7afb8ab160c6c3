"""What tests of several stages share: a cache of their own, and a CamVid that is drawn."""

import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH, VOID = 96, 128, 11


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """The cache of this session: prepared data sets and fetched weights never reach the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_SEGATTN_CACHE", str(folder))
        yield folder


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
