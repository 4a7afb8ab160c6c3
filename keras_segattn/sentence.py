"""What a model of language says: a sentence, how sure it is, and where it looked."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Sentence:
    """One answer.

    Args:
        text: str.
        log_probability: of its tokens and of its end, natural logarithm.
        pieces: its tokens as text; a blank at the front says that a word begins.
        attention: float (S, T), where it looked for each of its S pieces: at the pieces of the source, or (S, h, w), at
            the places of an image; None without attention.
        source: T pieces of the source; none of an image.

    Example:
        >>> Sentence("a dog", -1.5).text
        'a dog'
    """

    text: str
    log_probability: float
    pieces: list = field(default_factory=list)
    attention: np.ndarray | None = None
    source: list = field(default_factory=list)


def sentence_of(tokens, log_probability, vocabulary, attention=None, source=(), places=None):
    """The sentence that a search has found.

    Args:
        tokens: int (L,), see ``decoding.Decoded``.
        log_probability: float.
        vocabulary: ``Vocabulary`` of the tokens.
        attention: float (L, T), or None.
        source: pieces that were read, T of them at most: the rest of the weights are of padding.
        places: (h, w) of the places of an image, h w = T; None for a sentence.

    Returns:
        ``Sentence``.

    Example:
        >>> from keras_segattn.vocabulary import Vocabulary
        >>> vocabulary = Vocabulary.learn(["to be or not to be"], size=8, kind="words")
        >>> sentence_of([*vocabulary.encode("not to be"), 3, 3], -2.0, vocabulary).text
        'not to be'
    """
    pieces = vocabulary.pieces(tokens)
    if attention is not None:
        attention = np.asarray(attention)[: len(pieces)]
        attention = attention[:, : len(source)] if places is None else attention.reshape(-1, *places)
    return Sentence(vocabulary.decode(tokens), float(log_probability), pieces, attention, list(source))
