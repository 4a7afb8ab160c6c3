"""What the transformers of an entry look at, on the digits of a font: python examples/looks.py NAME PICTURE."""

import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_segattn import models, zoo
from keras_segattn.images import write_image
from keras_segattn.looks import draw_grids
from keras_segattn.zoo.data.mnist import DISTORT


def font_digits():
    """The digits 0 to 9 of Pillow's own font as MNIST has them, white on black, uint8 (10, 28, 28)."""
    font, pages = ImageFont.load_default(size=21), []
    for digit in range(10):
        page = Image.new("L", (28, 28))
        ImageDraw.Draw(page).text((14, 14), str(digit), fill=255, font=font, anchor="mm", stroke_width=0.5)
        pages.append(np.array(page))
    return np.stack(pages)


def looks(name, seed=0):
    """Ten pictures in two rows, uint8 (h, w, 3), and the classes that the entry sees in them."""
    model, distort = zoo.load(name), DISTORT[zoo.info(name).dataset]
    images, _ = distort(font_digits(), np.arange(10), np.random.default_rng(seed))      # (10, H, W, C)
    batch = images.astype("float32")
    found = models.attention(model).predict(batch, verbose=0)
    grids = [found[key] for key in sorted(found) if key.endswith("_grid")]              # each (10, h, w, 2)
    pictures = [draw_grids(image, [grid[i] for grid in grids], side=160) for i, image in enumerate(images)]
    rows = [np.hstack(pictures[:5]), np.hstack(pictures[5:])]
    return np.vstack(rows), model.predict(batch, verbose=0).argmax(-1)


if __name__ == "__main__":
    picture, classes = looks(sys.argv[1])
    write_image(sys.argv[2], picture)
    print(*classes)
