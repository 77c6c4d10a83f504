"""Files in, files out: read ahead, enlarge, write behind; one bad file never stops the rest."""

import contextlib
import stat
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from kakudai.engine.estimate import Estimate, check_costs, folder_of, is_streamed
from kakudai.engine.frames import FrameByFrame, choose_for
from kakudai.engine.toolbox import Chosen
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.image.animation import Animation, open_animation
from kakudai.image.animation_writing import ANIMATED, Show, animation_pieces
from kakudai.image.archive import is_book
from kakudai.image.files import read_image, write_image
from kakudai.image.formats import Format, find_output_format, output_formats
from kakudai.image.picture import Picture
from kakudai.image.reading import MAX_PIXELS
from kakudai.image.spool import Room
from kakudai.image.strips import Strips
from kakudai.image.writing import check_size, check_target, write_pieces, write_rows

Source = str | PathLike[str] | bytes
Target = str | PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are read and written.

    Args:
        format: Name of the output format; None takes it from the target's ending.
        quality: 1 to 100 for lossy formats; None is the format's default.
        depth: 8, 10, 12 or 16 bits; None keeps the picture's where the format can.
        strip: Leave EXIF, XMP and resolution out; the colour profile stays, for without it the colours would be others.
        max_pixels: Larger inputs are refused; 0 accepts any, None what can be done with bounded memory, see
            `read_image` and `check_costs`. Animations may have 16 times as many in all frames.
        dither: For GIF: colours that the palette lacks become patterns; None where they would show as bands.
        still: Of animations only the first frame is taken.
    """

    format: str | None = None
    quality: int | None = None
    depth: int | None = None
    strip: bool = False
    max_pixels: int | None = None
    dither: bool | None = None
    still: bool = False

    @property
    def max_whole(self) -> int:
        """The limit for what has to be whole in memory."""
        return MAX_PIXELS if self.max_pixels is None else self.max_pixels


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to do: where it comes from, where it goes, and what to call it."""

    source: Source
    target: Target
    name: str


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page of a book that could not be enlarged.

    Args:
        name: In the book.
        error: Why.
        kept: It is in the new book as it was; else it was so damaged that it could not be copied.
    """

    name: str
    error: Exception
    kept: bool


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
        frames: Of an animation; 1 for a picture.
        pages: Of a book; 0 for all else. A book has neither sizes nor a report.
        failed: Pages of a book that could not be enlarged.
        networks: That were used for the pages of a book.
    """

    job: Job
    error: Exception | None = None
    input_size: tuple[int, int] | None = None
    output_size: tuple[int, int] | None = None
    seconds: float = 0.0
    report: Report | None = None
    notes: tuple[str, ...] = field(default=())
    frames: int = 1
    pages: int = 0
    failed: tuple[FailedPage, ...] = ()
    networks: tuple[str, ...] = ()


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
    job = Job(lasting(source), target, str(name))
    result = next(upscale_files(upscaler, [job], options or FileOptions()))
    if result.error:
        raise result.error
    return result


def lasting(source: Source) -> Source:
    """Return what can be opened more than once: of a pipe, what it gives; all else as it is."""
    with contextlib.suppress(OSError, ValueError):  # whoever reads it as a picture will say so
        if isinstance(source, str | PathLike) and stat.S_ISFIFO(Path(source).stat().st_mode):
            return Path(source).read_bytes()
    return source


def upscale_files(
    upscaler: Upscaler,
    jobs: Iterable[Job],
    options: FileOptions,
    *,
    progress: Progress | None = None,
) -> Generator[FileResult, None, None]:
    """Enlarge files in order. The next is read while one is enlarged and the last is written.

    At most three decoded pictures are in memory, and what is too large for that never is, see `image/spool.py` and
    `_stream`. Errors of single files are returned, not raised.
    """
    with ThreadPoolExecutor(1, "kakudai-read") as reader, ThreadPoolExecutor(1, "kakudai-write") as writer:
        todo = iter(jobs)
        ahead = _start(reader, todo, upscaler, options)
        behind: Future[FileResult] | None = None
        while ahead is not None:
            job, reading = ahead
            ahead = _start(reader, todo, upscaler, options)
            if make := _taking_long(upscaler, job, reading, options):
                if behind is not None:
                    yield _light(behind.result())
                    behind = None
                yield _light(make(upscaler, job, reading.result(), options, progress=progress))
                continue
            write = _enlarge(upscaler, job, reading, options, progress=progress)
            # Only now: whoever stops after an error must not find that the next picture was written all the same.
            if behind is not None:
                yield _light(behind.result())
            behind = writer.submit(write)
        if behind is not None:
            yield _light(behind.result())


def _light(result: FileResult) -> FileResult:
    """Let go of what the frames of an error hold: whoever collects errors would keep pictures, and their files."""
    error: BaseException | None = result.error
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    return result


@dataclass(frozen=True, slots=True)
class Read:
    """A picture that was read, or an animation that was opened, with its networks, and how long that took."""

    picture: Picture | Animation
    chosen: Chosen
    seconds: float = 0.0


def read(job: Job, upscaler: Upscaler, options: FileOptions) -> Read | None:
    """Read a picture and look what it needs; of an animation that its target can hold, only the first frames.

    Returns: None for a book: it is opened later, for there is nothing to see but its pages.

    Raises:
        PictureError: It cannot be read.
        UsageError: There is no format of the target's name.
    """
    if is_book(job.source):
        return None
    started = time.perf_counter()
    moving = None if options.still else open_animation(job.source, max_pixels=options.max_whole)
    if moving and _target_format(job, options, moving).name in ANIMATED:
        return Read(moving, choose_for(upscaler, moving), time.perf_counter() - started)
    room = Room(folder_of(job.target))
    picture = read_image(job.source, max_pixels=options.max_pixels, room=room)
    chosen = upscaler.choose(picture)
    return Read(picture, chosen, time.perf_counter() - started)


def estimate(job: Job, found: Read, upscaler: Upscaler, options: FileOptions) -> Estimate | None:
    """Say what a picture that was read will cost; None for animations.

    Raises:
        OutputError: Its disk cannot hold it, or its format cannot.
        WrongResult: A network does not even enlarge a piece of it.
    """
    picture = found.picture
    entry, plan = _target_format(job, options, picture), upscaler.plan(picture.height, picture.width)
    check_size(entry, plan.size[1], plan.size[0])
    if isinstance(picture, Animation):
        return None
    plan = upscaler.plan_picture(picture, found.chosen).plan
    check_costs(picture, plan, found.chosen.tools, entry=entry, target=job.target, options=options)
    return upscaler.estimate(picture, found.chosen, entry, options)


def _target_format(job: Job, options: FileOptions, picture: Picture | Animation) -> Format:
    """Return the format of the result: what was asked for, or by the target's ending, or that of the input."""
    own = picture.metadata.format if picture.metadata.format in output_formats() else "png"
    ending = Path(job.target).suffix if isinstance(job.target, str | PathLike) else own
    return find_output_format(options.format or ending)


def _start(
    reader: ThreadPoolExecutor, todo: Iterator[Job], upscaler: Upscaler, options: FileOptions
) -> tuple[Job, Future[Read | None]] | None:
    """Begin to read the next picture, if there is one, and to look what it needs."""
    job = next(todo, None)
    return None if job is None else (job, reader.submit(read, job, upscaler, options))


def new_notes(report: Report, upscaler: Upscaler) -> tuple[str, ...]:
    """Return what is to be said of the networks of a picture, and has not been said of all."""
    return tuple(note for note in report.notes if note not in upscaler.notes)


def _enlarge(
    upscaler: Upscaler,
    job: Job,
    reading: Future[Read | None],
    options: FileOptions,
    *,
    progress: Progress | None,
) -> Callable[[], FileResult]:
    """Enlarge a picture as soon as it is read; return what writes it, or what tells why it cannot be written."""
    size: tuple[int, int] | None = None
    try:
        found = reading.result()
        assert found is not None
        picture, started = found.picture, time.perf_counter()
        assert isinstance(picture, Picture)
        size = (picture.width, picture.height)
        height, width = upscaler.plan(picture.height, picture.width).size
        entry = _target_format(job, options, picture)
        check_target(job.target, entry.name, width, height)
        plan = upscaler.plan_picture(picture, found.chosen).plan
        check_costs(picture, plan, found.chosen.tools, entry=entry, target=job.target, options=options)
        pixels = height * width
        step = (lambda done, total: progress(job, pixels * done // total, pixels)) if progress else None
        room = Room(folder_of(job.target))
        output, report = upscaler.upscale_picture(picture, found.chosen, progress=step, room=room)
        seconds = found.seconds + time.perf_counter() - started
    except Exception as error:  # whatever a decoder raises: one bad file never stops the rest
        failed = FileResult(job, error, size)
        return lambda: failed

    def write() -> FileResult:
        started = time.perf_counter()
        try:
            lost = write_image(
                output,
                job.target,
                format=entry.name,
                quality=options.quality,
                depth=options.depth,
                strip=options.strip,
                dither=options.dither,
            )
        except Exception as error:
            return FileResult(job, error, size)
        taken = seconds + time.perf_counter() - started
        notes = (*new_notes(report, upscaler), *picture.metadata.notes, *lost)
        return FileResult(job, None, size, (output.width, output.height), taken, report, notes)

    return write


def _taking_long(
    upscaler: Upscaler, job: Job, reading: Future[Read | None], options: FileOptions
) -> Callable[..., FileResult] | None:
    """Return what makes a result that is not whole in memory, as soon as its picture is read; None for all others.

    It is made in the thread of whoever wants it, so that an interruption ends it.
    """
    try:
        found = reading.result()
        if found is None:
            return _bind
        if isinstance(found.picture, Animation):
            return _animate
        size = upscaler.plan(found.picture.height, found.picture.width).size
        return _stream if is_streamed(found.picture, size, _target_format(job, options, found.picture)) else None
    except Exception:  # `_enlarge` meets it again, and tells
        return None


def _bind(
    upscaler: Upscaler, job: Job, _found: Read | None, options: FileOptions, *, progress: Progress | None
) -> FileResult:
    """Enlarge a book."""
    from kakudai.engine.book import upscale_book  # which enlarges its pages by this file

    return upscale_book(upscaler, job, options, progress=progress)


def _stream(
    upscaler: Upscaler, job: Job, found: Read | None, options: FileOptions, *, progress: Progress | None
) -> FileResult:
    """Enlarge a picture, and write rows of the result while those below are made."""
    assert found is not None
    picture, started = found.picture, time.perf_counter()
    assert isinstance(picture, Picture)
    size = (picture.width, picture.height)
    try:
        enlarging, report = upscaler.enlarge(picture, found.chosen, Room(folder_of(job.target)))
        height, width = report.plan.size
        entry = _target_format(job, options, picture)
        check_target(job.target, entry.name, width, height)
        check_costs(picture, report.plan, found.chosen.tools, entry=entry, target=job.target, options=options)
        pixels = height * width
        step = (lambda done, total: progress(job, pixels * done // total, pixels)) if progress else None
        strips = Strips(height, width, enlarging.like, enlarging.rows(step))
        lost = write_rows(
            strips, job.target, format=entry.name, quality=options.quality, depth=options.depth, strip=options.strip
        )
    except Exception as error:  # whatever a network or an encoder raises
        return FileResult(job, error, size)
    report = report.after(enlarging)
    taken = found.seconds + time.perf_counter() - started
    notes = (*new_notes(report, upscaler), *picture.metadata.notes, *lost)
    return FileResult(job, None, size, (width, height), taken, report, notes)


def _animate(
    upscaler: Upscaler, job: Job, found: Read | None, options: FileOptions, *, progress: Progress | None
) -> FileResult:
    """Enlarge and write an animation, frame by frame."""
    assert found is not None
    animation, started = found.picture, time.perf_counter()
    assert isinstance(animation, Animation)
    size = (animation.width, animation.height)
    height, width = upscaler.plan(animation.height, animation.width).size
    pixels = height * width * animation.count
    step = (lambda done, total: progress(job, pixels * done // total, pixels)) if progress else None
    work = FrameByFrame(upscaler, animation, found.chosen, progress=step)
    show = Show(animation.count, animation.plays, options.quality, options.depth, options.strip, options.dither)
    lost: list[str] = []
    try:
        entry = _target_format(job, options, animation)
        check_target(job.target, entry.name, width, height)
        write_pieces(job.target, animation_pieces(work.frames(), entry, show, lost))
    except Exception as error:  # whatever a decoder or encoder raises
        return FileResult(job, error, size)
    assert work.report is not None
    taken = found.seconds + time.perf_counter() - started
    notes = (*new_notes(work.report, upscaler), *animation.metadata.notes, *lost)
    return FileResult(job, None, size, (width, height), taken, work.report, notes, animation.count)
