"""What a run writes down while it goes on: `log.jsonl`, and the same figures for TensorBoard."""

import json
import os
import socket
import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

from kakudai.errors import OutputError
from kakudai.train.checkpoint import write_whole

DIGITS = 8
"""Significant digits of a figure in `log.jsonl`: a learning rate of 5e-6 needs as many as a PSNR of 37."""


class Log:
    """`log.jsonl`, one object a line, and TensorBoard's file.

    Both are written at once and not by a thread, so that a full disk is noticed where it can be said.

    Args:
        folder: Where the log is.
        step: Lines of later steps, left by a run that was killed after its last checkpoint, are dropped; all of them
            for a run that begins.
        writes: Whether this process writes; of several, one does.

    Raises:
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path, step: int, *, writes: bool = True) -> None:
        self.folder, self.writes = folder, writes
        if not writes:
            return
        path = folder / "log.jsonl"
        kept = [line for line in _lines(path) if _step(line) <= step] if step else []
        write_whole(path, "".join(f"{line}\n" for line in kept).encode())
        try:
            self.file = path.open("a", encoding="utf-8")
            self.board = _Board(folder / "tensorboard", step)
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *error: object) -> None:
        if not self.writes:
            return
        failures = []
        for file in (self.file, self.board.file):
            try:
                file.close()
            except OSError as failure:
                failures.append(failure)
        if failures and error[0] is None:
            raise self._failed(failures[0]) from failures[0]

    def write(self, step: int, seconds: float, **figures: float) -> None:
        """Add one line: the step, seconds since the start of the run, and the figures.

        Raises:
            OutputError: The disk is full.
        """
        if not self.writes:
            return
        rounded = {name: _rounded(value) for name, value in figures.items()}
        try:
            self.file.write(json.dumps({"step": step, "seconds": round(seconds, 1), **rounded}) + "\n")
            self.file.flush()
            self.board.write(step, figures)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> OutputError:
        hint = "the last checkpoint is untouched; make room and go on with --resume"
        return OutputError(f"the log in {self.folder} cannot be written: {error.strerror or error}", hint)


class _Board:
    """A file of TensorBoard's, written by its own record writer.

    Args:
        folder: Each start of a run adds a file to it.
        step: What earlier files hold of later steps is not to be shown; of a run that begins, nothing.
    """

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():020.9f}.{socket.gethostname()}.{os.getpid()}"
        self.file = (folder / name).open("wb")
        self.records = RecordWriter(self.file)
        self._add(Event(wall_time=time.time(), file_version="brain.Event:2"))
        started = SessionLog(status=SessionLog.START)
        self._add(Event(wall_time=time.time(), step=step + 1, session_log=started))

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Add the figures of a step."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._add(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _add(self, event: Event) -> None:
        self.records.write(event.SerializeToString())
        self.records.flush()


def _lines(path: Path) -> list[str]:
    """Return the whole lines of a log; a disk that was full may have cut off the last one."""
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _rounded(value: float) -> float:
    """Round to `DIGITS` significant digits; a whole number, such as a step, is left alone."""
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def _step(line: str) -> int:
    return int(json.loads(line)["step"])
