"""Pictures that are written and read back: pixels, depth, alpha, profile, EXIF, XMP and resolution."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from kakudai.image import exif
from kakudai.image.files import output_formats, read_image, write_image
from kakudai.image.picture import Metadata, Picture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
MAKER = bytes(range(200))
CARRIERS = [name for name in output_formats() if name != "gif"]
"""Formats with room for metadata."""


def exif_block(order: str = "<") -> bytes:
    """Return an EXIF block with text outside ASCII, a maker note, a position, a size, and no resolution."""
    tree: exif.Tree = {
        0x010F: (2, 6, b"Canon\0"),
        0x013B: (2, 8, "Jürgen\0".encode()),
        exif.ORIENTATION: (3, 1, struct.pack("<H", 1)),
        exif.EXIF_IFD: {
            0x927C: (7, len(MAKER), MAKER),
            exif.PIXEL_WIDTH: (3, 1, struct.pack("<H", 5)),
            exif.PIXEL_HEIGHT: (4, 1, struct.pack("<I", 5)),
        },
        exif.GPS_IFD: {1: (2, 2, b"N\0"), 2: (5, 3, struct.pack("<6I", 1, 1, 2, 1, 3, 1))},
    }
    assert order == "<"
    return exif.with_entries(b"II*\0" + struct.pack("<IHI", 8, 0, 0), exif.pack(tree, 14))


def random_picture(channels: int, dtype: str, *, alpha: bool, size: tuple[int, int] = (13, 17)) -> Picture:
    rng = np.random.default_rng(channels)
    top = {"uint8": 256, "uint16": 65536}.get(dtype, 0)

    def plane(count: int) -> np.ndarray:
        shape = (*size, count)
        return rng.random(shape, np.float32) if not top else rng.integers(0, top, shape).astype(dtype)

    return Picture(plane(channels), plane(1) if alpha else None)


def smooth_picture(height: int = 48, width: int = 64) -> Picture:
    y, x = np.mgrid[:height, :width]
    return Picture(np.stack([x * 3, y * 4, 255 - x * 2], axis=2).astype(np.uint8))


def written(picture: Picture, name: str, **options: int | bool | None) -> tuple[bytes, tuple[str, ...]]:
    stream = io.BytesIO()
    notes = write_image(picture, stream, format=name, **options)  # type: ignore[arg-type]
    return stream.getvalue(), notes


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("png", "uint8"), ("png", "uint16"), ("tiff", "uint8"), ("tiff", "uint16"), ("tiff", "float32")],
)
def test_lossless_formats_are_exact(name: str, dtype: str, channels: int, alpha: bool) -> None:
    picture = random_picture(channels, dtype, alpha=alpha)
    data, notes = written(picture, name)
    back = read_image(data)
    assert notes == ()
    assert back.metadata == Metadata(format=name)
    assert back.color.dtype == picture.color.dtype
    assert np.array_equal(back.color, picture.color)
    assert (back.alpha is None) == (picture.alpha is None)
    if picture.alpha is not None:
        assert np.array_equal(back.alpha, picture.alpha)


@given(
    height=st.integers(1, 9), width=st.integers(1, 9), channels=st.sampled_from([1, 3]), alpha=st.booleans(),
    dtype=st.sampled_from(["uint8", "uint16"]), seed=st.integers(0, 9), name=st.sampled_from(["png", "tiff"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_lossless_formats_are_exact_for_every_small_size(
    *, height: int, width: int, channels: int, alpha: bool, dtype: str, seed: int, name: str
) -> None:
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    color = rng.choice([0, 1, top // 2, top - 1, top], (height, width, channels)).astype(dtype)
    mask = rng.choice([0, 1, top], (height, width, 1)).astype(dtype) if alpha else None
    back = read_image(written(Picture(color, mask), name)[0])
    assert np.array_equal(back.color, color)
    assert back.alpha is None if mask is None else np.array_equal(back.alpha, mask)


@pytest.mark.parametrize("name", output_formats())
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_what_comes_back_is_as_written_or_named(name: str, dtype: str, channels: int, alpha: bool) -> None:
    picture = random_picture(channels, dtype, alpha=alpha)
    data, notes = written(picture, name)
    back = read_image(data)
    said = " ".join(notes)
    exact = back.color.dtype == picture.color.dtype and (name, dtype) != ("avif", "uint16")
    assert exact == ("bits" not in said), said
    assert (back.channels == channels) == ("no grey" not in said), said
    assert ((back.alpha is None) == (not alpha)) == ("transparency" not in said), said


@pytest.mark.parametrize(("name", "error"), [("jpeg", 6), ("webp", 10), ("avif", 12), ("png", 0), ("tiff", 0)])
def test_smooth_colours_survive(name: str, error: int) -> None:
    picture = smooth_picture()
    back = read_image(written(picture, name)[0])
    assert np.abs(back.color.astype(int) - picture.color).max() <= error


def test_quality_100_makes_webp_lossless() -> None:
    picture = random_picture(3, "uint8", alpha=True)
    back = read_image(written(picture, "webp", quality=100)[0])
    assert np.array_equal(back.color, picture.color)
    assert np.array_equal(back.alpha, picture.alpha)


def test_avif_keeps_twelve_bits_of_sixteen() -> None:
    y, x = np.mgrid[:64, :64]
    color = (np.stack([x, y, x], axis=2) * 1040).astype(np.uint16)
    color[0, 0], color[-1, -1] = 0, 65535
    data, notes = written(Picture(color), "avif", quality=100)
    back = read_image(data)
    assert notes == ("AVIF cannot hold 16-bit channels: written with 12 bits",)
    assert np.abs(back.color.astype(int) - color).max() < 65535 * 0.01
    assert int(back.color.max()) > 65000


@pytest.mark.parametrize("name", CARRIERS)
def test_metadata_is_carried(name: str) -> None:
    block = exif_block()
    picture = smooth_picture()
    picture = Picture(picture.color, None, Metadata(PROFILE, block, XMP, (300.0, 150.0)))
    data, notes = written(picture, name)
    back = read_image(data).metadata
    assert notes == ()
    assert back.icc == PROFILE
    assert back.xmp == XMP
    assert back.resolution == pytest.approx((300, 150), abs=0.02)
    tree, wanted = exif.parse(back.exif or b""), exif.parse(block)
    assert tree[0x013B] == wanted[0x013B]
    assert tree[exif.GPS_IFD] == wanted[exif.GPS_IFD]
    inner = tree[exif.EXIF_IFD]
    assert isinstance(inner, dict)
    assert inner[0x927C] == (7, len(MAKER), MAKER)
    assert inner[exif.PIXEL_WIDTH] == (3, 1, struct.pack("<H", 64))
    assert inner[exif.PIXEL_HEIGHT] == (3, 1, struct.pack("<H", 48)) or inner[exif.PIXEL_HEIGHT][2][:2] == b"\x30\0"


@pytest.mark.parametrize("name", CARRIERS)
def test_other_programs_find_the_metadata(name: str) -> None:
    picture = smooth_picture()
    picture = Picture(picture.color, None, Metadata(PROFILE, exif_block(), XMP, (300.0, 300.0)))
    data, _ = written(picture, name)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.info["icc_profile"] == PROFILE
        tags = image.getexif()
        assert tags[0x010F] == "Canon"
        assert tags.get_ifd(exif.GPS_IFD)[2] == (1, 2, 3)
        if name in ("png", "jpeg", "tiff"):
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.02)
        else:
            assert float(tags[exif.X_RESOLUTION]) == 300


@pytest.mark.parametrize("name", CARRIERS)
def test_strip_leaves_only_the_profile(name: str) -> None:
    picture = smooth_picture()
    picture = Picture(picture.color, None, Metadata(PROFILE, exif_block(), XMP, (300.0, 300.0)))
    data, _ = written(picture, name, strip=True)
    assert read_image(data).metadata == Metadata(icc=PROFILE, format=name)
    assert b"Canon" not in data
    assert b"xmpmeta" not in data


@pytest.mark.parametrize("name", CARRIERS)
def test_nothing_is_made_up(name: str) -> None:
    """Left to itself, libvips writes EXIF of its own and 25.4 dpi where the picture says nothing."""
    data, _ = written(smooth_picture(), name)
    assert read_image(data).metadata == Metadata(format=name)
    assert b"Exif\0\0" not in data
    assert b"eXIf" not in data


def test_resolution_in_exif_is_scaled_with_the_picture() -> None:
    block = exif.fitted(exif_block(), 5, 5, (72.0, 72.0), add=True)
    picture = Picture(smooth_picture().color, None, Metadata(exif=block, resolution=(72.0, 72.0)))
    large = picture.with_pixels(picture.color.repeat(2, axis=0).repeat(2, axis=1), None)
    back = read_image(written(large, "jpeg")[0]).metadata
    assert back.resolution == (144, 144)
    assert exif.resolution(back.exif) == (144, 144)


def test_grey_profile_is_applied_where_the_format_has_no_grey() -> None:
    linear = gray_profile(1.0)
    picture = Picture(np.full((8, 8, 1), 55, np.uint8), None, Metadata(icc=linear))
    data, notes = written(picture, "webp")
    back = read_image(data)
    assert any("grey colour profile was applied" in note for note in notes)
    assert back.metadata.icc is None or back.metadata.icc[16:20] == b"RGB "
    assert abs(int(back.color[4, 4, 0]) - 128) < 8  # 55 / 255 of light is 0.50 in sRGB
    assert read_image(written(picture, "png")[0]).metadata.icc == linear


def gray_profile(gamma: float) -> bytes:
    """Return a minimal ICC version 2 grey profile with a power curve."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"g\0" + b"\0" * 80
    text += b"\0" * (-len(text) % 4)
    copyright_ = b"text\0\0\0\0cc0\0"
    bodies = [(b"desc", text), (b"cprt", copyright_), (b"wtpt", white), (b"kTRC", curve)]
    offset, table, data = 128 + 4 + 12 * len(bodies), b"", b""
    for tag, body in bodies:
        table += tag + struct.pack(">II", offset + len(data), len(body))
        data += body
    size = offset + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ") + b"\0" * 12 + b"acsp"
    head = head.ljust(68, b"\0") + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(bodies)) + table + data


def test_jpeg_lays_transparency_on_white() -> None:
    color = np.zeros((16, 16, 3), np.uint8)
    alpha = np.zeros((16, 16, 1), np.uint8)
    alpha[:, 8:] = 128
    data, notes = written(Picture(color, alpha), "jpeg")
    back = read_image(data).color
    assert notes == ("JPEG cannot hold transparency: the picture was laid on white",)
    assert np.all(back[:, :6] >= 250)
    assert np.abs(back[:, 10:].astype(int) - 127).max() <= 3


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_alpha_that_hides_nothing_is_no_loss(dtype: str) -> None:
    whole = 1 if dtype == "float32" else np.iinfo(dtype).max
    alpha = np.full((600, 4, 1), whole, dtype)
    _, notes = written(Picture(np.zeros((600, 4, 3), dtype), alpha), "jpeg", depth=8)
    assert not any("transparency" in note for note in notes)
    alpha[599, 3] = whole / 2
    _, notes = written(Picture(np.zeros((600, 4, 3), dtype), alpha), "jpeg", depth=8)
    assert any("transparency" in note for note in notes)


@pytest.mark.parametrize(("depth", "dtype"), [(8, "uint8"), (16, "uint16")])
@pytest.mark.parametrize("own", ["uint8", "uint16", "float32"])
def test_depth_is_converted_with_full_scale_kept(depth: int, dtype: str, own: str) -> None:
    top = {"uint8": 255, "uint16": 65535, "float32": 1}[own]
    color = (np.linspace(0, 1, 256).reshape(16, 16, 1) * top).astype(own)
    back = read_image(written(Picture(color), "png", depth=depth)[0]).color
    assert back.dtype == dtype
    assert back.min() == 0
    assert back.max() == np.iinfo(dtype).max
    assert np.abs(back / np.iinfo(dtype).max - color / top).max() <= 0.5 / np.iinfo(dtype).max + 1e-6


def test_large_metadata_that_jpeg_cannot_hold_is_named(tmp_path: Path) -> None:
    metadata = Metadata(exif=exif_block() + b"\0" * 70_000, xmp=XMP + b" " * 70_000)
    notes = write_image(Picture(smooth_picture().color, None, metadata), tmp_path / "a.jpg")
    assert [note.split(" of ")[0] for note in notes] == ["JPEG cannot hold EXIF", "JPEG cannot hold XMP"]
    assert read_image(tmp_path / "a.jpg").metadata.exif is None


@pytest.mark.parametrize(("depth", "error"), [(10, 2 / 1023), (12, 1 / 1023)])
def test_avif_of_10_and_12_bits(depth: int, error: float) -> None:
    """Their full scale is that of 16 bits, and they are finer than 8."""
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64, 1).repeat(3, axis=2)
    data, notes = written(Picture(ramp), "avif", depth=depth, quality=100)
    back = read_image(data)
    assert notes == ()
    assert back.color.dtype == np.uint16
    assert len(np.unique(back.color)) > 512
    assert np.abs(back.color.astype(int) - ramp).mean() / 65535 < error
