"""A SpatialTransformer in front of a classifier, which then has less to learn: digits that are turned and moved.

    python examples/spatial_transformer.py
"""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from keras_segattn.layers import AffineGrid, BilinearSampler, SpatialTransformer


def scattered_digits(seed=0):
    """scikit-learn's digits, each turned by up to 45 degrees and moved: float32 (1797, 16, 16, 1), and labels."""
    digits, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    angle, (x, y) = rng.uniform(-np.pi / 4, np.pi / 4, len(labels)), rng.uniform(-0.6, 0.6, (2, len(labels)))
    cos, sin = 2 * np.cos(angle), 2 * np.sin(angle)                               # looks at twice as much
    grid = AffineGrid((16, 16))(np.stack([cos, -sin, x, sin, cos, y], axis=-1).astype("float32"))
    images = digits.reshape(-1, 8, 8, 1).astype("float32") / 16
    return keras.ops.convert_to_numpy(BilinearSampler()([images, grid])), labels


def accuracy(front, images, labels, seed=0):
    """Share of 597 digits that a small classifier behind the layers in front gets right, trained on 1,200 others."""
    keras.utils.set_random_seed(seed)
    classifier = [layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(10)]
    model = keras.Sequential([*front(), *classifier])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    model.fit(images[:1200], labels[:1200], batch_size=32, epochs=15, verbose=0)
    return model.evaluate(images[1200:], labels[1200:], verbose=0)[1]


def transformer():
    localization = keras.Sequential([layers.Flatten(), *(layers.Dense(n, activation="relu") for n in (64, 32))])
    return [SpatialTransformer(localization, "affine")]


if __name__ == "__main__":
    digits = scattered_digits()
    print(f"without {accuracy(list, *digits):.2f}, with a SpatialTransformer {accuracy(transformer, *digits):.2f}")
