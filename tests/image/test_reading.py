"""What goes in: every format and mode, orientation, limits, and named errors for what is no picture."""

import contextlib
import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from kakudai.analyse.jpeg_file import read_jpeg_history
from kakudai.engine.passes import to_planes
from kakudai.errors import PictureError, PictureNotFound, PictureTooLarge, PictureUnreadable
from kakudai.image import exif
from kakudai.image.files import FORMATS, read_image, write_image
from kakudai.image.picture import Metadata, Picture
from kakudai.image.vips import libvips

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (24, 32, 4), np.uint8)


def encoded(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def raw_png(depth: int, kind: int, rows: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG of packed rows, with chunks of any kind before the pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    width = rows.shape[1] * 8 // depth if kind in (0, 3) else rows.shape[1] * 8 // (depth * 3)
    header = struct.pack(">IIBBBBB", width, rows.shape[0], depth, kind, 0, 0, 0)
    lines = np.pad(rows.astype(np.uint8), ((0, 0), (1, 0))).tobytes()
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in body)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
def test_every_format_is_read_from_bytes_and_from_a_file(name: str, tmp_path: Path) -> None:
    data = encoded(Image.fromarray(NOISE[..., :3]), name)
    path = tmp_path / "Größe 拡大.wrong"
    path.write_bytes(data)
    for picture in (read_image(data), read_image(path), read_image(str(path)), read_image(bytearray(data))):
        assert picture.metadata.format == name.lower()
        assert picture.color.shape == (24, 32, 3)
        assert picture.color.dtype == np.uint8
        assert picture.color.flags.c_contiguous


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_grey_of_few_bits_is_spread_over_eight(depth: int) -> None:
    top = (1 << depth) - 1
    values = np.arange(8, dtype=np.uint8) & top
    bits = np.unpackbits(values[:, None], axis=1)[:, -depth:].reshape(1, -1)
    picture = read_image(raw_png(depth, 0, np.packbits(bits, axis=1)))
    assert picture.channels == 1
    assert np.array_equal(picture.color[0, :, 0], (values.astype(int) * 255) // top)


def test_palette_with_transparency_becomes_rgba() -> None:
    rows = np.array([[0, 1, 2, 1]])
    palette = (b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255]))
    picture = read_image(raw_png(8, 3, rows, palette, (b"tRNS", bytes([0, 128]))))
    assert picture.color[0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 255, 0]]
    assert picture.alpha is not None
    assert picture.alpha[0, :, 0].tolist() == [0, 128, 255, 128]


def test_one_transparent_grey_or_colour_becomes_alpha() -> None:
    grey = read_image(raw_png(8, 0, np.array([[7, 9]]), (b"tRNS", struct.pack(">H", 7))))
    assert grey.channels == 1
    assert grey.alpha is not None
    assert grey.alpha[0, :, 0].tolist() == [0, 255]
    color = read_image(raw_png(8, 2, np.array([[1, 2, 3, 1, 2, 4]]), (b"tRNS", struct.pack(">3H", 1, 2, 3))))
    assert color.alpha is not None
    assert color.alpha[0, :, 0].tolist() == [0, 255]


def test_cmyk_jpeg_of_adobe_is_not_inverted() -> None:
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[:, 8:] = (0, 0, 0, 255)  # paper left, black right
    picture = read_image(
        encoded(
            Image.frombytes("CMYK", (16, 16), ink.tobytes()),
            "JPEG",
        )
    )
    assert picture.channels == 3
    assert picture.color[8, 2].min() > 240
    assert picture.color[8, 13].max() < 70
    assert picture.metadata.icc is None
    assert picture.metadata.notes == ("CMYK was converted to sRGB through a generic profile, as it has none",)


def test_cmyk_goes_through_its_own_profile() -> None:
    ink = Image.frombytes("CMYK", (32, 24), NOISE.tobytes())
    profile = bytes(libvips().Operation.call("profile_load", "cmyk"))
    picture = read_image(encoded(ink, "TIFF", icc_profile=profile))
    assert picture.metadata.notes == ("CMYK was converted to sRGB through its profile",)
    assert picture.metadata.icc is None


@pytest.mark.parametrize(
    ("kind", "dtype", "channels"),
    [("I;16", "uint16", 1), ("F", "float32", 1), ("LA", "uint8", 1), ("YCbCr", "uint8", 3)],
)
def test_tiff_modes(kind: str, dtype: str, channels: int) -> None:
    sizes = {"I;16": 2, "F": 4, "LA": 2, "YCbCr": 3}
    raw = np.full(24 * 32 * sizes[kind], 60, np.uint8).tobytes()
    picture = read_image(encoded(Image.frombytes(kind, (32, 24), raw), "TIFF"))
    assert picture.color.dtype == dtype
    assert picture.channels == channels
    assert (picture.alpha is not None) == (kind == "LA")


def test_signed_tiff_is_a_named_error() -> None:
    data = encoded(Image.frombytes("I", (4, 4), bytes(64)), "TIFF")
    with pytest.raises(PictureUnreadable, match="samples of type int"):
        read_image(data)


def test_float_that_is_not_a_number_is_a_named_error() -> None:
    data = encoded(Image.frombytes("F", (2, 2), np.full(4, np.nan, np.float32).tobytes()), "TIFF")
    with pytest.raises(PictureUnreadable, match="not numbers"):
        read_image(data)


def float_tiff(image: np.ndarray) -> bytes:
    data: bytes = libvips().Image.new_from_array(image).tiffsave_buffer()
    return data


def test_float_beyond_black_and_white_is_said() -> None:
    """Lights are cut off, and a white that is another number is an error."""
    ramp = np.linspace(-0.25, 1.5, 300, dtype=np.float32).reshape(10, 10, 3)
    assert read_image(float_tiff(ramp)).metadata.notes == ("values from -0.25 to 1.5 were cut off to 0 to 1",)
    assert read_image(float_tiff(ramp.clip(0, 1))).metadata.notes == ()
    planes = to_planes(read_image(float_tiff(ramp)).color)
    assert (planes.min(), planes.max()) == (0.0, 1.0), "so that networks see it"
    with pytest.raises(PictureUnreadable, match="its values go up to 65535, and 1 is white"):
        read_image(float_tiff(ramp * 43690))


@pytest.mark.parametrize(
    ("name", "word"), [("GIF", "frames"), ("WEBP", "frames"), ("PNG", "frames"), ("TIFF", "pages")]
)
def test_frames_that_are_not_read_are_told(name: str, word: str) -> None:
    frames = [Image.fromarray(np.roll(NOISE[..., :3], step, axis=1)) for step in range(3)]
    picture = read_image(encoded(frames[0], name, save_all=True, append_images=frames[1:]))
    assert picture.metadata.notes == (f"only the first of 3 {word} was read",)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("number", range(1, 9))
def test_orientation_is_applied_once(name: str, number: int) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # a white corner at the top left, a grey one at the bottom left
    upright[8:, :8] = 128
    steps = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2), 8: lambda a: np.rot90(a, 3),
    }  # fmt: skip
    tags = Image.Exif()
    tags[exif.ORIENTATION] = number
    stored = np.ascontiguousarray(steps[number](upright))
    picture = read_image(encoded(Image.fromarray(stored), name, exif=tags, dpi=(100, 200)))
    assert np.abs(picture.color.astype(int) - upright).max() < 40
    assert exif.orientation(picture.metadata.exif) == 1
    if name in ("PNG", "TIFF"):
        assert picture.metadata.resolution == pytest.approx((200, 100) if number >= 5 else (100, 200), abs=0.02)


def test_orientation_inside_xmp_is_reset_too() -> None:
    xmp = b'<x:xmpmeta tiff:Orientation="6"><tiff:Orientation>8</tiff:Orientation></x:xmpmeta>'
    stream = io.BytesIO()
    write_image(Picture(NOISE[..., :3], None, Metadata(xmp=xmp)), stream, format="png")
    found = read_image(stream.getvalue()).metadata.xmp
    assert found == xmp.replace(b'"6"', b'"1"').replace(b">8<", b">1<")


@pytest.mark.parametrize(("name", "unit"), [("png", 1), ("jpeg", 1), ("tiff", 1)])
def test_resolution_is_pixels_per_inch(name: str, unit: int) -> None:
    assert unit == 1
    picture = read_image(encoded(Image.fromarray(NOISE[..., :3]), name, dpi=(300, 150)))
    assert picture.metadata.resolution == pytest.approx((300, 150), abs=0.02)
    assert read_image(encoded(Image.fromarray(NOISE[..., :3]), name)).metadata.resolution is None


def test_thumbnail_is_cut_off() -> None:
    inner = b"II*\0" + struct.pack("<IHHHIHHIH", 8, 1, 0x0112, 3, 1, 6, 0, 26, 2)
    inner += struct.pack("<HHIIHHIII", 0x0201, 4, 1, 56, 0x0202, 4, 1, 9, 0) + b"THUMBNAIL"
    block = exif.upright(inner)
    assert block is not None
    assert exif.orientation(block) == 1
    assert b"THUMB" not in block
    assert exif.first_directory(block)[1] == 0


def test_wrong_and_oversized_profiles_are_dropped_with_a_note() -> None:
    grey = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_image(encoded(Image.fromarray(NOISE[..., 0]), "TIFF", icc_profile=grey))
    assert picture.metadata.icc is None
    assert "colour space" in picture.metadata.notes[0]
    big = grey + bytes(5 << 20)
    picture = read_image(encoded(Image.fromarray(NOISE[..., :3]), "TIFF", icc_profile=big))
    assert picture.metadata.icc is None
    assert "over the limit" in picture.metadata.notes[0]


def test_odd_gamma_of_png_is_told_and_not_applied() -> None:
    rows = np.array([[10, 20]])
    linear = read_image(raw_png(8, 0, rows, (b"gAMA", struct.pack(">I", 100_000))))
    assert linear.metadata.notes == ("the file's gamma of 1 was not applied; its values were taken as sRGB",)
    assert linear.color[0, :, 0].tolist() == [10, 20]
    assert read_image(raw_png(8, 0, rows, (b"gAMA", struct.pack(">I", 45_455)))).metadata.notes == ()


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.98])
def test_truncated_pictures_are_errors(name: str, share: float) -> None:
    data = encoded(Image.fromarray(NOISE[..., :3]).resize((128, 96)), name)
    with pytest.raises(PictureUnreadable) as caught:
        read_image(data[: int(len(data) * share)])
    assert len(caught.value.message.splitlines()) == 1
    assert caught.value.hint


def test_jpeg_that_libjpeg_only_warns_of() -> None:
    data = bytearray(encoded(Image.fromarray(NOISE[..., :3]).resize((128, 96)), "JPEG"))
    data[-400:-2] = b"\xff\xd9" * 199  # the end comes early
    with pytest.raises(PictureUnreadable, match="premature end of data"):
        read_image(bytes(data))
    harmless = encoded(Image.fromarray(NOISE[..., :3]), "JPEG").replace(b"\xff\xdb", b"\0\0\xff\xdb", 1)
    assert read_image(harmless).metadata.notes == ()


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
def test_pixels_are_limited_by_the_header(name: str) -> None:
    data = encoded(Image.fromarray(NOISE[..., :3]), name)
    assert read_image(data, max_pixels=24 * 32).width == 32
    assert read_image(data, max_pixels=0).width == 32
    with pytest.raises(PictureTooLarge, match="32 x 24 pixels; the limit is 767"):
        read_image(data, max_pixels=24 * 32 - 1)


def test_what_is_no_picture_gets_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")
    (tmp_path / "page.jpg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    cases = [
        (tmp_path / "empty.png", PictureUnreadable, "is empty"),
        (tmp_path / "text.png", PictureUnreadable, "not a picture"),
        (tmp_path / "page.jpg", PictureUnreadable, "not a picture"),
        (tmp_path / "none.png", PictureNotFound, "no file"),
        (tmp_path / "text.png" / "below.png", PictureNotFound, "no file"),
        (tmp_path, PictureNotFound, "folder"),
        (Path("/dev/zero"), PictureUnreadable, "device"),
        ("zero\0byte.png", PictureNotFound, "no file"),
        (b"", PictureUnreadable, "is empty"),
    ]
    for source, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            read_image(source)
        assert "\n" not in caught.value.message
        assert caught.value.hint


def test_a_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = encoded(Image.fromarray(NOISE[..., :3]), "PNG")
    thread = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    thread.start()
    assert read_image(pipe).width == 32
    thread.join()


def test_corrupt_bytes_never_raise_anything_else() -> None:
    """Flip bytes of every format that Pillow writes at many places: a picture or a named error."""
    rng = np.random.default_rng(5)
    small = Image.fromarray(NOISE[:12, :16, :3])
    tags = Image.Exif()
    tags[0x010F], tags[exif.ORIENTATION] = "Maker", 3
    for name in (name for name in FORMATS if name not in ("heic", "jxl")):
        options = {} if name in ("bmp", "gif") else {"exif": tags}
        data = np.frombuffer(encoded(small, name, **options), np.uint8)
        for _ in range(60):
            broken = data.copy()
            places = rng.integers(0, min(len(data), 400), 4)
            broken[places] = rng.integers(0, 256, 4)
            with contextlib.suppress(PictureError):
                read_image(broken.tobytes(), max_pixels=10_000)


def test_warnings_stay_off_stderr(tmp_path: Path) -> None:
    """There are warnings from libtiff, for tags it does not know, which libvips passes on."""
    data = bytearray(encoded(Image.fromarray(NOISE[..., :3]), "TIFF", tiffinfo={65000: "x"}))
    (tmp_path / "a.tif").write_bytes(data)
    (tmp_path / "b.png").write_bytes(encoded(Image.fromarray(NOISE[..., :3]), "PNG")[:-40])
    script = (
        "import sys\nfrom kakudai.image.files import read_image\nfor path in sys.argv[1:]:\n"
        "    try: read_image(path)\n    except Exception as error: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.tif"), str(tmp_path / "b.png")],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""


def test_a_jpeg_keeps_what_its_header_says_of_its_compression() -> None:
    stream = io.BytesIO()
    Image.fromarray(NOISE[..., :3]).save(stream, "JPEG", quality=61, subsampling=2, comment=b"x" * 3000)
    tables = read_image(stream.getvalue()).metadata.jpeg
    assert tables is not None
    assert len(tables) < 200
    history = read_jpeg_history(tables)
    assert history is not None
    assert (history.quality, history.chroma) == (61, "4:2:0")
    picture = read_image(stream.getvalue())
    assert picture.with_pixels(picture.color, None).metadata.jpeg is None
    stream = io.BytesIO()
    Image.fromarray(NOISE[..., :3]).save(stream, "PNG")
    assert read_image(stream.getvalue()).metadata.jpeg is None
