"""Files in, files out: read ahead, enlarge, write behind; one bad file never stops the rest."""

import traceback
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from kakudai.engine.intake import Read, lasting, read
from kakudai.engine.job import FileOptions, FileResult, Job, Progress, Source, Target
from kakudai.engine.making import Make, Making
from kakudai.engine.upscaler import Upscaler


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


def upscale_files(
    upscaler: Upscaler,
    jobs: Iterable[Job],
    options: FileOptions,
    *,
    progress: Progress | None = None,
) -> Generator[FileResult, None, None]:
    """Enlarge files in order. The next is read while one is enlarged and the last is written.

    At most three decoded pictures are in memory, and what is too large for that never is, see `image/spool.py` and
    `engine/making.py`. Errors of single files are returned, not raised.
    """
    with ThreadPoolExecutor(1, "kakudai-read") as reader, ThreadPoolExecutor(1, "kakudai-write") as writer:
        todo = iter(jobs)
        ahead = _start(reader, todo, upscaler, options)
        behind: Future[FileResult] | None = None
        while ahead is not None:
            job, reading = ahead
            ahead = _start(reader, todo, upscaler, options)
            make, is_enlarged = _begin(upscaler, job, reading, options, progress=progress)
            # Only now: whoever stops after an error must not find that the next picture was written all the same.
            if behind is not None:
                yield _light(behind.result())
                behind = None
            if is_enlarged:
                behind = writer.submit(make)
            else:
                yield _light(make())
            del make, reading  # and the picture with them
        if behind is not None:
            yield _light(behind.result())


def _start(
    reader: ThreadPoolExecutor, todo: Iterator[Job], upscaler: Upscaler, options: FileOptions
) -> tuple[Job, Future[Read | None]] | None:
    """Begin to read the next picture, if there is one, and to look what it needs."""
    job = next(todo, None)
    return None if job is None else (job, reader.submit(read, job, upscaler, options))


def _begin(
    upscaler: Upscaler,
    job: Job,
    reading: Future[Read | None],
    options: FileOptions,
    *,
    progress: Progress | None,
) -> tuple[Make, bool]:
    """Begin with a file as soon as it is read; see `Making.begin`."""
    try:
        found = reading.result()
    except Exception as error:  # whatever a decoder raises: one bad file never stops the rest
        return partial(FileResult, job, error), True
    if found is None:
        from kakudai.engine.book import upscale_book  # which enlarges its pages by this file

        return partial(upscale_book, upscaler, job, options, progress=progress), False
    return Making(upscaler, job, found, options, progress=progress).begin()


def _light(result: FileResult) -> FileResult:
    """Let go of what the frames of an error hold: whoever collects errors would keep pictures, and their files."""
    error: BaseException | None = result.error
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    return result
