"""image/animation.py and animation_writing.py: frames, times, plays and transparency, by other programs' eyes too."""

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageSequence
from tests.animations import animated, background, moving_square

from kakudai.errors import PictureTooLarge, PictureUnreadable
from kakudai.image import animation, apng
from kakudai.image.animation import Frame, open_animation
from kakudai.image.animation_writing import ANIMATED, Show, animation_pieces
from kakudai.image.formats import FORMATS
from kakudai.image.picture import Metadata, Picture

TIMES = [Fraction(milliseconds, 1000) for milliseconds in (20, 130, 40)]


def with_holes(count: int = 5) -> list[Picture]:
    """A square on nothing, which leaves nothing where it was."""
    frames = []
    for number in range(count):
        alpha = np.zeros((40, 60, 1), np.uint8)
        alpha[10:20, 5 + 9 * number : 15 + 9 * number] = 255
        frames.append(Picture(background(), alpha))
    return frames


def composed(data: bytes) -> list[np.ndarray]:
    """Decode all frames by Pillow. Shape: (H, W, 4)."""
    with Image.open(io.BytesIO(data)) as image:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]


def read(data: bytes) -> list[Frame]:
    found = open_animation(data)
    assert found is not None
    return list(found.frames())


def pieces(pictures: list[Picture], name: str, times: list[Fraction], **wish: object) -> tuple[bytes, list[str]]:
    notes: list[str] = []
    frames = (Frame(picture, seconds) for picture, seconds in zip(pictures, times, strict=True))
    show = Show(len(pictures), 0, **wish)  # type: ignore[arg-type]
    return b"".join(animation_pieces(frames, FORMATS[name], show, notes)), notes


@pytest.mark.parametrize("name", ["gif", "png", "webp"])
def test_pillow_sees_the_frames_that_were_written(name: str) -> None:
    pictures = moving_square(6)
    data = animated(pictures, name, [Fraction(1, 10)] * 6)
    shown = composed(data)
    assert len(shown) == 6
    for picture, frame in zip(pictures, shown, strict=True):
        difference = np.abs(frame[..., :3].astype(int) - picture.color)
        assert difference.max() == 0 if name != "webp" else difference.mean() < 4
        assert (frame[..., 3] == 255).all()


@pytest.mark.parametrize("name", ["gif", "png", "webp", "avif"])
def test_what_was_transparent_is_transparent_again(name: str) -> None:
    pictures = with_holes()
    data = animated(pictures, name, [Fraction(1, 10)] * 5)
    ours = [frame.picture for frame in read(data)]
    for picture, frame, mine in zip(pictures, composed(data), ours, strict=True):
        assert picture.alpha is not None
        assert mine.alpha is not None
        visible = picture.alpha[..., 0] > 0
        if name == "avif":
            assert np.abs(frame[..., 3].astype(int) - picture.alpha[..., 0]).max() < 30
        else:
            np.testing.assert_array_equal(frame[..., 3] > 0, visible)
            np.testing.assert_array_equal(mine.alpha[..., 0] > 0, visible)
        if name in ("gif", "png"):
            np.testing.assert_array_equal(mine.color[visible], picture.color[visible])
            np.testing.assert_array_equal(frame[visible][:, :3], picture.color[visible])


@pytest.mark.parametrize("name", list(ANIMATED))
def test_times_are_kept_and_their_sum_is_right(name: str) -> None:
    """24 frames a second fit into neither hundredths nor milliseconds."""
    pictures = moving_square(3) * 8
    back = read(animated(pictures, name, [Fraction(1, 24)] * 24))
    total = sum(frame.seconds for frame in back)
    assert abs(total - 1) <= (Fraction(1, 24_000) if name == "png" else Fraction(1, 200))
    assert [frame.seconds for frame in read(animated(moving_square(3), name, TIMES))] == TIMES


def test_frames_become_no_shorter_than_browsers_show() -> None:
    """They show 1/100 s for 1/10 s; a film of 60 frames a second must not stutter, nor its pauses pay for it."""
    pictures, times = moving_square(3) * 20, [Fraction(1, 60)] * 60
    times[50] = Fraction(1)
    data, notes = pieces(pictures, "gif", times)
    assert notes == ["GIF frames of less than 2/100 s are shown for 1/10 s: some became longer"]
    assert [frame.seconds for frame in read(data)] == [Fraction(1, 50)] * 50 + [Fraction(1)] + [Fraction(1, 50)] * 9
    data, notes = pieces(pictures[:3], "gif", [Fraction(1, 100), Fraction(0), Fraction(1, 40)])
    assert notes == []
    assert [frame.seconds for frame in read(data)][:2] == [Fraction(1, 100), 0]


def test_long_times_are_kept_by_apng() -> None:
    """Numerator and denominator have 16 bits."""
    times = [Fraction(70_001, 1000), Fraction(2, 3), Fraction(100_000)]
    shown = [frame.seconds for frame in read(animated(moving_square(3), "png", times))]
    assert abs(shown[0] - times[0]) < Fraction(1, 1000)
    assert shown[1:] == [Fraction(2, 3), 65_535]


@pytest.mark.parametrize("plays", [0, 1, 2, 7])
@pytest.mark.parametrize("name", ["gif", "png", "webp"])
def test_plays_are_kept(name: str, plays: int) -> None:
    found = open_animation(animated(moving_square(3), name, TIMES, plays))
    assert found is not None
    assert found.plays == plays


def test_an_avif_says_that_it_plays_for_ever() -> None:
    frames = (Frame(picture, seconds) for picture, seconds in zip(moving_square(3), TIMES, strict=True))
    notes: list[str] = []
    b"".join(animation_pieces(frames, FORMATS["avif"], Show(3, 2), notes))
    assert notes == ["AVIF animations are written to play for ever, not 2 times"]


@pytest.mark.parametrize("channels", [1, 3])
def test_apng_keeps_16_bits_grey_and_half_transparency(channels: int) -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 65536, (20, 30, channels)).astype(np.uint16)
    second = first.copy()
    second[3:6, 4:9] = 7
    alpha = rng.integers(0, 65536, (20, 30, 1)).astype(np.uint16)
    pictures = [Picture(first, alpha), Picture(second, alpha), Picture(second, alpha[::-1].copy())]
    for picture, frame in zip(pictures, read(animated(pictures, "png", TIMES)), strict=True):
        np.testing.assert_array_equal(frame.picture.color, picture.color)
        np.testing.assert_array_equal(frame.picture.alpha, picture.alpha)


def test_what_does_not_change_is_written_once() -> None:
    noise = Picture(np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8))
    for name in ("gif", "png", "webp"):
        one = len(animated([noise] * 2, name, TIMES[:2]))
        many = len(animated([noise] * 30, name, [Fraction(1, 10)] * 30))
        assert many - one < 28 * 1000
    assert len(read(animated([noise] * 30, "png", [Fraction(1, 10)] * 30))) == 30


@pytest.mark.parametrize(
    ("dispose", "blend"),
    [("NONE", "SOURCE"), ("BACKGROUND", "SOURCE"), ("PREVIOUS", "SOURCE"), ("NONE", "OVER"), ("BACKGROUND", "OVER")],
)
def test_apng_of_other_programs_is_composed_as_pillow_does(dispose: str, blend: str) -> None:
    kinds = {name: number for number, name in enumerate(("NONE", "BACKGROUND", "PREVIOUS"))}
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, 256, (20, 30, 4)) for _ in range(4)]
    for pixels in drawn:
        pixels[..., 3] = pixels[..., 3] // 128 * 255  # half transparency Pillow mixes in its own way
    frames = [Image.fromarray(pixels.astype(np.uint8)) for pixels in drawn]
    for frame in frames[1:]:
        frame.paste((0, 0, 0, 0), (0, 0, 30, 8))
    stream = io.BytesIO()
    frames[0].save(
        stream, "PNG", save_all=True, append_images=frames[1:], disposal=kinds[dispose], blend=int(blend == "OVER")
    )
    for wanted, frame in zip(composed(stream.getvalue()), read(stream.getvalue()), strict=True):
        assert frame.picture.alpha is not None
        ours = np.concatenate([frame.picture.color, frame.picture.alpha], axis=2)
        seen = wanted[..., 3] > 0
        np.testing.assert_array_equal(ours[..., 3], wanted[..., 3])
        np.testing.assert_array_equal(ours[seen], wanted[seen])


def test_a_palette_is_exact_where_colours_are_few_and_said_where_not() -> None:
    _, notes = pieces(moving_square(3), "gif", TIMES)
    assert notes == []
    y, x = np.mgrid[:64, :64]
    smooth = np.stack([x * 4, y * 4, 255 - x * 2 - y * 2], axis=2).astype(np.uint8)
    plain, notes = pieces([Picture(smooth), Picture(smooth[::-1].copy())], "gif", TIMES[:2], dither=False)
    assert notes == ["GIF is written with one palette of 256 colours for all frames; WebP keeps all colours"]
    dithered, _ = pieces([Picture(smooth), Picture(smooth[::-1].copy())], "gif", TIMES[:2], dither=True)

    def blurred(data: bytes) -> float:
        color = read(data)[0].picture.color.astype(float)
        off = (color - smooth).reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
        return float((off**2).mean())

    assert blurred(dithered) < blurred(plain)


def test_frames_of_other_colours_get_their_own_palettes() -> None:
    y, x = np.mgrid[:128, :128] * 2
    none = np.zeros_like(x)
    planes = ((x, y, none), (none, x, y), (y, none, x))
    pictures = [Picture(np.stack(three, axis=2).astype(np.uint8)) for three in planes]
    data, notes = pieces(pictures, "gif", TIMES, dither=False)
    assert notes == ["GIF is written with a palette of 256 colours for each frame; WebP keeps all colours"]
    for picture, frame in zip(pictures, read(data), strict=True):
        assert np.abs(frame.picture.color.astype(int) - picture.color).mean() < 5


def test_what_a_format_cannot_hold_is_said() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = Metadata(icc, None, b"<x:xmpmeta/>", (300.0, 300.0))
    half = np.full((40, 60, 1), 90 * 257, np.uint16)
    picture = Picture(background().astype(np.uint16) * 257, half, metadata)
    _, notes = pieces([picture, picture], "gif", TIMES[:2])
    assert notes == [
        "GIF cannot hold 16-bit channels: written with 8 bits",
        "GIF cannot hold a colour profile: colours became sRGB",
        "GIF cannot hold XMP: dropped",
        "GIF cannot hold a resolution: dropped",
        "GIF cannot hold half transparent pixels: they became opaque or invisible",
    ]
    _, notes = pieces([picture, picture], "avif", TIMES[:2])
    assert notes == ["AVIF animations cannot hold 16-bit channels: written with 8 bits"]


@pytest.mark.parametrize("name", ["png", "webp", "avif"])
def test_metadata_is_kept(name: str) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    block = Image.Exif()
    block[0x010F] = "Maker"
    metadata = Metadata(icc, block.tobytes().removeprefix(b"Exif\0\0"), b"<x:xmpmeta/>", (300.0, 300.0))
    found = open_animation(animated([Picture(p.color, None, metadata) for p in moving_square(3)], name, TIMES))
    assert found is not None
    assert found.metadata.icc == icc
    assert found.metadata.xmp == b"<x:xmpmeta/>"
    assert b"Maker" in (found.metadata.exif or b"")
    assert found.metadata.resolution == pytest.approx((300, 300), rel=1e-3)
    assert next(found.frames()).picture.metadata == found.metadata


def test_stills_are_no_animations(tmp_path: Path) -> None:
    for name in ("png", "gif", "webp", "avif", "jpeg", "tiff"):
        stream = io.BytesIO()
        Image.fromarray(background()).save(stream, name)
        assert open_animation(stream.getvalue()) is None


def test_bombs_are_refused_by_their_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ANIMATED:
        data = animated(moving_square(3), name, TIMES)
        with pytest.raises(PictureTooLarge, match="60 x 40"):
            open_animation(data, max_pixels=1000)
        assert open_animation(data, max_pixels=2400) is not None
        monkeypatch.setattr(animation, "MAX_TIMES", 2)
        with pytest.raises(PictureTooLarge, match="3 frames"):
            open_animation(data, max_pixels=2400)
        assert open_animation(data, max_pixels=0) is not None
        monkeypatch.undo()


@pytest.mark.parametrize("name", list(ANIMATED))
def test_every_cut_is_an_error_or_harmless(name: str) -> None:
    data = animated(moving_square(4), name, [Fraction(1, 10)] * 4)
    for end in range(20, len(data) - 1, max(1, len(data) // 40)):
        try:
            found = open_animation(data[:end])
            frames = list(found.frames()) if found else []
        except PictureUnreadable:
            continue
        assert len(frames) in (0, 4)  # a cut that leaves no animation; or only the mark at the end is missing


@pytest.mark.parametrize("change", ["outside", "empty", "dispose", "short"])
def test_damaged_parts_of_apng_are_refused(change: str) -> None:
    data = animated(moving_square(3), "png", TIMES)
    at = data.rindex(b"fcTL") + 4
    control = bytearray(data[at : at + 26])
    if change == "outside":
        struct.pack_into(">I", control, 12, 1000)
    elif change == "empty":
        struct.pack_into(">I", control, 4, 0)
    elif change == "dispose":
        control[24] = 9
    body = bytes(control[:20] if change == "short" else control)
    damaged = data[: at - 8] + apng.chunk(b"fcTL", body) + data[at + 30 :]
    with pytest.raises(PictureUnreadable):
        open_animation(damaged)


def test_an_apng_whose_still_picture_is_no_frame() -> None:
    """Browsers show the frames, old programs the picture."""
    data = animated(moving_square(3), "png", TIMES)
    at = data.index(b"fcTL") - 4
    rest = data[at + 38 :]
    length = struct.unpack(">I", rest[:4])[0] + 12
    still, after = rest[:length], rest[length:]
    second = after.index(b"fcTL") - 4
    hidden = data[:at] + still + after[second:]
    hidden = hidden.replace(data[data.index(b"acTL") - 4 :][:20], apng.chunk(b"acTL", struct.pack(">II", 2, 0)))
    found = open_animation(hidden)
    assert found is not None
    assert found.count == 2
    assert found.metadata.notes == ("the picture that is shown where animations are not was dropped",)
    first = next(found.frames()).picture
    assert first.alpha is not None  # the first frame fills only part of the canvas
    assert zlib.crc32(first.color.tobytes()) != zlib.crc32(moving_square(1)[0].color.tobytes())


def test_an_apng_may_begin_with_much_that_is_no_frame() -> None:
    data = animated(moving_square(3), "png", TIMES)
    found = open_animation(data[:33] + apng.chunk(b"prVt", bytes(300_000)) + data[33:])
    assert found is not None
    assert found.count == 3


def test_a_still_png_that_speaks_of_frames_is_no_animation() -> None:
    stream = io.BytesIO()
    Image.fromarray(background()).save(stream, "PNG")
    data = stream.getvalue()
    assert open_animation(data[:33] + apng.chunk(b"tEXt", b"Comment\0acTL") + data[33:]) is None


def test_what_a_frame_covered_comes_back() -> None:
    """Pillow shows something else for frames that are laid over and taken away again; the specification is clear."""
    base, over = np.full((4, 4, 4), 200, np.uint8), np.zeros((4, 4, 4), np.uint8)
    base[..., 3] = 255
    over[1:3, 1:3] = (10, 20, 30, 255)
    parts = b""
    for number, (pixels, dispose) in enumerate(((base, apng.KEEP), (over, apng.RESTORE), (0 * over, apng.KEEP))):
        rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
        parts += apng.chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * number, 4, 4, 0, 0, 1, 10, dispose, 1))
        parts += apng.chunk(b"fdAT", struct.pack(">I", 2 * number + 1), rows) if number else apng.chunk(b"IDAT", rows)
    head = apng.chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 6, 0, 0, 0)) + apng.chunk(
        b"acTL", struct.pack(">II", 3, 0)
    )
    shown = read(apng.SIGNATURE + head + parts + apng.chunk(b"IEND"))
    np.testing.assert_array_equal(shown[1].picture.color[1:3, 1:3], over[1:3, 1:3, :3])
    np.testing.assert_array_equal(shown[1].picture.color[0], base[0, :, :3])
    np.testing.assert_array_equal(shown[2].picture.color, base[..., :3])
