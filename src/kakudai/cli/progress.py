"""Progress on stderr: a bar per picture and one over all, silent where nobody is looking."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from kakudai.cli.report import printable, say

if TYPE_CHECKING:
    from kakudai.engine.job import FileResult, Job

CALM_SECONDS = 30.0
"""Between two lines about all pictures, where there is no terminal."""


class Pace:
    """How far a batch is.

    Args:
        pictures: How many there are in all.
        now: A clock, in seconds.
    """

    def __init__(self, pictures: int, now: Callable[[], float] = time.monotonic) -> None:
        self.pictures, self.done, self.failed, self.pixels = pictures, 0, 0, 0
        self.waiting: set[str] = set()
        self._now, self._started = now, now()
        self._said = self._started

    def take(self, result: "FileResult") -> None:
        """Count a picture that has come to an end."""
        width, height = result.output_size or (0, 0)
        self.waiting.discard(result.job.name)
        self.done += 1
        self.failed += result.error is not None
        self.pixels += width * height * result.frames

    @property
    def amount(self) -> str:
        """Write "120/10000, 3 failed"."""
        return f"{self.done}/{self.pictures}{self._failures}"

    @property
    def _failures(self) -> str:
        failed = self.failed + len(self.waiting)
        return f", {failed} failed" if failed else ""

    @property
    def speed(self) -> str:
        """Write "4.2 MP/s", megapixels of results."""
        return f"{self.pixels / 1e6 / max(self._now() - self._started, 1e-3):.1f} MP/s"

    def line(self) -> str | None:
        """Return a line about all pictures where the last was long ago, and there is more to come."""
        now = self._now()
        if now < self._said + CALM_SECONDS or not 0 < self.done < self.pictures:
            return None
        self._said = now
        left = (now - self._started) / self.done * (self.pictures - self.done)
        done = f"{self.done} of {self.pictures} pictures{self._failures}"
        return f"{done}, {self.speed}, about {timedelta(seconds=round(left))} left"


class Progress:
    """Bars for a batch; a line from time to time where stderr is not a terminal. Nothing when it is told to be quiet.

    Args:
        pictures: How many there are in all.
        quiet: Show nothing.
    """

    def __init__(self, pictures: int, *, quiet: bool) -> None:
        self.visible = sys.stderr.isatty() and not quiet
        self.quiet, self.pace = quiet, Pace(pictures)
        if not self.visible:
            return
        from rich.console import Console
        from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        self.bars = Bars(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(),
            TextColumn("{task.fields[amount]:>5}", table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[speed]}", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.rows: dict[str, tuple[TaskID, float]] = {}
        self.lock = threading.Lock()
        amount = self.pace.amount
        self.total = (
            self.bars.add_task("all pictures", total=pictures, speed="", amount=amount) if pictures > 1 else None
        )

    def __enter__(self) -> "Progress":
        if self.visible:
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.visible:
            self.bars.stop()

    def advance(self, job: "Job", done: int, total: int) -> None:
        """Show how far one picture is, in pixels of its result. Called from several threads."""
        if not self.visible:
            return
        with self.lock:
            if job.name not in self.rows:
                row = self.bars.add_task(printable(job.name)[-40:], total=total, speed="", amount="")
                self.rows[job.name] = (row, time.monotonic())
            row, started = self.rows[job.name]
            seconds = max(time.monotonic() - started, 1e-3)
            speed, amount = f"{done / 1e6 / seconds:.1f} MP/s", f"{done / max(total, 1):.0%}"
            self.bars.update(row, completed=done, total=total, speed=speed, amount=amount)

    def put_off(self, job: "Job") -> None:
        """Count a picture that has failed, and is begun again at the end."""
        self.pace.waiting.add(job.name)
        self.drop(job)

    def drop(self, job: "Job") -> None:
        """Take away the bar of a picture."""
        if not self.visible:
            return
        with self.lock:
            row, _ = self.rows.pop(job.name, (None, 0.0))
        if row is not None:
            self.bars.remove_task(row)

    def finish(self, result: "FileResult") -> None:
        """Take away the bar of a picture that has come to an end, and count it."""
        self.pace.take(result)
        self.drop(result.job)
        if self.visible and self.total is not None:
            self.bars.update(self.total, advance=1, speed=self.pace.speed, amount=self.pace.amount)
        line = None if self.visible or self.quiet else self.pace.line()
        if line is not None:
            say(line)

    def line(self, text: str) -> None:
        """Print a line above the bars, or on stderr where there are none."""
        if self.visible:
            self.bars.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
        else:
            say(text)


@contextlib.contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal while things are counted; yield what takes (done, in all)."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        row = bars.add_task(title.replace("[", r"\["), total=None)
        yield lambda done, total: bars.update(row, completed=done, total=total)
