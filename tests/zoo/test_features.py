"""Features of images: computed once, kept whole or not at all."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from keras_segattn.zoo.data import DATASETS, cache_folder, features
from keras_segattn.zoo.data.builder import open_split
from keras_segattn.zoo.data.features import WithMirrored, grid_features, weights_stamp

FLICKR8K = DATASETS["flickr8k"]


class Photographs(list):
    """What ``open_split`` returns, of images that count up."""

    def __init__(self, count, stamp="flickr8k-val-0"):
        images = np.arange(count * 2 * 2 * 3, dtype="uint8").reshape(count, 2, 2, 3)
        super().__init__({"image": image} for image in images)
        self.stamp = stamp


class Encoder:
    """Doubles the pixels: (B, 2, 2, 3) -> (B, 4, 3); ``asked`` has the number of images of each call."""

    def __init__(self):
        self.asked = []

    def __call__(self, images):
        assert images.dtype == np.uint8
        self.asked.append(len(images))
        return images.reshape(-1, 4, 3) * np.float32(2)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The features of the cache."""
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(tmp_path))
    return tmp_path / "features"


def kept(folder):
    return sorted(path.name for path in folder.glob("*") if not path.name.endswith(".lock"))


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    assert cache_folder() == tmp_path
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", "~/elsewhere")
    assert cache_folder() == tmp_path.home() / "elsewhere"
    monkeypatch.delenv("KERAS_SEGATTN_CACHE")
    assert cache_folder().name == "keras_segattn"


def test_row_i_is_what_the_encoder_makes_of_image_i():
    photographs, encode = Photographs(7), Encoder()
    found = grid_features(photographs, encode, encoder="e", batch_size=3)
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    assert (found.shape, found.dtype) == ((7, 4, 3), np.float16)
    np.testing.assert_array_equal(found, [2.0 * photograph["image"].reshape(4, 3) for photograph in photographs])
    assert encode.asked == [3, 3, 1]


def test_mirrored_images_follow_the_images(folder):
    photographs = Photographs(3)
    found = grid_features(WithMirrored(photographs), Encoder(), encoder="e", batch_size=2)
    images = np.stack([photograph["image"] for photograph in photographs])
    np.testing.assert_array_equal(found[:3], 2.0 * images.reshape(3, 4, 3))
    np.testing.assert_array_equal(found[3:], 2.0 * images[:, :, ::-1].reshape(3, 4, 3))
    assert kept(folder) == ["flickr8k-val-0-mirrored-e.npy"]


def test_features_are_computed_once_for_each_split_and_encoder(folder):
    encode = Encoder()
    for split, encoder in [("val-0", "e"), ("val-0", "e"), ("val-1", "e"), ("val-0", "f")]:
        grid_features(Photographs(2, f"flickr8k-{split}"), encode, encoder=encoder)
    assert encode.asked == [2, 2, 2]
    assert kept(folder) == ["flickr8k-val-0-e.npy", "flickr8k-val-0-f.npy", "flickr8k-val-1-e.npy"]


def test_the_stamp_of_a_split_names_its_features(drawn_flickr8k, folder):
    examples = open_split(FLICKR8K, "val", drawn_flickr8k)
    found = grid_features(examples, lambda images: images.mean(axis=(1, 2))[:, None], encoder="mean")
    np.testing.assert_allclose(found[2, 0], examples[2]["image"].mean(axis=(0, 1)), rtol=1e-3)
    assert kept(folder) == [f"{examples.stamp}-mean.npy"]


def test_progress_is_told_on_stderr(capsys):
    grid_features(Photographs(4), Encoder(), encoder="e")
    told = capsys.readouterr()
    assert told.out == ""
    assert "features of images" in told.err


def test_an_error_leaves_nothing_and_the_next_call_begins_anew(folder):
    def encode(images):
        if images[0, 0, 0, 0] > 20:
            raise RuntimeError("out of memory")
        return Encoder()(images)

    with pytest.raises(RuntimeError):
        grid_features(Photographs(7), encode, encoder="e", batch_size=1)
    assert kept(folder) == []
    assert len(grid_features(Photographs(7), Encoder(), encoder="e")) == 7


KILLED = """
import os, signal, sys
import numpy as np
from keras_segattn.zoo.data.features import grid_features

class Photographs(list):
    stamp = "flickr8k-val-0"

def encode(images):
    if images[0, 0, 0, 0] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return images.reshape(-1, 4, 3).astype("float32")

photographs = Photographs({"image": np.full((2, 2, 3), n, "uint8")} for n in range(4))
grid_features(photographs, encode, encoder="e", batch_size=1)
"""


def test_a_killed_run_leaves_nothing_that_looks_whole(folder):
    done = subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert kept(folder) == [".partial-flickr8k-val-0-e.npy"]
    found = grid_features(Photographs(7), Encoder(), encoder="e")
    assert found[6, 3, 2] == 2 * 83
    assert kept(folder) == ["flickr8k-val-0-e.npy"]


def test_of_two_that_ask_at_once_one_computes_and_the_other_waits():
    begun, go_on, encode = threading.Event(), threading.Event(), Encoder()

    def slowly(images):
        begun.set()
        assert go_on.wait(20)
        return encode(images)

    found = []
    first = threading.Thread(target=lambda: found.append(grid_features(Photographs(2), slowly, encoder="e")))
    second = threading.Thread(target=lambda: found.append(grid_features(Photographs(2), encode, encoder="e")))
    first.start()
    assert begun.wait(20)
    second.start()
    second.join(0.3)
    assert second.is_alive()
    go_on.set()
    first.join()
    second.join()
    assert encode.asked == [2]
    np.testing.assert_array_equal(*found)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, 70_000.0])
def test_a_feature_that_float16_cannot_hold_is_an_error(folder, value):
    def encode(images):
        return np.full((len(images), 1, 1), value if images.min() else 1.0)

    with pytest.raises(ValueError, match=r"encode: expected features within ±65504. Those of images 2\.\.3 are not"):
        grid_features(Photographs(5), encode, encoder="e", batch_size=2)
    assert kept(folder) == []


def test_no_images_are_an_error():
    with pytest.raises(ValueError, match="examples: expected at least one image"):
        grid_features(Photographs(0), Encoder(), encoder="e")


def test_weights_are_told_apart_by_value_shape_precision_and_order():
    one, two = np.ones((2, 3), "float32"), np.full((2, 3), 2, "float32")
    others = [[one, two + 1e-6], [two, one], [one], [one, two.reshape(3, 2)], [one, two.view("int32")], []]
    stamps = [weights_stamp(each) for each in ([one, two], *others)]
    assert len(set(stamps)) == 7
    assert weights_stamp([one.copy(), np.asfortranarray(two)]) == stamps[0]
    assert all(len(stamp) == 12 for stamp in stamps)


def test_the_module_is_imported_without_tensorflow():
    code = f"import sys, {features.__name__}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
