"""Image files as people have them: their levels, their transparency, and what is damaged beside their pixels."""

import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from aigc_jax.data.images import read_image
from aigc_jax.data.pictures import BITS, SUFFIXES, TURNS, read, read_all, survey, whites
from aigc_jax.errors import UserError

SIDE = 20
RAMP = np.repeat(np.linspace(0, 1, SIDE)[None], SIDE, 0)
COLOURS = np.random.RandomState(0).randint(0, 256, (SIDE, SIDE, 3), np.uint8)
EXPECTED = np.rint(RAMP * 255)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(path, pixels, kind):
    """A PNG of 16 bits, which Pillow writes for grey alone. kind: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, kind, 0, 0, 0)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def encoded(image, kind, **settings):
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def deep(folder, name, array, **settings):
    Image.fromarray(array).save(folder / name, **settings)
    return folder / name


def pgm(folder, name, array, top):
    (folder / name).write_bytes(f"P5 {SIDE} {SIDE} {top}\n".encode() + array.astype(">u2").tobytes())
    return folder / name


DEEP = {
    "16 bits, PNG": lambda f: deep(f, "a.png", (RAMP * 65535).astype(np.uint16)),
    "12 bits, PNG": lambda f: deep(f, "a.png", (RAMP * 4095).astype(np.uint16)),
    "16 bits, TIFF": lambda f: deep(f, "a.tif", (RAMP * 65535).astype(np.uint16)),
    "16 bits, packed TIFF": lambda f: deep(f, "a.tif", (RAMP * 65535).astype(np.uint16), compression="tiff_lzw"),
    "signed 16 bits, TIFF": lambda f: deep(f, "a.tif", (RAMP * 16383).astype(np.int16)),
    "32 bits, TIFF": lambda f: deep(f, "a.tif", (RAMP * 65535).astype(np.int32)),
    "all of 32 bits, TIFF": lambda f: deep(f, "a.tif", (RAMP * (2**31 - 1)).astype(np.int32) // 2**7),
    "floats, TIFF": lambda f: deep(f, "a.tif", RAMP.astype(np.float32)),
    "white is 0, TIFF": lambda f: deep(f, "a.tif", 65535 - (RAMP * 65535).astype(np.uint16), tiffinfo={262: 0}),
    "16 bits, PGM": lambda f: pgm(f, "a.pgm", RAMP * 65535, 65535),
    "12 bits, PGM": lambda f: pgm(f, "a.pgm", RAMP * 4095, 4095),
    "16 bits, JPEG 2000": lambda f: deep(f, "a.jp2", (RAMP * 65535).astype(np.uint16)),
}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("channels", [1, 3])
def test_deep_levels_are_kept(tmp_path, kind, channels):
    path = DEEP[kind](tmp_path)
    picture = read(path, 0, channels, survey([path]).white)
    assert picture.deep and picture.grey and picture.pixels.shape == (SIDE, SIDE, channels)
    np.testing.assert_allclose(picture.pixels[..., 0], EXPECTED, atol=1)


@pytest.mark.parametrize("kind", [2, 6])
def test_deep_colours_are_kept_in_8_bits(tmp_path, kind):
    pixels = np.full((SIDE, SIDE, 4), 65535.0)
    pixels[..., :3] = RAMP[..., None] * [65535, 32768, 0]
    png16(tmp_path / "a.png", pixels[..., : 3 if kind == 2 else 4], kind)
    survey([tmp_path / "a.png"])
    np.testing.assert_allclose(read_image(tmp_path / "a.png", 0, 3), pixels[..., :3] / 257, atol=1)


def test_colours_whose_levels_pillow_would_lose_are_refused(tmp_path):
    png16(tmp_path / "a.png", np.repeat(RAMP[..., None] * 4095, 3, -1), 2)
    with pytest.raises(UserError, match="a.png is of 16 bits, .* reach 15 of 255 .*: scale"):
        survey([tmp_path / "a.png"])


def test_all_files_have_one_white(tmp_path):
    paths = [deep(tmp_path, f"{top}.png", np.full((4, 4), top, np.uint16)) for top in (100, 1000, 4000)]
    white = survey(paths).white
    assert white == 4095
    found = [picture.pixels[0, 0, 0] for picture in read_all(paths, 0, 1, white)]
    assert found == [6, 62, 249]


def test_whites():
    assert [whites(top) for top in (0, 255, 256, 4095, 4096, 65535, 65536)] == [
        2**bits - 1 for bits in (8, 8, 10, 12, 14, 16, 24)
    ]
    assert whites(2**31 - 1) == 2 ** BITS[-1] - 1


@pytest.mark.parametrize(
    "array, says",
    [
        (RAMP * 300, "0 to 300"),
        (RAMP - 0.5, "-0.5 to 0.5"),
        (np.where(RAMP > 0.9, np.nan, RAMP), "NaN"),
        ((RAMP * 99).astype(int) - 50, "-50 to 49"),
    ],
)
def test_values_without_a_known_range_are_refused(tmp_path, array, says):
    path = deep(tmp_path, "a.tif", array.astype(np.int32 if array.dtype == int else np.float32))
    with pytest.raises(UserError, match=rf"a.tif .*{says}"):
        read(path, 0, 1, survey([path]).white)


MASK = Image.fromarray(np.where(RAMP < 0.5, 0, 255).astype(np.uint8))  # the left half is invisible
PALETTE = Image.fromarray(COLOURS).convert("P")


def clear(mode):
    image = Image.fromarray(COLOURS).convert(mode)
    image.putalpha(MASK)
    return image


TRANSPARENT = {
    "a.png": lambda: encoded(clear("RGB"), "png"),
    "la.png": lambda: encoded(clear("L"), "png"),
    "a.webp": lambda: encoded(clear("RGB"), "webp", lossless=True),
    "a.tif": lambda: encoded(clear("RGB"), "tiff"),
    "a.TGA": lambda: encoded(clear("RGB"), "tga"),
    "a.gif": lambda: encoded(clear("RGB"), "gif"),
}
if ".avif" in SUFFIXES:  # of Pillow 11.3 on
    TRANSPARENT["a.avif"] = lambda: encoded(clear("RGB"), "avif", quality=100)


@pytest.mark.parametrize("name", TRANSPARENT)
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_lies_on_white(tmp_path, name, channels):
    (tmp_path / name).write_bytes(TRANSPARENT[name]())
    picture = read(tmp_path / name, 0, channels)
    assert picture.transparent
    assert (picture.pixels[:, : SIDE // 2] >= 254).all()
    assert picture.pixels[:, SIDE // 2 :].std() > 20


@pytest.mark.parametrize("mode, clear", [("P", 0), ("L", 0), ("1", 0), ("I;16", 0), ("RGB", (0, 0, 0))])
def test_a_transparent_colour_is_white(tmp_path, mode, clear):
    image = Image.fromarray(np.where(RAMP < 0.5, 0, 180).astype(np.uint16 if mode == "I;16" else np.uint8))
    image = image if mode == "I;16" else image.convert(mode)
    if mode == "P":
        clear = int(np.asarray(image)[0, 0])
    image.save(tmp_path / "a.png", transparency=clear)
    picture = read(tmp_path / "a.png", 0, 3)
    assert picture.transparent and (picture.pixels[:, : SIDE // 2] == 255).all()
    opaque = 255 if mode == "1" else 180
    assert (picture.pixels[:, SIDE // 2 :] == opaque).all()


def test_half_transparent_is_mixed_and_an_opaque_alpha_changes_nothing(tmp_path):
    for alpha, value in ((128, 127), (255, 0)):
        Image.fromarray(np.full((4, 4, 4), (0, 0, 0, alpha), np.uint8)).save(tmp_path / "a.png")
        picture = read(tmp_path / "a.png", 0, 3)
        assert (picture.pixels == value).all() and picture.transparent == (alpha < 255)


def test_colours_under_transparency_do_not_bleed_when_resized(tmp_path):
    pixels = np.full((40, 40, 4), (0, 255, 0, 0), np.uint8)
    pixels[10:30, 10:30] = (255, 0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png", 10, 3).astype(int)
    assert (found[..., 1] <= found[..., 0]).all()  # green nowhere above red: white, red and what lies between


PNG, JPEG = encoded(Image.fromarray(COLOURS), "png"), encoded(Image.fromarray(COLOURS), "jpeg")


def png_with(kind, data, checksum=None):
    added = chunk(kind, data)
    return PNG[:33] + (added[:-4] + checksum if checksum else added) + PNG[33:]


def jpeg_with(marker, data):
    return JPEG[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data + JPEG[2:]


ODD = {
    "text.png": png_with(b"zTXt", b"c\0\0" + zlib.compress(bytes(5_000_000))),
    "international.png": png_with(b"iTXt", b"nonsense"),
    "checksum.png": png_with(b"tEXt", b"a\0b", checksum=b"nope"),
    "profile.png": png_with(b"iCCP", b"c\0\0" + zlib.compress(bytes(5_000_000))),
    "exif.png": png_with(b"eXIf", b"II*\0\xff\xff\xff\xff"),
    "density.png": png_with(b"pHYs", b"\0"),
    "gamma.png": png_with(b"gAMA", b""),
    "frames.png": png_with(b"acTL", b"\0\0"),
    "end.png": PNG[:-12],
    "more.png": PNG + bytes(100),
    "exif.jpg": jpeg_with(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
    "short exif.jpg": jpeg_with(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"),
    "no exif.jpg": jpeg_with(0xE1, b"Exif\0\0"),
    "xmp.jpg": jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='zz'>"),
    "profile.jpg": jpeg_with(0xE2, b"ICC_PROFILE\0\x09\x01xx"),
    "pictures.jpg": jpeg_with(0xE2, b"MPF\0II*\0\xff\0\0\0"),
    "photoshop.jpg": jpeg_with(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\xff\xff\xff\xff"),
    "adobe.jpg": jpeg_with(0xEE, b"Adobe\0"),
    "jfif.jpg": jpeg_with(0xE0, b"JFIF"),
    "end.jpg": JPEG[:-2],
    "more.jpg": JPEG + bytes(100),
}


@pytest.mark.parametrize("name", ODD)
def test_damage_beside_the_pixels_changes_nothing(tmp_path, name):
    (tmp_path / name).write_bytes(ODD[name])
    whole = COLOURS if name.endswith("png") else np.asarray(Image.open(io.BytesIO(JPEG)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is printed either
        np.testing.assert_array_equal(read_image(tmp_path / name, 0, 3), whole)


@pytest.mark.parametrize("whole, cut", [(PNG, 80), (JPEG, 3), (JPEG, 80)])
def test_pixels_that_are_cut_off_are_refused(tmp_path, whole, cut):
    (tmp_path / "cut.png").write_bytes(whole[:-cut])
    with pytest.raises(UserError, match="cut.png cannot be read"):
        read_image(tmp_path / "cut.png", 0, 3)


@pytest.mark.parametrize("orientation", range(10))
def test_photographs_are_upright(tmp_path, orientation):
    upright = np.zeros((8, 16), np.uint8)
    upright[:4, :4] = 255
    turns = {1: 0, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}  # what turns back
    stored = Image.fromarray(upright)
    back = turns.get(orientation, 0)
    stored = stored.transpose(TURNS[back]) if back else stored
    exif = Image.Exif()
    exif[0x112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    picture = read(tmp_path / "a.png", 0, 1)
    np.testing.assert_array_equal(picture.pixels[..., 0], upright)
    assert (picture.width, picture.height) == (16, 8)


def test_one_line_names_all_that_is_damaged(tmp_path):
    paths = []
    for i in range(12):
        paths.append(tmp_path / f"{i:02}.png")
        paths[-1].write_bytes(PNG if i % 3 else b"")
    with pytest.raises(UserError) as caught:
        list(read_all(paths, 4, 3, 255))
    line = str(caught.value)
    assert "00.png cannot be read" in line and "begin with a dot" in line and "\n" not in line
    assert "3 others" in line and all(name in line for name in ("03.png", "06.png", "09.png"))


def test_the_order_is_that_of_the_files(tmp_path, monkeypatch):
    monkeypatch.setattr("aigc_jax.data.pictures.CHUNK", 4)
    paths = [deep(tmp_path, f"{i}.bmp", np.full((2, 2), i, np.uint8)) for i in range(11)]
    assert [picture.pixels[0, 0, 0] for picture in read_all(paths, 0, 1, 255)] == list(range(11))


def test_suffixes_are_of_images_and_no_reader_starts_another_program():
    assert {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".pgm"} <= SUFFIXES
    assert not {".pdf", ".eps", ".ps", ".mpg", ".h5", ".wmf"} & SUFFIXES


def test_names_that_are_no_utf8_are_read_and_said(tmp_path):
    good, bad = (tmp_path / os.fsdecode(name) for name in (b"caf\xe9.png", b"th\xe9.png"))
    good.write_bytes(PNG)
    bad.write_bytes(b"")
    assert read_image(good, 4, 3).shape == (4, 4, 3)
    with pytest.raises(UserError, match=r"th\\xe9.png cannot be read"):
        read_image(bad, 4, 3)


def test_other_colours_become_grey(tmp_path):
    for mode in ("CMYK", "YCbCr", "LAB"):
        Image.fromarray(COLOURS).convert(mode).save(tmp_path / "a.tif")
        assert read_image(tmp_path / "a.tif", 0, 1).std() > 20
