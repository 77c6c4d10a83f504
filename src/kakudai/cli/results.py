"""What is said of each picture: lines for people on stderr, JSON for machines on stdout, and the exit code."""

import json
import math
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import typer

from kakudai.cli.inputs import STREAM
from kakudai.cli.report import explain, report_failure, say

if TYPE_CHECKING:
    from kakudai.engine.estimate import Estimate
    from kakudai.engine.job import FileResult
    from kakudai.engine.upscaler import Report

SCHEMA = 1
"""Version of the objects that --json prints; it rises when a key changes its meaning or goes."""

Line = Callable[[str], None]


class Results:
    """Says what becomes of the pictures of one command, and counts what failed.

    Args:
        as_json: Print JSON, too.
        quiet: Say errors only.

    Attributes:
        failures: Names and errors.
        pictures: How many pictures there are in all.
    """

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json, self.quiet = as_json, quiet
        self.failures: list[tuple[str, Exception]] = []
        self.pictures = 0

    def note(self, notes: Iterable[str]) -> None:
        """Say what holds for all pictures."""
        for note in notes if not self.quiet else ():
            say(f"note: {note}")

    def warn(self, name: str, notes: Iterable[str], line: Line = say) -> None:
        """Say what is otherwise than for most pictures."""
        for note in notes if not self.quiet else ():
            line(f"warning: {name}: {note}")

    def skip(self, name: str, reason: str | None) -> None:
        """Say that a picture is not done."""
        self.print(name, "skipped", reason=reason)
        if not self.quiet:
            say(f"skipped: {name}: {reason}")

    def fail(self, name: str, error: Exception, line: Line = say, **fields: Any) -> None:
        """Say that a picture could not be done."""
        self.failures.append((name, error))
        message, hint = report_failure(name, error, line)
        self.print(name, "failed", error=message, hint=hint, kind=type(error).__name__, **fields)

    def tell(self, result: "FileResult", runtime: str, line: Line) -> None:
        """Report one finished or failed picture, or a book."""
        if isinstance(result.error, BrokenPipeError):
            raise result.error  # whoever read standard output has gone: there is nobody to tell
        if result.error:
            self.fail(result.job.name, result.error, line, input_size=result.input_size)
        elif result.pages:
            self._tell_book(result, runtime, line)
        else:
            self._tell_picture(result, runtime, line)

    def _tell_picture(self, result: "FileResult", runtime: str, line: Line) -> None:
        report, target = result.report, target_name(result.job.target)
        assert report is not None
        assert result.input_size is not None
        assert result.output_size is not None
        self.print(
            result.job.name,
            "done",
            output=target,
            input_size=result.input_size,
            output_size=result.output_size,
            frames=result.frames,
            seconds=round(result.seconds, 3),
            network_seconds=round(report.network_seconds, 3),
            passes=report.plan.passes,
            denoising=report.plan.denoising,
            tile=report.tile,
            model=report.model,
            networks=report.networks,
            precision=report.precision,
            strength=report.strength,
            reason=report.reason,
            runtime=runtime,
            notes=result.notes,
        )
        self.warn(result.job.name, result.notes, line)
        if not self.quiet:
            size = sizes(result.input_size, result.output_size, result.frames)
            done = how(report, result.input_size)
            line(f"{result.job.name} -> {target}  {size}  {done}  {result.seconds:.2f} s")

    def _tell_book(self, result: "FileResult", runtime: str, line: Line) -> None:
        """Report a finished book; pages that stayed as they were count as failures."""
        name, target = result.job.name, target_name(result.job.target)
        failed = [
            {"page": page.name, "error": explain(page.error)[0], "kept": page.kept} for page in result.failed
        ]  # fmt: skip
        self.print(
            name, "done", output=target, pages=result.pages, failed_pages=failed,
            seconds=round(result.seconds, 3), networks=result.networks, runtime=runtime, notes=result.notes,
        )  # fmt: skip
        for page in result.failed:
            self.failures.append((f"{name}: {page.name}", page.error))
            kept = "it stays as it was" if page.kept else "it is left out"
            line(f"error: {name}: {page.name}: {explain(page.error)[0]}; {kept}")
        self.warn(name, result.notes, line)
        if not self.quiet:
            done = ", ".join(result.networks) or "resize"
            line(f"{name} -> {target}  {result.pages} pages  {done}  {result.seconds:.2f} s")

    def print(self, name: str, status: str, **fields: Any) -> None:
        """Print one object where JSON is wanted."""
        if self.as_json:
            typer.echo(json.dumps({"schema": SCHEMA, "input": name, "status": status, **fields}))

    def finish(self) -> int:
        """List the failures again where they may have scrolled away; return the exit code."""
        if self.failures and len(self.failures) + self.pictures > 2 and not self.quiet:
            from kakudai.cli.table import print_failures

            print_failures([(name, explain(error)[0]) for name, error in self.failures])
        return 1 if self.failures else 0


def target_name(target: object) -> str:
    """Return what to call a target: its path, or - for a stream."""
    return os.fspath(target) if isinstance(target, str | os.PathLike) else STREAM


def how(report: "Report", size: tuple[int, int]) -> str:
    """Write "photo-x2, strength 35: photograph, JPEG quality 61, 4:2:0"; without a network "resize" or "unchanged".

    Args:
        report: What was done or will be.
        size: Of the input, (width, height).
    """
    plan = report.plan
    done = report.model if plan.runs else "unchanged" if plan.size == size[::-1] else "resize"
    return f"{done}: {report.reason}" if report.reason else done


def costing(costs: "Estimate | None") -> str:
    """Write "  about 5 min, 420 MB of memory, 2.1 GB of disk"."""
    if costs is None:
        return ""
    seconds = f"{costs.seconds:.0f} s" if costs.seconds < 90 else f"{costs.seconds / 60:.0f} min"
    return f"  about {seconds}, {in_bytes(costs.memory)} of memory, {in_bytes(costs.disk + costs.spool)} of disk"


def in_bytes(size: int) -> str:
    """Write 420 MB, 2.1 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{math.ceil(size / 1e6)} MB"


def sizes(before: tuple[int, int], after: tuple[int, int], frames: int = 1) -> str:
    """Write "750x469 -> 1500x938"; of animations "300x200 -> 600x400, 24 frames"."""
    return f"{before[0]}x{before[1]} -> {after[0]}x{after[1]}" + (f", {frames} frames" if frames > 1 else "")
