"""All pictures of one command: done, or planned."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kakudai.cli.dry_run import plan
from kakudai.cli.inputs import STREAM, Assignment
from kakudai.cli.report import ending_at_sigterm
from kakudai.cli.results import Results
from kakudai.cli.streams import read_standard_input, standard_output

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions, Job
    from kakudai.engine.upscaler import Upscaler


class Batch:
    """What is to be done, and who says what became of it.

    Args:
        upscaler: Enlarges.
        options: How files are read and written.
        results: Says it.
        fail_fast: Stop at the first picture that fails.
    """

    def __init__(self, upscaler: "Upscaler", options: "FileOptions", results: Results, *, fail_fast: bool) -> None:
        self._upscaler, self._options, self._results, self._fail_fast = upscaler, options, results, fail_fast

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
        from kakudai.cli.progress import Progress
        from kakudai.engine.batch import upscale_files

        if self._fail_fast and self._results.failures:
            return self._results.finish()
        jobs = [job for job in self._jobs(assignments) if self._make_folder(job)]
        with ending_at_sigterm(), Progress(len(jobs), quiet=self._results.quiet) as progress:
            done = upscale_files(self._upscaler, jobs, self._options, progress=progress.advance)
            for result in done:
                progress.finish(result.job)
                self._results.tell(result, self._upscaler.runtime, progress.line)
                if result.error and self._fail_fast:
                    done.close()
                    break
        return self._results.finish()

    def plan(self, assignments: list[Assignment]) -> int:
        """Say what would be done; return the exit code."""
        for job in self._jobs(assignments):
            plan(job, self._upscaler, self._options, self._results)
        return self._results.finish()

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
