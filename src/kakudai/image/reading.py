"""Decode one still picture from a file or from bytes, with its metadata."""

import contextlib
import io
import mmap
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kakudai.errors import OutOfMemory, PictureNotFound, PictureTooLarge, PictureUnreadable
from kakudai.image import bmp, containers, exif, heic, jxl, vips
from kakudai.image.formats import FORMATS, SNIFFED, Format, is_readable, sniff
from kakudai.image.picture import Metadata, Picture, Pixels
from kakudai.image.spool import MEMORY, Room, mapping_of

MAX_PIXELS = 179_000_000
"""Default limit of width times height: more takes over half a gigabyte decoded, at 8 bits."""
MAX_ROWS = 1 << 30
"""Limit of width times height for pictures that are decoded row by row into a file."""

FEWEST = 100
"""Pixels for each byte of a file of more than `MAX_PIXELS`, at most: a white page scanned in black and white has fewer,
an attack ten times more."""

MAX_HELD = 950_000_000
"""Bytes that a decoder may keep which does not decode row by row; networks and encoders need 300 MB besides."""

MAX_PROFILE = 4 << 20
"""Bytes of colour profile that are kept."""

TURNS = {
    2: (False, 1, -1), 3: (False, -1, -1), 4: (False, -1, 1), 5: (True, 1, 1),
    6: (True, 1, -1), 7: (True, -1, -1), 8: (True, -1, 1),
}  # fmt: skip
"""EXIF orientation -> swap rows with columns first, then the step along rows and along columns."""


def read_image(
    source: str | os.PathLike[str] | bytes, *, max_pixels: int | None = MAX_PIXELS, room: Room = MEMORY
) -> Picture:
    """Decode a still picture; of an animation or a document of several pages, the first.

    Nothing is converted that a `Picture` can hold: depth, grey, alpha and colour profile stay. Exceptions,
    each told in `metadata.notes`: CMYK and Lab become sRGB, 32-bit integers 16 bits. Palettes become RGB, 1
    to 4 bits grey become 8.

    Args:
        source: A path, or the bytes of an encoded picture.
        max_pixels: Largest width times height, checked in the header before decoding; 0 lifts the limit. None is
            as many as can be had with bounded memory: 179 million, or 1,074 million of files that are decoded row by
            row and are not suspiciously short.
        room: Where the pixels go.

    Raises:
        PictureNotFound: there is no such file, or it is a folder.
        PictureUnreadable: empty, truncated, corrupt, not a picture, of a format that is not allowed, or not
            permitted.
        PictureTooLarge: more pixels than `max_pixels`.

    Convention: EXIF orientation is applied to the pixels, once, and the tag becomes 1. A PNG's gAMA and cHRM
        are not applied: browsers differ on them, and most files that state a gamma state it wrongly. A note
        tells.
    """
    name = "the picture" if isinstance(source, bytes | bytearray | memoryview) else repr(os.fspath(source))
    with opened(source, name) as file:
        head = file.read(SNIFFED)
        entry = sniff(head)
        if entry is None:
            raise _not_a_picture(head, name)
        file.seek(0)
        try:
            return _decode(file, entry, name, max_pixels, room)
        except MemoryError:
            raise OutOfMemory(
                f"{name} does not fit into memory", "close other programs, or use a larger machine"
            ) from None


@contextlib.contextmanager
def opened(source: Any, name: str) -> Iterator[BinaryIO]:
    """Yield a seekable file, or one of the named errors."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source)
        return
    try:
        mode = Path(source).stat().st_mode
        if stat.S_ISDIR(mode):
            raise PictureNotFound(f"{name} is a folder, not a picture", "name the files in it")
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise PictureUnreadable(f"{name} is a device, not a picture", "name a file")
        file = Path(source).open("rb")  # noqa: SIM115
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte in the name
        raise PictureNotFound(f"there is no file {name}", "check the spelling of the path") from None
    except OSError as error:
        hint = "check the permissions" if isinstance(error, PermissionError) else "check the disk and the path"
        raise PictureUnreadable(f"{name} cannot be read: {error.strerror or error}", hint) from None
    with file:
        yield file if file.seekable() else io.BytesIO(file.read())


def _not_a_picture(head: bytes, name: str) -> PictureUnreadable:
    if not head:
        return PictureUnreadable(f"{name} is empty", "copy or download the file again")
    known = ", ".join(name.upper() for name in FORMATS if is_readable(name))
    return PictureUnreadable(f"{name} is not a picture that kakudai reads ({known})", "convert it to PNG first")


def pixel_limit(name: str, most: int) -> Callable[..., None]:
    """Return what raises PictureTooLarge for a width and height of more than `most` pixels; 0 is no limit."""

    def check(width: int, height: int, _held: float = 0.0) -> None:
        if most and width * height > most:
            raise PictureTooLarge(
                f"{name} has {width} x {height} pixels; the limit is {most}",
                "raise it with --max-pixels N, or lift it with --max-pixels 0",
            )

    return check


def _bounded(name: str, size: int) -> Callable[..., None]:
    """Return what raises PictureTooLarge for pictures whose decoder would need too much memory.

    Args:
        name: Of the file.
        size: Its bytes. A huge picture in a tiny file is more often an attack than a picture.
    """

    def check(width: int, height: int, held: float) -> None:
        wide = not held and width * height <= FEWEST * size
        pixel_limit(name, MAX_ROWS if wide else MAX_PIXELS)(width, height)
        if held > MAX_HELD:
            raise PictureTooLarge(
                f"{name} cannot be decoded row by row, and {width} x {height} pixels take {held / 1e6:.0f} MB",
                "save it in another form (JPEG not progressive, PNG not interlaced, TIFF), or use --max-pixels 0",
            )

    return check


def _decode(file: BinaryIO, entry: Format, name: str, max_pixels: int | None, room: Room) -> Picture:
    check = pixel_limit(name, max_pixels) if max_pixels is not None else _bounded(name, _size(file))
    try:
        pixels, fields = vips.decode(file, entry, check, room) if entry.loader else _by_python(file, entry, check, room)
        file.seek(0)
        said = statements(file, entry, fields)
        tables = _compression(file) if entry.name == "jpeg" else None
    except vips.Broken as error:
        raise broken(name, entry, error) from None
    picture = upright(pixels, entry, fields, said)
    notes = (*picture.metadata.notes, *_only_the_first(said.frames, entry))
    return replace(picture, metadata=replace(picture.metadata, notes=notes, jpeg=tables))


def _by_python(file: BinaryIO, entry: Format, check: Callable[..., None], room: Room) -> tuple[Pixels, vips.Fields]:
    """Decode what libvips' wheel cannot, see `vips.decode`."""
    if entry.name == "bmp":
        return bmp.decode(file, check, room)
    return heic.decode(file, check) if entry.name == "heic" else jxl.decode(file, check)


def broken(name: str, entry: Format, error: Exception) -> PictureUnreadable:
    """Return the error for a file whose decoder gave up."""
    return PictureUnreadable(
        f"{name} is a damaged or unsupported {entry.title} file: {error}",
        "open it in another program and save it again",
    )


def _only_the_first(frames: int, entry: Format) -> tuple[str, ...]:
    """Return the note on what was not read."""
    what = "pages" if entry.name == "tiff" else "frames"
    return (f"only the first of {frames} {what} was read",) if frames > 1 else ()


def upright(pixels: Pixels, entry: Format, fields: vips.Fields, said: "Statements") -> Picture:
    """Make a picture of decoded pixels, turned as the file asks, with its metadata.

    Shape: (H, W, 1 to 4), alpha last, as they lie in the file.
    """
    dpi = said.dpi
    if said.turn != 1:
        pixels = turned(pixels, said.turn)
        dpi = dpi[::-1] if dpi and said.turn >= 5 else dpi
    color, alpha = _split(pixels)
    icc, more = _profile(fields.icc, color.shape[2])
    notes = (*fields.notes, *said.notes, *more)
    xmp = _upright_xmp(fields.xmp)
    return Picture(color, alpha, Metadata(icc, said.exif, xmp, dpi, entry.name, notes, said.dropped))


def _split(pixels: Pixels) -> tuple[Pixels, Pixels | None]:
    """Set alpha apart. Shape: (H, W, 1..4) -> (H, W, 1|3) and (H, W, 1) or None.

    In memory both are contiguous; what lies in a file stays there as it is.
    """
    bands = pixels.shape[2]
    color, alpha = (pixels, None) if bands in (1, 3) else (pixels[..., :-1], pixels[..., -1:])
    if mapping_of(pixels):
        return color, alpha
    return np.ascontiguousarray(color), None if alpha is None else np.ascontiguousarray(alpha)


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Turn pixels as EXIF orientation 2 to 8 asks: the first row becomes the top of the scene."""
    swap, rows, columns = TURNS[orientation]
    return (pixels.transpose(1, 0, 2) if swap else pixels)[::rows, ::columns]


@dataclass(frozen=True, slots=True)
class Statements:
    """What a container says of its pixels.

    Args:
        notes: On what of it is not kept.
        dpi: Resolution as the pixels lie in the file.
        exif: The EXIF block, upright.
        turn: The EXIF orientation that is to be applied.
        frames: Frames or pages in the file.
        dropped: On what beside the pixels is not kept.
    """

    notes: tuple[str, ...]
    dpi: containers.Dpi
    exif: bytes | None
    turn: int
    frames: int
    dropped: tuple[str, ...]


def statements(file: BinaryIO, entry: Format, fields: vips.Fields) -> Statements:
    """Read what the container itself says; the file stands at its beginning."""
    notes: list[str] = []
    dpi: containers.Dpi = fields.dpi
    block = fields.exif.removeprefix(exif.PREFIX) if fields.exif else None
    frames = fields.pages
    if entry.name == "tiff":
        with _mapped(file) as data:
            block, dpi, turn = exif.from_tiff(data), exif.resolution(data), exif.orientation(data)
    else:
        turned_already = entry.name in ("avif", "heic", "jxl")  # these turn by a word of their own
        turn = 1 if turned_already else exif.orientation(block)
    if entry.name == "png":
        dpi, animated, gamma = containers.png_statements(file.read(1 << 20))
        frames = max(frames, animated)
        if gamma and abs(gamma * 2.2 - 1.0) > 0.05:
            notes.append(f"the file's gamma of {gamma:g} was not applied; its values were taken as sRGB")
    elif entry.name == "jpeg":
        with _mapped(file) as data:
            dpi = containers.jpeg_dpi(data)
    elif entry.name in ("avif", "heic"):
        with _mapped(file) as data:
            frames = max(frames, containers.heif_frames(data))
    dpi = containers.plausible(dpi) or containers.plausible(exif.resolution(block))
    straight = exif.upright(block) if block else None
    dropped = ["the IPTC block was dropped"] if fields.iptc else []
    if block and straight is None:
        dropped.append("the EXIF block is damaged and was dropped")
    return Statements(tuple(notes), dpi, straight, turn, frames, tuple(dropped))


def _size(file: BinaryIO) -> int:
    """Return the bytes of a file, which then stands at its beginning."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _compression(file: BinaryIO) -> bytes | None:
    """Return what the header of a JPEG says of its compression."""
    with _mapped(file) as data:
        return containers.jpeg_tables(data)


@contextlib.contextmanager
def _mapped(file: BinaryIO) -> Iterator[Any]:
    """Yield the whole file like bytes, without reading it where it is one on disk."""
    if isinstance(file, io.BytesIO):
        yield file.getvalue()
    else:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _profile(icc: bytes | None, channels: int) -> tuple[bytes | None, list[str]]:
    """Keep a colour profile that fits the pixels; an ICC header names its colour space at byte 16."""
    if not icc:
        return None, []
    if len(icc) > MAX_PROFILE:
        return None, [f"the colour profile of {len(icc)} bytes is over the limit of {MAX_PROFILE} and was dropped"]
    if icc[16:20] != (b"GRAY" if channels == 1 else b"RGB "):
        return None, ["the colour profile is not of the picture's colour space and was dropped"]
    return icc, []


def _upright_xmp(xmp: bytes | None) -> bytes | None:
    """Set the copy of the orientation that XMP may hold to 1 as well."""
    return re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8]", rb"\g<1>1", xmp) if xmp else None
