"""Read animations one frame at a time: GIF and WebP by libvips, AVIF by Pillow, APNG here."""

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from kakudai.errors import PictureTooLarge, PictureUnreadable
from kakudai.image import apng, containers, gif, vips
from kakudai.image.formats import FORMATS, SNIFFED, Format, sniff
from kakudai.image.heic import said
from kakudai.image.picture import Metadata, Picture, Pixels
from kakudai.image.reading import MAX_HELD, MAX_PIXELS, broken, opened, pixel_limit, statements, upright
from kakudai.image.reel import Reel

MAX_FRAMES = 100_000
"""More frames, an hour of film, are an attack."""
MAX_TIMES = 16
"""Frames together may have this many times the pixels that one picture may have: 1,400 of full-HD at the default."""

HELD = 20.0
"""Bytes for each pixel of a frame that decoders keep, with the frame itself and its copy."""

DEEP = 0x40
"""Flag of an AV1 stream with more than 8 bits, in the third byte of its configuration."""

Source = str | os.PathLike[str] | bytes


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame, whole: what was left of earlier ones is in it.

    Args:
        picture: Pixels and metadata; all frames of an animation have the same size, depth and channels.
        seconds: How long it is shown.
    """

    picture: Picture
    seconds: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Animation:
    """An animated file. Its frames are decoded when they are asked for, and not kept.

    Args:
        source: The file, or its bytes.
        name: What to call it in errors.
        width: Of every frame, in pixels.
        height: Likewise.
        count: Frames.
        plays: How often it is shown; 0 is for ever.
        channels: Of every frame, with alpha.
        sample: Bytes of one channel of one pixel.
        metadata: What the file says of all its pixels.
    """

    source: Source
    name: str
    width: int
    height: int
    count: int
    plays: int
    channels: int
    sample: int
    metadata: Metadata

    def frames(self) -> Iterator[Frame]:
        """Decode the frames from the first to the last; every call begins anew.

        Raises:
            PictureUnreadable: A frame is damaged; those before it have been given.
        """
        with opened(self.source, self.name) as file:
            entry = FORMATS[self.metadata.format]
            try:
                reel = READERS[entry.name](file, lambda *_: None)
                file.seek(0)
                stated = statements(file, entry, reel.fields)
                shown = 0
                for pixels, seconds in reel.frames:
                    frame = upright(pixels, entry, reel.fields, replace(stated, turn=reel.turn or stated.turn))
                    yield Frame(replace(frame, metadata=self.metadata), seconds)
                    shown += 1
            except vips.Broken as error:
                raise broken(self.name, entry, error) from None
            if shown != self.count:
                raise PictureUnreadable(
                    f"{self.name} has {shown} frames and states {self.count}", "save it again with another program"
                )


def open_animation(source: Source, *, max_pixels: int | None = None) -> Animation | None:
    """Look into a file; return None where it is no animation, or none of a format whose frames are read.

    Args:
        source: A path, or the bytes of an encoded file.
        max_pixels: Largest width times height of a frame; all together may have `MAX_TIMES` as many. 0 lifts both. None
            is 179 million, or as many as decoders keep in `MAX_HELD` bytes.

    Raises:
        PictureNotFound: There is no such file.
        PictureUnreadable: It is damaged.
        PictureTooLarge: It has more pixels than `max_pixels`, or more than 100,000 frames.
    """
    most = MAX_PIXELS if max_pixels is None else max_pixels
    name = "the picture" if isinstance(source, bytes | bytearray | memoryview) else repr(os.fspath(source))
    with opened(source, name) as file:
        entry = sniff(file.read(SNIFFED))
        file.seek(0)
        if entry is None or entry.name not in READERS or not _may_move(file, entry):
            return None
        file.seek(0)
        try:
            reel = READERS[entry.name](file, pixel_limit(name, most) if max_pixels is not None else _bounded(name))
            if reel.count < 2:
                return None
            _check_length(reel, name, most)
            file.seek(0)
            stated = statements(file, entry, reel.fields)
            first, _ = next(reel.frames)
        except vips.Broken as error:
            raise broken(name, entry, error) from None
    picture = upright(first, entry, reel.fields, replace(stated, turn=reel.turn or stated.turn))
    channels = picture.channels + (picture.alpha is not None)
    return Animation(
        source, name, picture.width, picture.height, reel.count, reel.plays,
        channels, picture.color.dtype.itemsize, picture.metadata,
    )  # fmt: skip


def _bounded(name: str) -> Callable[[int, int], None]:
    """Return what raises PictureTooLarge for frames whose decoder would need too much memory."""
    within = pixel_limit(name, MAX_PIXELS)

    def check(width: int, height: int) -> None:
        within(width, height)
        if (held := HELD * width * height) > MAX_HELD:
            raise PictureTooLarge(
                f"frames of {name} have {width} x {height} pixels, which take {held / 1e6:.0f} MB to decode",
                "take only the first frame with --still, or lift the limit with --max-pixels 0",
            )

    return check


def _may_move(file: BinaryIO, entry: Format) -> bool:
    """Say by the first bytes whether it is worth counting frames."""
    head = file.read(1 << 20)
    if entry.name == "png":
        return containers.png_statements(head)[1] > 1
    if entry.name == "webp":
        return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)
    return entry.name == "gif" or b"avis" in head[:SNIFFED]


def _check_length(reel: Reel, name: str, max_pixels: int) -> None:
    if not max_pixels:
        return
    if reel.count > MAX_FRAMES or reel.count * reel.width * reel.height > MAX_TIMES * max_pixels:
        raise PictureTooLarge(
            f"{name} has {reel.count} frames of {reel.width} x {reel.height} pixels; the limit is {MAX_FRAMES} frames, "
            f"and {MAX_TIMES * max_pixels} pixels in all",
            "lift it with --max-pixels 0, or take only the first frame with --still",
        )


def _by_libvips(file: BinaryIO, check: Callable[[int, int], None], *, loader: str) -> Reel:
    """Open a GIF or WebP; libvips lays the frames one below the other and decodes them as they are read."""
    library = vips.libvips()
    library.vips_lib.vips_error_clear()
    try:
        image = getattr(library.Image, loader)(vips.source(file), n=-1, access="sequential", fail_on="error")
        if not image.get_typeof("page-height"):  # a single frame
            return Reel(image.width, image.height, 1, 1, vips.Fields(), iter(()))
        height, count = image.get("page-height"), image.get("n-pages")
        check(image.width, height)
        blocks = vips.blocks(image)
        delays = image.get("delay") if image.get_typeof("delay") else [100] * count
        plays = image.get("loop") if image.get_typeof("loop") else 0
        image, notes = vips.to_rgb_or_grey(image)
    except (library.Error, UnicodeDecodeError) as error:
        raise vips.Broken(vips.one_line(error)) from None
    fields = vips.Fields(blocks.get(vips.ICC), blocks.get(vips.EXIF), blocks.get(vips.XMP), None, 1, notes)

    def frames() -> Iterator[tuple[Pixels, Fraction]]:
        region = library.Region.new(image)
        shape = (height, image.width, image.bands)
        for number in range(count):
            try:
                rows = region.fetch(0, number * height, image.width, height)
            except (library.Error, UnicodeDecodeError) as error:
                raise vips.Broken(f"frame {number + 1}: {vips.one_line(error)}") from None
            yield np.frombuffer(rows, np.uint8).reshape(shape), Fraction(max(0, delays[number]), 1000)

    return Reel(image.width, height, count, plays, fields, frames())


def _avif(file: BinaryIO, check: Callable[[int, int], None]) -> Reel:
    """Open an AVIF sequence: libvips has no decoder for those, and Pillow's gives 8 bits."""
    from PIL.AvifImagePlugin import AvifImageFile

    from kakudai.image import exif

    data = file.read()
    image = said(lambda: AvifImageFile(io.BytesIO(data)))
    check(*image.size)
    block = image.info.get("exif")
    at = data.find(b"av1C")
    deep = at >= 0 and bool(data[at + 6 : at + 7]) and data[at + 6] & DEEP
    notes = ("frames of AVIF animations are read with 8 bits, these have 10 or 12",) if deep else ()
    fields = vips.Fields(image.info.get("icc_profile"), block, image.info.get("xmp"), None, 1, notes)

    def frames() -> Iterator[tuple[Pixels, Fraction]]:
        for number in range(image.n_frames):

            def read(at: int = number) -> Pixels:
                image.seek(at)
                return np.asarray(image)

            pixels = said(read)
            yield pixels.reshape(*pixels.shape[:2], -1), Fraction(image.info["duration"], 1000)

    turn = exif.orientation(block.removeprefix(exif.PREFIX)) if block else 1  # Pillow puts `irot` and `imir` there
    width, height = image.size
    return Reel(width, height, image.n_frames, 0, fields, frames(), turn)


def _gif(file: BinaryIO, check: Callable[[int, int], None]) -> Reel:
    """Open a GIF. libvips takes the end of the file for the end of the animation, wherever it comes."""
    count = gif.count_frames(file.read())
    file.seek(0)
    if count < 2:
        return Reel(0, 0, count, 1, vips.Fields(), iter(()))
    reel = _by_libvips(file, check, loader="gifload_source")
    if reel.count < count:
        raise vips.Broken(f"frame {reel.count + 1} of {count} is damaged")
    return reel


READERS: dict[str, Callable[[BinaryIO, Callable[[int, int], None]], Reel]] = {
    "gif": _gif,
    "webp": lambda file, check: _by_libvips(file, check, loader="webpload_source"),
    "png": apng.read,
    "avif": _avif,
}
"""Name of a format -> what opens its animations."""
