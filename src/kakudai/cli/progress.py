"""Progress on stderr: a bar per picture and one over all, silent where nobody is looking."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from kakudai.cli.report import printable, say

if TYPE_CHECKING:
    from kakudai.engine.job import Job


class Progress:
    """Bars for a batch. Does nothing when stderr is not a terminal, or when it is told to be quiet.

    Args:
        pictures: How many there are in all.
        quiet: Show nothing.
    """

    def __init__(self, pictures: int, *, quiet: bool) -> None:
        self.visible = sys.stderr.isatty() and not quiet
        if not self.visible:
            return
        from rich.console import Console
        from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        self.bars = Bars(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[speed]}", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.rows: dict[str, tuple[TaskID, float]] = {}
        self.lock = threading.Lock()
        self.total = self.bars.add_task("all pictures", total=pictures, speed="") if pictures > 1 else None

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
                row = self.bars.add_task(printable(job.name)[-40:], total=total, speed="")
                self.rows[job.name] = (row, time.monotonic())
            row, started = self.rows[job.name]
            seconds = max(time.monotonic() - started, 1e-3)
            self.bars.update(row, completed=done, total=total, speed=f"{done / 1e6 / seconds:.1f} MP/s")

    def finish(self, job: "Job") -> None:
        """Take away the bar of a picture that is done."""
        if not self.visible:
            return
        with self.lock:
            row, _ = self.rows.pop(job.name, (None, 0.0))
        if row is not None:
            self.bars.remove_task(row)
        if self.total is not None:
            self.bars.advance(self.total)

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
