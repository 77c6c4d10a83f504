"""Taking out of a picture's metadata where it was taken."""

import re
import struct
from dataclasses import replace

from kakudai.image.exif import GPS_IFD, Entry, byte_order, entries, first_directory
from kakudai.image.picture import Metadata

XMP_GPS = re.compile(
    rb"""\s[\w.-]+:GPS\w+\s*=\s*(?:"[^"]*"|'[^']*')|<([\w.-]+:GPS\w+)[^>]*?(?:/>|>.*?</\1\s*>)""",
    re.DOTALL | re.IGNORECASE,
)
"""Places in XMP: as attributes, or as elements of their own. Cameras write `exif:GPSLatitude`, drones
`drone-dji:GpsLatitude`."""


def without_place(metadata: Metadata) -> Metadata:
    """Return metadata without the position where the picture was taken; all else stays as it is.

    Maker notes are left alone: their contents are secret, and no camera is known to put places there. XMP that is not
    in UTF-8 is dropped: no file of a camera has such.
    """
    block, xmp = metadata.exif, metadata.xmp
    return replace(
        metadata,
        exif=None if block is None else exif_without_place(block),
        xmp=None if xmp is None or b"\0" in xmp.rstrip(b"\0") else XMP_GPS.sub(b"", xmp),
    )


def exif_without_place(data: bytes) -> bytes:
    """Return an EXIF block without its GPS directory: the values are overwritten, and nothing else moves."""
    block = bytearray(data)
    while (pointer := first_directory(block)[0].get(GPS_IFD)) is not None:
        _take_out(block, pointer)
    return bytes(block)


def _take_out(block: bytearray, pointer: Entry) -> None:
    """Overwrite the directory that an entry of the first one points at, and close the gap that the entry leaves."""
    order = byte_order(block)
    (start,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, start)
    (below,) = struct.unpack_from(order + "I", block, pointer.start)
    for entry in entries(block, below)[0].values():
        block[entry.start : entry.start + entry.size] = bytes(entry.size)
        block[entry.position : entry.position + 12] = bytes(12)
    rest = bytes(block[pointer.position + 12 : start + 2 + 12 * count + 4])
    block[pointer.position : pointer.position + len(rest) + 12] = rest + bytes(12)
    struct.pack_into(order + "H", block, start, count - 1)
