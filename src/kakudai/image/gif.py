"""Write GIF: what changes from frame to frame, in at most 255 colours.

Source: Graphics Interchange Format, version 89a; the loop is Netscape's extension.
"""

import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

import numpy as np
from numpy.typing import NDArray

from kakudai.image.changes import EMPTY, Box, box_of, union
from kakudai.image.palette import VISIBLE, Colors, Painter, Points, error, few
from kakudai.image.picture import Pixels
from kakudai.image.vips import Broken

IMAGE, EXTENSION = 0x2C, 0x21
"""First bytes of blocks."""
SAMPLES = 8
"""Frames by which it is decided whether each gets its own palette."""
GAIN = 2.0
"""A palette per frame must lower the squared error this many times: what does not move stays steadier with one."""
IN_MEMORY = 32 << 20
"""Bytes of enlarged frames, compressed, that are kept in memory until the palette is chosen; more go to the disk."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shot:
    """One whole frame.

    Shape: color (H, W, 3) uint8; visible (H, W).

    Args:
        hundredths: How long it is shown, in 1/100 seconds.
    """

    color: Pixels
    visible: Mask
    hundredths: int


@dataclass(frozen=True, slots=True)
class Patch:
    """What is drawn of a frame.

    Args:
        box: Where.
        hundredths: How long it is shown.
        clears: Its box becomes transparent afterwards.
        at: Where its pixels lie in the spool, and how many bytes they are.
    """

    box: Box
    hundredths: int
    clears: bool = False
    at: tuple[int, int] = (0, 0)


class Spool:
    """Patches that wait, compressed, until all colours are known; and what is known of the colours.

    Args:
        count: How many frames there will be.
    """

    def __init__(self, file: IO[bytes], count: int) -> None:
        self.colors, self.samples = Colors(), list[tuple[Points, Points]]()
        self.patches: list[Patch] = []
        self._file, self._sampled = file, set(np.linspace(0, count - 1, SAMPLES).astype(int).tolist())

    def add(self, patch: Patch, shot: Shot, drawn: Mask) -> None:
        """Keep the part of a frame that is drawn."""
        top, left, height, width = patch.box
        area = (slice(top, top + height), slice(left, left + width))
        pixels = shot.color[area][drawn[area]]
        self.colors.add(pixels)
        if len(self.patches) in self._sampled and len(pixels):
            sample = Colors()
            sample.add(pixels)
            self.samples.append(sample.means)
        data = zlib.compress(np.packbits(drawn[area]).tobytes() + shot.color[area].tobytes(), 1)
        self.patches.append(replace(patch, at=(self._file.seek(0, io.SEEK_END), len(data))))
        self._file.write(data)

    def take(self, patch: Patch) -> tuple[Pixels, Mask]:
        """Return colours, (height, width, 3), and what is drawn of them, of a patch."""
        self._file.seek(patch.at[0])
        data = zlib.decompress(self._file.read(patch.at[1]))
        _, _, height, width = patch.box
        bits = -(-height * width // 8)
        drawn = np.unpackbits(np.frombuffer(data, np.uint8, bits), count=height * width)
        return np.frombuffer(data, np.uint8, offset=bits).reshape(height, width, 3), drawn.reshape(height, width) > 0


def write(shots: Iterator[Shot], count: int, plays: int, dither: bool | None, notes: list[str]) -> Iterator[bytes]:
    """Yield the bytes of a GIF.

    Args:
        shots: Its frames, all of one size.
        count: How many they are.
        plays: How often it is shown; 0 is for ever.
        dither: Whether colours in between become patterns; None where they would show as bands.
        notes: What could not be kept is added here.

    Convention: A pixel that does not change is not drawn again, so that it keeps its colour whatever the palette.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        spool = Spool(file, count)
        size = _collect(shots, spool)
        shared = spool.colors.palette()
        exact = spool.colors.are_few
        wrong = 0.0 if exact else error(*spool.colors.means, shared)
        apart = wrong > VISIBLE and _is_better_apart(spool, shared)
        if not exact:
            how = "a palette of 256 colours for each frame" if apart else "one palette of 256 colours"
            everywhere = " for all frames" if count > 1 and not apart else ""
            notes.append(f"GIF is written with {how}{everywhere}; WebP keeps all colours")
        dithers = dither if dither is not None else wrong > VISIBLE
        painter = Painter(shared, dither=dithers)
        yield _header(size, shared, plays if count > 1 else 1)
        for patch in spool.patches:
            color, drawn = spool.take(patch)
            if apart and drawn.any():
                painter = Painter(_own(color[drawn]), dither=dithers)
            yield from _frame(patch, painter, color, drawn, local=apart)
        yield b";"


def _is_better_apart(spool: Spool, shared: Pixels) -> bool:
    """Say whether some frames would come out much better with palettes of their own."""
    together = sum(error(*sample, shared) for sample in spool.samples)
    apart = sum(error(*sample, few(*sample)) for sample in spool.samples)
    return len(spool.patches) > 1 and together > GAIN * apart


def _own(pixels: Pixels) -> Pixels:
    colors = Colors()
    colors.add(pixels)
    return colors.palette()


def _collect(shots: Iterator[Shot], spool: Spool) -> tuple[int, int]:
    """Find what each frame draws, and put it into the spool; return height and width.

    What becomes transparent cannot be drawn: the frame before has to clear its box, so it waits until the next is seen.
    """
    canvas: Pixels | None = None
    visible = np.zeros((0, 0), bool)
    waiting: tuple[Patch, Shot, Mask] | None = None
    for shot in shots:
        if canvas is None or waiting is None:
            canvas, visible = shot.color, np.zeros_like(shot.visible)
            box: Box = (0, 0, shot.color.shape[0], shot.color.shape[1])
            drawn = shot.visible
        else:
            gone = visible & ~shot.visible
            if gone.any():
                patch, last, before = waiting
                patch = replace(patch, box=union(patch.box, box_of(gone)), clears=True)
                waiting = patch, last, before
                top, left, height, width = patch.box
                visible[top : top + height, left : left + width] = False
            drawn = shot.visible & (~visible | (shot.color != canvas).any(axis=2))
            box = box_of(drawn) or EMPTY
        if waiting:
            spool.add(*waiting)
        waiting = Patch(box, shot.hundredths), shot, drawn
        canvas, visible = shot.color, shot.visible.copy()
    assert waiting is not None
    assert canvas is not None
    spool.add(*waiting)
    return canvas.shape[0], canvas.shape[1]


def _header(size: tuple[int, int], colors: Pixels, plays: int) -> bytes:
    loop = (
        b"" if plays == 1 else b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", max(0, min(plays, 65_536) - 1), 0)
    )
    return b"GIF89a" + struct.pack("<HHBBB", size[1], size[0], 0xF7, 0, 0) + _table(colors) + loop


def _table(colors: Pixels) -> bytes:
    return colors.tobytes().ljust(768, b"\0")


def _frame(patch: Patch, painter: Painter, color: Pixels, drawn: Mask, *, local: bool) -> Iterator[bytes]:
    numbers = painter.paint(color, drawn) if drawn.any() else np.zeros(drawn.shape, np.uint8)
    holes = not drawn.all()
    numbers = np.where(drawn, numbers, np.uint8(255)) if holes else numbers
    # A frame without a transparent colour would be cleared to the background colour by some programs.
    flags = (2 if patch.clears else 1) << 2 | (holes or patch.clears)
    yield b"!\xf9\x04" + struct.pack("<BHBB", flags, min(patch.hundredths, 65_535), 255, 0)
    top, left, height, width = patch.box
    yield b"," + struct.pack("<HHHHB", left, top, width, height, 0x87 if local else 0)
    if local:
        yield _table(painter.colors)
    yield _compressed(numbers)


def _compressed(numbers: NDArray[np.uint8]) -> bytes:
    """Compress numbers of colours as GIF does: by Pillow, out of whose file they are taken."""
    from PIL import Image

    image = Image.fromarray(numbers, "P")
    image.putpalette(bytes(range(256)) * 3)
    stream = io.BytesIO()
    image.save(stream, "GIF", optimize=False, interlace=0)
    data = stream.getvalue()
    (start,) = (start for start, kind in blocks(data) if kind == IMAGE)
    return data[start + 10 + _table_size(data[start + 9]) : -1]


def count_frames(data: bytes) -> int:
    """Count the frames of a GIF, as far as they have begun.

    Raises:
        Broken: It has several, and ends in the middle of something; a missing end mark does no harm.
    """
    count = 0
    try:
        for _, kind in blocks(data):
            count += kind == IMAGE
    except Broken:
        if count > 1:
            raise
    return count


def blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each image and extension begins, and which of them it is; then look for its end.

    Raises:
        Broken: The file ends too early.
    """
    try:
        position = 13 + _table_size(data[10])
        while position < len(data) and data[position] in (IMAGE, EXTENSION):
            kind = data[position]
            yield position, kind
            position += 11 + _table_size(data[position + 9]) if kind == IMAGE else 2
            while data[position]:
                position += 1 + data[position]
            position += 1
    except IndexError:
        raise Broken("it ends too early") from None


def _table_size(flags: int) -> int:
    """Return the bytes of the colour table that follows these flags."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
