"""MNIST: how it is read, split and drawn."""

import gzip
import hashlib
import os

import numpy as np
import pytest

from keras_segattn.zoo.data import DATASETS, DataError, mnist
from keras_segattn.zoo.data.builder import open_split

FOLDER = os.environ.get("KERAS_SEGATTN_DATA")
real_data = pytest.mark.real_data
needs_mnist = pytest.mark.skipif(not FOLDER, reason="KERAS_SEGATTN_DATA is not set")


@pytest.fixture
def folder(tmp_path):
    """MNIST in its own format, of stripes: digit i has its column lit, and label i modulo 10."""
    (tmp_path / "mnist").mkdir()
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        images = np.zeros((count, 28, 28), "uint8")
        images[np.arange(count), 4:24, 4 + np.arange(count) % 20] = 255
        labels = (np.arange(count) % 10).astype("uint8")
        headers = {"images-idx3": [2051, count, 28, 28], "labels-idx1": [2049, count]}
        for (kind, header), data in zip(headers.items(), (images, labels), strict=True):
            packed = np.array(header, ">i4").tobytes() + data.tobytes()
            (tmp_path / "mnist" / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(packed, 1))
    return tmp_path


def test_the_splits_are_apart_and_together_the_whole(folder):
    splits = {split: mnist.read_digits(folder, split)[1] for split in ("train", "val", "test")}
    assert {split: len(labels) for split, labels in splits.items()} == DATASETS["mnist_r"].splits
    assert splits["val"][0] == 55_000 % 10


def test_an_example_is_the_same_each_time_and_a_drawn_one_is_not(folder):
    examples = open_split(DATASETS["mnist_r"], "val", folder)
    again = open_split(DATASETS["mnist_r"], "val", folder)
    assert (examples[1234]["image"] == again[1234]["image"]).all()
    first, second = (examples.draw([1234], seed)[0] for seed in (1, 2))
    assert (first != second).any()
    assert (first == again.draw([1234], 1)[0]).all()


def test_each_split_is_distorted_by_its_own_numbers(folder):
    val, test = (open_split(DATASETS["mnist_r"], split, folder) for split in ("val", "test"))
    same = [(val[i]["image"] == test[i]["image"]).all() for i in range(20)]  # the stripes are the same
    assert not any(same)


def test_a_sum_is_that_of_the_digits_in_its_two_channels(folder):
    examples = open_split(DATASETS["mnist_addition"], "test", folder)
    images, sums = examples.draw(np.arange(300), seed=0)
    assert images.shape == (300, 42, 42, 2)
    assert sums.min() >= 0
    assert 16 <= sums.max() <= 18
    own = np.arange(300) % 10
    assert ((sums - own >= 0) & (sums - own <= 9)).all()


def test_an_index_beyond_the_end_is_an_error(folder):
    examples = open_split(DATASETS["mnist_r"], "test", folder)
    with pytest.raises(IndexError, match=r"expected 0..9999. Received: 10000"):
        examples[10_000]


def test_a_truncated_file_is_named(folder):
    path = folder / "mnist" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz: expected a whole .gz file"):
        mnist.read_digits(folder, "test")


def test_a_whole_file_that_lacks_digits_is_named(folder):
    path = folder / "mnist" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-900], 1))
    with pytest.raises(DataError, match=r"expected as many values as it says, \[10000, 28, 28\]. Received: 7839100"):
        mnist.read_digits(folder, "test")


@real_data
@needs_mnist
def test_mnist_of_tensorflow_datasets_is_the_same_in_the_same_order(tmp_path):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    digits, labels = mnist.read_digits(FOLDER, "test")
    order = np.random.default_rng(0).permutation(len(digits))
    shuffled = {"image": digits[order, ..., None], "label": labels[order].astype("int64")}
    kinds = {"image": tfds.features.Image(shape=(28, 28, 1)), "label": tfds.features.ClassLabel(num_classes=10)}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="mnist",
        version="3.0.1",
        data_dir=tmp_path,
        features=tfds.features.FeaturesDict(kinds),
        split_datasets={"test": tf.data.Dataset.from_tensor_slices(shuffled)},
        disable_shuffling=True,
    )
    found = mnist.read_digits(tmp_path, "test")
    np.testing.assert_array_equal(found[0], digits)
    np.testing.assert_array_equal(found[1], labels)


def test_labels_in_the_place_of_images_are_told_apart(folder):
    labels = folder / "mnist" / "t10k-labels-idx1-ubyte.gz"
    (folder / "mnist" / "t10k-images-idx3-ubyte.gz").write_bytes(labels.read_bytes())
    with pytest.raises(DataError, match="expected an idx file of images-idx3"):
        mnist.read_digits(folder, "test")


@real_data
@needs_mnist
@pytest.mark.parametrize("name", [name for name in DATASETS if name.startswith("mnist")])
def test_the_test_split_of_a_distorted_mnist_is_the_published_one_bit_by_bit(name):
    digest = hashlib.sha256()
    for example in open_split(DATASETS[name], "test", FOLDER):
        digest.update(example["image"].tobytes() + bytes([example["label"]]))
    assert digest.hexdigest()[:16] == PUBLISHED[name]


# First half of the SHA-256 of all images and labels, which the scores of the zoo were measured on.
PUBLISHED = {
    "mnist_r": "270366f0448ee9cb",
    "mnist_rts": "85178f9787a2b33e",
    "mnist_p": "fb6895d1afc03e1a",
    "mnist_e": "0db2de1c9f01611b",
    "mnist_cluttered": "9e56bb5e78864897",
    "mnist_addition": "0ab77960e266899e",
}
