"""Files in, files out: read ahead, enlarge, write behind; small ones at once. One bad file never stops the rest."""

import contextlib
import os
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from kakudai.engine.intake import Read, lasting, read
from kakudai.engine.job import FileOptions, FileResult, Job, Progress, Source, Target
from kakudai.engine.making import Make, Making
from kakudai.engine.upscaler import Upscaler

SMALL_FILE = 1 << 18
"""Bytes up to which several files are read and looked at at once."""

SMALL_PICTURE = 1 << 17
"""Pixels up to which one thread makes and writes a picture, while others do the same: it has too few tiles to keep all
processors busy. All larger ones are made one after the other, so that an interruption ends them between two tiles."""

Reading: TypeAlias = Callable[[], Read | None]


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


@dataclass(frozen=True, slots=True)
class Begun:
    """A job that somebody works on.

    Args:
        job: The job.
        reading: Of a large file.
        making: Of a small one; what `_make_small` returns.
    """

    job: Job
    reading: Future[Read | None] | None = None
    making: Future[Making | Make] | None = None

    def begin(self, upscaler: Upscaler, options: FileOptions, *, progress: Progress | None) -> tuple[Make, bool]:
        """Do all but write, as soon as it is read; see `Making.begin`."""
        if self.making is not None:
            opened = self.making.result()
        else:
            assert self.reading is not None
            opened = _open(upscaler, self.job, self.reading.result, options, progress=progress)
        return opened.begin() if isinstance(opened, Making) else (opened, False)


def upscale_files(
    upscaler: Upscaler,
    jobs: Iterable[Job],
    options: FileOptions,
    *,
    progress: Progress | None = None,
    at_once: int = 1,
) -> Generator[FileResult, None, None]:
    """Enlarge files; results come in the order of the jobs. Errors of single files are returned, not raised.

    The next file is read while one is enlarged and the last is written. At most three large decoded pictures are in
    memory, and what is too large for that never is, see `image/spool.py` and `engine/making.py`.

    Args:
        upscaler: Enlarges.
        jobs: What is to be done; taken no further ahead than is begun.
        options: How files are read and written.
        progress: Told how far each is.
        at_once: Small files that are done at the same time. With 1, nothing is written before whoever takes the results
            has had the one before it; else, whoever stops finds a few more of the small ones written.
    """
    with (
        ThreadPoolExecutor(1, "kakudai-read") as reader,
        ThreadPoolExecutor(1, "kakudai-write") as writer,
        _crew(at_once) as crew,
    ):
        todo, line = iter(jobs), deque[Begun]()

        def begin_more() -> None:
            """Begin with the next file; where it is a small one, with as many more as keep the crew busy."""
            while not line or (line[-1].making and len(line) <= at_once):
                job = next(todo, None)
                if job is None:
                    return
                if at_once > 1 and _is_small(job.source):
                    work = crew.submit(_make_small, upscaler, job, options, progress=progress)
                    line.append(Begun(job, making=work))
                else:
                    line.append(Begun(job, reader.submit(read, job, upscaler, options)))

        behind: Future[FileResult] | None = None
        begin_more()
        while line:
            begun = line.popleft()
            begin_more()
            make, is_enlarged = begun.begin(upscaler, options, progress=progress)
            # Only now: whoever stops after an error must not find that the next picture was written all the same.
            if behind is not None:
                yield _light(behind.result())
                behind = None
            if is_enlarged:
                behind = writer.submit(make)
            else:
                yield _light(make())
            del make, begun  # and the picture with them
        if behind is not None:
            yield _light(behind.result())


@contextlib.contextmanager
def _crew(count: int) -> Iterator[ThreadPoolExecutor]:
    """Have threads for small files; at the end, what they have not begun is left."""
    crew = ThreadPoolExecutor(count, "kakudai-small")
    try:
        yield crew
    finally:
        crew.shutdown(cancel_futures=True)


def _is_small(source: Source) -> bool:
    """Say whether a file is small, or is not there at all."""
    if isinstance(source, bytes):
        return len(source) <= SMALL_FILE
    with contextlib.suppress(OSError, ValueError):
        return os.stat(source).st_size <= SMALL_FILE  # noqa: PTH116 - it may be any path
    return True


def _make_small(upscaler: Upscaler, job: Job, options: FileOptions, *, progress: Progress | None) -> Making | Make:
    """Do all there is to a small picture, and return what gives the result; only read what turns out to be larger."""
    opened = _open(upscaler, job, partial(read, job, upscaler, options), options, progress=progress)
    if not isinstance(opened, Making) or opened.pixels > SMALL_PICTURE:
        return opened
    make, is_enlarged = opened.begin()
    if not is_enlarged:
        return make
    result = make()
    return lambda: result


def _open(
    upscaler: Upscaler, job: Job, reading: Reading, options: FileOptions, *, progress: Progress | None
) -> Making | Make:
    """Take what was read; return what makes the result, or what gives it where there is nothing to see."""
    try:
        found = reading()
    except Exception as error:  # whatever a decoder raises: one bad file never stops the rest
        return partial(FileResult, job, error)
    if found is None:
        from kakudai.engine.book import upscale_book  # which enlarges its pages by this file

        return partial(upscale_book, upscaler, job, options, progress=progress)
    return Making(upscaler, job, found, options, progress=progress)


def _light(result: FileResult) -> FileResult:
    """Let go of what the frames of an error hold: whoever collects errors would keep pictures, and their files."""
    error: BaseException | None = result.error
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    return result
