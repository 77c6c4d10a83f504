"""All pictures of one command: done, or planned."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kakudai.cli.dry_run import plan
from kakudai.cli.inputs import STREAM, Assignment
from kakudai.cli.keeping import Again, damage
from kakudai.cli.report import ending_at_sigterm, explain
from kakudai.cli.results import Results
from kakudai.cli.streams import read_standard_input, standard_output
from kakudai.errors import KakudaiError

if TYPE_CHECKING:
    from kakudai.cli.progress import Progress
    from kakudai.engine.job import FileOptions, FileResult, Job
    from kakudai.engine.upscaler import Upscaler
    from kakudai.image.whole import Place
    from kakudai.jobs.keeper import Keeper

AT_ONCE = 2
"""Small pictures that are made at the same time. More of them wait for the interpreter more than they gain."""

NOTHING_AGAIN = Again()


class Batch:
    """What is to be done, and who says what became of it.

    Args:
        upscaler: Enlarges.
        options: How files are read and written.
        results: Says it.
        fail_fast: Stop at the first picture that fails.
        keeper: Keeps the manifest; None where there is none. With one, what fails is tried once more at the end.
        again: What is done again that the manifest has already.
    """

    def __init__(
        self,
        upscaler: "Upscaler",
        options: "FileOptions",
        results: Results,
        *,
        fail_fast: bool,
        keeper: "Keeper | None" = None,
        again: Again = NOTHING_AGAIN,
    ) -> None:
        self._upscaler, self._options, self._results, self._fail_fast = upscaler, options, results, fail_fast
        self._keeper, self._again = keeper, again
        self._owns = keeper.ledger.owns if keeper is not None else _owns_nothing
        self._is_over = False
        self._refused: dict[Path, str] = {}
        self._notes: dict[str, tuple[str, ...]] = {}

    def refuse(self, assignments: list[Assignment]) -> None:
        """Say what cannot even be begun."""
        self._results.pictures = len(assignments)
        for assignment in assignments:
            name = str(assignment.source)
            if assignment.error:
                self._results.fail(name, assignment.error)
            elif assignment.skipped:
                self._results.skip(name, assignment.note)
            elif assignment.note and assignment.target is None:  # else it is said when there is a result
                self._results.warn(name, [assignment.note])

    def run(self, assignments: list[Assignment]) -> int:
        """Enlarge what has a target; return the exit code."""
        if self._fail_fast and self._results.failures:
            return self._results.finish()
        self.warn_of_damage()
        self._enlarge(assignments)
        return self._results.finish()

    def take(self, assignments: list[Assignment]) -> list[Path]:
        """Enlarge what has a target, and say of the rest why not, once; more is to come.

        Returns: Pictures that may be done at another time, though they stay as they are.
        """
        self.complain([assignment for assignment in assignments if not assignment.is_result])
        self._is_over = False
        self._enlarge(assignments)
        return [one.source for one in assignments if self._may_be_done_later(one)]

    def complain(self, assignments: list[Assignment]) -> None:
        """Say what cannot even be begun, unless it was said before."""
        self.refuse([assignment for assignment in assignments if not self._is_said(assignment)])

    def _is_said(self, assignment: Assignment) -> bool:
        """Say whether the same was said of a picture before; remember what is."""
        reason = assignment.error.message if assignment.error else assignment.note
        before = self._refused.get(assignment.source)
        self._refused[assignment.source] = reason
        return before == reason

    def _may_be_done_later(self, assignment: Assignment) -> bool:
        source, target = assignment.source, assignment.target
        if self._keeper is None or assignment.skipped:
            return False
        if target is None:
            return assignment.error is not None
        return self._keeper.judge(source, target) is None

    def plan(self, assignments: list[Assignment]) -> int:
        """Say what would be done; return the exit code."""
        for job in self._jobs(self._remaining(assignments)):
            plan(job, self._upscaler, self._options, self._results, notes=self._notes[job.name])
        return self._results.finish()

    def _enlarge(self, assignments: list[Assignment]) -> None:
        from kakudai.cli.progress import Progress

        self._keep_refused(assignments)
        remaining = self._remaining(assignments, confirm=True)
        jobs = [job for job in self._jobs(remaining) if self._make_folder(job)]
        if self._fail_fast and self._results.failures:
            return
        with ending_at_sigterm(), Progress(len(jobs), quiet=self._results.quiet) as progress:
            failed = self._work(jobs, progress, is_last=self._keeper is None or self._fail_fast)
            self._work(failed, progress, is_last=True)
        if self._keeper is not None:
            self._keeper.sync()

    def _work(self, jobs: list["Job"], progress: "Progress", *, is_last: bool) -> list["Job"]:
        """Enlarge pictures; unless it is the last time, return those that failed and are to be tried once more."""
        from kakudai.engine.batch import upscale_files

        begun = jobs if self._keeper is None else self._keeper.begin(jobs)
        failed: list[Job] = []
        at_once = 1 if self._fail_fast or self._upscaler.is_helped else min(AT_ONCE, self._upscaler.threads)
        done = upscale_files(self._upscaler, begun, self._options, progress=progress.advance, at_once=at_once)
        with contextlib.closing(done):  # at Ctrl-C too, so that what is about to appear is still written down
            for result in () if self._is_over else done:
                if not is_last and self._is_tried_again(result):
                    failed.append(result.job)
                    progress.put_off(result.job)
                    note = f"{explain(result.error)[0]}; it is tried once more at the end"  # type: ignore[arg-type]
                    self._results.warn(result.job.name, [note], progress.line)
                    continue
                self._end(result, progress)
                if (result.error and self._fail_fast) or self._is_over:
                    break
        return failed

    def _is_tried_again(self, result: "FileResult") -> bool:
        """Say whether a picture is worth a second try: it has failed, and not for want of room."""
        from kakudai.errors import NoRoom

        return result.error is not None and not isinstance(result.error, BrokenPipeError | NoRoom)

    def _end(self, result: "FileResult", progress: "Progress") -> None:
        """Write down and say what has become of a picture; where the disk takes no other, the run is over."""
        from kakudai.errors import NoRoom, OutputError

        self._is_over = self._keeper is not None and isinstance(result.error, NoRoom)
        if self._keeper is not None:
            with contextlib.suppress(*([OutputError] if self._is_over else [])):  # it may be the very same disk
                self._keeper.finish(result)
        progress.finish(result)
        result = replace(result, notes=(*self._notes[result.job.name], *result.notes))
        self._results.tell(result, self._upscaler.runtime, progress.line)
        if self._is_over:
            progress.line("the disk takes no more: make room, and give the same command again")

    def warn_of_damage(self) -> None:
        """Say which lines of the manifest cannot be read."""
        if self._keeper is not None:
            self._results.warn(str(self._keeper.path), damage(self._keeper.corrupt))

    def _keep_refused(self, assignments: list[Assignment]) -> None:
        """Write down what is not even begun; results of earlier runs are none of it."""
        keeper = self._keeper
        if keeper is None:
            return
        for assignment in assignments:
            if assignment.error and not assignment.source.is_dir():  # of folders it knows nothing
                keeper.refuse(assignment.source, "failed", assignment.error)
            elif assignment.skipped and not assignment.is_result:
                keeper.refuse(assignment.source, "skipped", KakudaiError(assignment.note))

    def _remaining(self, assignments: list[Assignment], *, confirm: bool = False) -> list[Assignment]:
        """Leave out what an earlier run has ended, and say so.

        Args:
            assignments: All.
            confirm: Write down anew what is done, where the files have got other times.
        """
        remaining, done = [], 0
        for assignment in assignments:
            source, target = assignment.source, assignment.target
            known = None
            if self._keeper is not None and target is not None and STREAM not in (str(source), str(target)):
                known = self._keeper.judge(source, target, verify=self._again.verify)
            if known is None or (known.status == "failed" and self._again.failed):
                remaining.append(assignment)
            elif known.status == "failed":
                hint = f"{known.hint}; or try it again with --retry-failed".removeprefix("; or ")
                self._results.fail(str(source), KakudaiError(known.error, hint))
            else:
                done += 1
                if confirm and self._keeper is not None and target is not None:
                    self._keeper.confirm(source, target, known)
                self._results.print(str(source), "skipped", reason="done already", output=str(target))
        if done and self._keeper is not None:
            pictures = sum(assignment.target is not None for assignment in assignments)
            self._results.note([f"{done} of {pictures} pictures are done already, says {self._keeper.path}"])
        return remaining

    def _jobs(self, assignments: list[Assignment]) -> Iterator["Job"]:
        from kakudai.engine.intake import lasting
        from kakudai.engine.job import Job

        for assignment in assignments:
            if assignment.target is not None:
                source = read_standard_input() if assignment.source == Path(STREAM) else lasting(assignment.source)
                target = standard_output() if assignment.target == Path(STREAM) else self._place(assignment)
                self._notes[str(assignment.source)] = (assignment.note,) if assignment.note else ()
                yield Job(source, target, str(assignment.source))

    def _place(self, assignment: Assignment) -> "Place":
        """Return where a result is to appear: over a file that appeared meanwhile only where that was asked."""
        from kakudai.image.whole import Place

        assert assignment.target is not None
        if assignment.replaces:
            return Place(assignment.target, _always)
        return Place(assignment.target, partial(self._owns, assignment.source, assignment.target))

    def _make_folder(self, job: "Job") -> bool:
        """Make the folder of a target where it is missing; say whether there is one now."""
        from kakudai.errors import OutputError
        from kakudai.image.whole import Place

        if not isinstance(job.target, Place):
            return True
        folder = job.target.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = OutputError(f"{folder} cannot be made: {error.strerror}", "choose another folder")
            self._results.fail(job.name, problem)
            if self._keeper is not None and isinstance(job.source, Path):
                self._keeper.refuse(job.source, "failed", problem)
            return False
        return True


def _owns_nothing(_source: Path, _target: Path) -> bool:
    return False


def _always() -> bool:
    return True
