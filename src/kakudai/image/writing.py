"""Write a picture into a file that appears whole or not at all."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from kakudai.errors import NoRoom, OutputError, UsageError
from kakudai.image.deepzoom import whole_folder
from kakudai.image.encoding import encode, make_plan
from kakudai.image.formats import DEEPZOOM, Format, find_output_format
from kakudai.image.picture import Picture
from kakudai.image.strips import Strips, write_strips
from kakudai.image.whole import Place, is_special, new_file, whole_file

DEPTHS = (8, 10, 12, 16)
"""Bits per channel that can be asked for."""

HINTS = {
    errno.ENOSPC: "make room on the disk, or write elsewhere",
    errno.EFBIG: "the file system or a limit of this process forbids files of that size",
    errno.EDQUOT: "the disk quota is used up: make room, or write elsewhere",
    errno.EACCES: "check the permissions of the folder",
    errno.EPERM: "check the permissions of the folder",
    errno.EROFS: "the disk is read-only: write elsewhere",
    errno.ENOENT: "create the folder first, or write elsewhere",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EEXIST: "move it away, or write elsewhere",
}

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""What is said of a disk that takes no other picture either."""


def write_image(
    picture: Picture,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    format: str | None = None,  # noqa: A002 - the word of the command line
    quality: int | None = None,
    depth: int | None = None,
    strip: bool = False,
    dither: bool | None = None,
) -> tuple[str, ...]:
    """Write a picture and return one sentence for everything that the format could not hold.

    Args:
        picture: What to write. Its resolution is written as it stands: `Picture.with_pixels` has scaled it.
        target: A path, or a binary stream. A file appears there complete, or the old one stays as it was.
        format: "png", "jpeg", "webp", "tiff", "avif"; by default the target's extension, for a stream the
            format the picture was read from.
        quality: 1 to 100 for jpeg, webp, avif (default: see `FORMATS`); 100 makes webp lossless. png and tiff
            always are.
        depth: 8, 10, 12 or 16 bits per channel, or the next lower that the format can hold; by default the
            picture's own.
        strip: Leave out EXIF, XMP and resolution. The colour profile stays: without it the colours are
            others.
        dither: For GIF: whether colours that the palette lacks become patterns; by default where they would
            show as bands.

    Raises:
        UsageError: unknown format, quality or depth.
        OutputError: folder, permission, disk full, larger than the format allows.
    """
    if depth not in (None, *DEPTHS):
        raise UsageError(f"cannot write {depth} bits per channel; accepted are 8, 10, 12 and 16", "use --depth 8")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality is {quality}; accepted are 1 to 100", "use --quality 95")
    path = os.fspath(target) if isinstance(target, str | os.PathLike) else None
    entry = check_target(target, format or (None if path else picture.metadata.format), picture.width, picture.height)
    if strip:
        picture = replace(picture, metadata=replace(picture.metadata, exif=None, xmp=None, resolution=None))
    if entry is DEEPZOOM:
        strips = Strips(picture.height, picture.width, picture, iter([(picture.color, picture.alpha)]))
        return write_rows(strips, target, format=entry.name, quality=quality, depth=depth, strip=strip)
    plan = replace(make_plan(picture, entry, quality, depth), dither=dither)
    pieces, notes = encode(picture, entry, plan)
    write_pieces(target, pieces)
    return (*plan.notes, *notes)


def write_rows(
    strips: Strips,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    format: str,  # noqa: A002
    quality: int | None = None,
    depth: int | None = None,
    strip: bool = False,
) -> tuple[str, ...]:
    """Write a picture that comes in rows, see `write_image`. It appears whole or not at all, also where a row fails."""
    entry = check_target(target, format, strips.width, strips.height)
    write = partial(write_strips, strips, entry=entry, quality=quality, depth=depth, strip=strip)
    if entry is DEEPZOOM and isinstance(target, str | os.PathLike):
        may_replace = target.may_replace if isinstance(target, Place) else None
        with failing_as_output_error(target), whole_folder(_resolved(target), may_replace) as path:
            return write(path)
    with whole_target(target) as file:
        return write(file)


def write_pieces(target: str | os.PathLike[str] | BinaryIO, pieces: Iterable[bytes | memoryview]) -> None:
    """Write what comes, piece by piece. A file appears whole or not at all, also where making a piece fails.

    Raises:
        OutputError: It cannot be written.
    """
    with whole_target(target) as file:
        for piece in pieces:
            file.write(piece)


@contextlib.contextmanager
def whole_target(target: str | os.PathLike[str] | BinaryIO) -> Iterator[BinaryIO]:
    """Yield what to write to. A file appears when the block ends without an error, whole, or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    with failing_as_output_error(target):
        if isinstance(target, str | os.PathLike):
            with whole_file(_resolved(target), target if isinstance(target, Place) else None) as file:
                yield file
        else:
            yield target


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all; the old one stays as it was then.

    Raises:
        OutputError: It cannot be written.
    """
    write_pieces(path, [data])


def check_target(target: Any, format: str | None, width: int, height: int) -> Format:  # noqa: A002
    """Return the format that will be written; meant to be called before any work is done.

    Args:
        target: A path or a binary stream.
        format: A name such as "png", or None for the path's extension.
        width: Of the picture to be written, in pixels; 0 if not yet known.
        height: Likewise.

    Raises:
        UsageError: no such format.
        OutputError: the picture is too large for it, or the folder cannot be written.
    """
    path = target if isinstance(target, str | os.PathLike) else None
    entry = find_output_format(format or (Path(path).suffix if path else ""))
    check_size(entry, width, height)
    if path is not None:
        check_place(path)
    elif entry is DEEPZOOM:
        raise UsageError("a DeepZoom is a folder, and cannot go into a stream", "name it with -o NAME.dzi")
    return entry


def check_size(entry: Format, width: int, height: int) -> None:
    """Refuse a picture that is larger than a format allows.

    Raises:
        OutputError: It is.
    """
    if entry.max_side and max(width, height) > entry.max_side:
        raise OutputError(
            f"{entry.title} holds at most {entry.max_side} pixels a side, the result has {width} x {height}",
            "use --format png or tiff",
        )


def check_place(path: str | os.PathLike[str]) -> None:
    """Refuse a path where no file can be made, before any work is done.

    Raises:
        OutputError: The folder cannot be written, or the file cannot be replaced.
    """
    with failing_as_output_error(path):
        _probe(_resolved(path))


def _probe(path: Path) -> None:
    """Raise OSError unless a file can be made beside `path`, and `path` may be replaced."""
    if path.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not os.access(path, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    if not is_special(path):
        with new_file(path):
            pass


@contextlib.contextmanager
def failing_as_output_error(target: Any) -> Iterator[None]:
    """Turn what the operating system says into one line with a hint."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of a pipe left: that is for the command line to end on quietly
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) and "null" not in str(error):  # a zero byte in the name
            raise
        name = repr(os.fspath(target)) if isinstance(target, str | os.PathLike) else "the output stream"
        number = error.errno if isinstance(error, OSError) else None
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        kind = NoRoom if number in NO_ROOM else OutputError
        hint = HINTS.get(number or 0, "check the path, or write elsewhere")
        raise kind(f"cannot write {name}: {reason}", hint) from None


def _resolved(target: str | os.PathLike[str]) -> Path:
    """Return the file that a path leads to. A pipe is left as it is named: its links may end at what is no path."""
    path = Path(target)
    return path if is_special(path) else Path(os.path.realpath(path))
