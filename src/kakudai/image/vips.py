"""Decode pixels by libvips, with one error for everything it may say."""

import io
import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

import numpy as np

from kakudai.image.formats import Format
from kakudai.image.picture import Pixels
from kakudai.image.spool import MEMORY, Room, forget, strips

GREY, RGB = ("b-w", "grey16"), ("srgb", "rgb16", "scrgb", "rgb")
EXIF, XMP, ICC, IPTC = "exif-data", "xmp-data", "icc-profile-data", "iptc-data"
"""libvips' names of the metadata blocks."""

DAMAGE = ("premature end of data", "bad Huffman code", "instead of RST", "Inconsistent progression", "bad arithmetic")
"""Parts of libjpeg's warnings."""


MOST_LIGHT = 200.0
"""Largest value of a picture in floating point that is taken for a light; 255 and 65535 are whites of another scale."""

ROUNDING = 1e-3
"""Values so little outside 0 to 1 are not worth a word."""

KINDS = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
"""libvips' names of the samples that pictures have."""

HELD = {"webp": 8.5, "avif": 19.0, "gif": 5.0}
"""Format -> bytes for each pixel that its decoder keeps until it has all of them."""

STRIP = 16 << 20
"""Decoded bytes of a file that are kept in memory."""


class Broken(Exception):
    """A decoder gave up. The text is one line, without the file's name: the caller knows it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What a decoder found beside the pixels, as raw blocks; `dpi` only where nothing else finds it, and of IPTC only
    whether it is there.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    pages: int = 1
    notes: tuple[str, ...] = ()
    iptc: bool = False


LOADING = threading.Lock()
"""Held while libvips is loaded: of two threads that are the first to want it, one waits."""


def libvips() -> Any:
    """Return libvips, loaded once."""
    with LOADING:
        return _loaded()


@cache
def _loaded() -> Any:
    """Load libvips. Its cache of past operations would only keep decoded pictures in memory.

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


def decode(
    file: BinaryIO, entry: Format, check: Callable[[int, int, float], None], room: Room = MEMORY
) -> tuple[Pixels, Fields]:
    """Return pixels and metadata of an encoded picture, after `check` has seen its header.

    Shape:
        (H, W, 1|2|3|4) uint8, uint16 or float32: grey or RGB, with or without alpha.

    Args:
        file: The encoded picture.
        entry: Its format.
        check: Called with width, height and `held_bytes`; raises for what is not to be decoded.
        room: Where the pixels go.

    Raises:
        Broken: libvips cannot decode it, or it holds something that is neither grey nor RGB nor convertible.
    """
    vips = libvips()
    vips.vips_lib.vips_error_clear()  # else the next error begins with warnings about the last picture
    try:
        image = getattr(vips.Image, f"{entry.loader}_source")(source(file), access="sequential", fail_on="error")
        check(image.width, image.height, held_bytes(image, entry))
        found = blocks(image)
        bits = image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 8
        image, notes = to_rgb_or_grey(image)
        shape = (image.height, image.width, image.bands)
        kind = np.dtype(KINDS[image.format])
        if room.holds(shape, kind):
            pixels: Pixels = image.numpy().reshape(shape)
        else:
            pixels = _decoded_into(image, room.array(shape, kind))
        for part in strips(pixels):
            _check(part, entry, bits)
        notes = (*notes, *_beyond_white(pixels))
        _check_complaints(vips)
    except (vips.Error, UnicodeDecodeError) as error:
        text = one_line(error)
        if "out of memory" in text:  # behind the name of the function that had none
            raise MemoryError from None
        raise Broken(text) from None
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if notes and notes[0].startswith("CMYK"):
        found.pop(ICC, None)
    return pixels, Fields(found.get(ICC), found.get(EXIF), found.get(XMP), None, pages, notes, IPTC in found)


def _decoded_into(image: Any, pixels: Pixels) -> Pixels:
    """Decode row by row into an array, and return it."""
    flat = pixels.reshape(-1).view(np.uint8)
    done = 0

    def write(data: Any) -> int:
        nonlocal done
        flat[done : done + len(data)] = np.frombuffer(data, np.uint8)
        if (done + len(data)) // STRIP > done // STRIP:
            forget(pixels)
        done += len(data)
        return len(data)

    target = libvips().TargetCustom()
    target.on_write(write)
    image.rawsave_target(target)
    return pixels


def _check(pixels: Pixels, entry: Format, bits: int) -> None:
    """Spread 10 and 12 bits of AVIF over the whole range of 16, in place.

    Raises:
        Broken: Not all are numbers.
    """
    if entry.name == "avif" and pixels.dtype == np.uint16:
        pixels[:] = _stretch(pixels, bits)
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        raise Broken("it holds values that are not numbers")


def _beyond_white(pixels: Pixels) -> tuple[str, ...]:
    """Say what of a picture in floating point lies outside 0 to 1, which is where black and white are.

    Raises:
        Broken: So much does that its white must be another number.
    """
    if pixels.dtype != np.float32:
        return ()
    least, most = min(float(part.min()) for part in strips(pixels)), max(float(part.max()) for part in strips(pixels))
    if most > MOST_LIGHT:
        raise Broken(f"its values go up to {most:g}, and 1 is white")
    if least >= -ROUNDING and most <= 1 + ROUNDING:
        return ()
    return (f"values from {least:.3g} to {most:.3g} were cut off to 0 to 1",)


def held_bytes(image: Any, entry: Format) -> float:
    """Return how much a decoder keeps of a picture that it cannot decode row by row; 0 where it can.

    Measured with libvips 8.18. Progressive JPEG and interlaced PNG have the first row only at the end of the file.
    """
    pixels = int(image.width * image.height)
    if entry.name in HELD:
        return HELD[entry.name] * pixels
    if not (image.get_typeof("interlaced") and image.get("interlaced")):
        return 0.0
    if entry.name == "png":
        return float(pixels * image.bands * np.dtype(KINDS[image.format]).itemsize)
    chroma = image.get("jpeg-chroma-subsample") if image.get_typeof("jpeg-chroma-subsample") else ""
    return float(pixels * 2.4 * image.bands if "4:4:4" in chroma or image.bands != 3 else pixels * 4.5)


def source(file: BinaryIO) -> Any:
    """Return what libvips reads a file from."""
    vips = libvips()
    if isinstance(file, io.BytesIO):
        return vips.Source.new_from_memory(file.getbuffer())
    return vips.Source.new_from_descriptor(file.fileno())


def header_fields(file: BinaryIO, entry: Format, notes: tuple[str, ...]) -> Fields:
    """Return the metadata blocks of a file, without a look at its pixels.

    Raises:
        Broken: Not even that can be read.
    """
    vips = libvips()
    vips.vips_lib.vips_error_clear()
    file.seek(0)
    try:
        found = blocks(getattr(vips.Image, f"{entry.loader}_source")(source(file), access="sequential"))
    except (vips.Error, UnicodeDecodeError) as error:
        raise Broken(one_line(error)) from None
    return Fields(found.get(ICC), found.get(EXIF), found.get(XMP), None, 1, notes, IPTC in found)


def _check_complaints(vips: Any) -> None:
    """Raise for the warnings of libjpeg after which part of the picture is grey or noise.

    libvips can be strict on all warnings or on none; but bytes between two markers, say, harm nothing.
    """
    said = vips.ffi.string(vips.vips_lib.vips_error_buffer()).decode("utf-8", "replace")
    for line in said.splitlines():
        if any(words in line for words in DAMAGE):
            raise Broken(line)


def blocks(image: Any) -> dict[str, bytes]:
    """Return the metadata blocks of a libvips image, by their names."""
    return {name: bytes(image.get(name)) for name in (ICC, EXIF, XMP, IPTC) if image.get_typeof(name)}


def to_rgb_or_grey(image: Any) -> tuple[Any, tuple[str, ...]]:
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
