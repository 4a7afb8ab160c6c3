"""Photographs of every kind come in as upright RGB; label maps go out whole, or not at all."""

import doctest
import itertools
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from keras_segattn import images
from keras_segattn.images import ImageError

HEIGHT, WIDTH = 48, 64
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype("uint8")
PHOTO = np.stack([4 * COLUMNS, 5 * ROWS, 2 * (ROWS + COLUMNS)], axis=-1)  # smooth, no two sides alike
LABELS = (COLUMNS // 16 + 4 * (ROWS // 16)).astype("uint8")  # (48, 64), 12 classes in squares of 16
PALETTE = np.array([(20 * k, 255 - 20 * k, 7 * k) for k in range(12)])

NOISY = PHOTO ^ np.random.default_rng(0).integers(0, 16, PHOTO.shape, "uint8")  # its files are not small

LOSSY = 6  # largest error of JPEG, WebP and AVIF on the smooth photo at their best quality


@pytest.fixture(autouse=True)
def pillow_as_it_comes(monkeypatch):
    """Other libraries, tensorflow-datasets for one, let Pillow load truncated files in the whole process."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)


@pytest.fixture
def saved(tmp_path):
    """Save a picture through Pillow and give its path."""
    number = itertools.count()

    def save(picture, suffix, **options):
        path = tmp_path / f"photo{next(number)}.{suffix}"
        picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        picture.save(path, **options)
        return path

    return save


def png(width, height, depth, color, rows, *chunks):
    """The bytes of a PNG, for what Pillow reads but does not write."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    body = b"".join(chunk(*each) for each in chunks) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")


def difference(a, b):
    assert a.shape == b.shape
    return np.abs(a.astype(int) - b).max()


# Reading: formats and modes


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "ppm", "webp", "jp2"])
def test_a_lossless_photo_is_read_exactly(saved, suffix):
    image = images.read_image(saved(PHOTO, suffix, **{"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(image, PHOTO)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert image.flags.c_contiguous


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_a_lossy_photo_is_read_closely(saved, suffix):
    assert difference(images.read_image(saved(PHOTO, suffix, quality=100)), PHOTO) <= LOSSY


def test_the_path_may_be_text_or_a_path(saved):
    path = saved(PHOTO, "png")
    np.testing.assert_array_equal(images.read_image(str(path)), images.read_image(path))


def test_a_grey_photo_has_three_equal_channels(saved):
    grey = PHOTO[..., 0]
    np.testing.assert_array_equal(images.read_image(saved(grey, "png")), np.stack([grey] * 3, -1))


def test_one_bit_is_black_and_white(saved):
    bits = COLUMNS % 3 == 0
    image = images.read_image(saved(Image.fromarray(bits), "png"))
    np.testing.assert_array_equal(image, np.stack([bits * np.uint8(255)] * 3, -1))


def test_one_pixel_is_a_photo(saved):
    np.testing.assert_array_equal(images.read_image(saved(PHOTO[9:10, 9:10], "png")), PHOTO[9:10, 9:10])


def test_an_opaque_alpha_channel_changes_nothing(saved):
    rgba = np.dstack([PHOTO, np.full((HEIGHT, WIDTH), 255, "uint8")])
    np.testing.assert_array_equal(images.read_image(saved(rgba, "png")), PHOTO)


def test_transparency_is_laid_over_white(saved):
    alpha = 4 * COLUMNS
    over_white = 255 + (PHOTO - 255.0) * alpha[..., None] / 255
    assert difference(images.read_image(saved(np.dstack([PHOTO, alpha]), "png")), over_white) < 1
    assert images.read_image(saved(np.dstack([PHOTO, alpha]), "png"))[5, 0].tolist() == [255, 255, 255]


def test_grey_with_alpha_is_laid_over_white(saved):
    grey, alpha = 5 * ROWS, 4 * COLUMNS
    over_white = 255 + (grey - 255.0) * alpha / 255
    image = images.read_image(saved(np.dstack([grey, alpha]), "png"))
    assert difference(image, np.stack([over_white] * 3, -1)) < 1


def test_a_palette_gives_its_colors(saved):
    picture = Image.fromarray(LABELS)
    picture.putpalette(PALETTE.astype("uint8").tobytes())
    np.testing.assert_array_equal(images.read_image(saved(picture, "png")), PALETTE[LABELS])


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_the_transparent_color_of_a_palette_is_white(saved, suffix):
    picture = Image.fromarray(LABELS)
    picture.putpalette(PALETTE.astype("uint8").tobytes())
    colors = PALETTE.copy()
    colors[3] = 255
    image = images.read_image(saved(picture, suffix, transparency=3))
    np.testing.assert_array_equal(image, colors[LABELS])


def test_the_transparent_color_of_an_rgb_png_is_white(saved):
    expected = PHOTO.copy()
    expected[7, 9] = 255
    image = images.read_image(saved(PHOTO, "png", transparency=tuple(PHOTO[7, 9].tolist())))
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("mode, suffix", [("I;16", "png"), ("I;16", "tif"), ("I;16B", "tif"), ("I", "pgm")])
def test_sixteen_bit_grey_is_scaled_not_clipped(saved, mode, suffix):
    grey = np.linspace(0, 65535, HEIGHT * WIDTH).round().reshape(HEIGHT, WIDTH)
    stored = grey.astype({"I;16": "<u2", "I;16B": ">u2", "I": "=i4"}[mode])
    picture = Image.frombytes(mode, (WIDTH, HEIGHT), stored.tobytes())
    image = images.read_image(saved(picture, suffix))
    np.testing.assert_array_equal(image, np.stack([np.round(grey / 257)] * 3, -1))


def test_sixteen_bit_color_is_scaled(tmp_path):
    wide = PHOTO.astype(">u2") * 257  # 255 becomes 65535
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    (tmp_path / "photo.png").write_bytes(png(WIDTH, HEIGHT, 16, 2, rows))
    np.testing.assert_array_equal(images.read_image(tmp_path / "photo.png"), PHOTO)


@pytest.mark.parametrize("low, high", [(-1, 1000), (0, 65536)])
def test_integers_beyond_sixteen_bits_are_refused(saved, low, high):
    path = saved(np.linspace(low, high, 12).astype("int32").reshape(3, 4), "tif")
    with pytest.raises(ImageError, match=rf"must lie in 0\.\.65535\. Received: {low}\.\.{high}"):
        images.read_image(path)


def test_floating_point_is_refused(saved):
    with pytest.raises(ImageError, match="floating-point pixels have no known range"):
        images.read_image(saved((PHOTO[..., 0] / 255).astype("float32"), "tif"))


def test_cmyk_jpeg_comes_back_in_its_colors(saved):
    path = saved(Image.fromarray(PHOTO).convert("CMYK"), "jpg", quality=100)
    with Image.open(path) as picture:
        assert picture.mode == "CMYK"
    assert difference(images.read_image(path), PHOTO) <= LOSSY


def test_black_ink_darkens(saved):
    inks = np.zeros((2, 3, 4), "uint8")
    inks[0, :, 3] = 0, 100, 255
    image = images.read_image(saved(Image.fromarray(inks, "CMYK"), "tif"))
    assert image[..., 0].tolist() == [[255, 155, 0], [255, 255, 255]]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_the_first_frame_is_read(saved, suffix):
    frames = [Image.fromarray(np.roll(LABELS, 16 * k, axis=1) * np.uint8(20)) for k in range(3)]
    path = saved(frames[0], suffix, save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(path) as picture:
        assert picture.n_frames == 3
    np.testing.assert_array_equal(images.read_image(path)[..., 0], LABELS * 20)


def test_a_phone_jpeg_with_two_pictures_gives_the_first(saved):
    second = Image.fromarray(255 - PHOTO)
    path = saved(PHOTO, "jpg", format="MPO", save_all=True, append_images=[second], quality=100)
    assert difference(images.read_image(path), PHOTO) <= LOSSY


# Reading: orientation


def stored(upright, orientation):
    """The pixels that a camera stores: EXIF says which side of the view its first row and column are."""
    turned = upright.swapaxes(0, 1)  # the first row is the left side of the view
    return {
        1: upright,  # first row: top, first column: left
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: turned,  # left, top
        6: turned[::-1],  # right, top
        7: turned[::-1, ::-1],  # right, bottom
        8: turned[:, ::-1],  # left, bottom
    }[orientation]


@pytest.mark.parametrize(
    "suffix, options, error",
    [
        ("jpg", {"quality": 100}, LOSSY),
        ("png", {}, 0),
        ("webp", {"lossless": True}, 0),
        ("tif", {}, 0),
        ("tif", {"compression": "tiff_lzw"}, 0),
        ("avif", {"quality": 100}, LOSSY),
    ],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(saved, suffix, options, error, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.ascontiguousarray(stored(PHOTO, orientation))
    image = images.read_image(saved(pixels, suffix, exif=exif, **options))
    assert difference(image, PHOTO) <= error


def test_a_sixteen_bit_photo_is_turned_too(saved):
    grey = np.arange(0, 60 * 257, 257, "uint16").reshape(6, 10)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = images.read_image(saved(np.ascontiguousarray(stored(grey, 6)), "png", exif=exif))
    np.testing.assert_array_equal(image[..., 0], grey // 257)


@pytest.mark.parametrize("exif", [b"Exif\0\0rubbish", b"Exif\0\0", b"Exif\0\0II*\0\x08\0\0\0\x09\0\x12\x01"])
def test_broken_exif_does_not_spoil_the_picture(saved, recwarn, exif):
    np.testing.assert_array_equal(images.read_image(saved(PHOTO, "png", exif=exif)), PHOTO)
    assert not recwarn.list


def test_an_orientation_that_exif_does_not_know_is_upright(saved):
    exif = Image.Exif()
    exif[0x0112] = 9
    np.testing.assert_array_equal(images.read_image(saved(PHOTO, "png", exif=exif)), PHOTO)


# Reading: what is not a picture, or not a whole one


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty"),
        (b"Dear diary, no picture today.\n" * 20, "READ_FORMATS"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "READ_FORMATS"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(range(256)), "READ_FORMATS"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "READ_FORMATS"),
        (bytes(range(256)) * 10, "READ_FORMATS"),
    ],
)
def test_what_is_no_picture_is_named_with_the_formats_that_are_read(tmp_path, content, reason):
    (tmp_path / "holiday.jpg").write_bytes(content)
    with pytest.raises(ImageError) as caught:
        images.read_image(tmp_path / "holiday.jpg")
    assert "holiday.jpg" in str(caught.value)
    for word in images.READ_FORMATS if reason == "READ_FORMATS" else [reason]:
        assert word in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_and_a_folder_say_so(tmp_path):
    with pytest.raises(ImageError, match=r"^cannot read '.*none\.jpg': No such file or directory$"):
        images.read_image(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match=r"^cannot read '.*': Is a directory$"):
        images.read_image(tmp_path)
    with pytest.raises(ImageError, match="null"):
        images.read_image("nothing\0.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_says_so(saved):
    path = saved(PHOTO, "png")
    path.chmod(0)
    with pytest.raises(ImageError, match="Permission denied"):
        images.read_image(path)


def test_a_line_break_in_the_name_does_not_break_the_line(tmp_path):
    with pytest.raises(ImageError) as caught:
        images.read_image(tmp_path / "two\nlines.jpg")
    assert len(str(caught.value).splitlines()) == 1


def test_an_error_without_words_is_named_by_its_kind(saved, monkeypatch):
    def full(*args, **options):
        raise MemoryError

    path = saved(PHOTO, "png")
    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(ValueError, match=r"^cannot read '.*': MemoryError$"):
        images.read_image(path)


KINDS = {
    "jpg": {"quality": 90},
    "progressive.jpg": {"quality": 90, "progressive": True},
    "png": {},
    "webp": {},
    "tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "gif": {},
    "bmp": {},
    "ppm": {},
    "jp2": {},
    "avif": {},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_an_error_or_the_whole_picture(saved, kind):
    path = saved(NOISY, kind, **KINDS[kind])
    whole, content = images.read_image(path), path.read_bytes()
    errors = 0
    for cut in [*range(1, 64, 7), *range(64, len(content), len(content) // 16), *range(-24, 0)]:
        path.write_bytes(content[:cut])
        try:
            np.testing.assert_array_equal(images.read_image(path), whole)
        except ImageError as error:
            assert path.name in str(error)
            errors += 1
    assert errors >= 25  # of 49; the last bytes of some formats carry no pixels


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_half_a_photo_says_that_it_is_truncated(saved, suffix, share):
    path = saved(NOISY, suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ImageError, match="truncated|Truncated"):
        images.read_image(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_an_error_or_a_picture(saved, kind):
    path = saved(PHOTO, kind, **KINDS[kind])
    content = np.frombuffer(path.read_bytes(), "uint8")
    random = np.random.default_rng(1)
    for _ in range(40):
        damaged = content.copy()
        damaged[random.integers(0, min(len(content), 600), 3)] = random.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            image = images.read_image(path)
            assert image.dtype == np.uint8
            assert image.ndim == 3
        except ImageError as error:
            assert str(error).startswith("cannot read")


def test_forty_eight_megapixels_are_read(saved):
    wide = Image.linear_gradient("L").rotate(90).resize((8000, 6000))
    image = images.read_image(saved(wide, "jpg"))
    assert image.shape == (6000, 8000, 3)
    assert np.abs(image[3000, [0, 4000, 7999], 1].astype(int) - [0, 128, 255]).max() <= 2


def test_pillow_s_warning_zone_is_read_in_silence(saved, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", HEIGHT * WIDTH - 1)
    np.testing.assert_array_equal(images.read_image(saved(PHOTO, "png")), PHOTO)
    assert not recwarn.list


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(20_000, 10_000, 1, 0, bytes(2501)))
    with pytest.raises(ImageError, match=r"bomb\.png.*200000000 pixels"):
        images.read_image(tmp_path / "bomb.png")


# To the model's size and back


def test_fit_averages_what_it_shrinks():
    stripes = np.zeros((8, 64, 3), "uint8")
    stripes[:, ::2] = 200
    np.testing.assert_allclose(images.fit(stripes, 1, 4)[:, 1:-1], 100, atol=3)


def test_fit_keeps_a_ramp_a_ramp_when_it_grows():
    ramp = images.fit(np.array([[[0] * 3, [80] * 3]], "uint8"), 1, 4)
    assert ramp[0, :, 0].tolist() == [0, 20, 60, 80]


def test_fit_stretches_to_height_and_width_in_that_order():
    image = images.fit(PHOTO, 30, np.int64(20))
    assert image.shape == (30, 20, 3)
    assert image.dtype == np.uint8
    assert difference(image[0, 0], PHOTO[0, 0]) <= 10
    assert difference(image[-1, -1], PHOTO[-1, -1]) <= 10


def test_fit_to_the_same_size_is_a_copy():
    image = images.fit(PHOTO, HEIGHT, WIDTH)
    np.testing.assert_array_equal(image, PHOTO)
    assert not np.shares_memory(image, PHOTO)


def test_restore_repeats_labels():
    tripled = images.restore(LABELS, 3 * HEIGHT, 2 * WIDTH)
    np.testing.assert_array_equal(tripled, LABELS.repeat(3, axis=0).repeat(2, axis=1))


def test_restore_invents_no_label():
    labels = np.array([[0, 200], [100, 7]], "uint8")
    assert np.unique(images.restore(labels, 501, 333)).tolist() == [0, 7, 100, 200]
    assert images.restore(labels, 501, 333).shape == (501, 333)


def test_a_label_map_survives_growing_and_shrinking():
    large = images.restore(LABELS, 5 * HEIGHT, 3 * WIDTH)
    np.testing.assert_array_equal(images.restore(large, HEIGHT, WIDTH), LABELS)


# Colours and shares


def test_colorize_looks_up_the_palette():
    np.testing.assert_array_equal(images.colorize(LABELS, PALETTE), PALETTE[LABELS])


def test_void_is_black():
    colors = images.colorize(LABELS, PALETTE[:5])
    assert (colors[LABELS >= 5] == 0).all()
    np.testing.assert_array_equal(colors[LABELS < 5], PALETTE[LABELS[LABELS < 5]])


def test_a_palette_of_256_is_whole():
    palette = np.arange(256)[:, None] * [1, 0, 1] + [0, 9, 0]
    assert images.colorize(np.array([[0, 255]], "uint8"), palette).tolist() == [[[0, 9, 0], [255, 9, 255]]]


def test_overlay_mixes_photo_and_colors():
    colors = images.colorize(LABELS, PALETTE)
    mixed = 0.75 * PHOTO + 0.25 * colors
    assert difference(images.overlay(PHOTO, LABELS, PALETTE, opacity=0.25), mixed) < 1
    assert difference(images.overlay(PHOTO, LABELS, PALETTE), (PHOTO + colors.astype(int)) / 2) < 1


def test_overlay_goes_from_the_photo_to_the_colors():
    np.testing.assert_array_equal(images.overlay(PHOTO, LABELS, PALETTE, opacity=0), PHOTO)
    colors = images.colorize(LABELS, PALETTE)
    np.testing.assert_array_equal(images.overlay(PHOTO, LABELS, PALETTE, opacity=1), colors)


def test_class_shares_are_shares_of_the_picture():
    labels = np.array([[0, 0, 1, 2], [0, 0, 2, 255]], "uint8")
    shares = images.class_shares(labels, 4)
    assert shares.tolist() == [4 / 8, 1 / 8, 2 / 8, 0]
    assert shares.dtype == np.float64
    assert images.class_shares(labels, 256).sum() == 1
    assert images.class_shares(labels, np.int64(1)).tolist() == [0.5]


# Writing


def test_a_mask_comes_back_by_value_and_by_color(tmp_path):
    labels = LABELS.copy()
    labels[0, :3] = 12, 200, 255  # void
    images.write_mask(tmp_path / "mask.png", labels, PALETTE)
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.array(picture), labels)
    np.testing.assert_array_equal(images.read_image(tmp_path / "mask.png"), images.colorize(labels, PALETTE))


@pytest.mark.parametrize("num_classes", [1, 2, 4, 16, 256])
def test_a_mask_has_eight_bits_a_pixel_however_few_the_classes(tmp_path, num_classes):
    palette = np.arange(3 * num_classes).reshape(-1, 3) % 256
    labels = np.minimum(LABELS, num_classes - 1)
    images.write_mask(tmp_path / "mask.png", labels, palette)
    depth, color = (tmp_path / "mask.png").read_bytes()[24:26]
    assert (depth, color) == (8, 3)  # 8 bits, palette
    with Image.open(tmp_path / "mask.png") as picture:
        np.testing.assert_array_equal(np.array(picture), labels)


@pytest.mark.parametrize("name, error", [("a.png", 0), ("a.PNG", 0), ("a.jpg", LOSSY), ("a.jpeg", LOSSY)])
def test_a_written_image_is_read_back(tmp_path, name, error):
    images.write_image(tmp_path / name, PHOTO)
    assert difference(images.read_image(str(tmp_path / name)), PHOTO) <= error
    assert os.listdir(tmp_path) == [name]


def test_the_suffix_names_the_format(tmp_path):
    for suffix, name in images.WRITE_FORMATS.items():
        images.write_image(tmp_path / f"photo{suffix}", PHOTO)
        with Image.open(tmp_path / f"photo{suffix}") as picture:
            assert picture.format == name


def write_mask(path):
    images.write_mask(path, LABELS, PALETTE)


def write_image(path):
    images.write_image(path, PHOTO)


WRITERS = pytest.mark.parametrize("write", [write_mask, write_image])


@WRITERS
def test_a_new_file_replaces_the_old_one(tmp_path, write):
    (tmp_path / "out.png").write_bytes(b"old")
    write(tmp_path / "out.png")
    assert images.read_image(tmp_path / "out.png").shape == PHOTO.shape
    assert os.listdir(tmp_path) == ["out.png"]


@WRITERS
def test_a_written_file_is_as_readable_as_any_other(tmp_path, write):
    write(tmp_path / "out.png")
    (tmp_path / "plain").touch()
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    "failure, raised", [(OSError(28, "No space left on device"), ImageError), (KeyboardInterrupt(), None)]
)
@WRITERS
def test_a_failure_in_the_middle_leaves_the_old_file_alone(tmp_path, monkeypatch, write, failure, raised):
    def half(picture, file, *args, **options):
        assert os.path.dirname(file.name) == str(tmp_path)  # a rename across file systems is not atomic
        file.write(b"half a picture")
        file.flush()
        raise failure

    (tmp_path / "out.png").write_bytes(b"old")
    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(raised or type(failure)) as caught:
        write(tmp_path / "out.png")
    if raised:
        assert str(caught.value) == f"cannot write '{tmp_path}/out.png': No space left on device"
    assert os.listdir(tmp_path) == ["out.png"]
    assert (tmp_path / "out.png").read_bytes() == b"old"


def test_a_photo_too_wide_for_its_format_leaves_nothing(tmp_path):
    wide = np.arange(3 * 70_000).reshape(1, 70_000, 3).astype("uint8")
    for name in ("wide.jpg", "wide.webp"):
        with pytest.raises(ImageError, match=f"cannot write .*{name}"):
            images.write_image(tmp_path / name, wide)
    assert not os.listdir(tmp_path)


@WRITERS
def test_a_place_that_takes_no_file_is_named(tmp_path, monkeypatch, write):
    with pytest.raises(ImageError, match=r"nowhere/out\.png': No such file or directory"):
        write(tmp_path / "nowhere" / "out.png")
    (tmp_path / "file").write_bytes(b"no folder")
    with pytest.raises(ImageError, match=r"file/out\.png': Not a directory"):
        write(tmp_path / "file" / "out.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match=r"folder\.png': Is a directory"):
        write(tmp_path / "folder.png")

    def denied(path, mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(images, "open", denied, raising=False)
    with pytest.raises(ImageError, match=r"locked\.png': Permission denied"):
        write(tmp_path / "locked.png")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


# Arguments


FLOATS = PHOTO / 255


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: images.fit(FLOATS, 4, 4), r"image must be uint8 .*\(H, W, 3\).*float64 \(48, 64, 3\)"),
        (lambda: images.fit(PHOTO[None], 4, 4), r"image .*Received: uint8 \(1, 48, 64, 3\)"),
        (lambda: images.fit(LABELS, 4, 4), r"image .*Received: uint8 \(48, 64\)"),
        (lambda: images.fit(PHOTO[..., :2], 4, 4), r"image .*\(48, 64, 2\)"),
        (lambda: images.fit(PHOTO[:0], 4, 4), r"image .*\(0, 64, 3\)"),
        (lambda: images.fit(PHOTO, 0, 4), "height must be a positive integer. Received: 0"),
        (lambda: images.fit(PHOTO, 4, 4.5), "width must be a positive integer. Received: 4.5"),
        (lambda: images.restore(PHOTO, 4, 4), r"label_map must be uint8 .*\(H, W\).*\(48, 64, 3\)"),
        (lambda: images.restore(LABELS.astype(int), 4, 4), "label_map .*Received: int64"),
        (lambda: images.restore(LABELS[:, :0], 4, 4), r"label_map .*\(48, 0\)"),
        (lambda: images.restore(LABELS, 4, -1), "width must be a positive integer. Received: -1"),
        (lambda: images.colorize(LABELS.astype(int), PALETTE), "label_map .*int64"),
        (lambda: images.colorize(LABELS, PALETTE / 255), r"palette must be integers .*float64 \(12, 3\)"),
        (lambda: images.colorize(LABELS, PALETTE[:, :2]), r"palette .*\(K, 3\).*\(12, 2\)"),
        (lambda: images.colorize(LABELS, PALETTE[0]), r"palette .*\(3,\)"),
        (lambda: images.colorize(LABELS, PALETTE[:0]), r"palette .*\(0, 3\)"),
        (lambda: images.colorize(LABELS, np.zeros((257, 3), int)), r"palette .*\(257, 3\)"),
        (lambda: images.colorize(LABELS, PALETTE + 1), r"palette must lie in 0\.\.255\. Received: 1\.\.256"),
        (lambda: images.colorize(LABELS, PALETTE - 1), r"palette must lie in 0\.\.255\. Received: -1\.\."),
        (lambda: images.overlay(FLOATS, LABELS, PALETTE), "image .*float64"),
        (lambda: images.overlay(PHOTO, LABELS[1:], PALETTE), r"label_map .*\(48, 64\)\..*\(47, 64\)"),
        (lambda: images.overlay(PHOTO, LABELS, PALETTE, 1.5), r"opacity must lie in 0\.\.1\. Received: 1\.5"),
        (lambda: images.overlay(PHOTO, LABELS, PALETTE, -0.1), "opacity .*-0.1"),
        (lambda: images.overlay(PHOTO, LABELS, PALETTE, float("nan")), "opacity .*nan"),
        (lambda: images.class_shares(FLOATS, 3), "label_map .*float64"),
        (lambda: images.class_shares(LABELS, 0), r"num_classes must be an integer in 1\.\.256\. Received: 0"),
        (lambda: images.class_shares(LABELS, 257), "num_classes .*257"),
        (lambda: images.class_shares(LABELS, 3.0), r"num_classes .*3\.0"),
        (lambda: images.write_mask("mask.jpg", LABELS, PALETTE), r"path must end in \.png\. .*'mask\.jpg'"),
        (lambda: images.write_mask("mask.png", PHOTO, PALETTE), "label_map"),
        (lambda: images.write_image("photo.tga", PHOTO), r"path must end in \.png or .*'photo\.tga'"),
        (lambda: images.write_image("photo", PHOTO), r"path must end in .*'photo'"),
        (lambda: images.write_image("photo.png", FLOATS), "image .*float64"),
    ],
)
def test_a_wrong_argument_is_named_with_what_was_expected_and_what_came(tmp_path, monkeypatch, call, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        call()
    assert not os.listdir(tmp_path)


def test_the_arguments_are_left_as_they_were():
    photo, labels, palette = PHOTO.copy(), LABELS.copy(), PALETTE.copy()
    for array in (photo, labels, palette):
        array.flags.writeable = False
    images.fit(photo, 8, 8)
    images.restore(labels, 8, 8)
    images.overlay(photo, labels, palette)[:] = 0
    images.colorize(labels, palette)[:] = 0
    np.testing.assert_array_equal(labels, LABELS)


# The module


def test_the_examples_in_the_docstrings_run():
    results = doctest.testmod(images)
    assert results.attempted >= 10
    assert results.failed == 0


def test_a_device_needs_neither_keras_nor_a_backend():
    code = "import sys; from keras_segattn import images; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "PIL", "keras_segattn"} <= set(done.stdout.split())
    assert not {"keras", "tensorflow", "jax", "torch"} & set(done.stdout.split())
