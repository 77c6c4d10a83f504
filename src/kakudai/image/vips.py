"""Decode pixels by libvips, with one error for everything it may say."""

import io
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

import numpy as np

from kakudai.image.formats import Format
from kakudai.image.picture import Pixels

GREY, RGB = ("b-w", "grey16"), ("srgb", "rgb16", "scrgb", "rgb")
EXIF, XMP, ICC, IPTC = "exif-data", "xmp-data", "icc-profile-data", "iptc-data"
"""libvips' names of the metadata blocks."""

DAMAGE = ("premature end of data", "bad Huffman code", "instead of RST", "Inconsistent progression", "bad arithmetic")
"""Parts of libjpeg's warnings."""


class Broken(Exception):
    """A decoder gave up. The text is one line, without the file's name: the caller knows it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What a decoder found beside the pixels, as raw blocks; `dpi` only where nothing else finds it."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    pages: int = 1
    notes: tuple[str, ...] = ()


@cache
def libvips() -> Any:
    """Load libvips, once. Its cache of past operations would only keep decoded pictures in memory.

    Its warnings about strange files are switched off: they would end on stderr, and pyvips, which catches
    them, fails over those that quote bytes of the file that are no UTF-8.
    """
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    fresh = "pyvips" not in sys.modules  # else somebody else in this process uses it as they like
    if fresh:
        os.environ.setdefault("VIPS_WARNING", "off")
    import pyvips

    if fresh and hasattr(pyvips, "_remove_log_handler"):
        pyvips._remove_log_handler()
    if fresh and hasattr(pyvips, "_log_handler_cb"):  # GLib's own complaint about a width of two thousand million
        pyvips.glib_lib.g_log_set_handler(b"GLib-GObject", 1 << 3, pyvips._log_handler_cb, pyvips.ffi.NULL)

    pyvips.cache_set_max(0)
    return pyvips


def one_line(error: Exception) -> str:
    """Return the first line in which libvips says something of its own, without control characters."""
    said = str(error)
    if isinstance(error, UnicodeDecodeError):  # pyvips reading a message that quotes the file
        said = error.object.decode("utf-8", "replace")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    own = [line for line in lines if line and not line.startswith("unable to ")]
    text = (own or lines or ["no reason given"])[0]
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:200]


def decode(file: BinaryIO, entry: Format, check: Callable[[int, int], None]) -> tuple[Pixels, Fields]:
    """Return pixels and metadata of an encoded picture, after `check(width, height)` has seen its header.

    Shape:
        (H, W, 1|2|3|4) uint8, uint16 or float32: grey or RGB, with or without alpha.

    Raises:
        Broken: libvips cannot decode it, or it holds something that is neither grey nor RGB nor convertible.
    """
    vips = libvips()
    vips.vips_lib.vips_error_clear()  # else the next error begins with warnings about the last picture
    if isinstance(file, io.BytesIO):
        source = vips.Source.new_from_memory(file.getbuffer())
    else:
        source = vips.Source.new_from_descriptor(file.fileno())
    try:
        image = getattr(vips.Image, f"{entry.loader}_source")(source, access="sequential", fail_on="error")
        check(image.width, image.height)
        found = _fields(image)
        bits = image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 8
        image, notes = _to_rgb_or_grey(image)
        pixels: Pixels = image.numpy()
        _check_complaints(vips)
    except (vips.Error, UnicodeDecodeError) as error:
        text = one_line(error)
        if "out of memory" in text:  # behind the name of the function that had none
            raise MemoryError from None
        raise Broken(text) from None
    pixels = pixels.reshape(image.height, image.width, image.bands)
    if entry.name == "avif" and pixels.dtype == np.uint16:
        pixels = _stretch(pixels, bits)
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        raise Broken("it holds values that are not numbers")
    blocks = {field: found[field] for field in (ICC, EXIF, XMP) if field in found}
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if IPTC in found:
        notes = (*notes, "the IPTC block was dropped")
    if notes and notes[0].startswith("CMYK"):
        blocks.pop(ICC, None)
    return pixels, Fields(blocks.get(ICC), blocks.get(EXIF), blocks.get(XMP), None, pages, notes)


def _check_complaints(vips: Any) -> None:
    """Raise for the warnings of libjpeg after which part of the picture is grey or noise.

    libvips can be strict on all warnings or on none; but bytes between two markers, say, harm nothing.
    """
    said = vips.ffi.string(vips.vips_lib.vips_error_buffer()).decode("utf-8", "replace")
    for line in said.splitlines():
        if any(words in line for words in DAMAGE):
            raise Broken(line)


def _fields(image: Any) -> dict[str, bytes]:
    return {name: bytes(image.get(name)) for name in (ICC, EXIF, XMP, IPTC) if image.get_typeof(name)}


def _to_rgb_or_grey(image: Any) -> tuple[Any, tuple[str, ...]]:
    """Convert what a `Picture` cannot hold; return the notes on it."""
    if image.interpretation == "cmyk":
        return _from_cmyk(image)
    if image.interpretation in ("lab", "labs", "labq"):
        return image.colourspace("rgb16"), ("Lab was converted to sRGB with 16 bits",)
    notes: tuple[str, ...] = ()
    if image.format == "double":
        image, notes = image.cast("float"), ("64-bit floating point became 32-bit",)
    elif image.format == "uint":
        image, notes = (image >> 16).cast("ushort"), ("32-bit integers became 16-bit",)
    elif image.format not in ("uchar", "ushort", "float"):
        raise Broken(f"samples of type {image.format} are not supported")
    grey = image.interpretation in GREY or (image.interpretation == "multiband" and image.bands <= 2)
    limits = (1, 2) if grey else (3, 4)
    if image.bands not in limits or not (grey or image.interpretation in (*RGB, "multiband")):
        raise Broken(f"{image.bands} channels of {image.interpretation} are not supported")
    return image, notes


def _from_cmyk(image: Any) -> tuple[Any, tuple[str, ...]]:
    """Convert to sRGB through the embedded profile or a generic one; a fifth channel stays as alpha."""
    if image.bands not in (4, 5):
        raise Broken(f"{image.bands} channels of CMYK are not supported")
    how = "its profile" if image.get_typeof(ICC) else "a generic profile, as it has none"
    alpha = image[4] if image.bands == 5 else None
    options = {
        "embedded": True,
        "input_profile": "cmyk",
        "intent": "relative",
        "black_point_compensation": True,
    }
    ink = image[:4] if alpha is not None else image
    color = ink.icc_transform("srgb", depth=16 if image.format == "ushort" else 8, **options)
    return (color if alpha is None else color.bandjoin(alpha)), (f"CMYK was converted to sRGB through {how}",)


def _stretch(pixels: Pixels, bits: int) -> Pixels:
    """Spread 10 or 12 bits, which libvips leaves in the upper bits of 16, over the whole range of 16."""
    top = (1 << bits) - 1
    table = (np.arange(top + 1, dtype=np.uint32) * 65535 + top // 2) // top
    return np.asarray(table.astype(np.uint16)[pixels >> (16 - bits)])
