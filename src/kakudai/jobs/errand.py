"""One picture, done where it is convenient: fetched, enlarged, delivered. Who keeps the manifest is elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kakudai.errors import KakudaiError
from kakudai.jobs.carrying import Fetched, Task, deliver, fetch
from kakudai.jobs.fingerprint import Stamp
from kakudai.jobs.sides import Sides

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions, FileResult
    from kakudai.engine.upscaler import Upscaler


@dataclass(frozen=True, slots=True)
class Errand:
    """What became of one picture.

    Args:
        task: Which.
        result: What the engine says, with the names of the task.
        before: The input; None where it could not be read.
        after: The output that is delivered; None where there is none.
    """

    task: Task
    result: "FileResult"
    before: Stamp | None = None
    after: Stamp | None = None


def run_errand(
    task: Task, upscaler: "Upscaler", options: "FileOptions", sides: Sides, staging: Path, *, ours: bool
) -> Errand:
    """Fetch a picture, enlarge it, and bring the result to its target; whatever goes wrong is in what is returned.

    Args:
        task: Which.
        upscaler: Enlarges.
        options: How files are read and written.
        sides: Knows how to reach them.
        staging: Where pictures are meanwhile.
        ours: What is at the target is an earlier result of ours.
    """
    from kakudai.engine.batch import upscale_files
    from kakudai.engine.job import Job

    try:
        got = fetch(task.source, sides, staging)
    except KakudaiError as error:
        return failed_errand(task, error)
    try:
        made = got.result(task.target)
        (result,) = upscale_files(upscaler, [Job(got.path, made, task.source)], options)
        return delivered(task, got, renamed(result, task, got), sides, owned=lambda _source, _target: ours)
    finally:
        got.drop()


def failed_errand(task: Task, error: Exception) -> Errand:
    """Return what a picture has become that could not even be begun."""
    from kakudai.engine.job import FileResult, Job

    return Errand(task, FileResult(Job(b"", task.target, task.source), error))


def delivered(
    task: Task, got: Fetched, result: "FileResult", sides: Sides, *, owned: Callable[[str, str], bool]
) -> Errand:
    """Bring a result to its target, see `deliver`; one that has failed stays where it is."""
    if result.error is not None:
        return Errand(task, result, got.stamp)
    try:
        return Errand(task, result, got.stamp, deliver(got.result(task.target), task, sides, owned=owned))
    except (KakudaiError, OSError) as error:
        return Errand(task, replace(result, error=error, failed=(), output_size=None), got.stamp)


def renamed(result: "FileResult", task: Task, got: Fetched) -> "FileResult":
    """Return a result that speaks of its task, rather than of what lay here for a while."""
    names = {str(got.path): task.source, str(got.result(task.target)): task.target}

    def told(text: str) -> str:
        for name, other in names.items():
            text = text.replace(name, other)
        return text

    error, notes = result.error, tuple(map(told, result.notes))
    if isinstance(error, KakudaiError):
        error = type(error)(told(error.message), told(error.hint))
    return replace(result, error=error, notes=notes, job=replace(result.job, target=told(str(result.job.target))))
