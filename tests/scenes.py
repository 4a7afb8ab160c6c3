"""Forty small street scenes, drawn, and a folder of them."""

import numpy as np
from PIL import Image

SIZE = (40, 56)  # (H, W)
NAMES = [f"scene_{index:02}" for index in range(40)]
CLASSES = ("sky", "road", "car")
COLOURS = ((0, 0, 0), (128, 64, 128), (64, 0, 128))


def scene(index):
    """A photograph and its labels 0..2, which differ from scene to scene."""
    rng = np.random.default_rng(index)
    labels = np.zeros(SIZE, "uint8")
    labels[20:] = 1
    x, y = rng.integers(0, 40), rng.integers(15, 30)
    labels[y : y + 8, x : x + 12] = 2
    image = np.array([(90, 140, 220), (90, 90, 90), (200, 30, 30)], "uint8")[labels]
    return np.clip(image + rng.normal(0, 9, image.shape), 0, 255).astype("uint8"), labels


def write_scenes(folder, images="images", masks="masks", ending="", write=lambda labels: Image.fromarray(labels)):
    for place in (images, masks):
        (folder / place).mkdir(parents=True)
    for index, name in enumerate(NAMES):
        image, labels = scene(index)
        Image.fromarray(image).save(folder / images / f"{name}.jpg", quality=95)
        write(labels).save(folder / masks / f"{name}{ending}.png")
    return folder


def write_lists(folder, home="."):
    (folder / home).mkdir(parents=True, exist_ok=True)
    for split, part in (("train", NAMES[:28]), ("val", NAMES[28:34]), ("test", NAMES[34:])):
        (folder / home / f"{split}.txt").write_text("\n".join(part) + "\n")


def of_masks(folder):
    write_scenes(folder)
    write_lists(folder)
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    return folder
