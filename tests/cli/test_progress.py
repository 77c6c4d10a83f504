"""How far a batch is, in words."""

from pathlib import Path

from kakudai.cli.progress import CALM_SECONDS, Pace, Progress
from kakudai.engine.job import FileResult, Job


def result(error: Exception | None = None) -> FileResult:
    size = None if error else (2000, 1000)
    return FileResult(Job(Path("a"), Path("b"), "a"), error, output_size=size)


def test_lines_come_at_a_calm_rate_with_all_that_matters() -> None:
    clock = [0.0]
    pace = Pace(400, lambda: clock[0])
    lines = []
    for number in range(400):
        clock[0] += 1
        pace.take(result(OSError() if number % 10 == 9 else None))
        lines.append(pace.line())
    said = [line for line in lines if line]
    assert len(said) == 399 // int(CALM_SECONDS)
    assert said[0] == "30 of 400 pictures, 3 failed, 1.8 MP/s, about 0:06:10 left"
    assert lines[-1] is None


def test_what_is_put_off_has_failed_until_it_is_done() -> None:
    progress = Progress(4, quiet=True)
    progress.put_off(result().job)
    assert progress.pace.amount == "0/4, 1 failed"
    progress.finish(result())
    assert progress.pace.amount == "1/4"
