"""One picture, done where it is convenient: fetched, enlarged, delivered. Who keeps the manifest is elsewhere."""

from collections.abc import Callable
from contextlib import AbstractContextManager
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
        is_final: It is not tried once more, whatever the error.
    """

    task: Task
    result: "FileResult"
    before: Stamp | None = None
    after: Stamp | None = None
    is_final: bool = False


def run_errand(
    task: Task,
    upscaler: "Upscaler",
    options: "FileOptions",
    sides: Sides,
    staging: Path,
    *,
    stamps: tuple[Stamp, ...],
    turn: AbstractContextManager[object],
) -> Errand:
    """Fetch a picture, enlarge it, and bring the result to its target; whatever goes wrong is in what is returned.

    Args:
        task: Which.
        upscaler: Enlarges.
        options: How files are read and written.
        sides: Knows how to reach them.
        staging: Where pictures are meanwhile.
        stamps: What may be at the target as an earlier result of ours.
        turn: Held while the picture is enlarged.
    """
    from kakudai.engine.batch import upscale_files
    from kakudai.engine.job import Job

    try:
        got = fetch(task.source, sides, staging)
    except KakudaiError as error:
        return failed_errand(task, error)
    try:
        made = got.result(task.target)
        with turn:
            (result,) = upscale_files(upscaler, [Job(got.path, made, task.source)], options)

        def owned(_source: str, target: str) -> bool:
            return any(sides.is_same(target, stamp) for stamp in stamps)

        return delivered(task, got, renamed(result, task, got), sides, owned=owned)
    finally:
        got.drop()


def failed_errand(task: Task, error: Exception, *, is_final: bool = False) -> Errand:
    """Return what a picture has become that could not even be begun."""
    from kakudai.engine.job import FileResult, Job

    return Errand(task, FileResult(Job(b"", task.target, task.source), error), is_final=is_final)


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
    return retold(result, {str(got.path): task.source, str(got.result(task.target)): task.target})


def retold(result: "FileResult", names: dict[str, str]) -> "FileResult":
    """Return a result that calls files otherwise."""

    def told(text: str) -> str:
        for name, other in names.items():
            text = text.replace(name, other)
        return text

    error, notes = result.error, tuple(map(told, result.notes))
    if isinstance(error, KakudaiError):
        error = type(error)(told(error.message), told(error.hint))
    return replace(result, error=error, notes=notes, job=replace(result.job, target=told(str(result.job.target))))
