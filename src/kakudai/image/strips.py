"""Write a picture that comes in rows from top to bottom, and is never whole in memory.

libvips compresses while rows arrive. It reads them as a PNG stream without compression, which costs next to nothing:
of all that it reads from a stream, only that holds any size. Samples of more than a byte travel as bytes.
"""

import contextlib
import os
import queue
import shutil
import struct
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kakudai.errors import OutputError
from kakudai.image import containers, deepzoom, exif
from kakudai.image.encoding import (
    DTYPES,
    Plan,
    as_written,
    carried,
    joined,
    make_plan,
    saver_options,
    to_depth,
    with_metadata,
)
from kakudai.image.formats import Format
from kakudai.image.picture import Metadata, Picture, Pixels
from kakudai.image.vips import EXIF, libvips, one_line

HEAD = 8 << 20
"""Bytes at the beginning of a file that hold all that stands before its pixels: a profile has at most half of it."""

CHUNK = 1 << 30
"""Most bytes of a chunk of the PNG stream; the format ends at twice that."""

PATIENCE = 0.2
"""Seconds between looks whether the encoder is still there."""

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Bytes of a pixel -> colour type of a PNG with 8 bits."""


@dataclass(frozen=True, slots=True)
class Strips:
    """A picture in rows.

    Args:
        height: In pixels.
        width: Likewise.
        like: A picture of any size with the same channels, dtype, alpha and metadata.
        rows: Colours, (rows, width, 1 | 3), and alpha, (rows, width, 1) or None, from top to bottom.
    """

    height: int
    width: int
    like: Picture
    rows: Iterator[tuple[Pixels, Pixels | None]]


def write_strips(
    strips: Strips, target: Path | BinaryIO, *, entry: Format, quality: int | None, depth: int | None, strip: bool
) -> tuple[str, ...]:
    """Encode rows into an open file or a DeepZoom folder; return what could not be held. See `write_image`.

    Args:
        strips: The picture.
        target: A file that is open for writing, or the path of a `.dzi` that is not there yet.
        entry: The format.
        quality: See `write_image`.
        depth: Likewise.
        strip: Likewise.

    Raises:
        OutputError: The encoder gave up.
        OSError: The file cannot be written.
    """
    like = strips.like
    if strip:
        like = replace(like, metadata=replace(like.metadata, exif=None, xmp=None, resolution=None))
    plan = make_plan(like, entry, quality, depth)
    bands = joined(like, entry).shape[2]
    kind = np.dtype(DTYPES[plan.depth])
    shape = (strips.height, strips.width, bands)

    def encode(feed: "_Feed") -> tuple[str, ...]:
        source = libvips().SourceCustom()  # libvips calls it as long as the image lives, and does not keep it
        source.on_read(feed.take)
        image = as_written(_received(source, bands, kind), kind, like.metadata, entry)
        image, metadata, notes = carried(image, like.metadata, entry)
        return (*notes, *_save(image, metadata, entry, _Job(plan, shape, kind), target))

    pixels = (
        to_depth(joined(replace(like, color=color, alpha=alpha), entry), plan.depth) for color, alpha in strips.rows
    )
    return (*plan.notes, *_fed(encode, as_png(pixels, shape, kind.itemsize), entry))


@dataclass(frozen=True, slots=True)
class _Job:
    plan: Plan
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2] * self.dtype.itemsize


def as_png(pixels: Iterator[Pixels], shape: tuple[int, int, int], sample: int) -> Iterator[bytes]:
    """Return a PNG without compression, in pieces. Samples of 2 and 4 bytes are so many channels of 8 bits.

    Args:
        pixels: Rows from top to bottom, (rows, width, bands).
        shape: Of all of them.
        sample: Bytes of one sample.
    """
    height, width, bands = shape
    across, channels = (width, bands) if sample == 1 else (width * bands, sample)
    yield b"\x89PNG\r\n\x1a\n"
    yield from _chunk(b"IHDR", struct.pack(">IIBBBBB", across, height, 8, COLOUR_TYPES[channels], 0, 0, 0))
    stored = zlib.compressobj(0)
    for part in pixels:
        rows = np.zeros((len(part), 1 + across * channels), np.uint8)  # the byte before each row: no filter
        rows[:, 1:] = np.ascontiguousarray(part).view(np.uint8).reshape(len(part), -1)
        data = stored.compress(rows.data)
        for start in range(0, len(data), CHUNK):
            yield from _chunk(b"IDAT", data[start : start + CHUNK])
    yield from _chunk(b"IDAT", stored.flush())
    yield from _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> Iterator[bytes]:
    yield struct.pack(">I", len(body)) + name
    yield body
    yield struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


class _Feed:
    """Bytes from one thread to another, which asks for so many at a time."""

    def __init__(self) -> None:
        self._coming: queue.Queue[bytes] = queue.Queue(2)
        self._rest = memoryview(b"")
        self._ended = False

    def give(self, data: bytes, thread: threading.Thread) -> bool:
        """Hand over bytes, none for the end; say whether they will be read."""
        while thread.is_alive():
            try:
                self._coming.put(data, timeout=PATIENCE)
            except queue.Full:
                continue
            return True
        return False

    def take(self, most: int) -> bytes:
        """Return some bytes, none at the end."""
        if not self._rest and not self._ended:
            self._rest = memoryview(self._coming.get())
            self._ended = not self._rest
        taken, self._rest = bytes(self._rest[:most]), self._rest[most:]
        return taken


def _fed(encode: Callable[[_Feed], tuple[str, ...]], pieces: Iterator[bytes], entry: Format) -> tuple[str, ...]:
    """Run an encoder in a thread of its own, and give it what it asks for; return what it returns.

    The pieces are made here: whoever interrupts this thread stops all.
    """
    feed = _Feed()
    results: list[tuple[str, ...]] = []
    errors: list[Exception] = []

    def run() -> None:
        vips = libvips()
        try:
            results.append(encode(feed))
        except (vips.Error, UnicodeDecodeError) as error:
            hint = "try another --format"
            errors.append(OutputError(f"{entry.title} encoder failed: {one_line(error)}", hint))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="kakudai-encode")
    thread.start()
    try:
        for piece in pieces:
            if piece and not feed.give(piece, thread):
                break
    finally:
        feed.give(b"", thread)
        thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _received(source: Any, bands: int, dtype: np.dtype[Any]) -> Any:
    """Return the libvips image of what comes.

    libvips' list of complaints is not emptied before: those on a picture that is being decoded meanwhile are in it.
    """
    image = libvips().Image.pngload_source(source, access="sequential", fail_on="error", unlimited=True)
    if dtype.itemsize == 1:
        return image
    return image.copy(format="ushort" if dtype.itemsize == 2 else "float", bands=1).bandfold(factor=bands)


def _save(image: Any, metadata: Metadata, entry: Format, job: _Job, target: Path | BinaryIO) -> tuple[str, ...]:
    """Encode an image that is still coming; return what could not be held of its metadata."""
    options = saver_options(entry, job.plan, job.shape[0] * job.shape[1], job.bytes)
    keep = "icc|xmp|exif" if image.get_typeof(EXIF) else "icc|xmp"
    if isinstance(target, Path):
        with _telling_why(target):
            return deepzoom.save(image, metadata, target, options)
    if entry.name == "tiff":
        return _save_tiff(image, metadata, job, target, options | {"keep": keep})
    if entry.name in ("png", "jpeg"):
        # Tables that fit this picture best would mean to keep all of it until the end.
        options |= {"optimize_coding": False} if entry.name == "jpeg" else {}
        _save_behind_head(image, metadata, entry, job, target, options | {"keep": keep})
        return ()
    data = getattr(image, f"{entry.saver}_buffer")(keep=keep, **options)
    pieces, notes = with_metadata(data, metadata, entry, job.shape)
    target.writelines(pieces)
    return notes


def _save_behind_head(
    image: Any, metadata: Metadata, entry: Format, job: _Job, file: BinaryIO, options: dict[str, Any]
) -> None:
    """Encode into a file, and put resolution, EXIF and XMP into what stands before the pixels."""
    head: bytearray | None = bytearray()
    failed: list[Exception] = []

    def flush() -> None:
        nonlocal head
        if head is not None:
            file.writelines(with_metadata(bytes(head), metadata, entry, job.shape)[0])
            head = None

    def write(data: Any) -> int:
        try:
            if head is None:
                file.write(data)
            else:
                head.extend(data)
                if len(head) >= HEAD:
                    flush()
        except Exception as error:  # whatever a stream raises: libvips knows only that it failed
            failed.append(error)
            return -1
        return len(data)

    vips = libvips()
    output = vips.TargetCustom()
    output.on_write(write)
    try:
        getattr(image, f"{entry.saver}_target")(output, **options)
        flush()
    except vips.Error:
        if failed:
            raise failed[0] from None
        raise


@contextlib.contextmanager
def _telling_why(path: Path) -> Iterator[None]:
    """Find the cause where libvips only says that it could not write: the system tells it to whoever writes more there.

    Raises:
        OSError: The cause.
    """
    try:
        yield
    except libvips().Error:
        with path.open("ab", buffering=0) as file:
            for _ in range(2):  # what is written only in part is no error yet
                file.write(bytes(1 << 20))
        raise


def _save_tiff(image: Any, metadata: Metadata, job: _Job, file: BinaryIO, options: dict[str, Any]) -> tuple[str, ...]:
    """Encode into a tiled TIFF. What has no name, or cannot be written twice, is written from a copy."""
    dpi = containers.plausible(metadata.resolution)
    options |= {"tile": True, "tile_width": 256, "tile_height": 256}
    if dpi:
        image = image.copy(xres=dpi[0] / 25.4, yres=dpi[1] / 25.4)
        options["resunit"] = "inch"
    block = exif.fitted(metadata.exif, job.shape[1], job.shape[0], dpi, add=False)
    name = getattr(file, "name", None)
    if isinstance(name, str | os.PathLike) and Path(name).is_file():
        with _telling_why(Path(name)):
            image.tiffsave(os.fspath(name), **options)
        return containers.add_to_tiff(Path(name), dpi, block)
    with tempfile.NamedTemporaryFile(suffix=".tif") as copy:
        with _telling_why(Path(copy.name)):
            image.tiffsave(copy.name, **options)
        notes = containers.add_to_tiff(Path(copy.name), dpi, block)
        with Path(copy.name).open("rb") as finished:
            shutil.copyfileobj(finished, file)
    return notes
