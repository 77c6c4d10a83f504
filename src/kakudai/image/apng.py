"""Animated PNG: taken apart into still ones, which libvips decodes in their full depth, and put together again.

Source: PNG specification, third edition, chapters 4.10 and 11.3.6.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from kakudai.image import vips
from kakudai.image.formats import FORMATS
from kakudai.image.picture import Pixels, full_scale
from kakudai.image.reel import Reel

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEEP, CLEAR, RESTORE = range(3)
"""What happens to a frame's area after it was shown: nothing, it becomes transparent, it becomes what it was before."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one frame changes.

    Args:
        box: (top, left, height, width) of the changed area.
        seconds: How long it is shown.
        dispose: `KEEP`, `CLEAR` or `RESTORE`.
        over: It is laid over what is there, instead of replacing it.
        data: Its compressed pixels.
    """

    box: tuple[int, int, int, int]
    seconds: Fraction
    dispose: int
    over: bool
    data: list[memoryview]


def chunk(name: bytes, *body: bytes | memoryview) -> bytes:
    """Return a chunk with its length and checksum."""
    checksum = zlib.crc32(name)
    for piece in body:
        checksum = zlib.crc32(piece, checksum)
    return b"".join((struct.pack(">I4s", sum(map(len, body)), name), *body, struct.pack(">I", checksum)))


def chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and body of all chunks up to the end of the picture.

    Raises:
        Broken: The file ends early, or a checksum is wrong.
    """
    position = 8
    while True:
        if position + 12 > len(data):
            raise vips.Broken("it ends too early")
        length, name = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        if position + 12 + length > len(data):
            raise vips.Broken("it ends too early")
        if zlib.crc32(body, zlib.crc32(name)) != struct.unpack_from(">I", data, position + 8 + length)[0]:
            raise vips.Broken(f"a checksum is wrong in {name.decode('latin-1')}")
        if name == b"IEND":
            return
        yield name, body
        position += 12 + length


def fraction(seconds: Fraction) -> tuple[int, int]:
    """Return the numerator and denominator nearest to a time, both of 16 bits; at most 65,535 seconds."""
    most = 65_535
    seconds = min(seconds, Fraction(most))
    near = seconds.limit_denominator(int(most / max(seconds, Fraction(1))))
    return near.numerator, near.denominator


def read(file: BinaryIO, check: Callable[[int, int], None]) -> Reel:
    """Open an animated PNG.

    Raises:
        Broken: It is damaged.
    """
    header, head, parts, plays, notes = b"", b"", list[Part](), 0, []
    hidden = False
    for name, body in chunks(memoryview(file.read())):
        if name == b"IHDR":
            header = bytes(body)
        elif name in (b"PLTE", b"tRNS"):
            head += chunk(name, body)
        elif name == b"acTL" and len(body) == 8:
            (plays,) = struct.unpack_from(">I", body, 4)
        elif name == b"fcTL":
            parts.append(_part(body))
        elif name == b"IDAT":
            if parts:
                parts[-1].data.append(body)
            hidden = hidden or not parts
        elif name == b"fdAT" and parts:
            parts[-1].data.append(body[4:])
    if len(header) != 13:
        raise vips.Broken("it has no header")
    width, height = struct.unpack_from(">II", header)
    check(width, height)
    if any(_is_outside(part, width, height) for part in parts):
        raise vips.Broken("a frame lies outside of the picture")
    if hidden:
        notes.append("the picture that is shown where animations are not was dropped")
    fields = vips.header_fields(file, FORMATS["png"], tuple(notes))
    return Reel(width, height, len(parts), plays, fields, _frames(parts, header, head))


def _part(body: memoryview) -> Part:
    if len(body) != 26:
        raise vips.Broken("the header of a frame is damaged")
    width, height, left, top, count, per_second, dispose, blend = struct.unpack_from(">IIIIHHBB", body, 4)
    if dispose > RESTORE or blend > 1:
        raise vips.Broken("the header of a frame is damaged")
    return Part((top, left, height, width), Fraction(count, per_second or 100), dispose, bool(blend), [])


def _is_outside(part: Part, width: int, height: int) -> bool:
    top, left, rows, columns = part.box
    return not rows or not columns or top + rows > height or left + columns > width


def _frames(parts: list[Part], header: bytes, head: bytes) -> Iterator[tuple[Pixels, Fraction]]:
    """Decode the parts and lay them on the canvas, which is transparent at first."""
    width, height = struct.unpack_from(">II", header)
    holes = any(part.dispose == CLEAR for part in parts)
    holes = holes or parts[0].dispose != KEEP or parts[0].box != (0, 0, height, width)
    canvas: Pixels | None = None
    for number, part in enumerate(parts):
        top, left, rows, columns = part.box
        still = SIGNATURE + chunk(b"IHDR", struct.pack(">II", columns, rows), header[8:]) + head
        still += chunk(b"IDAT", *part.data) + chunk(b"IEND")
        pixels, _ = vips.decode(io.BytesIO(still), FORMATS["png"], lambda *_: None)
        if holes and pixels.shape[2] in (1, 3):
            full = np.full((rows, columns, 1), full_scale(pixels.dtype), pixels.dtype)
            pixels = np.concatenate([pixels, full], axis=2)
        if canvas is None:
            canvas = np.zeros((height, width, pixels.shape[2]), pixels.dtype)
        area = canvas[top : top + rows, left : left + columns]
        before = area.copy() if part.dispose == RESTORE and number else np.zeros_like(area)
        area[:] = laid_over(pixels, area) if part.over and pixels.shape[2] in (2, 4) else pixels
        yield canvas.copy(), part.seconds
        if part.dispose != KEEP:
            area[:] = before


def laid_over(above: Pixels, below: Pixels) -> Pixels:
    """Lay straight colours with alpha over others. Shape: two of (H, W, 2 | 4) integers -> the same."""
    whole = full_scale(above.dtype)
    share = above[..., -1:] / whole
    rest = below[..., -1:] / whole * (1 - share)
    alpha = share + rest
    color = (above[..., :-1] * share + below[..., :-1] * rest) / np.where(alpha > 0, alpha, 1)
    mixed = np.concatenate([color, alpha * whole], axis=2)
    return np.floor(mixed + 0.5).astype(above.dtype)
