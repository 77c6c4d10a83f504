"""Files in, files out: read ahead, enlarge, write behind; one bad file never stops the rest."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from kakudai.engine.toolbox import Chosen
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.image.writing import check_target

DEFAULT_MAX_PIXELS = 179_000_000
"""The limit of Pillow and of most programs: larger pictures are more often attacks than photographs."""

Source = str | PathLike[str] | bytes
Target = str | PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are read and written.

    Args:
        format: Name of the output format; None takes it from the target's ending.
        quality: 1 to 100 for lossy formats; None is the format's default.
        depth: 8 or 16 bits; None keeps the picture's where the format can.
        strip: Leave EXIF, XMP and resolution out; the colour profile stays, for without it the colours would be others.
        max_pixels: Larger inputs are refused; 0 accepts any.
    """

    format: str | None = None
    quality: int | None = None
    depth: int | None = None
    strip: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to do: where it comes from, where it goes, and what to call it."""

    source: Source
    target: Target
    name: str


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one picture.

    Args:
        job: What was asked.
        error: Why there is no output, or None.
        input_size: (width, height), or None where the picture could not be read.
        output_size: (width, height), or None on an error.
        seconds: Reading, enlarging and writing it, without the time in which it waited for the picture before it.
        report: What the engine did, or None on an error.
        notes: What could not be kept, and what is done otherwise than for most pictures, one sentence each.
    """

    job: Job
    error: Exception | None = None
    input_size: tuple[int, int] | None = None
    output_size: tuple[int, int] | None = None
    seconds: float = 0.0
    report: Report | None = None
    notes: tuple[str, ...] = field(default=())


Progress = Callable[[Job, int, int], None]
"""Called with the job, the pixels of its result that are done, and all that it will have; from several threads."""


def upscale_file(
    upscaler: Upscaler,
    source: Source,
    target: Target,
    options: FileOptions | None = None,
) -> FileResult:
    """Enlarge one file.

    Raises:
        PictureError: The input cannot be read.
        OutputError: The output cannot be written.
        WrongResult: The network returned something that is not the enlarged picture.
    """
    name = source if isinstance(source, str | Path) else "<stream>"
    result = next(upscale_files(upscaler, [Job(source, target, str(name))], options or FileOptions()))
    if result.error:
        raise result.error
    return result


def upscale_files(
    upscaler: Upscaler,
    jobs: Iterable[Job],
    options: FileOptions,
    *,
    progress: Progress | None = None,
) -> Generator[FileResult, None, None]:
    """Enlarge files in order. The next is read while one is enlarged and the last is written.

    At most three decoded pictures are in memory. Errors of single files are returned, not raised.
    """
    with ThreadPoolExecutor(1, "kakudai-read") as reader, ThreadPoolExecutor(1, "kakudai-write") as writer:
        todo = iter(jobs)
        ahead = _start(reader, todo, upscaler, options)
        behind: Future[FileResult] | None = None
        while ahead is not None:
            job, reading = ahead
            ahead = _start(reader, todo, upscaler, options)
            write = _enlarge(upscaler, job, reading, options, progress=progress)
            # Only now: whoever stops after an error must not find that the next picture was written all the same.
            if behind is not None:
                yield behind.result()
            behind = writer.submit(write)
        if behind is not None:
            yield behind.result()


@dataclass(frozen=True, slots=True)
class Read:
    """A picture that was read and looked at, and how long that took."""

    picture: Picture
    chosen: Chosen
    seconds: float


def _start(
    reader: ThreadPoolExecutor, todo: Iterator[Job], upscaler: Upscaler, options: FileOptions
) -> tuple[Job, Future[Read]] | None:
    """Begin to read the next picture, if there is one, and to look what it needs."""

    def read(job: Job) -> Read:
        started = time.perf_counter()
        picture = read_image(job.source, max_pixels=options.max_pixels)
        chosen = upscaler.choose(picture)
        return Read(picture, chosen, time.perf_counter() - started)

    job = next(todo, None)
    return None if job is None else (job, reader.submit(read, job))


def new_notes(report: Report, upscaler: Upscaler) -> tuple[str, ...]:
    """Return what is to be said of the networks of a picture, and has not been said of all."""
    return tuple(note for note in report.notes if note not in upscaler.notes)


def _stream_format(job: Job, picture: Picture) -> str | None:
    """Name the format for a target without an ending: that of the input."""
    return None if isinstance(job.target, str | PathLike) else picture.metadata.format


def _enlarge(
    upscaler: Upscaler,
    job: Job,
    reading: Future[Read],
    options: FileOptions,
    *,
    progress: Progress | None,
) -> Callable[[], FileResult]:
    """Enlarge a picture as soon as it is read; return what writes it, or what tells why it cannot be written."""
    size: tuple[int, int] | None = None
    try:
        read = reading.result()
        picture, started = read.picture, time.perf_counter()
        size = (picture.width, picture.height)
        height, width = upscaler.plan(picture.height, picture.width).size
        check_target(job.target, options.format or _stream_format(job, picture), width, height)
        pixels = height * width
        step = (lambda done, total: progress(job, pixels * done // total, pixels)) if progress else None
        output, report = upscaler.upscale_picture(picture, read.chosen, progress=step)
        seconds = read.seconds + time.perf_counter() - started
    except Exception as error:  # whatever a decoder raises: one bad file never stops the rest
        failed = FileResult(job, error, size)
        return lambda: failed

    def write() -> FileResult:
        started = time.perf_counter()
        try:
            lost = write_image(
                output,
                job.target,
                format=options.format,
                quality=options.quality,
                depth=options.depth,
                strip=options.strip,
            )
        except Exception as error:
            return FileResult(job, error, size)
        taken = seconds + time.perf_counter() - started
        notes = (*new_notes(report, upscaler), *picture.metadata.notes, *lost)
        return FileResult(job, None, size, (output.width, output.height), taken, report, notes)

    return write
