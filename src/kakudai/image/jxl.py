"""Decode JPEG XL by imagecodecs, of the extra "formats": exact for 8 and 16 bits and floating point.

imagecodecs tells neither the size before it decodes nor the colours, so the beginning of the header is read here. It
cannot write a colour profile either, so kakudai does not write JPEG XL.

Source: ISO/IEC 18181-1, annex D (image header), and 18181-2 (boxes).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from kakudai.image.heic import Check, needed, said
from kakudai.image.picture import Pixels, full_scale
from kakudai.image.vips import Broken, Fields

SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
"""Width to height where the header states the height alone."""
D65, SRGB_PRIMARIES, SRGB_CURVE = 1, 1, 13
BYTES = 40.0
"""What the decoder keeps of each pixel: planes in floating point, several times."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is read of a header.

    Args:
        width: In pixels, before it is turned.
        height: Likewise.
        srgb: Its colours are sRGB.
        premultiplied: Its colours are multiplied by its alpha.
        bits: Of a sample.
        turn: The orientation that it is shown in, 1 to 8, as in EXIF.
    """

    width: int
    height: int
    srgb: bool
    premultiplied: bool
    bits: int = 8
    turn: int = 1


class Bits:
    """Reads bits from the lowest of each byte to the highest."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        """Return the next bits as a number."""
        if count > self._left:
            raise Broken("it ends too early")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def choice(self, *ways: tuple[int, int]) -> int:
        """Return a number that is stored in one of four ways: (bits that follow, what is added to them)."""
        bits, added = ways[self.take(2)]
        return self.take(bits) + added


def decode(file: BinaryIO, check: Check) -> tuple[Pixels, Fields]:
    """Return pixels and metadata of the first frame, turned as it asks for, see `vips.decode`.

    Shape: (H, W, 1 to 4) uint8, uint16 or float32.

    Raises:
        Broken: It is damaged.
        PictureUnreadable: The package is missing.
    """
    needed("jxl")
    data = file.read()
    found: dict[bytes, bytes] = {}
    for name, body in boxes(data):
        found.setdefault(name, body)
    header = read_header(found.get(b"jxlc", found.get(b"jxlp", b"")[4:]))
    check(header.width, header.height, BYTES * header.width * header.height)
    if header.premultiplied:
        raise Broken("its colours are multiplied by its alpha, which is not supported")
    import imagecodecs

    pixels: Any = said(lambda: imagecodecs.jpegxl_decode(data, index=0))
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[2] > 4 or pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise Broken(f"an array of shape {pixels.shape} and type {pixels.dtype} is not supported")
    pixels = _in_full_range(pixels, header.bits)
    notes = () if header.srgb else ("the colour profile of JPEG XL is not read: its values were taken as sRGB",)
    block = found.get(b"Exif", b"")[4:] or None
    return pixels, Fields(None, block, found.get(b"xml "), None, 1, notes)


def _in_full_range(pixels: Pixels, bits: int) -> Pixels:
    """Scale whole numbers: imagecodecs gives those of 10 bits as 0 to 1023."""
    whole, full = (1 << bits) - 1, full_scale(pixels.dtype)
    if pixels.dtype.kind == "f" or whole >= full:
        return pixels
    return ((pixels.astype(np.uint32) * np.uint32(full) + whole // 2) // whole).astype(pixels.dtype)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the boxes; a bare codestream is one of them.

    Raises:
        Broken: A box reaches beyond the file.
    """
    if not data.startswith(SIGNATURE):
        yield b"jxlc", data
        return
    position = 0
    while position + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if size == 1 and start + 8 <= len(data):
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = position + size if size else len(data)
        if end < start or end > len(data):
            raise Broken("it ends too early")
        yield name, data[start:end]
        position = end


def read_header(codestream: bytes) -> Header:
    """Read a header as far as the colours.

    Raises:
        Broken: It is none.
    """
    if codestream[:2] != b"\xff\x0a":
        raise Broken("it has no header")
    bits = Bits(codestream[2:4096])
    width, height = _size(bits)
    if bits.take(1):  # everything is as usual
        return Header(width, height, srgb=True, premultiplied=False)
    turn = 1
    if bits.take(1):
        turn += bits.take(3)
        if bits.take(1):
            _size(bits)
        if bits.take(1):
            raise Broken("previews are not supported")
        if bits.take(1):
            bits.choice((0, 100), (0, 1000), (10, 1), (30, 1))
            bits.choice((0, 1), (0, 1001), (8, 1), (10, 1))
            bits.choice((0, 0), (3, 0), (16, 0), (32, 0))
            bits.take(1)
    depth = _depth(bits)
    bits.take(1)
    channels = bits.choice((0, 0), (0, 1), (4, 2), (12, 1))
    premultiplied = sum(_is_premultiplied(bits) for _ in range(channels)) > 0
    bits.take(1)
    return Header(width, height, _is_srgb(bits), premultiplied, depth, turn)


def _is_srgb(bits: Bits) -> bool:
    """Say whether colours are sRGB, or grey with its curve."""
    if bits.take(1):
        return True
    if bits.take(1):  # an ICC profile
        return False

    def word() -> int:
        return bits.choice((0, 0), (0, 1), (4, 2), (6, 18))

    space = word()
    if space > 1 or word() != D65 or (space == 0 and word() != SRGB_PRIMARIES):
        return False
    return not bits.take(1) and word() == SRGB_CURVE


def _size(bits: Bits) -> tuple[int, int]:
    """Return width and height."""
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.choice((9, 1), (13, 1), (18, 1), (30, 1))

    height = side()
    ratio = bits.take(3)
    return (height * RATIOS[ratio][0] // RATIOS[ratio][1] if ratio else side()), height


def _depth(bits: Bits) -> int:
    """Return the bits of a sample."""
    if bits.take(1):
        depth = bits.choice((0, 32), (0, 16), (0, 24), (6, 1))
        bits.take(4)  # of the exponent
        return depth
    return bits.choice((0, 8), (0, 10), (0, 12), (6, 1))


def _is_premultiplied(bits: Bits) -> bool:
    """Pass over an extra channel; say whether it is an alpha that colours are multiplied by."""
    if bits.take(1):
        return False
    kind = bits.choice((0, 0), (0, 1), (4, 2), (6, 18))
    _depth(bits)
    bits.choice((0, 0), (0, 3), (0, 4), (3, 1))
    bits.take(8 * bits.choice((0, 0), (4, 0), (5, 16), (10, 48)))
    if kind > 1:
        raise Broken("channels that are neither colour nor alpha are not supported")
    return kind == 0 and bool(bits.take(1))
