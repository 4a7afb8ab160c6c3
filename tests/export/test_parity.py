"""What is measured between a file and its model, with numbers that can be checked in the head."""

import itertools

import keras
import numpy as np
import pytest

from keras_segattn.export import parity
from keras_segattn.export.parity import ParityError, compare
from keras_segattn.export.runtime import RunnerError

HEIGHT, WIDTH = 10, 20


@pytest.fixture(scope="module")
def images():
    """80 images of noise; 0 and 255 are among the values, so the range of the logits is 255."""
    images = np.random.default_rng(0).integers(0, 256, (80, HEIGHT, WIDTH, 3), "uint8")
    images[0, 0, 0] = 0, 255, 7
    return images


@pytest.fixture(scope="module")
def identity():
    """A model whose logits are the pixels: the class is the strongest of red, green and blue."""
    image = keras.Input((HEIGHT, WIDTH, 3), name="image")
    return keras.Model(image, keras.layers.Identity(name="logits")(image))


@pytest.fixture
def file_says(monkeypatch):
    """Function: what is done to (labels, logits) of image number n -> the file answers that."""

    def answer(change):
        class Runner:
            signatures = {"segment": ("labels",), "logits": ("logits",)}

            def __init__(self, path):
                self.asked = itertools.count()

            def answers(self, image):
                labels, logits = image.argmax(-1).astype("uint8"), image.astype("float32")
                return dict(zip(("labels", "logits"), change(next(self.asked), labels, logits), strict=True))

        monkeypatch.setattr(parity, "Runner", Runner)

    return answer


def test_the_same_answer_is_at_distance_zero(identity, images, file_says):
    file_says(lambda n, labels, logits: (labels, logits))
    result = compare(identity, "identity.onnx", images, "float32")
    assert result == parity.Parity(inputs=80, worst=0.0, mean=0.0, agreement=1.0)


def test_differences_are_shares_of_the_range_of_the_logits(identity, images, file_says):
    # One logit of one image is off by 25.5, a tenth of the range; the mean is over 80 * 10 * 20 * 3 logits.
    def off(n, labels, logits):
        if n == 7:
            logits[3, 4, 1] += 25.5
        return labels, logits

    file_says(off)
    result = compare(identity, "identity.tflite", images, "int8")
    assert result.worst == pytest.approx(0.1, rel=1e-5)
    assert result.mean == pytest.approx(0.1 / 48_000, rel=1e-5)
    assert result.agreement == 1


def test_agreement_is_the_share_of_pixels_with_the_label_of_keras(identity, images, file_says):
    # 8 of 80 images with all labels wrong: 90 %.
    file_says(lambda n, labels, logits: ((labels + (n < 8)) % 3, logits))
    assert compare(identity, "identity.tflite", images, "int8").agreement == pytest.approx(0.9)


@pytest.mark.parametrize(("precision", "least"), [("float32", 2), ("float16", 20), ("int8", 10_000)])
def test_one_label_beyond_the_limit_is_refused(identity, images, file_says, precision, least):
    # 20,000 pixels: 99.99 % are all but two of them, 99.9 % all but twenty, 50 % half of them.
    images = np.concatenate([images, images[:20, ::-1]])

    def wrong(count):
        def change(n, labels, logits):
            here = np.arange(200 * n, 200 * n + 200).reshape(labels.shape) < count
            return (labels + here) % 3, logits

        return change

    file_says(wrong(least))
    assert compare(identity, "identity.tflite", images, precision).agreement == pytest.approx(1 - least / 20_000)
    file_says(wrong(least + 1))
    with pytest.raises(ParityError, match=r"identity.tflite: labels agree on .* %"):
        compare(identity, "identity.tflite", images, precision)


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-4), ("float16", 1e-2)])
def test_a_logit_beyond_the_limit_is_refused(identity, images, file_says, precision, limit):
    file_says(lambda n, labels, logits: (labels, logits + 0.99 * limit * 255 * (n == 79)))
    assert compare(identity, "identity.tflite", images, precision).worst == pytest.approx(0.99 * limit, rel=0.01)
    file_says(lambda n, labels, logits: (labels, logits - 1.01 * limit * 255 * (n == 79)))
    with pytest.raises(ParityError, match=f"differ by .* of their range, at most {limit:.0e} expected"):
        compare(identity, "identity.tflite", images, precision)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_single_logit_that_is_no_number_is_refused(identity, images, file_says, precision, value):
    def broken(n, labels, logits):
        logits[5, 5, 0] = value if n == 79 else logits[5, 5, 0]
        return labels, logits

    file_says(broken)
    with pytest.raises(ParityError, match="1 not finite"):
        compare(identity, "identity.tflite", images, precision)


@pytest.mark.parametrize(
    "cut", [lambda labels, logits: (labels[:1], logits), lambda labels, logits: (labels, logits[..., :1])]
)
def test_an_answer_that_would_broadcast_is_refused(identity, images, file_says, cut):
    file_says(lambda n, labels, logits: cut(labels, logits))
    with pytest.raises(ParityError, match=r"expected labels \(10, 20\) and float32 finite logits \(10, 20, 3\)"):
        compare(identity, "identity.tflite", images, "int8")


def test_a_constant_model_proves_nothing(images, file_says):
    image = keras.Input((HEIGHT, WIDTH, 3))
    constant = keras.Model(image, keras.layers.Rescaling(0.0, offset=3.0)(image))
    file_says(lambda n, labels, logits: (np.zeros_like(labels), np.full_like(logits, 3)))
    with pytest.raises(ParityError, match="expected logits that vary"):
        compare(constant, "constant.tflite", images, "float32")


def test_a_file_that_its_runtime_refuses_is_not_proven(identity, images, tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ParityError, match="text.onnx: expected an exported file") as caught:
        compare(identity, tmp_path / "text.onnx", images, "float32")
    assert isinstance(caught.value.__cause__, RunnerError)
