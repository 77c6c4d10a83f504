"""Make one result: whole in memory, row by row, or frame by frame. What comes before and after is the same for all."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from kakudai.engine.estimate import is_streamed
from kakudai.engine.frames import FrameByFrame
from kakudai.engine.intake import Read, check, new_notes, pieces_of, room_of, target_format
from kakudai.engine.job import FileOptions, FileResult, Job, Progress
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.image.animation import Animation
from kakudai.image.animation_writing import Show, animation_pieces
from kakudai.image.files import write_image
from kakudai.image.formats import Format
from kakudai.image.picture import Picture
from kakudai.image.strips import Strips
from kakudai.image.writing import check_target, write_pieces, write_rows

Make = Callable[[], FileResult]


class Making:
    """One file on its way from what was read to what is written. Errors become results that tell of them.

    Args:
        upscaler: Enlarges.
        job: What was asked.
        found: What was read.
        options: How it is written.
        progress: Told how far it is.
    """

    def __init__(
        self, upscaler: Upscaler, job: Job, found: Read, options: FileOptions, *, progress: Progress | None
    ) -> None:
        self._upscaler, self._job, self._found, self._options = upscaler, job, found, options
        self._progress, self._seconds = progress, found.seconds
        self._pixels = 0

    @property
    def pixels(self) -> int:
        """Of what was read, in one frame."""
        width, height = self._found.size
        return width * height

    def begin(self) -> tuple[Make, bool]:
        """Do what can be done before the result of the file before this one is there.

        Returns: What does the rest, and whether that is only to write: what is whole in memory is enlarged already, and
            may be written by another thread. All else is made in the thread of whoever wants it, so that an
            interruption ends it.
        """
        picture = self._found.picture
        try:
            if isinstance(picture, Animation):
                return partial(self._telling, partial(self._animate, picture)), False
            if self._stays(picture):
                return partial(self._telling, self._copy), True
            size = self._upscaler.plan(picture.height, picture.width).size
            if is_streamed(picture, size, target_format(self._job, self._options, picture)):
                return partial(self._telling, partial(self._stream, picture)), False
            return partial(self._telling, self._enlarged(picture)), True
        except Exception as error:  # whatever a network raises: one bad file never stops the rest
            return partial(FileResult, self._job, error, self._found.size), True

    def _telling(self, make: Make) -> FileResult:
        try:
            return make()
        except Exception as error:  # whatever a decoder, a network or an encoder raises
            return FileResult(self._job, error, self._found.size)

    def _stays(self, picture: Picture) -> bool:
        """Say whether the result is the very file: no network runs, and size, format and all else are to stay."""
        plan = self._upscaler.plan_size(picture.height, picture.width, self._found.chosen).plan
        entry = target_format(self._job, self._options, picture)
        asked = replace(self._options, format=None, max_pixels=None)
        kept = plan.size == (picture.height, picture.width) and entry.name == picture.metadata.format
        return kept and not plan.runs and asked == FileOptions()

    def _copy(self) -> FileResult:
        """Write the bytes of the file: encoding them again would only lose."""
        started, picture = time.perf_counter(), self._found.picture
        self._checked()
        write_pieces(self._job.target, pieces_of(self._job.source))
        report = self._upscaler.plan_size(picture.height, picture.width, self._found.chosen)
        return self._done(started, report, ())

    def _enlarged(self, picture: Picture) -> Make:
        """Enlarge a picture in memory; return what writes it."""
        started = time.perf_counter()
        entry = self._checked()
        output, report = self._upscaler.upscale_picture(
            picture, self._found.chosen, progress=self._step, room=room_of(self._job)
        )
        self._seconds += time.perf_counter() - started
        return partial(self._write, output, entry, report)

    def _write(self, output: Picture, entry: Format, report: Report) -> FileResult:
        started, options = time.perf_counter(), self._options
        lost = write_image(
            output,
            self._job.target,
            format=entry.name,
            quality=options.quality,
            depth=options.depth,
            strip=options.strip,
            dither=options.dither,
        )
        return self._done(started, report, lost)

    def _stream(self, picture: Picture) -> FileResult:
        """Enlarge a picture, and write rows of the result while those below are made."""
        started, options = time.perf_counter(), self._options
        entry = self._checked()
        enlarging, report = self._upscaler.enlarge(picture, self._found.chosen, room_of(self._job))
        strips = Strips(*report.plan.size, enlarging.like, enlarging.rows(self._step))
        lost = write_rows(
            strips,
            self._job.target,
            format=entry.name,
            quality=options.quality,
            depth=options.depth,
            strip=options.strip,
        )
        return self._done(started, report.after(enlarging), lost)

    def _animate(self, animation: Animation) -> FileResult:
        """Enlarge and write an animation, frame by frame."""
        started, options, count = time.perf_counter(), self._options, animation.count
        entry = self._checked(count)
        work = FrameByFrame(self._upscaler, animation, self._found.chosen, progress=self._step)
        show = Show(count, animation.plays, options.quality, options.depth, options.strip, options.dither)
        lost: list[str] = []
        with contextlib.closing(work.frames()) as frames:  # where writing fails, they would be left to wait for
            write_pieces(self._job.target, animation_pieces(frames, entry, show, lost))
        assert work.report is not None
        return self._done(started, work.report, tuple(lost), count)

    def _checked(self, frames: int = 1) -> Format:
        """Refuse, before any work, what cannot be written; return the format of the result."""
        height, width = self._upscaler.plan(self._found.picture.height, self._found.picture.width).size
        self._pixels = height * width * frames
        entry = target_format(self._job, self._options, self._found.picture)
        check_target(self._job.target, entry.name, width, height)
        return check(self._job, self._found, self._upscaler, self._options)

    def _step(self, done: int, total: int) -> None:
        """Tell how far it is, in pixels of the result."""
        if self._progress:
            self._progress(self._job, self._pixels * done // total, self._pixels)

    def _done(self, started: float, report: Report, lost: tuple[str, ...], frames: int = 1) -> FileResult:
        """Return the result of a file that is written.

        Args:
            started: Time from which on it was worked on without a pause.
            report: What the engine did.
            lost: What the format could not hold.
            frames: Of an animation; 1 for a picture.
        """
        height, width = report.plan.size
        seconds = self._seconds + time.perf_counter() - started
        metadata = self._found.picture.metadata
        notes = (*new_notes(report, self._upscaler), *metadata.notes, *metadata.dropped, *lost)
        return FileResult(self._job, None, self._found.size, (width, height), seconds, report, notes, frames)
