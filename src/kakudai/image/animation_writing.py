"""Write animations frame by frame; what does not change from one to the next is written once.

The frames of APNG and WebP are still pictures by libvips, put into the containers of animations here. That keeps 16
bits in APNG, and no frame in memory but the one that is written.
"""

import io
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np

from kakudai.errors import OutputError
from kakudai.image import apng, containers, encoding, exif, gif
from kakudai.image.animation import Frame
from kakudai.image.changes import changed_part
from kakudai.image.formats import Format
from kakudai.image.picture import Metadata, Picture

SHORTEST = Fraction(1, 100)
"""Seconds; browsers show frames of this time or less for ten times as long."""
IN_MEMORY = 32 << 20
"""Bytes of encoded frames that are kept in memory where the container's head states their sum; more go to the disk."""


@dataclass(frozen=True, slots=True)
class Show:
    """What is to be written.

    Args:
        count: Frames there will be.
        plays: How often they are shown; 0 is for ever.
        quality: 1 to 100, or None for the format's own.
        depth: 8 or 16 bits per channel, or None for the frames' own.
        strip: Leave out EXIF, XMP and resolution.
        dither: For GIF: colours in between become patterns; None where they would show as bands.
    """

    count: int
    plays: int
    quality: int | None = None
    depth: int | None = None
    strip: bool = False
    dither: bool | None = None


def animation_pieces(frames: Iterator[Frame], entry: Format, show: Show, notes: list[str]) -> Iterator[bytes]:
    """Yield the bytes of an animated file; frames are taken when they are needed.

    Args:
        frames: All of one size, depth and number of channels.
        entry: One of `ANIMATED`.
        show: What is to be written.
        notes: What the format cannot hold is added here.

    Raises:
        OutputError: An encoder gave up.
    """
    first = next(frames)
    holds = replace(entry, depths=(8,)) if entry.name == "avif" else entry
    metadata = first.picture.metadata
    if show.strip:
        metadata = replace(metadata, exif=None, xmp=None, resolution=None)
    plan = encoding.make_plan(first.picture, holds, show.quality, show.depth)
    notes.extend(note.replace("AVIF cannot hold", "AVIF animations cannot hold") for note in plan.notes)
    head = Head(entry, plan, show, metadata, notes)
    yield from ANIMATED[entry.name](chain([first], frames), head)


@dataclass(frozen=True, slots=True)
class Head:
    """What all writers need."""

    entry: Format
    plan: encoding.Plan
    show: Show
    metadata: Metadata
    notes: list[str]

    def still(self, picture: Picture, metadata: Metadata) -> bytes:
        """Encode a picture with this metadata."""
        pieces, notes = encoding.encode(replace(picture, metadata=metadata), self.entry, self.plan)
        self.notes.extend(note for note in notes if note not in self.notes)
        return b"".join(pieces)

    @property
    def colors_only(self) -> Metadata:
        """The metadata without which a part of a frame would get other colours."""
        return Metadata(icc=self.metadata.icc)


def timed(frames: Iterator[Frame], per_second: int, head: Head) -> Iterator[tuple[Picture, int]]:
    """Count times in a format's units; what is rounded off one is given to the next, so that the sum is right."""
    owed, least = Fraction(0), per_second // 100 + 1
    note = f"{head.entry.title} frames of less than {least}/{per_second} s are shown for 1/10 s: some became longer"
    for frame in frames:
        exact = frame.seconds * per_second + owed
        units = max(0, round(exact))
        if frame.seconds > SHORTEST and units < least:
            units = least
            if note not in head.notes:
                head.notes.append(note)
        owed = max(exact - units, Fraction(-1, 2))
        yield frame.picture, units


def _png(frames: Iterator[Frame], head: Head) -> Iterator[bytes]:
    before: Picture | None = None
    number = 0
    for frame in frames:
        (top, left, height, width), part = changed_part(before, frame.picture)
        data = memoryview(head.still(part, head.metadata if before is None else head.colors_only))
        if before is None:
            yield apng.SIGNATURE
            for name, body in apng.chunks(data):
                if name == b"IDAT":
                    break
                yield apng.chunk(name, body)
                if name == b"IHDR":
                    yield apng.chunk(b"acTL", struct.pack(">II", head.show.count, head.show.plays))
        control = struct.pack(
            ">IIIIIHHBB", number, width, height, left, top, *apng.fraction(frame.seconds), apng.KEEP, 0
        )
        yield apng.chunk(b"fcTL", control)
        number += 1
        for name, body in apng.chunks(data):
            if name == b"IDAT":
                yield (
                    apng.chunk(b"IDAT", body)
                    if before is None
                    else apng.chunk(b"fdAT", struct.pack(">I", number), body)
                )
                number += before is not None
        before = frame.picture
    yield apng.chunk(b"IEND")


def _webp(frames: Iterator[Frame], head: Head) -> Iterator[bytes]:
    before: Picture | None = None
    metadata, icc = head.metadata, head.metadata.icc
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
        for picture, milliseconds in timed(frames, 1000, head):
            (top, left, height, width), part = changed_part(before, picture, even=True)
            places = (left // 2, top // 2, width - 1, height - 1, min(milliseconds, 0xFFFFFF))
            control = b"".join(value.to_bytes(3, "little") for value in places) + b"\x02"  # replaces, and stays
            chunks = containers.webp_chunks(head.still(part, head.colors_only))
            pixels = [bytes(raw) for name, raw in chunks if name in (b"ALPH", b"VP8 ", b"VP8L")]
            spool.write(containers.webp_chunk(b"ANMF", control, *pixels))
            before = picture
        assert before is not None
        if icc and icc[16:20] == b"GRAY":  # applied by the encoder, and the picture is RGB
            icc = None
        dpi = containers.plausible(metadata.resolution)
        block = exif.fitted(metadata.exif, before.width, before.height, dpi, add=True)
        flags = 2 | 0x20 * bool(icc) | 0x10 * (before.alpha is not None) | 8 * bool(block) | 4 * bool(metadata.xmp)
        canvas = b"".join((value - 1).to_bytes(3, "little") for value in (before.width, before.height))
        start = containers.webp_chunk(b"VP8X", struct.pack("<B3x", flags), canvas)
        start += containers.webp_chunk(b"ICCP", icc) if icc else b""
        start += containers.webp_chunk(b"ANIM", struct.pack("<IH", 0, min(head.show.plays, 65_535)))
        end = containers.webp_chunk(b"EXIF", block) if block else b""
        end += containers.webp_chunk(b"XMP ", metadata.xmp) if metadata.xmp else b""
        size = 4 + len(start) + spool.tell() + len(end)
        if size > 0xFFFFFFFE:
            raise OutputError(f"a WebP file holds at most 4 GB, this one has {size} bytes", "use --format png")
        yield b"RIFF" + struct.pack("<I", size) + b"WEBP" + start
        spool.seek(0)
        while data := spool.read(1 << 20):
            yield data
        yield end


def _gif(frames: Iterator[Frame], head: Head) -> Iterator[bytes]:
    shots = (
        encoding.shot(replace(picture, metadata=head.metadata), head.notes, hundredths)
        for picture, hundredths in timed(frames, 100, head)
    )
    yield from gif.write(shots, head.show.count, head.show.plays, head.show.dither, head.notes)


def _avif(frames: Iterator[Frame], head: Head) -> Iterator[bytes]:
    """Write an AVIF sequence by Pillow, which asks for the frames one after the other."""
    from PIL import Image

    pictures = timed(frames, 1000, head)
    durations: list[int] = []
    picture, milliseconds = next(pictures)

    def pixels(picture: Picture) -> Any:
        whole = encoding.in_8_bits(replace(picture, metadata=head.metadata), head.entry)
        return Image.fromarray(np.ascontiguousarray(whole))

    class Lazy(Image.Image):
        """An image of many frames that exist only while they are encoded."""

        is_animated = True
        at = 0

        def seek(self, frame: int) -> None:
            if frame >= head.show.count:
                raise EOFError
            if frame > self.at:
                self.at = frame
                following, shown = next(pictures)
                durations.append(shown)
                self.im = pixels(following).im

        def tell(self) -> int:
            return 0

    first = pixels(picture)
    lazy = Lazy()
    lazy.im, lazy._mode, lazy._size = first.im, first.mode, first.size
    durations.append(milliseconds)
    metadata, stream = head.metadata, io.BytesIO()
    dpi = containers.plausible(metadata.resolution)
    block = exif.fitted(metadata.exif, picture.width, picture.height, dpi, add=True)
    given = {"icc_profile": metadata.icc, "exif": block and exif.PREFIX + block, "xmp": metadata.xmp}
    if metadata.icc and metadata.icc[16:20] == b"GRAY":
        given["icc_profile"] = None
    lazy.save(
        stream, "AVIF", save_all=True, duration=durations, quality=head.plan.quality, subsampling="4:4:4", speed=8,
        **{name: value for name, value in given.items() if value},
    )  # fmt: skip
    if head.show.plays:
        head.notes.append(f"AVIF animations are written to play for ever, not {head.show.plays} times")
    yield stream.getvalue()


ANIMATED: dict[str, Callable[[Iterator[Frame], Head], Iterator[bytes]]] = {
    "gif": _gif, "png": _png, "webp": _webp, "avif": _avif,
}  # fmt: skip
"""Name of a format that holds animations -> what writes them."""
