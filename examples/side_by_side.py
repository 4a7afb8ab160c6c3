"""A photograph beside what a model of the zoo sees in it, with the colours named.

    python examples/side_by_side.py photo.jpg picture.jpg
"""

import sys

import numpy as np
from PIL import Image, ImageDraw

from keras_segattn import images, zoo


def picture(photograph, name="fcn8s_mobilenet_camvid"):
    """uint8 (H, W, 3) -> uint8 (H, 2 W, 3): the photograph, and its overlay with a legend."""
    model, dataset = zoo.load(name), zoo.data.DATASETS[zoo.info(name).dataset]
    batch = images.fit(photograph, *zoo.info(name).image_size)[None].astype("float32")
    labels = model.predict(batch, verbose=0)[0].argmax(-1).astype("uint8")            # (H, W) of the model
    labels = images.restore(labels, *photograph.shape[:2])                            # of the photograph
    overlay = images.overlay(photograph, labels, dataset.palette)
    shares = images.class_shares(labels, len(dataset.classes))
    seen = [index for index in np.argsort(-shares) if shares[index] >= 0.01]
    return np.hstack([photograph, legend(overlay, [(dataset.classes[k], dataset.palette[k]) for k in seen])])


def legend(image, rows):
    """Name the colours in the lower left corner of an image."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    top = canvas.height - 18 * len(rows) - 6
    draw.rectangle((0, top - 6, 110, canvas.height), fill=(255, 255, 255))
    for row, (name, colour) in enumerate(rows):
        draw.rectangle((6, top + 18 * row, 18, top + 18 * row + 12), fill=tuple(colour))
        draw.text((24, top + 18 * row), name, fill=(0, 0, 0))
    return np.asarray(canvas)


if __name__ == "__main__":
    source, target = sys.argv[1:]
    images.write_image(target, picture(images.read_image(source)))
