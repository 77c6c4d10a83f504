"""Taking out of a picture's metadata where it was taken."""

import re
import struct
from dataclasses import replace

from kakudai.image.exif import GPS_IFD, byte_order, entries, first_directory, number
from kakudai.image.picture import Metadata

XMP_GPS = re.compile(
    rb"""\s(?:exif|exifEX):GPS\w+\s*=\s*(?:"[^"]*"|'[^']*')|<((?:exif|exifEX):GPS\w+)[^>]*?(?:/>|>.*?</\1\s*>)""",
    re.DOTALL,
)
"""Places in XMP: as attributes, or as elements of their own."""


def without_place(metadata: Metadata) -> Metadata:
    """Return metadata that does not say where the picture was taken; all else stays as it is.

    Maker notes are left alone: their contents are secret, and no camera is known to put places there.
    """
    block = metadata.exif
    return replace(
        metadata,
        exif=None if block is None else exif_without_place(block),
        xmp=None if metadata.xmp is None else XMP_GPS.sub(b"", metadata.xmp),
    )


def exif_without_place(data: bytes) -> bytes:
    """Return an EXIF block without its GPS directory: the values are overwritten, and nothing else moves."""
    directory, _ = first_directory(data)
    pointer = directory.get(GPS_IFD)
    if pointer is None:
        return data
    block, order = bytearray(data), byte_order(data)
    offset = int(number(data, pointer) or 0)
    for entry in entries(data, offset)[0].values():
        block[entry.start : entry.start + entry.size] = bytes(entry.size)
        block[entry.position : entry.position + 12] = bytes(12)
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    end = start + 2 + 12 * count
    rest = bytes(block[pointer.position + 12 : end + 4])
    block[pointer.position : pointer.position + len(rest)] = rest
    block[pointer.position + len(rest) : pointer.position + len(rest) + 12] = bytes(12)
    struct.pack_into(order + "H", block, start, count - 1)
    return bytes(block)
