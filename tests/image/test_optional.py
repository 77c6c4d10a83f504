"""image/heic.py and jxl.py: read in full depth where their packages are, and said by name where they are not."""

import base64
import contextlib
import importlib.util
import struct

import numpy as np
import pytest

from kakudai.errors import PictureError, PictureTooLarge, PictureUnreadable
from kakudai.image import formats, heic, jxl
from kakudai.image.files import read_image
from kakudai.image.formats import sniff

# A red and a blue half, 24 x 16, by pillow-heif 1.8.1 at quality 90: with 8 and with 10 bits.
HEIC_8 = """
AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAA
AAAERAAAEAAQAAAAABoAABAAAAAAAAALQAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAA
AADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkA
AAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAA
AChjbGFwAAAAGAAAAAEAAAAQAAAAAf///9gAAAAC////0AAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAvG
1kYXQAAACwKAGvBjIeIiPwiQXF7DfhfENY5FoAdi49yyftDtnivmHuj+7Cb8Ho7oXYelIHoffEL8aB1cmWH2/xv7P5YI7GZjNnSO1a58scnAWI
I79AZn9poNd9Hsalkn4PXhsTNnzk+nmZLQ/mnoedZjXReQHJ/oBjSdicL1m48mqv51P/MSk7R5MqawpT9kris+BZdB5VNCVShgY5n45AjMXDSi
cz7Pd7KFCD5KKTvOsytUpkXPA=
"""
HEIC_10 = """
AAAAHGZ0eXBoZWl4AAAAAG1pZjFoZWl4bWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAA
AAAERAAAEAAQAAAAABoAABAAAAAAAAAF8AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAA
AADcaXBjbwAAAHVodmNDAQQIAAAAnbgAAAAAHvAA/P36+gAADwNgAAEAF0ABDAH//wQIAAADAJ24AAADAAAeugJAYQABACpCAQEECAAAAwCduA
AAAwAAHqAggQTZbqrprm4CGgwIAAADAMgAAAMACEBiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAA
AChjbGFwAAAAGAAAAAEAAAAQAAAAAf///9gAAAAC////0AAAAAIAAAAQcGl4aQAAAAADCgoKAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAZ2
1kYXQAAABbKAGvBjIbcoeAXUOIm97///46PsvY4KF0j9kB/tsz5O1TMUc5lbrvHocl9q3139/v4TEk2CcujZ86UA/ogYaX30Cnej///+EDiZAc
ff7//1vMd2Zd6P/QeGwrBw==
"""
BARE = bytes.fromhex("ff0a")


def decoded(text: str) -> bytes:
    return base64.b64decode("".join(text.split()))


def header(*fields: tuple[int, int]) -> bytes:
    """Write (bits, value) as JPEG XL does, lowest first."""
    value = at = 0
    for bits, number in fields:
        value |= number << at
        at += bits
    return BARE + value.to_bytes(at // 8 + 40, "little")


def test_what_is_no_picture_is_told_the_formats_that_are_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None if name == "pi_heif" else name)
    with pytest.raises(PictureUnreadable, match="not a picture that kakudai reads") as caught:
        read_image(b"this is no picture at all")
    assert "JXL" in caught.value.message
    assert "HEIC" not in caught.value.message


@pytest.mark.parametrize(("text", "dtype"), [(HEIC_8, np.uint8), (HEIC_10, np.uint16)])
def test_heic_is_read_in_its_depth(text: str, dtype: type) -> None:
    pytest.importorskip("pi_heif")
    picture = read_image(decoded(text))
    assert picture.metadata.format == "heic"
    assert picture.color.shape == (16, 24, 3)
    assert picture.color.dtype == dtype
    whole = np.iinfo(dtype).max
    for column, wanted in ((4, (200, 40, 40)), (20, (30, 60, 220))):
        np.testing.assert_allclose(picture.color[8, column] / whole, np.array(wanted) / 255, atol=0.03)
    with pytest.raises(PictureTooLarge):
        read_image(decoded(text), max_pixels=300)
    with pytest.raises(PictureUnreadable):
        read_image(decoded(text)[:200])


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_jpeg_xl_is_read_in_its_depth(channels: int, dtype: type, lossless: bool) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = (np.random.default_rng(0).random((31, 45, channels)) * top).astype(dtype)
    data = imagecodecs.jpegxl_encode(pixels[..., 0] if channels == 1 else pixels, lossless=lossless)
    picture = read_image(data)
    assert (picture.alpha is not None) == (channels in (2, 4))
    assert picture.color.dtype == dtype
    assert picture.color.shape == (31, 45, 1 if channels <= 2 else 3)
    if lossless:
        np.testing.assert_array_equal(picture.color, pixels[..., : picture.channels])
    with pytest.raises(PictureTooLarge):
        read_image(data, max_pixels=1000)
    for end in (1, len(data) // 2, len(data) - 1):
        with pytest.raises(PictureUnreadable):
            read_image(data[:end])


@pytest.mark.parametrize("bits", [4, 10, 12, 15])
def test_jpeg_xl_of_few_bits_is_as_bright_as_it_was(bits: int) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    whole = (1 << bits) - 1
    ramp = np.linspace(0, whole, 64 * 64).round().astype(np.uint8 if bits <= 8 else np.uint16).reshape(64, 64)
    color = read_image(imagecodecs.jpegxl_encode(ramp, lossless=True, bitspersample=bits)).color
    full = np.iinfo(color.dtype).max
    np.testing.assert_array_equal(color[..., 0], np.floor(ramp / whole * full + 0.5))


@pytest.mark.parametrize("package", ["pi_heif", "imagecodecs"])
def test_corrupt_bytes_never_raise_anything_else(package: str) -> None:
    encoder, rng = pytest.importorskip(package), np.random.default_rng(5)
    noise = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    data = decoded(HEIC_8) if package == "pi_heif" else encoder.jpegxl_encode(noise)
    for _ in range(300):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            broken[at] = rng.integers(0, 256)
        with contextlib.suppress(PictureError):
            read_image(bytes(broken), max_pixels=10_000)


@pytest.mark.parametrize("data", [decoded(HEIC_8), BARE + bytes(50)])
def test_a_missing_package_is_named(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PictureUnreadable, match="is needed, which is not installed") as caught:
        read_image(data)
    assert "kakudai[formats]" in caught.value.hint


def test_formats_are_told_apart() -> None:
    names = {data: entry.name for data in (decoded(HEIC_8), BARE, jxl.SIGNATURE) if (entry := sniff(data[:64]))}
    assert list(names.values()) == ["heic", "jxl", "jxl"]


def test_sizes_in_headers_of_jpeg_xl() -> None:
    usual = (1, 1)
    cases = {
        header((1, 1), (5, 3), (3, 0), (5, 1), usual): (16, 32),
        header((1, 1), (5, 2), (3, 7), usual): (48, 24),
        header((1, 0), (2, 0), (9, 99), (3, 5), usual): (177, 100),
        header((1, 0), (2, 3), (30, 1 << 29), (3, 0), (2, 2), (18, 199_999), usual): (200_000, (1 << 29) + 1),
    }
    for data, size in cases.items():
        found = jxl.read_header(data)
        assert (found.width, found.height, found.srgb) == (*size, True)


def test_colours_in_headers_of_jpeg_xl() -> None:
    start = ((1, 1), (5, 3), (3, 1), (1, 0), (1, 0), (1, 0), (2, 0), (1, 1), (2, 0), (1, 0))  # 32 x 32, no extras
    named = ((1, 0), (1, 0), (2, 0))  # not as usual, no profile, RGB
    assert jxl.read_header(header(*start, (1, 1))).srgb
    assert not jxl.read_header(header(*start, (1, 0), (1, 1))).srgb
    srgb = (*start, *named, (2, 1), (2, 1), (1, 0), (2, 2), (4, 11))
    assert jxl.read_header(header(*srgb)).srgb
    linear = (*srgb[:-1], (4, 6))
    assert not jxl.read_header(header(*linear)).srgb
    wide = (*start, *named, (2, 1), (2, 2), (4, 9), (1, 0), (2, 2), (4, 11))
    assert not jxl.read_header(header(*wide)).srgb


def test_alpha_in_headers_of_jpeg_xl() -> None:
    start = ((1, 1), (5, 3), (3, 1), (1, 0), (1, 0), (1, 0), (2, 0), (1, 1), (2, 1))
    assert not jxl.read_header(header(*start, (1, 1), (1, 0), (1, 1))).premultiplied
    alpha = ((1, 0), (2, 0), (1, 0), (2, 0), (2, 0), (2, 1), (4, 2), (16, 0x6161))
    assert jxl.read_header(header(*start, *alpha, (1, 1), (1, 0), (1, 1))).premultiplied
    assert not jxl.read_header(header(*start, *alpha, (1, 0), (1, 0), (1, 1))).premultiplied


@pytest.mark.parametrize(
    "data",
    [
        b"", BARE, b"no",
        jxl.SIGNATURE + struct.pack(">I4s", 99, b"jxlc"), jxl.SIGNATURE + struct.pack(">I4s", 3, b"x"),
        header((1, 1), (5, 3), (3, 1), (1, 0), (1, 1), (3, 0), (1, 0), (1, 1)),
    ],
)  # fmt: skip
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(heic.Broken):
        jxl.read_header(dict(jxl.boxes(data)).get(b"jxlc", b""))
