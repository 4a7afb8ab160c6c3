"""Pictures of attention: what a translation read, where a caption looked; with numpy and Pillow alone.

    >>> words, weights = merge_words([" to", "day"], [[0.5, 0.25], [0.25, 0.5]], axis=1)
    >>> draw_alignment(words, [" heu", "te"], weights)[-19, -19].tolist()  # the last square is a weight of 0.75
    [37, 88, 139]
"""

import functools
import unicodedata
from bisect import bisect_right

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .images import from_channels

PAPER, INK = (255, 255, 255), (32, 33, 36)
SHADES = ((238, 243, 249), (66, 146, 198), (8, 30, 80))  # of the weights 0, 1/2 and 1, in even steps of lightness
VEIL = 0.15  # of white, where the most weight is, so that a black place is lit too
DARK = 0.2  # of the light of a photograph, where no weight is
ACROSS = 1200  # pixels of all squares or tiles in a row, if that is within the bounds of one:
SQUARE = (16, 36)  # pixels of the side of a square
TILE = (120, 300)  # pixels of the longer side of a tile
LABEL = 14  # sizes of letters in the longest label; a longer one is cut

# In sizes of letters. A line has its baseline at 1, so that there is room for the accent of Ä.
LINE = 1.25
BEARING = 0.2  # blank at either end of a line
X_HEIGHT = 0.56  # of Pillow's own font, Aileron, above the baseline; the dot of an i is above
GAP = 0.06  # from a letter to its accent
STROKE = 0.082
ESZETT = np.array(  # corners of the stroke of an ß, from its left end on the baseline
    [(0.11, 0), (0.11, 0.5), (0.11, 0.725), (0.44, 0.725), (0.44, 0.53), (0.25, 0.46)]
    + [(0.27, 0.36), (0.52, 0.3), (0.52, 0.03), (0.3, 0.03), (0.22, 0.06)]
)
ENLARGED = 4  # times, while letters are put together
# Aileron has little more than ASCII: what stands for an accent, in a share of the size.
ACCENTS = {
    "\u0300": ("`", 0.9),  # grave
    "\u0301": ("´", 0.9),
    "\u0302": ("^", 0.4),  # circumflex
    "\u0303": ("~", 0.65),
    "\u0308": ("..", 0.9),  # diaeresis
    "\u030a": ("°", 0.6),  # ring
    "\u030c": ("v", 0.32),  # caron
    "\u0327": (",", 0.8),  # cedilla
    "\u0328": (",", 0.8),  # ogonek
}
BELOW = "\u0327\u0328"
STAND_INS = str.maketrans({"–": "-", "—": "-", "„": ",,", "‚": ",", "æ": "ae", "œ": "oe"})


def draw_alignment(source, target, weights):
    """Draw which pieces of its source each piece of a translation read: a row for each, darker where it read more.

    Args:
        source: list of T str, at the top; blanks around a piece are not drawn.
        target: list of S str, at the left.
        weights: float (S, T), 0..1.

    Returns:
        uint8 (H, W, 3). Letters of the Latin alphabet that Pillow's own font lacks are put together; others are boxes.

    Raises:
        ValueError: if an array has another shape or range, or a list another length.

    Reference:
        Bahdanau et al., Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015, fig. 3.

    Example:
        >>> draw_alignment([" zwei", " Hunde"], [" two", " dogs"], [[0.9, 0.1], [0, 1]])[-19, -19].tolist()
        [8, 30, 80]
    """
    weights = _checked(weights, "ST", target=(0, target), source=(1, source))
    if weights.max() > 1.01:  # sums of half floats may be beyond 1
        raise ValueError(f"weights: expected 0..1. Received: {weights.max()}")
    side = int(np.clip(ACROSS // max(weights.shape), *SQUARE))
    size = round(0.65 * side)
    above = [_written(piece, size, LABEL * size).transpose(Image.Transpose.ROTATE_90) for piece in source]
    before = [_written(piece, size, LABEL * size) for piece in target]
    margin = side // 2
    left = margin + max(label.width for label in before)
    top = margin + max(label.height for label in above)
    squares = _shades(weights).repeat(side, 0).repeat(side, 1)
    squares[::side] = squares[:, ::side] = PAPER
    picture = Image.new("RGB", (left + squares.shape[1] + margin, top + squares.shape[0] + margin), PAPER)
    picture.paste(Image.fromarray(squares), (left, top))
    for number, label in enumerate(above):
        picture.paste(INK, (left + number * side + (side - label.width) // 2, top - label.height), label)
    for number, label in enumerate(before):
        picture.paste(INK, (left - label.width, top + number * side + (side - label.height) // 2), label)
    return np.array(picture)


def draw_attention(image, words, weights, columns=5):
    """Draw where a caption looked: the photograph, then for each word the photograph lit where its weights are.

    Args:
        image: uint8 (H, W, C), C in 1..3.
        words: list of S str; blanks around a word are not drawn.
        weights: float (S, h, w), at least 0; each word's are shown as shares of their highest.
        columns: int, most tiles in a row.

    Returns:
        uint8 (H, W, 3), with letters as in ``draw_alignment``.

    Raises:
        ValueError: if an array has another shape, type or range, or the list another length.

    Reference:
        Xu et al., Show, Attend and Tell: Neural Image Caption Generation with Visual Attention, ICML 2015, fig. 5.

    Example:
        >>> draw_attention(np.zeros((60, 90, 3), "uint8"), ["a", "dog"], np.ones((2, 7, 7))).shape
        (255, 948, 3)
    """
    weights = _checked(weights, "Shw", words=(0, words))
    if not isinstance(columns, int | np.integer) or columns < 1:
        raise ValueError(f"columns: expected an integer of at least 1. Received: {columns!r}")
    photograph = Image.fromarray(from_channels(image))
    rows = -(-(1 + len(words)) // columns)
    columns = -(-(1 + len(words)) // rows)
    side = int(np.clip(ACROSS // columns, *TILE))
    photograph = photograph.resize([max(1, round(side * length / max(photograph.size))) for length in photograph.size])
    width, height = photograph.size
    size = side // 12
    margin = size // 2
    step = np.array([width + margin, height + round(LINE * size) + margin])
    picture = Image.new("RGB", [int(length) for length in (columns, rows) * step + margin], PAPER)
    picture.paste(photograph, (margin, margin))
    for number, (word, seen) in enumerate(zip(words, weights, strict=True), start=1):
        x, y = (int(place) for place in step * (number % columns, number // columns) + margin)
        picture.paste(_lit(photograph, seen), (x, y))
        label = _written(word, size, width)
        picture.paste(INK, (x + (width - label.width) // 2, y + height), label)
    return np.array(picture)


def merge_words(pieces, weights, axis):
    """Merge pieces of words, and the weights on them, to words.

    A word that is read gets the sum of its pieces' weights, and one that reads their mean: rows keep their sums.

    Args:
        pieces: list of str; a blank at the front says that a word begins.
        weights: float (S, T), at least 0.
        axis: 0 if the pieces are S that read, those of the target, or 1 if they are T that are read.

    Returns:
        tuple of the words, list of str that keep the blank, and float (S, T) with as many on that axis.

    Raises:
        ValueError: if the array has another shape or range, the list another length, or the axis is neither.

    Example:
        >>> merge_words([" to", "day", " is"], [[0.5, 0.25, 0.25]], axis=1)
        ([' today', ' is'], array([[0.75, 0.25]]))
    """
    if axis not in (0, 1):
        raise ValueError(f"axis: expected 0 or 1. Received: {axis!r}")
    weights = _checked(weights, "ST", pieces=(axis, pieces))
    starts = [number for number, piece in enumerate(pieces) if number == 0 or piece.startswith(" ")]
    ends = [*starts[1:], len(pieces)]
    merged = np.add.reduceat(weights, starts, axis)
    if axis == 0:
        merged /= np.subtract(ends, starts)[:, None]
    return ["".join(pieces[start:end]) for start, end in zip(starts, ends, strict=True)], merged


def _checked(weights, axes, **pieces):
    weights = np.asarray(weights, "float64")
    if weights.ndim != len(axes) or not weights.size:
        raise ValueError(f"weights: expected ({', '.join(axes)}), none of them 0. Received: {weights.shape}")
    for name, (axis, given) in pieces.items():
        if isinstance(given, str) or not all(isinstance(piece, str) for piece in given):
            raise ValueError(f"{name}: expected a list of str. Received: {given!r}")
        if len(given) != weights.shape[axis]:
            expected = f"{weights.shape[axis]}, as weights {weights.shape} has on axis {axis}"
            raise ValueError(f"{name}: expected {expected}. Received: {len(given)}")
    wrong = weights[~((weights >= 0) & (weights < np.inf))]
    if wrong.size:
        raise ValueError(f"weights: expected finite numbers of at least 0. Received: {wrong[0]}")
    return weights


def _shades(weights):
    """Colours (S, T, 3) of weights."""
    shades = [np.interp(weights, np.linspace(0, 1, len(SHADES)), channel) for channel in np.transpose(SHADES)]
    return np.stack(shades, -1).astype("uint8")


def _lit(photograph, weights):
    shares = Image.fromarray((weights / (weights.max() or 1)).astype("float32"))
    light = np.clip(shares.resize(photograph.size, Image.Resampling.BICUBIC), 0, 1)[..., None]      # (H, W, 1)
    photograph = np.asarray(photograph, "float64")
    dark, lit = DARK * photograph, photograph + VEIL * (255 - photograph)
    return Image.fromarray((dark + light * (lit - dark)).round().astype("uint8"))


@functools.lru_cache(maxsize=32)
def _font(size):
    return ImageFont.load_default(size)


def _written(text, size, longest):
    """A line of text as ink, at most so many pixels long; more is cut."""
    scale = ENLARGED * size
    font = _font(scale)
    text = unicodedata.normalize("NFC", " ".join(text.split()).translate(STAND_INS)) or "_"
    letters = [unicodedata.normalize("NFD", letter) for letter in text]
    bases = "".join(letter[0] for letter in letters).replace("ß", "b")  # that are as wide
    room = ENLARGED * longest - 2 * BEARING * scale
    if font.getlength(bases) > room:
        kept = bisect_right(range(1, len(bases)), room, key=lambda number: font.getlength(bases[:number] + "…"))
        letters, bases = [*letters[:kept], "…"], bases[:kept] + "…"
    length = font.getlength(bases) / ENLARGED + 2 * BEARING * size
    line = Image.new("L", [ENLARGED * int(pixels) for pixels in (length, LINE * size)])
    for number, letter in enumerate(letters):
        line.paste(255, (round(font.getlength(bases[:number])), 0), _glyph(letter, scale))
    return line.reduce(ENLARGED)


@functools.lru_cache(maxsize=512)
def _glyph(letter, scale):
    """A letter, and the accents behind it, as ink."""
    base, accents = letter[0], letter[1:]
    glyph = Image.new("L", (2 * scale, round(LINE * scale)))
    draw = ImageDraw.Draw(glyph)
    origin = left, baseline = round(BEARING * scale), scale
    if base == "ß":
        draw.polygon([(left + x * scale, baseline - y * scale) for x, y in _outline(ESZETT)], 255)
    else:
        draw.text(origin, base, 255, _font(scale), "ls")
    if base in "ij" and set(accents) - set(BELOW):
        glyph.paste(0, (0, 0, glyph.width, round(baseline - X_HEIGHT * scale)))
    for accent in accents:
        character, share = ACCENTS.get(accent, (accent, 0.5))
        font, bolder = _font(round(share * scale)), round((1 - share) * STROKE / 4 * scale)
        ink = Image.new("L", glyph.size)
        ImageDraw.Draw(ink).text(origin, character, 255, font, "ls", stroke_width=bolder)
        ink = ink.crop(ink.getbbox())
        start, top, end, _ = glyph.getbbox()
        y = baseline if accent in BELOW else top - round(GAP * scale) - ink.height
        glyph.paste(255, ((start + end - ink.width) // 2, y), ink)
    return glyph


def _outline(corners):
    """The outline of a stroke with these corners, rounded: a polygon."""
    for _ in range(4):  # Chaikin's corner cutting
        cut = [0.75 * corners[:-1] + 0.25 * corners[1:], 0.25 * corners[:-1] + 0.75 * corners[1:]]
        corners = np.concatenate([corners[:1], np.stack(cut, 1).reshape(-1, 2), corners[-1:]])
    along = np.gradient(corners, axis=0)
    across = STROKE / 2 * along[:, ::-1] * (-1, 1) / np.linalg.norm(along, axis=1, keepdims=True)
    return np.concatenate([corners + across, (corners - across)[::-1]])
