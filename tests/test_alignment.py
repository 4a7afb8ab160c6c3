"""Pictures of attention: alignments as matrices, captions as lit photographs."""

import unicodedata

import numpy as np
import pytest

from keras_segattn.alignment import DARK, INK, PAPER, SHADES, VEIL, draw_alignment, draw_attention, merge_words

SIDE, MARGIN = 36, 18  # of a square of few pieces
RANDOM = np.random.default_rng(0).random((5, 3))
GERMAN, ENGLISH = [" Größe", " jäh", " Ägypten"], [" size", " of", " a", " big", "gy"]


def squares(picture, rows, columns, side=SIDE):
    """The colours (rows, columns, 3) of the middles of the squares."""
    height, width = np.subtract(picture.shape[:2], side // 2)
    inner = picture[height - rows * side : height, width - columns * side : width]
    return inner[side // 2 :: side, side // 2 :: side].astype(int)


def lightness(colours):
    """CIE L*, 0..100, of sRGB colours."""
    shares = np.asarray(colours) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def cropped(strip):
    """How dark each pixel of a label is, 0..255, without the paper around."""
    ink = 255 - np.asarray(strip).min(-1).astype(int)
    rows, columns = ink.any(1).nonzero()[0], ink.any(0).nonzero()[0]
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def label(text):
    """What is written before a row, in a strip as high as its square."""
    picture = draw_alignment(["x"], [text], [[0]])
    return picture[-MARGIN - SIDE : -MARGIN, : -MARGIN - SIDE]


def written(text):
    return cropped(label(text))


def extent(text):
    """First and last row of a label that have ink."""
    rows = (label(text) != PAPER).any((1, 2)).nonzero()[0]
    return rows[0], rows[-1]


def runs(rows):
    """How many pieces a column of pixels falls into."""
    return int(rows[0]) + int(np.sum(rows[1:] & ~rows[:-1]))


def test_the_darkest_square_lies_where_the_weight_is_highest():
    drawn = lightness(squares(draw_alignment(GERMAN, ENGLISH, RANDOM), 5, 3))
    assert (drawn.ravel().argsort() == (-RANDOM).ravel().argsort()).all()


def test_equal_steps_of_weight_are_nearly_equal_steps_of_lightness():
    drawn = squares(draw_alignment(["x"] * 11, ["y"], np.linspace(0, 1, 11)[None]), 1, 11)[0]
    assert drawn[[0, 5, 10]].tolist() == [list(shade) for shade in SHADES]
    steps = -np.diff(lightness(drawn))
    assert 6.5 < steps.min() < steps.max() < 10


def test_equal_rows_give_equal_squares():
    drawn = squares(draw_alignment(GERMAN, ENGLISH, np.repeat(RANDOM[:1], 5, axis=0)), 5, 3)
    assert (drawn == drawn[:1]).all()
    assert (drawn[0, 0] != drawn[0, 1]).any()


def test_exchanging_source_and_target_transposes_the_picture():
    there = draw_alignment(GERMAN, ENGLISH, RANDOM)
    back = draw_alignment(ENGLISH, GERMAN, RANDOM.T)
    assert (squares(there, 5, 3) == squares(back, 3, 5).transpose(1, 0, 2)).all()
    before = there[-MARGIN - 5 * SIDE : -MARGIN, : -MARGIN - 3 * SIDE]
    above = np.rot90(back[: -MARGIN - 3 * SIDE, -MARGIN - 5 * SIDE : -MARGIN], -1)
    for number in range(5):
        band = slice(number * SIDE, (number + 1) * SIDE)
        assert (before[band] != PAPER).any((1, 2)).tolist() == (above[band] != PAPER).any((1, 2)).tolist()
        assert (cropped(before[band]) == cropped(above[band])).all()


def test_a_blank_line_parts_squares():
    picture = draw_alignment(GERMAN, ENGLISH, np.ones((5, 3)))
    rows, columns = picture[:, -MARGIN - 1], picture[-MARGIN - 1]
    assert [runs((line != PAPER).any(-1)) for line in (rows, columns)] == [5, 3]


@pytest.mark.parametrize(("pieces", "side"), [(3, 36), (60, 20)])
def test_labels_touch_neither_each_other_nor_squares_nor_the_border(pieces, side):
    picture = draw_alignment([" Ågypty"] * pieces, [" Ągyptj"] * pieces, np.full((pieces, pieces), 0.5))
    start = side // 2 + pieces * side
    for view in (picture, np.rot90(picture, -1)):  # in the latter the source stands at the right
        assert (view[: side // 2 - 1] == PAPER).all()
        assert (view[-side // 2 + 1 :] == PAPER).all()
    before, above = picture[-start : -side // 2, :-start], np.rot90(picture[:-start, -start : -side // 2], -1)
    for strip in (before, above):
        assert (strip.reshape(pieces, -1) == strip[:side].ravel()).all()
        assert (strip[::side] == PAPER).all()
        assert (strip[side - 1 :: side] == PAPER).all()
    assert (before[:, -side // 16 :] == PAPER).all()
    assert (above[:, : side // 16] == PAPER).all()


def test_labels_end_at_the_squares():
    picture = draw_alignment(["l", "lllll"], ["l", "lllll"], np.ones((2, 2)))
    start = MARGIN + 2 * SIDE
    assert label("lllll").shape == (SIDE, picture.shape[1] - start, 3)
    assert picture.shape[0] == picture.shape[1]
    for strip in (picture[-start:-MARGIN, :-start], picture[:-start, -start:-MARGIN].transpose(1, 0, 2)):
        last = [(strip[band * SIDE : (band + 1) * SIDE] != PAPER).any((0, 2)).nonzero()[0][-1] for band in range(2)]
        assert abs(last[0] - last[1]) <= 2
        assert strip.shape[1] - last[0] < SIDE / 3


def test_a_picture_of_many_pieces_has_a_sensible_size_and_legible_letters():
    picture = draw_alignment([" Männchen"] * 60, [" H"] * 60, np.eye(60))
    assert 1000 < min(picture.shape[:2]) <= max(picture.shape[:2]) < 1500
    assert (squares(picture, 60, 60, side=20).sum(-1) < 400).sum() == 60
    letter = picture[-10 - 60 * 20 : -10 - 59 * 20, : -10 - 60 * 20]
    assert len(cropped(letter)) >= 8
    wide = draw_alignment(["x"] * 200, ["x"], np.ones((1, 200)))
    high = draw_alignment(["x"], ["x"] * 200, np.ones((200, 1)))
    assert 200 * 16 < wide.shape[1] == high.shape[0] < 200 * 16 + 50


def test_a_long_label_is_cut_and_ends_in_an_ellipsis():
    long, longer = written("Donau" * 9), written("Donau" * 90)
    assert long.shape == longer.shape
    assert (long == longer).all()
    assert label("Donau" * 9).shape[1] <= 14 * 23 + MARGIN < label("Donau" * 9).shape[1] + 15
    dots = long[-3:, -15:].sum(0) > 100
    assert [runs(dots), runs(long[0, -15:] > 0)] == [3, 0]
    assert (written("Donau" * 4)[:, :60] == long[:, :60]).all()
    assert written("Donau" * 3).shape[1] / 3 == pytest.approx(written("Donau" * 4).shape[1] / 4, abs=1)


def test_blanks_around_a_piece_are_not_drawn_and_a_blank_alone_is_an_underscore():
    assert (label(" dog") == label("dog ")).all()
    assert (label("a\n dog") == label("a dog")).all()
    assert (label(" ") == label("_")).all()


def test_letters_of_german_french_and_czech_are_drawn_and_no_two_alike():
    letters = "aouAOUeincsi" "äöüÄÖÜßëèéêàâçîïôûùñåšůąÀÉÊ"
    drawn = {written(letter).tobytes() for letter in [*letters, "日", "b", "B"]}
    assert len(drawn) == len(set(letters)) + 3


def test_a_letter_that_is_not_covered_is_a_box():
    box = written("日")
    assert (box == written("Ж")).all()
    assert (box[1, 1:] > 200).all()
    assert (box[-1, 1:] > 200).all()
    assert written("ạ").shape[0] > written("a").shape[0] + 3  # the box of its accent


@pytest.mark.parametrize("letter", "äöüÄÖÜéèêëñšåčÅŠ")
def test_an_accent_stands_free_above_the_middle_of_its_letter(letter):
    (base, _), drawn = unicodedata.normalize("NFD", letter), label(letter) != PAPER
    top, bottom = extent(base)
    accent, rest = drawn[:top].any((0, 2)).nonzero()[0], drawn[top:].any((0, 2)).nonzero()[0]
    assert (label(letter)[top:] == label(base)[top:]).all()
    assert 3 <= top - extent(letter)[0] <= 7
    assert extent(letter)[1] == bottom
    assert abs(accent[[0, -1]].mean() - rest[[0, -1]].mean()) <= 1
    assert 2 <= len(accent) <= 10
    assert label(letter)[:top].min() < 80  # as bold as the letter


def test_a_diaeresis_is_two_dots():
    for letter, base in zip("äöüÄÖÜ", "aouAOU", strict=True):
        assert runs((label(letter)[: extent(base)[0]] != PAPER).any((0, 2))) == 2


def test_an_accent_is_as_high_on_a_capital():
    for small, capital in ("äÄ", "šŠ", "éÉ", "ñÑ", "åÅ"):
        tops = [(extent(letter)[0], extent(unicodedata.normalize("NFD", letter)[0])[0]) for letter in (small, capital)]
        assert abs(np.diff(tops)[0] - np.diff(tops)[1]) <= 1


@pytest.mark.parametrize(("letter", "base"), ["çc", "ąa", "şs"])
def test_a_tail_hangs_below_its_letter(letter, base):
    (top, bottom), drawn = extent(base), label(letter)
    assert extent(letter)[0] == top
    assert 2 <= extent(letter)[1] - bottom <= 5
    assert (drawn[:bottom] == label(base)[:bottom]).all()
    assert 2 <= (drawn[bottom + 1 :] != PAPER).any((0, 2)).sum() <= 5


def test_an_i_loses_its_dot_to_an_accent_above_alone():
    for letter, parts in ("l", 1), ("i", 2), ("í", 2), ("ï", 2), ("į", 2), ("j", 2), ("ǰ", 2):
        assert runs(written(letter).max(1) > 110) == parts, letter
    stem = label("i")[extent("n")[0] + 1 :]
    assert (label("ï")[-len(stem) :] == stem).all()


def test_an_eszett_ascends_like_a_b_and_stands_on_the_baseline():
    assert np.abs(np.subtract(extent("ß"), extent("b"))).max() <= 1
    stroke, stem = written("ß"), written("l")
    assert abs(stroke.shape[1] - written("b").shape[1]) <= 1
    assert runs(stroke[:, stroke.shape[1] // 3] > 130) == 3  # top, waist and bottom
    assert [runs(stroke[row] > 130) for row in (1, 4, 10, 13, -2)] == [1, 2, 2, 2, 2]
    assert stroke[0, 0] == stroke[0, -1] == stroke[-1, -1] == 0  # rounded
    assert (stroke[4:, 2] == 0).all()  # they touch the stem at the top alone
    assert stroke[4:12, :2].sum() == pytest.approx(stem[4:12].sum(), rel=0.1)  # and it is as bold as others


def test_composed_and_decomposed_letters_and_like_characters_are_drawn_alike():
    for one, other in ("ä", "a\u0308"), ("–", "-"), ("—", "-"), ("„", ",,"), ("‚", ","), ("æœ", "aeoe"):
        assert (label(one) == label(other)).all()


def test_the_letters_of_a_word_stand_side_by_side():
    assert [runs((label(text) != PAPER).any((0, 2))) for text in ("m", "mm", "lßöl", "l l")] == [1, 2, 4, 2]
    assert written("lml").shape[1] == pytest.approx(written("ll").shape[1] + 23 * 0.9, abs=2)


def test_words_keep_the_sums_of_rows():
    words, merged = merge_words([" big", "gy", " of", "f", "s"], RANDOM.T, axis=1)
    assert words == [" biggy", " offs"]
    np.testing.assert_allclose(merged[:, 0], RANDOM[:2].sum(0))
    np.testing.assert_allclose(merged.sum(1), RANDOM.sum(0))


def test_a_word_that_reads_has_the_mean_of_its_pieces():
    words, merged = merge_words(["big", "gy", " of", "f", "s"], RANDOM, axis=0)
    assert words == ["biggy", " offs"]
    np.testing.assert_allclose(merged, [RANDOM[:2].mean(0), RANDOM[2:].mean(0)])


@pytest.mark.parametrize("axis", [0, 1])
def test_words_merge_no_further(axis):
    words, merged = merge_words(ENGLISH, RANDOM if axis == 0 else RANDOM.T, axis)
    again, same = merge_words(words, merged, axis)
    assert again == words == [" size", " of", " a", " biggy"]
    assert (same == merged).all()


def tile(picture, number, columns, height, width, size):
    """A tile, and the strip below that has its word."""
    margin, line = size // 2, round(1.25 * size)
    y = margin + number // columns * (height + line + margin)
    x = margin + number % columns * (width + margin)
    return picture[y : y + height, x : x + width], picture[y + height : y + height + line, x : x + width]


GREY = np.full((30, 30, 3), 100, "uint8")
SPOT = np.zeros((3, 6, 6))
SPOT[[0, 1, 2], [1, 4, 2], [4, 2, 2]] = 0.25


def test_the_photograph_comes_first_and_bare():
    image = np.random.default_rng(1).integers(0, 256, (300, 200, 3), "uint8")
    picture = draw_attention(image, ["a", "b"], np.ones((2, 3, 3)))
    shown, below = tile(picture, 0, 3, 300, 200, 25)
    assert (shown == image).all()
    assert (below == PAPER).all()
    assert picture.shape == (300 + 31 + 2 * 12, 3 * 212 + 12, 3)


def test_each_word_is_lit_where_its_weight_is_highest():
    picture = draw_attention(GREY, ["a", "b", "c"], SPOT, columns=2)
    for number, (row, column) in enumerate([(1, 4), (4, 2), (2, 2)], start=1):
        lit = tile(picture, number, 2, 300, 300, 25)[0][..., 0].astype(int)
        assert lit.max() == lit[row * 50 + 25, column * 50 + 25] == pytest.approx(100 + VEIL * 155, abs=2)
        assert lit.min() == lit[275, 275] == 100 * DARK
        assert lit.max() > 5 * lit.min()
        assert (lit > 70).sum() < 2 * 50 * 50
        assert max(np.abs(np.diff(lit, axis=axis)).max() for axis in (0, 1)) <= 4  # smooth


def test_light_goes_from_the_darkened_photograph_to_a_veil_of_white():
    image = np.random.default_rng(1).integers(0, 256, (300, 300, 3), "uint8")
    picture = draw_attention(image, ["none", "all"], np.stack([np.zeros((4, 4)), np.full((4, 4), 0.1)]))
    np.testing.assert_allclose(tile(picture, 1, 3, 300, 300, 25)[0], DARK * image, atol=0.5)
    np.testing.assert_allclose(tile(picture, 2, 3, 300, 300, 25)[0], image + VEIL * (255.0 - image), atol=0.5)


def test_light_shows_on_black():
    lit = tile(draw_attention(0 * GREY, ["a", "b", "c"], SPOT, columns=2), 1, 2, 300, 300, 25)[0]
    assert lit.max() > 30


def test_the_weights_of_a_word_count_as_shares_of_their_highest():
    weights = np.random.default_rng(1).random((2, 7, 7))
    scaled = weights * np.array([1e-3, 9])[:, None, None]
    assert (draw_attention(GREY, ["a", "b"], weights) == draw_attention(GREY, ["a", "b"], scaled)).all()


def test_a_word_stands_below_the_middle_of_its_tile_in_dark_ink():
    picture = draw_attention(GREY, [" a", "lot", "Größe"], SPOT, columns=2)
    widths = []
    for number in (1, 2, 3):
        below = tile(picture, number, 2, 300, 300, 25)[1]
        columns = (below != PAPER).any((0, 2)).nonzero()[0]
        assert abs(columns[[0, -1]].mean() - 149.5) <= 2
        assert (below == INK).all(-1).any()
        widths.append(len(columns))
    assert widths == sorted(set(widths))


def test_a_word_longer_than_its_tile_is_cut():
    picture = draw_attention(np.zeros((300, 100, 3), "uint8"), ["Donaudampfschifffahrt", "b"], np.ones((2, 3, 3)))
    below = (tile(picture, 1, 3, 300, 100, 25)[1] != PAPER).any((0, 2))
    assert 60 < below.sum() <= 100
    assert not below[[0, -1]].any()
    assert (picture[:, 100 + 12 : 100 + 24] == PAPER).all()
    assert (picture[:, 2 * 112 : 2 * 112 + 12] == PAPER).all()


@pytest.mark.parametrize(
    ("words", "columns", "side", "across", "rows"),
    [
        (10, 5, 300, 4, 3),
        (4, 5, 240, 5, 1),
        (2, 9, 300, 3, 1),
        (3, 1, 300, 1, 4),
        (60, 5, 240, 5, 13),
        (60, 12, 120, 11, 6),
    ],
)
def test_tiles_stand_in_even_rows_of_bounded_size(words, columns, side, across, rows):
    picture = draw_attention(GREY, ["w"] * words, np.ones((words, 2, 2)), columns)
    size = side // 12
    height, width = side + round(1.25 * size) + size // 2, side + size // 2
    assert picture.shape == (rows * height + size // 2, across * width + size // 2, 3)
    assert (tile(picture, words, across, side, side, size)[0] != PAPER).all()


def test_a_photograph_of_any_shape_is_drawn_upright_and_one_channel_is_grey():
    picture = draw_attention(np.full((1, 900, 1), 50, "uint8"), ["a"], np.ones((1, 2, 2)))
    assert picture.shape == (1 + 31 + 24, 2 * 312 + 12, 3)
    assert (tile(picture, 0, 2, 1, 300, 25)[0] == 50).all()


ONE, TWO = np.ones((1, 2, 2)), np.ones((1, 2))
NAN = np.array([[0.5, np.nan]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_alignment(["a"], ["b"], [1.0]), r"weights: expected \(S, T\), none of them 0. Received: \(1,\)"),
        (lambda: draw_alignment([], ["b"], np.ones((1, 0))), r"weights: expected .*none of them 0. Received: \(1, 0\)"),
        (lambda: draw_alignment(["a"], ["b"], TWO), r"source: expected 2, as weights \(1, 2\) .* Received: 1"),
        (lambda: draw_alignment(["a"], ["b"], np.ones((2, 1))), r"target: expected 2, .* on axis 0. Received: 1"),
        (lambda: draw_alignment("ab", ["b"], TWO), r"source: expected a list of str. Received: 'ab'"),
        (lambda: draw_alignment(["a", "b"], [3], TWO), r"target: expected a list of str. Received: \[3\]"),
        (lambda: draw_alignment(["a", "b"], ["c"], NAN), "weights: expected finite numbers .* Received: nan"),
        (lambda: draw_alignment(["a", "b"], ["c"], -TWO), "weights: .* at least 0. Received: -1.0"),
        (lambda: draw_alignment(["a"], ["c"], [[1.5]]), "weights: expected 0..1. Received: 1.5"),
        (lambda: draw_attention(GREY, ["a"], TWO), r"weights: expected \(S, h, w\), .* Received: \(1, 2\)"),
        (lambda: draw_attention(GREY, ["a"], np.ones((2, 2, 2))), r"words: expected 2, .* Received: 1"),
        (lambda: draw_attention(GREY, ["a"], np.array([[[0, np.inf]]])), "weights: expected finite .* Received: inf"),
        (lambda: draw_attention(GREY / 255, ["a"], ONE), "image must be uint8 .* Received: float64"),
        (lambda: draw_attention(GREY, ["a"], ONE, 0), "columns: expected an integer of at least 1. Received: 0"),
        (lambda: draw_attention(GREY, ["a"], ONE, 2.0), "columns: expected an integer .* Received: 2.0"),
        (lambda: merge_words(["a"], TWO, 1), r"pieces: expected 2, .* on axis 1. Received: 1"),
        (lambda: merge_words(["a", "b"], NAN, 1), "weights: .* Received: nan"),
        (lambda: merge_words(["a"], np.ones((1, 1)), -1), "axis: expected 0 or 1. Received: -1"),
    ],
)
def test_an_error_names_the_argument_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_sums_of_half_floats_may_pass_one():
    full = draw_alignment(["a"], ["b"], [[1.0]])
    assert (draw_alignment(["a"], ["b"], [[1.004]]) == full).all()
