"""Read and correct EXIF blocks, byte for byte except for what the enlargement made untrue.

An EXIF block is a small TIFF file without pixels: directories (IFDs) of 12-byte entries that point at values
by their offset from the block's start. Maker notes hold such offsets in secret places, so a block is never
laid out anew: orientation, size and resolution are overwritten where they stand, and missing entries go into
a copy of the first directory at the end. Only the way into and out of TIFF files, where the offsets have
another origin, packs the directories afresh.

Source: EXIF 2.32 (CIPA DC-008), TIFF 6.0. Blocks come from strangers: every read is bounded, a broken block
is dropped.
"""

import mmap
import struct
from dataclasses import dataclass
from typing import TypeAlias

MAKE, EXPOSURE_TIME, F_NUMBER, TAKEN = 0x010F, 0x829A, 0x829D, 0x9003
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
WIDTH, HEIGHT, PIXEL_WIDTH, PIXEL_HEIGHT = 0x0100, 0x0101, 0xA002, 0xA003
EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD = 0x8769, 0x8825, 0xA005
THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x0201, 0x0202
ABOUT = (
    *range(0x010D, 0x0111),
    0x0131,
    0x0132,
    0x013B,
    0x013C,
    0x8298,
    *range(0x9C9B, 0x9CA0),
    EXIF_IFD,
    GPS_IFD,
)
"""Entries of a TIFF file's first directory that speak of the picture, not of how the file stores it."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes per value of each TIFF type."""
SHORT, LONG, RATIONAL = 3, 4, 5
WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}
"""Bytes that a change of byte order turns round together; other types have none."""
PREFIX = b"Exif\0\0"
MAX_ENTRIES = 1000
MAX_VALUE = 1 << 20
"""Bytes of one value; a hostile file points a thousand entries at the same megabytes."""

Data: TypeAlias = bytes | bytearray | mmap.mmap
Value: TypeAlias = "tuple[int, int, bytes] | Tree"
Tree: TypeAlias = dict[int, Value]
"""A directory: tag -> (type, count, little-endian bytes) or a directory below it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One directory entry: its 12 bytes stand at `position`, its `size` bytes of value at `start`."""

    tag: int
    type: int
    count: int
    position: int
    start: int
    size: int


def byte_order(data: Data) -> str:
    """Return "<" or ">", the byte order for `struct`, or "" for what is neither EXIF nor a classic TIFF."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]), "") if len(data) >= 8 else ""


def entries(data: Data, offset: int) -> tuple[dict[int, Entry], int]:
    """Return the entries at `offset` that lie wholly inside the data, and the next directory's offset."""
    order = byte_order(data)
    if not order or not 8 <= offset <= len(data) - 2:
        return {}, 0
    (count,) = struct.unpack_from(order + "H", data, offset)
    count = min(count, MAX_ENTRIES, (len(data) - offset - 2) // 12)
    found: dict[int, Entry] = {}
    for position in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, values, start = struct.unpack_from(order + "HHII", data, position)
        size = SIZES.get(kind, 0) * values
        start = start if size > 4 else position + 8
        if 0 < size <= min(MAX_VALUE, len(data) - start):
            found.setdefault(tag, Entry(tag, kind, values, position, start, size))
    end = offset + 2 + 12 * count
    following = struct.unpack_from(order + "I", data, end)[0] if end + 4 <= len(data) else 0
    return found, following


def first_directory(data: Data) -> tuple[dict[int, Entry], int]:
    """Return the entries of the block's first directory, and the offset of the next (the thumbnail's)."""
    order = byte_order(data)
    return entries(data, struct.unpack_from(order + "I", data, 4)[0]) if order else ({}, 0)


def number(data: Data, entry: Entry | None) -> float | None:
    """Return the first value of a SHORT, LONG or RATIONAL entry."""
    order = byte_order(data)
    if entry is None or entry.type not in (SHORT, LONG, RATIONAL):
        return None
    if entry.type == RATIONAL:
        above, below = struct.unpack_from(order + "II", data, entry.start)
        return above / below if below else None
    return float(struct.unpack_from(order + ("H" if entry.type == SHORT else "I"), data, entry.start)[0])


def orientation(data: bytes | None) -> int:
    """Return how the pixels must be turned, 1 to 8; 1 where nothing valid is said."""
    value = number(data, first_directory(data)[0].get(ORIENTATION)) if data else None
    return int(value) if value is not None and 1 <= value <= 8 else 1


def resolution(data: bytes | None) -> tuple[float, float] | None:
    """Return horizontal and vertical pixels per inch, or None where the block states none."""
    if not data:
        return None
    ifd = first_directory(data)[0]
    across, down = number(data, ifd.get(X_RESOLUTION)), number(data, ifd.get(Y_RESOLUTION))
    unit = number(data, ifd.get(RESOLUTION_UNIT))
    if not across or not down or unit == 1:  # unit 1: only a ratio of sides
        return None
    factor = 2.54 if unit == 3 else 1.0
    return across * factor, down * factor


def is_by_camera(data: bytes | None) -> bool:
    """Say whether a camera has written the block: it names its maker, and when or how the picture was taken."""
    if not data:
        return False
    ifd = first_directory(data)[0]
    below = number(data, ifd.get(EXIF_IFD))
    if MAKE not in ifd or below is None:
        return False
    return not {EXPOSURE_TIME, F_NUMBER, TAKEN}.isdisjoint(entries(data, int(below))[0])


def upright(data: bytes) -> bytes | None:
    """Return the block with orientation 1 and without its thumbnail, or None if it is broken."""
    data = data.removeprefix(PREFIX)
    order = byte_order(data)
    ifd, thumbnail = first_directory(data)
    if not order or not ifd:
        return None
    block = bytearray(data)
    if ORIENTATION in ifd:
        _overwrite(block, ifd[ORIENTATION], 1)
    below, _ = entries(data, thumbnail)
    pieces = [number(data, below.get(tag)) for tag in (THUMBNAIL_OFFSET, THUMBNAIL_LENGTH)]
    (offset,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, offset)
    if thumbnail and offset + 6 + 12 * count <= len(block):
        struct.pack_into(order + "I", block, offset + 2 + 12 * count, 0)
    if below and pieces[0] and pieces[1] and pieces[0] + pieces[1] == len(block):
        del block[int(pieces[0]) :]  # nearly always last: cut off what would show the old, small picture
    return bytes(block)


def fitted(data: bytes | None, width: int, height: int, dpi: tuple[float, float] | None, *, add: bool) -> bytes | None:
    """Return the block for a picture of this size and resolution; `add` states one that was not stated."""
    if not data or not byte_order(data):
        if not (add and dpi):
            return None
        data = b"II*\0" + struct.pack("<IHI", 8, 0, 0)
    block = bytearray(data)
    ifd, _ = first_directory(block)
    below = entries(block, int(number(block, ifd.get(EXIF_IFD)) or 0))[0]
    for tag, value in ((WIDTH, width), (HEIGHT, height), (PIXEL_WIDTH, width), (PIXEL_HEIGHT, height)):
        for directory in (ifd, below):
            if tag in directory:
                _overwrite(block, directory[tag], value)
    stated = X_RESOLUTION in ifd or Y_RESOLUTION in ifd
    if dpi and (add or stated) and resolution(bytes(block)) != dpi:
        return with_entries(block, resolution_entries(byte_order(block), len(block), dpi))
    return bytes(block)


def _overwrite(block: bytearray, entry: Entry, value: int) -> None:
    """Store one number inside the entry itself, as LONG where it does not fit into its SHORT."""
    order = byte_order(block)
    kind = SHORT if entry.type == SHORT and value < 65536 else LONG
    body = struct.pack(order + ("HH" if kind == SHORT else "I"), *((value, 0) if kind == SHORT else (value,)))
    block[entry.position : entry.position + 12] = struct.pack(order + "HHI", entry.tag, kind, 1) + body


def resolution_entries(order: str, base: int, dpi: tuple[float, float]) -> tuple[bytes, dict[int, bytes]]:
    """Return two rationals to stand at `base`, and the entries that point at them."""
    values = b"".join(struct.pack(order + "II", round(value * 10_000), 10_000) for value in dpi)
    return values, {
        X_RESOLUTION: struct.pack(order + "HHII", X_RESOLUTION, RATIONAL, 1, base),
        Y_RESOLUTION: struct.pack(order + "HHII", Y_RESOLUTION, RATIONAL, 1, base + 8),
        RESOLUTION_UNIT: struct.pack(order + "HHIHH", RESOLUTION_UNIT, SHORT, 1, 2, 0),
    }


def with_entries(
    data: bytes | bytearray, added: tuple[bytes, dict[int, bytes]], without: tuple[int, ...] = ()
) -> bytes:
    """Append values and a copy of the first directory that has other entries; no offset before it moves."""
    offset, tail = tail_with(data, added, without)
    return bytes(data[:4]) + struct.pack(byte_order(data) + "I", offset) + bytes(data[8:]) + tail


def tail_with(data: Data, added: tuple[bytes, dict[int, bytes]], without: tuple[int, ...] = ()) -> tuple[int, bytes]:
    """Return what `with_entries` puts behind the data, and the offset of the directory in it, for the header."""
    order = byte_order(data)
    values, replaced = added
    ifd, _ = first_directory(data)
    kept = {tag: bytes(data[e.position : e.position + 12]) for tag, e in ifd.items() if tag not in without}
    directory = sorted((kept | replaced).items())
    values += b"\0" * ((len(data) + len(values)) % 2)
    packed = struct.pack(order + "H", len(directory)) + b"".join(raw for _, raw in directory) + b"\0\0\0\0"
    return len(data) + len(values), values + packed


def parse(data: bytes | bytearray, offset: int | None = None, depth: int = 0) -> Tree:
    """Read a directory and those below it into a tree, values in little-endian order."""
    order = byte_order(data)
    ifd, _ = first_directory(data) if offset is None else entries(data, offset)
    tree: Tree = {}
    for tag, entry in ifd.items():
        if tag in (EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD):
            if depth < 2 and (below := parse(data, int(number(data, entry) or 0), depth + 1)):
                tree[tag] = below
        else:
            raw = bytes(data[entry.start : entry.start + entry.size])
            tree[tag] = (entry.type, entry.count, raw if order == "<" else _turned(raw, entry.type))
    return tree


def _turned(raw: bytes, kind: int) -> bytes:
    word = WORDS.get(kind, 1)
    return b"".join(raw[i : i + word][::-1] for i in range(0, len(raw), word))


def pack(tree: Tree, base: int) -> tuple[bytes, dict[int, bytes]]:
    """Lay out a tree from offset `base` on, little-endian; return the values and the entries for them."""
    values, listed = bytearray(), {}
    for tag, value in sorted(tree.items()):
        values += b"\0" * ((base + len(values)) % 2)
        if isinstance(value, dict):
            inner, below = pack(value, base + len(values))
            values += inner + b"\0" * ((base + len(values) + len(inner)) % 2)
            listed[tag] = struct.pack("<HHII", tag, LONG, 1, base + len(values))
            values += struct.pack("<H", len(below)) + b"".join(below[key] for key in sorted(below)) + b"\0\0\0\0"
        elif len(value[2]) <= 4:
            listed[tag] = struct.pack("<HHI", tag, *value[:2]) + value[2].ljust(4, b"\0")
        else:
            listed[tag] = struct.pack("<HHII", tag, *value[:2], base + len(values))
            values += value[2]
    return bytes(values), listed


def from_tiff(data: bytes) -> bytes | None:
    """Return the EXIF block that the first directory of a classic TIFF file amounts to, or None."""
    tree = describing(data)
    return with_entries(b"II*\0" + struct.pack("<IHI", 8, 0, 0), pack(tree, 14)) if tree else None


def describing(data: bytes) -> Tree:
    """Return what an EXIF block says about the picture, for the first directory of a TIFF file."""
    return {tag: value for tag, value in parse(data).items() if tag in ABOUT}
