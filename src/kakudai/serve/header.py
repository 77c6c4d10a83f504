"""What the header of a picture says, read without decoding anything: format, size, frames.

Every read is bounded, and what makes no sense gives None: the decoder, in its own process, has the last word.
"""

import struct
from dataclasses import dataclass

from kakudai.image import jxl
from kakudai.image.containers import FRAMES, heif_frames, jpeg_segments
from kakudai.image.exif import HEIGHT, WIDTH, byte_order, first_directory, number, orientation
from kakudai.image.formats import SNIFFED, sniff
from kakudai.image.vips import Broken


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Args:
        format: Lower-case name, such as "png".
        size: (width, height) in pixels as they are stored; None where that is not easily found.
        frames: Of an animation; 1 for a still picture.
    """

    format: str
    size: tuple[int, int] | None
    frames: int = 1


def read_header(data: bytes, most_frames: int) -> Header | None:
    """Return what a file says of itself; None if it is of no format that is read.

    Args:
        data: The whole file.
        most_frames: Counting frames ends after one more than this.
    """
    entry = sniff(data[:SNIFFED])
    if entry is None:
        return None
    try:
        size = SIZES[entry.name](data)
        frames = COUNTS[entry.name](data, most_frames) if entry.name in COUNTS else 1
    except (struct.error, IndexError, ValueError, OverflowError, Broken):
        return Header(entry.name, None)
    return Header(entry.name, size, max(1, frames))


def _png(data: bytes) -> tuple[int, int] | None:
    return struct.unpack_from(">II", data, 16) if data[12:16] == b"IHDR" else None


def _png_frames(data: bytes, _: int) -> int:
    """Read the number that an animated PNG states before its pixels."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        name = data[position + 4 : position + 8]
        if name == b"acTL" and length == 8:
            return int.from_bytes(data[position + 8 : position + 12], "big")
        if name == b"IDAT":
            return 1
        position += 12 + length
    return 1


def _jpeg(data: bytes) -> tuple[int, int] | None:
    for marker, start, _ in jpeg_segments(data):
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 5)
            return (width, height) if width and height else None
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _webp_frames(data: bytes, most: int) -> int:
    if data[12:16] != b"VP8X" or not data[20] & 0x02:
        return 1
    position, count = 12, 0
    while position + 8 <= len(data) and count <= most:
        name, length = struct.unpack_from("<4sI", data, position)
        count += name == b"ANMF"
        position += 8 + length + length % 2
    return count


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _gif_frames(data: bytes, most: int) -> int:
    """Count the image descriptors of a GIF."""
    position = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    count = 0
    while position < len(data) and count <= most:
        kind = data[position]
        if kind == 0x2C:
            count += 1
            flags = data[position + 9]
            position = _after_blocks(data, position + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0))
        elif kind == 0x21:
            position = _after_blocks(data, position + 2)
        else:
            break
    return count


def _after_blocks(data: bytes, position: int) -> int:
    """Return what follows a chain of blocks, each of which begins with its length."""
    while position < len(data) and data[position]:
        position += 1 + data[position]
    return position + 1


def _bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _tiff(data: bytes) -> tuple[int, int] | None:
    if not byte_order(data):
        return None
    directory, _ = first_directory(data)
    width, height = (number(data, directory.get(tag)) for tag in (WIDTH, HEIGHT))
    return (int(width), int(height)) if width and height else None


def _tiff_frames(data: bytes, most: int) -> int:
    """Follow the chain of directories."""
    order = byte_order(data)
    count, offset, seen = 0, struct.unpack_from(order + "I", data, 4)[0] if order else 0, set()
    while offset and offset not in seen and offset + 2 <= len(data) and count <= most:
        seen.add(offset)
        count += 1
        (entries,) = struct.unpack_from(order + "H", data, offset)
        (offset,) = struct.unpack_from(order + "I", data, offset + 2 + 12 * entries)
    return count


def _heif(data: bytes) -> tuple[int, int] | None:
    """Return the largest of the sizes that the items of an AVIF or HEIC have."""
    found: list[tuple[int, int]] = []
    position, head = 0, data[: 1 << 16]
    while (position := head.find(b"ispe", position)) >= 0 and len(found) < 64:
        found.append(struct.unpack_from(">II", head, position + 8))
        position += 4
    return max(found, key=lambda size: size[0] * size[1], default=None)


def _heif_frames(data: bytes, _: int) -> int:
    return heif_frames(data)


def _jxl(data: bytes) -> tuple[int, int] | None:
    found = _jxl_header(data)
    return found.width, found.height


def _jxl_header(data: bytes) -> jxl.Header:
    """Read the header of the codestream, which may be in a box, or begin in one.

    Raises:
        Broken: There is none.
    """
    for name, body in jxl.boxes(data):
        if name in (b"jxlc", b"jxlp"):
            return jxl.read_header(body[4:] if name == b"jxlp" else body)
    raise Broken("it has no header")


SIZES = {
    "png": _png, "jpeg": _jpeg, "webp": _webp, "gif": _gif, "bmp": _bmp, "tiff": _tiff, "avif": _heif, "heic": _heif,
    "jxl": _jxl,
}  # fmt: skip
COUNTS = {
    "png": _png_frames, "webp": _webp_frames, "gif": _gif_frames, "tiff": _tiff_frames, "avif": _heif_frames,
    "heic": _heif_frames,
}  # fmt: skip


def upright_size(data: bytes, header: Header) -> tuple[int, int] | None:
    """Return the size after the turn that a file asks for."""
    if header.size is None:
        return None
    try:
        return header.size[::-1] if _lies_on_its_side(data, header.format) else header.size
    except (struct.error, IndexError, Broken):
        return header.size


def _lies_on_its_side(data: bytes, name: str) -> bool:
    if name in ("jpeg", "tiff"):
        return orientation(data if name == "tiff" else _jpeg_exif(data)) >= 5
    if name in ("avif", "heic"):  # those turn by a box of their own
        at = data.find(b"irot", 0, 1 << 16)
        return at >= 0 and bool(data[at + 4] & 1)
    return name == "jxl" and _jxl_header(data).turn >= 5


def _jpeg_exif(data: bytes) -> bytes | None:
    for marker, start, end in jpeg_segments(data):
        if marker == 0xE1 and data[start + 4 : start + 10] == b"Exif\0\0":
            return data[start + 10 : end]
    return None
