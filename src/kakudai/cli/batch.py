"""All pictures of one command: done, or planned."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kakudai.cli.dry_run import plan
from kakudai.cli.inputs import STREAM, Assignment
from kakudai.cli.keeping import Again
from kakudai.cli.report import ending_at_sigterm, explain
from kakudai.cli.results import Results
from kakudai.cli.streams import read_standard_input, standard_output
from kakudai.errors import KakudaiError

if TYPE_CHECKING:
    from kakudai.cli.progress import Progress
    from kakudai.engine.job import FileOptions, Job
    from kakudai.engine.upscaler import Upscaler
    from kakudai.jobs.keeper import Keeper

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

    def refuse(self, assignments: list[Assignment]) -> None:
        """Say what cannot even be begun."""
        self._results.pictures = len(assignments)
        for assignment in assignments:
            name = str(assignment.source)
            if assignment.error:
                self._results.fail(name, assignment.error)
            elif assignment.skipped:
                self._results.skip(name, assignment.note)
            elif assignment.note:
                self._results.warn(name, [assignment.note])

    def run(self, assignments: list[Assignment]) -> int:
        """Enlarge what has a target; return the exit code."""
        if self._fail_fast and self._results.failures:
            return self._results.finish()
        self.warn_of_damage()
        self._enlarge(assignments)
        return self._results.finish()

    def take(self, assignments: list[Assignment]) -> None:
        """Enlarge what has a target, and say of the rest why not; more is to come."""
        self.refuse([assignment for assignment in assignments if not assignment.is_result])
        self._enlarge(assignments)

    def plan(self, assignments: list[Assignment]) -> int:
        """Say what would be done; return the exit code."""
        for job in self._jobs(self._remaining(assignments)):
            plan(job, self._upscaler, self._options, self._results)
        return self._results.finish()

    def _enlarge(self, assignments: list[Assignment]) -> None:
        from kakudai.cli.progress import Progress

        self._keep_refused(assignments)
        jobs = [job for job in self._jobs(self._remaining(assignments)) if self._make_folder(job)]
        with ending_at_sigterm(), Progress(len(jobs), quiet=self._results.quiet) as progress:
            failed = self._work(jobs, progress, is_last=self._keeper is None or self._fail_fast)
            self._work(failed, progress, is_last=True)

    def _work(self, jobs: list["Job"], progress: "Progress", *, is_last: bool) -> list["Job"]:
        """Enlarge pictures; unless it is the last time, return those that failed and are to be tried once more."""
        from kakudai.engine.batch import upscale_files

        begun = jobs if self._keeper is None else self._keeper.begin(jobs)
        done, failed = upscale_files(self._upscaler, begun, self._options, progress=progress.advance), []
        for result in done:
            ended = result if self._keeper is None else self._keeper.check(result)
            if ended.error and not is_last and not isinstance(ended.error, BrokenPipeError):
                failed.append(ended.job)
                progress.drop(ended.job)
                note = f"{explain(ended.error)[0]}; it is tried once more at the end"
                self._results.warn(ended.job.name, [note], progress.line)
                continue
            if self._keeper is not None:
                self._keeper.finish(ended)
            progress.finish(ended)
            self._results.tell(ended, self._upscaler.runtime, progress.line)
            if ended.error and self._fail_fast:
                done.close()
                break
        return failed

    def warn_of_damage(self) -> None:
        """Say which lines of the manifest cannot be read."""
        corrupt = self._keeper.corrupt if self._keeper is not None else []
        if self._keeper is not None and corrupt:
            numbers = ", ".join(map(str, corrupt[:10])) + (", ..." if len(corrupt) > 10 else "")
            note = f"damaged in line {numbers}: the pictures that it told of there are done again"
            self._results.warn(str(self._keeper.path), [note])

    def _keep_refused(self, assignments: list[Assignment]) -> None:
        """Write down what is not even begun; results of earlier runs are none of it."""
        for assignment in assignments if self._keeper is not None else ():
            assert self._keeper is not None
            if assignment.error:
                self._keeper.refuse(assignment.source, "failed", assignment.error.message, assignment.error.hint)
            elif assignment.skipped and not assignment.is_result:
                self._keeper.refuse(assignment.source, "skipped", assignment.note)

    def _remaining(self, assignments: list[Assignment]) -> list[Assignment]:
        """Leave out what an earlier run has ended, and say so."""
        remaining, done = [], 0
        for assignment in assignments:
            source, target = assignment.source, assignment.target
            known = None
            if self._keeper is not None and target is not None and STREAM not in (str(source), str(target)):
                known = self._keeper.judge(source, target, verify=self._again.verify)
            if known is None or (known.status == "failed" and self._again.failed):
                remaining.append(assignment)
            elif known.status == "failed":
                self._results.fail(str(source), KakudaiError(known.error, "try it again with --retry-failed"))
            else:
                done += 1
                self._results.print(str(source), "skipped", reason="done already", output=str(target))
        if done and self._keeper is not None:
            self._results.note([f"{done} of {len(assignments)} pictures are done already, says {self._keeper.path}"])
        return remaining

    def _jobs(self, assignments: list[Assignment]) -> Iterator["Job"]:
        from kakudai.engine.intake import lasting
        from kakudai.engine.job import Job

        for assignment in assignments:
            if assignment.target is not None:
                source = read_standard_input() if assignment.source == Path(STREAM) else lasting(assignment.source)
                target = standard_output() if assignment.target == Path(STREAM) else assignment.target
                yield Job(source, target, str(assignment.source))

    def _make_folder(self, job: "Job") -> bool:
        """Make the folder of a target where it is missing; say whether there is one now."""
        from kakudai.errors import OutputError

        if not isinstance(job.target, Path):
            return True
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = OutputError(f"{job.target.parent} cannot be made: {error.strerror}", "choose another folder")
            self._results.fail(job.name, problem)
            return False
        return True
