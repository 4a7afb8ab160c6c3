"""A model that writes whole sentences: what reads, what writes, and the search between them in one graph."""

import keras
import numpy as np

from ... import decoding
from ...sentence import sentence_of
from ...vocabulary import END, PAD, START, UNKNOWN, pad
from .decoder import decoder
from .grid import places_of
from .sentences import vocabularies_of

NEVER = (PAD, UNKNOWN, START)


class Writer(keras.Model):
    """Sentences for sentences or images, by beam search in the graph of a model of language.

    Called with a dict of the model's inputs but ``target`` it gives a dict: ``tokens`` int32 (B, L), END from where the
    sentence ends, ``log_probability`` (B,), and with attention ``attention`` (B, L, T), the weights of each token.
    ``write`` takes and gives text.

    Args:
        model: keras.Model of language, see ``decoder``.
        beams: hypotheses, >= 1; 1 is greedy.
        max_length: L, the most tokens of a sentence, its end among them.
        length_power: see ``decoding.beam_search``.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> from keras import ops
        >>> from keras_segattn.models import rnnsearch
        >>> model = rnnsearch(60, 50, embedding=4, encoder_units=5, units=6, attention_units=3)
        >>> found = Writer(model, beams=2, max_length=7)({"source": ops.array([[7, 8, 9]])})
        >>> {name: tuple(x.shape) for name, x in sorted(found.items())}
        {'attention': (1, 7, 3), 'log_probability': (1,), 'tokens': (1, 7)}
    """

    def __init__(self, model, *, beams=3, max_length=48, length_power=1.0):
        for name, value in (("beams", beams), ("max_length", max_length)):
            if type(value) is not int or value < 1:
                raise ValueError(f"{name}: expected an integer >= 1. Received: {value!r}")
        super().__init__(name=f"{model.name}_writer")
        self.model = model
        self.beams = beams
        self.max_length = max_length
        self.length_power = length_power
        self.encode, self.step, self.parts = decoder(model)

    def call(self, inputs):
        state = self.encode(inputs)
        found = decoding.beam_search(
            self.step,
            state,
            start=START,
            end=END,
            max_length=self.max_length,
            beams=self.beams,
            length_power=self.length_power,
            forbidden=NEVER,
            watch=(lambda state: state["scores"]) if "scores" in state else None,
        )
        answer = {"tokens": found.tokens[:, 0], "log_probability": found.log_probabilities[:, 0]}
        return answer if found.watched is None else {**answer, "attention": found.watched[:, 0]}

    def write(self, inputs, *, batch_size=32):
        """The best sentence for each of some sentences or images.

        Args:
            inputs: list of str, or uint8 (B, H, W, 3).
            batch_size: how many at once. Sentences of similar length go together.

        Returns:
            list of ``Sentence``.

        Raises:
            TypeError: if it is one text, or a text is none.
            ValueError: if a sentence has no token, or the model no vocabulary.

        Example:
            >>> Writer(model).write(["Ein Hund rennt."])[0].text              # doctest: +SKIP
            'A dog is running.'
        """
        if isinstance(inputs, str):
            raise TypeError(f"inputs: expected a list of sentences. Received one: {inputs[:60]!r}")
        write = self._translate if "source" in self.model.input else self._caption
        return write(inputs, batch_size)

    def _translate(self, texts, batch_size):
        read, written = vocabularies_of(self.model).values()
        rows = [read.encode(text) for text in texts]
        if [] in rows:
            raise ValueError(f"inputs: expected sentences with a token in each. Received: {texts[rows.index([])]!r}")
        sentences = [None] * len(rows)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for chosen in _parts(order, batch_size):
            longest = max(len(rows[index]) for index in chosen)
            source = pad([rows[index] for index in chosen], -(-longest // STEP) * STEP)
            found = self.predict_on_batch({"source": source})
            for place, index in enumerate(chosen):
                sentences[index] = _one(found, place, written, source=read.pieces(rows[index]))
        return sentences

    def _caption(self, images, batch_size):
        written = vocabularies_of(self.model)["target"]
        places = places_of(self.model)
        sentences = []
        for chosen in _parts(range(len(images)), batch_size):
            found = self.predict_on_batch({"image": np.stack([images[index] for index in chosen]).astype("float32")})
            sentences += [_one(found, place, written, places=places) for place in range(len(chosen))]
        return sentences


STEP = 8  # source lengths are multiples of it, so that few graphs are made


def _parts(items, size):
    return [items[first : first + size] for first in range(0, len(items), size)]


def _one(found, place, vocabulary, **facts):
    attention = found["attention"][place] if "attention" in found else None
    return sentence_of(found["tokens"][place], found["log_probability"][place], vocabulary, attention, **facts)
