"""Vocabularies: text to token ids and back, with numpy alone and no Keras, so that a device has them too."""

from __future__ import annotations

import io
import tempfile
import unicodedata
from pathlib import Path

import numpy as np

# The ids that every vocabulary begins with.
PAD, UNKNOWN, START, END = range(4)
KINDS = ("subwords", "words")
LETTERED = (*range(1, 0x530), *range(0x1E00, 0x2070))  # Latin, Greek and Cyrillic, and the punctuation of all scripts


class Vocabulary:
    """The tokens of a language, learned from text: subwords for translation, whole words for captions.

    Subwords are those of a unigram language model, and keep case and punctuation. Words are of letters alone, in lower
    case, of the Latin, Greek and Cyrillic scripts; those of others are left as they are. The ids begin with ``PAD`` 0,
    ``UNKNOWN`` 1, ``START`` 2 and ``END`` 3.

    Args:
        data: bytes of a SentencePiece model with those ids, as ``data`` of another vocabulary.

    Raises:
        ValueError: if the bytes are none of such a model.
        ImportError: if sentencepiece is not installed.

    Reference:
        Kudo, Subword Regularization, ACL 2018; Kudo and Richardson, SentencePiece, EMNLP 2018.

    Example:
        >>> vocabulary = Vocabulary.learn(["Two dogs run.", "Two cats run."], size=8, kind="words")
        >>> ids = vocabulary.encode("Two dogs!")
        >>> len(ids), vocabulary.decode(ids)
        (2, 'two dogs')
    """

    def __init__(self, data):
        self.data = bytes(data)
        self._processor = _processor(self.data)

    @classmethod
    def learn(cls, texts, size, kind="subwords"):
        """A vocabulary of the most useful tokens of some texts; the same texts give the same one.

        Args:
            texts: iterable of str, a sentence each.
            size: int, at most how many tokens, the four special ones among them.
            kind: "subwords" or "words".

        Returns:
            ``Vocabulary``.

        Raises:
            ValueError: if the kind is neither, or the texts are too few for the size or hold no token.
            ImportError: if sentencepiece is not installed.

        Example:
            >>> len(Vocabulary.learn(["to be or not to be"], size=8, kind="words"))
            8
        """
        trainer = require().SentencePieceTrainer
        if kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}. Received: {kind!r}")
        model = io.BytesIO()
        with tempfile.TemporaryDirectory() as folder:
            rules = Path(folder) / "rules.tsv"
            rules.write_text(_letters_only())
            kinds = {
                "subwords": {"model_type": "unigram"},
                "words": {"model_type": "word", "normalization_rule_tsv": rules},
            }
            try:
                trainer.train(
                    sentence_iterator=iter(texts),
                    model_writer=model,
                    vocab_size=size,
                    hard_vocab_limit=False,
                    character_coverage=1.0,
                    pad_id=PAD,
                    unk_id=UNKNOWN,
                    bos_id=START,
                    eos_id=END,
                    num_threads=1,
                    minloglevel=2,
                    **kinds[kind],
                )
            except (RuntimeError, OSError, ValueError) as error:
                raise ValueError(f"texts: expected enough text for {size} tokens. {_line(error)}") from error
        return cls(_without_paths(model.getvalue()))

    def __len__(self):
        return self._processor.get_piece_size()

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.data == other.data

    def __hash__(self):
        return hash(self.data)

    @property
    def tokens(self):
        """What each id stands for, as a tuple of str, the four special ones among them.

        Example:
            >>> sorted(Vocabulary.learn(["to be or not to be"], size=8, kind="words").tokens[4:])
            ['\u2581be', '\u2581not', '\u2581or', '\u2581to']
        """
        return tuple(self._processor.id_to_piece(token) for token in range(len(self)))

    def encode(self, text, *, alpha=None):
        """The ids of a text, without those of start and end.

        Args:
            text: str.
            alpha: None for the likeliest segmentation, or a number > 0 to draw one at random: the smaller the more
                evenly. Subwords alone; ``seed`` sets the random numbers.

        Returns:
            list of int; empty if there is no token in it.

        Raises:
            TypeError: if it is no text.
            ValueError: if UTF-8 cannot write it, or there are no other segmentations to draw.

        Example:
            >>> Vocabulary.learn(["to be or not to be"], size=8, kind="words").encode("never")
            [1]
        """
        if not isinstance(text, str):
            raise TypeError(f"text: expected str. Received: {type(text).__name__}")
        drawn = {} if alpha is None else {"enable_sampling": True, "alpha": alpha, "nbest_size": -1}
        try:
            return self._processor.encode(text, **drawn)
        except RuntimeError as error:
            if _is_unicode(text):
                raise ValueError(f"alpha: expected None, for words are not split. Received: {alpha!r}") from error
            raise ValueError("text: expected one that UTF-8 can write. It has half of a surrogate pair") from error

    def decode(self, ids):
        """The text of ids, up to the first ``END``.

        Args:
            ids: iterable of int.

        Returns:
            str.

        Example:
            >>> vocabulary = Vocabulary.learn(["to be or not to be"], size=8, kind="words")
            >>> vocabulary.decode([START, *vocabulary.encode("not to"), END, *vocabulary.encode("be")])
            'not to'
        """
        return self._processor.decode(self._until_end(ids))

    def pieces(self, ids):
        """What each id stands for, up to the first ``END``; a blank at the front says that a word begins.

        Args:
            ids: iterable of int.

        Returns:
            list of str.

        Example:
            >>> vocabulary = Vocabulary.learn(["to be or not to be"], size=8, kind="words")
            >>> vocabulary.pieces(vocabulary.encode("not to"))
            [' not', ' to']
        """
        return [self._processor.id_to_piece(token).replace("\u2581", " ") for token in self._until_end(ids)]

    def _until_end(self, ids):
        ids = [int(token) for token in ids]
        ids = ids[: ids.index(END)] if END in ids else ids
        return [token for token in ids if token not in (PAD, START)]

    def __repr__(self):
        return f"Vocabulary of {len(self)} tokens"


def seed(number):
    """Start anew the random numbers with which ``Vocabulary.encode`` draws segmentations.

    Args:
        number: int >= 0.

    Example:
        >>> vocabulary = Vocabulary.learn(["an ant and a banana"], size=16)
        >>> def drawn():
        ...     seed(1)
        ...     return [vocabulary.encode("banana", alpha=0.1) for _ in range(3)]
        >>> drawn() == drawn()
        True
    """
    require().set_random_generator_seed(number)


def require():
    """The package that vocabularies are made of.

    Raises:
        ImportError: if it is not installed, with what to install.

    Example:
        >>> require().__name__
        'sentencepiece'
    """
    try:
        import sentencepiece
    except ImportError as error:
        raise ImportError("A vocabulary needs sentencepiece: install keras_segattn[text]") from error
    return sentencepiece


def pad(rows, length=None):
    """Rows of ids as one array, filled up with ``PAD``.

    Args:
        rows: list of lists of int.
        length: int, or None for that of the longest row.

    Returns:
        int32 (B, T).

    Raises:
        ValueError: if a row is longer.

    Example:
        >>> pad([[5, 6], [7]]).tolist()
        [[5, 6], [7, 0]]
    """
    longest = max((len(row) for row in rows), default=0)
    length = longest if length is None else length
    if longest > length:
        raise ValueError(f"length: expected at least that of the longest row, {longest}. Received: {length}")
    padded = np.full((len(rows), length), PAD, "int32")
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded


def _processor(data):
    processor = require().SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(data)
    except RuntimeError as error:
        raise ValueError(f"data: expected a SentencePiece model. {_line(error)}") from error
    special = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
    if special != (PAD, UNKNOWN, START, END):
        expected = f"pad, unknown, start and end as {PAD}, {UNKNOWN}, {START} and {END}"
        raise ValueError(f"data: expected a SentencePiece model with {expected}. Received: {special}")
    return processor


def _is_unicode(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_paths(data):
    """A model of SentencePiece that does not say where the rules lay which it was made by, and holds itself."""
    from sentencepiece.sentencepiece_model_pb2 import ModelProto

    model = ModelProto.FromString(data)
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    return model.SerializeToString()


def _letters_only():
    """Rules of normalization for SentencePiece: letters in lower case, and a blank for what is none."""
    rules = []
    for letter in map(chr, LETTERED):
        plain = letter.lower() if letter.isalpha() or unicodedata.combining(letter) else " "
        if plain != letter:
            rules.append(f"{ord(letter):X}\t{' '.join(f'{ord(one):X}' for one in plain)}\n")
    return "".join(rules)


def _line(error):
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
