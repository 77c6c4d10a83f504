"""The one table of picture formats: how each is recognised, decoded, encoded, and what it can hold."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kakudai.errors import UsageError

BOOKS = frozenset({".cbz", ".zip"})
"""Endings of books of pages, which stay books."""


@dataclass(frozen=True, slots=True)
class Format:
    """One picture format.

    Args:
        name: Lower-case name, the word of `--format`.
        extensions: Without dots; the first one is used for new files.
        magic: Decides from the first 64 bytes of a file whether it is of this format.
        loader: The libvips operation that decodes it, or "" where Pillow or an optional package does.
        saver: The libvips operation that encodes it, "palette" where `image/gif.py` does, or "" where kakudai does not
            write the format.
        options: What the saver is always called with.
        quality: The quality used when none is asked for; None where the format is always lossless.
        depths: Bits per channel that can be written; 32 is floating point.
        alpha: Whether transparency can be written.
        grey: Whether one-channel pictures can be written as such.
        max_side: Largest width and height that can be written, in pixels; None is no limit worth naming.
        max_exif: Largest EXIF block that can be written, in bytes, likewise.
        max_xmp: Largest XMP packet that can be written, in bytes, likewise.
    """

    name: str
    extensions: tuple[str, ...]
    magic: Callable[[bytes], bool]
    loader: str
    saver: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    quality: int | None = None
    depths: tuple[int, ...] = (8,)
    alpha: bool = True
    grey: bool = True
    max_side: int | None = None
    max_exif: int | None = None
    max_xmp: int | None = None

    @property
    def title(self) -> str:
        """The name as people write it."""
        return {"webp": "WebP", "dzi": "DeepZoom", "jxl": "JPEG XL"}.get(self.name, self.name.upper())


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _is_avif(head: bytes) -> bool:
    """Accept an ISO media file whose major or compatible brands name AVIF."""
    return not {b"avif", b"avis"}.isdisjoint(_brands(head))


def _is_heic(head: bytes) -> bool:
    return not {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}.isdisjoint(_brands(head))


def _brands(head: bytes) -> list[bytes]:
    """Return the major and compatible brands of an ISO media file; none of other files."""
    if head[4:8] != b"ftyp":
        return []
    size = int.from_bytes(head[:4], "big")
    return [head[8:12]] + [head[i : i + 4] for i in range(16, min(size, len(head)), 4)]


# Measured on photographs and drawn art enlarged twofold, with libvips 8.18 and zlib-ng. PNG: level 2 with the filter
# "avg" takes half the time of libvips' default (level 6, no filter) and two thirds of the bytes; on noisy pictures
# the same time and 0.7 of the bytes. Level 6 with "avg" would save 7 % more bytes for 3 to 4 times the time, level 1
# takes two thirds of the time and 1.5 times the bytes; trying all filters costs time and saves nothing.
# WebP effort 2 instead of 4: the same bytes, 0.8 of the time. AVIF effort 2 instead of 4: 1.05 of the bytes, a sixth
# of the time. TIFF deflate level 2 instead of 6: 1.06 of the bytes, half the time.
# JPEG: libjpeg-turbo stops at 65,500 pixels a side, short of the standard's 65,535.
FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "png", ("png", "apng"), _starts(b"\x89PNG\r\n\x1a\n"), "pngload", "pngsave",
            options={"compression": 2, "filter": "avg"}, depths=(8, 16),
        ),
        Format(
            "jpeg", ("jpg", "jpeg", "jpe", "jfif"), _starts(b"\xff\xd8\xff"), "jpegload", "jpegsave",
            options={"subsample_mode": "off", "optimize_coding": True}, quality=95, alpha=False,
            max_side=65_500, max_exif=65_000, max_xmp=65_502,
        ),
        Format(
            "webp", ("webp",), _is_webp, "webpload", "webpsave",
            options={"smart_subsample": True, "effort": 2}, quality=95, grey=False, max_side=16_383,
        ),
        Format(
            "tiff", ("tif", "tiff"), _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiffload", "tiffsave",
            options={"compression": "deflate", "level": 2}, depths=(8, 16, 32),
        ),
        Format(
            "avif", ("avif",), _is_avif, "heifload", "heifsave",
            options={"compression": "av1", "subsample_mode": "off", "effort": 2}, quality=85, depths=(8, 10, 12),
            grey=False, max_side=16_384,
        ),
        Format(
            "gif", ("gif",), _starts(b"GIF87a", b"GIF89a"), "gifload", "palette", grey=False,
            max_side=65_535,
        ),
        Format("bmp", ("bmp", "dib"), _starts(b"BM"), ""),
        Format("heic", ("heic", "heif", "hif"), _is_heic, ""),
        Format("jxl", ("jxl",), _starts(b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"), ""),
    )
}  # fmt: skip
"""Every format that is read; those with a `saver` are written too. Nothing else is ever decoded."""

DEEPZOOM = Format(
    "dzi", ("dzi",), lambda _: False, "", "dzsave", options={"subsample_mode": "off"}, quality=90,
)  # fmt: skip
"""A folder of tiles in all sizes, with a file that describes it; see `image/deepzoom.py`. It is written only."""

PACKAGES = {"heic": "pi_heif", "jxl": "imagecodecs"}
"""Formats that are decoded by modules of the extra "formats"."""

SNIFFED = 64
"""Bytes from the start of a file that are enough to recognise its format."""


def is_readable(name: str) -> bool:
    """Say whether a format can be decoded here: some need packages that are not installed everywhere."""
    return name not in PACKAGES or importlib.util.find_spec(PACKAGES[name]) is not None


def output_formats() -> tuple[str, ...]:
    """Return the names of the formats that can be written."""
    return tuple(name for name, entry in FORMATS.items() if entry.saver)


def sniff(head: bytes) -> Format | None:
    """Return the format of a file by its first `SNIFFED` bytes; its name plays no part."""
    return next((entry for entry in FORMATS.values() if entry.magic(head)), None)


def find_output_format(name: str) -> Format:
    """Return the format of a name or extension such as "jpg", ".png", "WebP".

    Raises:
        UsageError: the format is unknown, or can only be read.
    """
    word = name.lower().lstrip(".")
    for entry in (*FORMATS.values(), DEEPZOOM):
        if entry.saver and (word == entry.name or word in entry.extensions):
            return entry
    raise UsageError(
        f"cannot write the format {name!r}; accepted are {', '.join((*output_formats(), DEEPZOOM.name))}",
        "choose one of them with --format, or give the output file such an extension",
    )
