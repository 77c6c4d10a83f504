"""Find and place resolution and EXIF in the containers of each format, byte for byte.

libvips rewrites EXIF through libexif: maker notes are lost, letters outside ASCII become "?", and 25.4 dpi is
made up where a picture states no resolution. So it encodes pixels, colour profile and XMP only, and the rest
is put here.
"""

import mmap
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from kakudai.image import exif

Dpi: TypeAlias = "tuple[float, float] | None"

INCH = 0.0254
"""Metres."""

SCAN, END, TABLES = 0xDA, 0xD9, 0xDB
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG: pixels begin; the file ends; quantisation tables; frame headers."""

ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers of JPEG that have no length and no content."""

MARKER = re.compile(rb"\xff[^\x00\xff]")

SEQUENCES = frozenset({b"avis", b"hevc", b"hevx"})
"""Brands of AVIF and HEIC files with frames."""

MAX_TRACKS = 16
"""Tracks of such a file that are looked at: of colours, of alpha, and some more."""

MAX_SEGMENTS = 10_000
"""Segments of a JPEG before its pixels; a 100-megabyte profile in its parts has 1,600."""

MAX_TABLES = 2048
"""Bytes of tables and frame headers; four tables of 16 bits and a header of four components have 550."""


def plausible(dpi: Dpi) -> Dpi:
    """Return a resolution that every format can hold, or None for what only a damaged file would state."""
    return dpi if dpi and all(0.01 <= value <= 100_000 for value in dpi) else None


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, start and end (header and checksum included) of the chunks before the pixels."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        name = data[position + 4 : position + 8]
        if name == b"IDAT" or position + 12 + length > len(data):
            return
        yield name, position, position + 12 + length
        position += 12 + length


def png_statements(data: bytes) -> tuple[Dpi, int, float]:
    """Return what a PNG says outside of its pixels: dpi or None, frames (1 for a still), gamma exponent or
    0.0.

    Gamma is 0.0 where the file gives none, or gives a rendering that overrules it (sRGB, iCCP).
    """
    dpi: Dpi = None
    frames, gamma, overruled = 1, 0.0, False
    for name, start, end in png_chunks(data):
        body = data[start + 8 : end - 4]
        if name == b"pHYs" and len(body) == 9:
            across, down, unit = struct.unpack(">IIB", body)
            dpi = (across * INCH, down * INCH) if unit == 1 and across and down else None
        elif name == b"acTL" and len(body) == 8:
            frames = max(1, int.from_bytes(body[:4], "big"))
        elif name == b"gAMA" and len(body) == 4:
            gamma = int.from_bytes(body, "big") / 100_000
        elif name in (b"sRGB", b"iCCP"):
            overruled = True
    return dpi, frames, 0.0 if overruled else gamma


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(data: bytes, dpi: Dpi, block: bytes | None, xmp: bytes | None) -> list[bytes | memoryview]:
    """Return the pieces of a PNG that has this resolution, EXIF block and XMP packet.

    The packet is not compressed (libvips would), as the XMP specification wants it: programs search files for
    it.
    """
    kept = [(name, data[start:end]) for name, start, end in png_chunks(data)]
    rest = 8 + sum(len(raw) for _, raw in kept)
    head = [raw for name, raw in kept if name not in (b"pHYs", b"eXIf")]
    if dpi:
        head.append(_png_chunk(b"pHYs", struct.pack(">IIB", *(min(round(v / INCH), 2**31 - 1) for v in dpi), 1)))
    if block:
        head.append(_png_chunk(b"eXIf", block))
    if xmp:
        head.append(_png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    return [data[:8], *head, memoryview(data)[rest:]]


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of the whole segments before the pixels; `data` is bytes, or a mapped file.

    What else stands between them, filling bytes for one, is passed over, as decoders do.

    Source: ITU-T T.81, annex B.
    """
    position = 2
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(data, position)
        if found is None:
            return
        start = found.start()
        marker, position = data[start + 1], start + 2
        if marker in ALONE:
            continue
        if marker in (SCAN, END) or start + 4 > len(data):
            return
        position += struct.unpack_from(">H", data, start + 2)[0]
        if position < start + 4 or position > len(data):
            return
        yield marker, start, position


def jpeg_tables(data: bytes) -> bytes | None:
    """Return a JPEG's quantisation tables and its frame header, behind a start marker: how it was compressed.

    None where they are not whole. What stands before them, and pixels, are left out.
    """
    if data[:3] != b"\xff\xd8\xff":
        return None
    kept, size = [], 2
    for marker, start, end in jpeg_segments(data):
        if marker == TABLES or marker in FRAMES:
            size += end - start
            if size > MAX_TABLES:
                break
            kept.append(data[start:end])
    return b"\xff\xd8" + b"".join(kept) if kept else None


def jpeg_dpi(data: bytes) -> Dpi:
    """Return the resolution in a JPEG's JFIF segment, or None."""
    for marker, start, end in jpeg_segments(data):
        body = data[start + 4 : start + 18]
        if marker == 0xE0 and body[:5] == b"JFIF\0" and len(body) >= 12 and end - start >= 16:
            unit, across, down = struct.unpack_from(">BHH", body, 7)
            factor = {1: 1.0, 2: 2.54}.get(unit, 0.0)
            return (across * factor, down * factor) if factor and across and down else None
    return None


def jpeg_with(data: bytes, dpi: Dpi, block: bytes | None) -> list[bytes | memoryview]:
    """Return the pieces of a JPEG with this resolution and EXIF block, which must fit one segment."""
    kept, rest = b"", 2
    for marker, start, end in jpeg_segments(data):
        if not 0xE0 <= marker <= 0xEF:
            break
        rest = end
        if data[start + 4 : start + 9] != b"JFIF\0":
            kept += data[start:end]
    density = (1, *(min(max(round(value), 1), 65_535) for value in dpi)) if dpi else (0, 1, 1)
    head = b"\xff\xd8\xff\xe0" + struct.pack(">H5sHBHHBB", 16, b"JFIF\0", 0x0101, *density, 0, 0)
    if block:
        head += b"\xff\xe1" + struct.pack(">H", 2 + len(exif.PREFIX) + len(block)) + exif.PREFIX + block
    return [head, kept, memoryview(data)[rest:]]


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and bytes, header included, of the parts of a WebP file."""
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + length % 2
        yield name, memoryview(data)[position:end]
        position = end


def webp_chunk(name: bytes, *body: bytes) -> bytes:
    """Return a part of a WebP file."""
    size = sum(map(len, body))
    return b"".join((name, struct.pack("<I", size), *body, b"\0" * (size % 2)))


def webp_with(data: bytes, size: tuple[int, int], block: bytes | None) -> list[bytes | memoryview]:
    """Return the pieces of a WebP file that has this EXIF block. `size` is width and height in pixels."""
    if not block:
        return [data]
    chunks = list(webp_chunks(data))
    flags = 0x08  # EXIF
    if chunks[0][0] == b"VP8X":
        flags |= chunks.pop(0)[1][8]
    elif chunks[0][0] == b"VP8L" and chunks[0][1][12] & 0x10:
        flags |= 0x10  # alpha
    canvas = b"".join((value - 1).to_bytes(3, "little") for value in size)
    pixels = [raw for name, raw in chunks if name not in (b"XMP ", b"EXIF")]
    after = [raw for name, raw in chunks if name == b"XMP "]
    own = webp_chunk(b"EXIF", block)
    header = b"VP8X" + struct.pack("<IB3x", 10, flags) + canvas
    pieces: list[bytes | memoryview] = [header, *pixels, own, *after]
    return [b"RIFF" + struct.pack("<I", 4 + sum(len(piece) for piece in pieces)) + b"WEBP", *pieces]


def tiff_with(data: bytes, dpi: Dpi, block: bytes | None) -> list[bytes | memoryview]:
    """Return the pieces of a classic little-endian TIFF with this resolution and these EXIF entries."""
    return [exif.with_entries(data, *_tiff_entries(len(data), dpi, block))]


def add_to_tiff(path: Path, dpi: Dpi, block: bytes | None) -> tuple[str, ...]:
    """Give a TIFF of any size, as libvips writes it, this resolution and these EXIF entries; say what is lost."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not exif.byte_order(data):
            return ("a TIFF over 4 GB is written without EXIF",) if block else ()
        offset, tail = exif.tail_with(data, *_tiff_entries(len(data), dpi, block))
        file.seek(0, os.SEEK_END)
        file.write(tail)
        file.seek(4)
        file.write(struct.pack("<I", offset))
    return ()


def _tiff_entries(size: int, dpi: Dpi, block: bytes | None) -> tuple[tuple[bytes, dict[int, bytes]], tuple[int, ...]]:
    """Return what is appended to a TIFF of so many bytes, and which entries it loses."""
    values, listed = exif.pack(exif.describing(block), size) if block else (b"", {})
    if not dpi:
        return (values, listed), (exif.X_RESOLUTION, exif.Y_RESOLUTION, exif.RESOLUTION_UNIT)
    more, resolution = exif.resolution_entries("<", size + len(values), dpi)
    return (values + more, listed | resolution), ()


def heif_frames(data: bytes) -> int:
    """Return the largest number of samples that a track of an AVIF or HEIC sequence states; 1 of a still picture.

    Args:
        data: The whole file, or a mapping of it.

    Source: ISO/IEC 14496-12, box `stsz`.
    """
    count, position = 1, 0
    if SEQUENCES.isdisjoint(data[at : at + 4] for at in range(8, 64, 4)):
        return count
    for _ in range(MAX_TRACKS):
        position = data.find(b"stsz", position) + 4
        if position < 4 or position + 12 > len(data):
            break
        count = max(count, struct.unpack_from(">I", data, position + 8)[0])
    return count


def avif_with(data: bytes, block: bytes | None) -> list[bytes | memoryview]:
    """Return the pieces of an AVIF file whose EXIF item, already there, is redirected to this block at the
    end.

    Source: ISO/IEC 14496-12, boxes `iinf` and `iloc`; 23008-12 annex A: four bytes of offset stand before the
        block.
    """
    if not block:
        return [data]
    extent = _avif_exif_extent(data)
    if extent is None:
        return [data]
    body = b"\0\0\0\0" + block
    patched = bytearray(data)
    position, base = extent
    struct.pack_into(">II", patched, position, len(data) + 8 - base, len(body))
    return [bytes(patched), struct.pack(">I4s", 8 + len(body), b"mdat"), body]


def _avif_exif_extent(data: bytes) -> tuple[int, int] | None:
    """Return where `iloc` holds offset and length of the EXIF item, and what is added to that offset."""
    item = re.search(rb"infe\x02\0\0[\0\x01](..)\0\0Exif", data[:65_536], re.DOTALL)
    at = data.find(b"iloc", 0, 65_536)
    if item is None or at < 0:
        return None
    version, sizes = data[at + 4], struct.unpack_from(">H", data, at + 8)[0]
    if version > 1 or sizes & 0xFF00 != 0x4400:
        return None
    base, method = (sizes >> 4 & 15), 2 * (version == 1)
    position = at + 12
    for _ in range(struct.unpack_from(">H", data, at + 10)[0]):
        extents_at = position + 2 + method + 2 + base
        (extents,) = struct.unpack_from(">H", data, extents_at)
        if data[position : position + 2] == item[1]:
            added = int.from_bytes(data[extents_at - base : extents_at], "big")
            return (extents_at + 2, added) if extents == 1 else None
        position = extents_at + 2 + 8 * extents
    return None
