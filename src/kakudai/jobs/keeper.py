"""Keeps the manifest of one run: what is begun and what became of it, before anybody is told."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from kakudai.engine.job import FileResult, Job
from kakudai.errors import KakudaiError, PictureUnreadable
from kakudai.jobs.fingerprint import Stamp, stamp_file
from kakudai.jobs.ledger import Ledger
from kakudai.jobs.lines import Entry, Run, Status
from kakudai.jobs.manifest import Manifest
from kakudai.jobs.places import Places


class Keeper:
    """Writes down what becomes of pictures. Of streams it knows nothing.

    Args:
        manifest: Where.
        run: What holds for all of them.
    """

    def __init__(self, manifest: Manifest, run: Run) -> None:
        self._manifest, self._run = manifest, run
        self._places = Places(manifest.path.parent)
        self._begun: dict[Path, Stamp | None] = {}
        self._introduced = False
        self.ledger = Ledger(manifest.contents.entries, self._places)

    @property
    def path(self) -> Path:
        """Where the manifest is."""
        return self._manifest.path

    @property
    def corrupt(self) -> list[int]:
        """Numbers of its lines that cannot be read."""
        return self._manifest.contents.corrupt

    def judge(self, source: Path, target: Path, *, verify: bool = False) -> Entry | None:
        """Say how a picture has ended, see `Ledger.judge`."""
        return self.ledger.judge(source, target, self._run.setting, verify=verify)

    def begin(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Pass jobs on, each when it is asked for and after it is written down.

        Raises:
            OutputError: That cannot be done.
        """
        for job in jobs:
            if isinstance(job.target, Path) and isinstance(job.source, Path):
                try:
                    self._begun[job.source] = stamp_file(job.source)
                except OSError:  # whoever reads it as a picture will say so
                    self._begun[job.source] = None
                self._add(self._entry(job, "begun"))
            yield job

    def check(self, result: FileResult) -> FileResult:
        """Return a result, or its failure where the input is no longer what was read."""
        source = result.job.source
        if result.error or not isinstance(source, Path):
            return result
        before = self._begun.get(source)
        if before is not None and not _is_untouched(source, before):
            error = PictureUnreadable(f"{source} has changed while it was read", "wait until it is whole")
            return replace(result, error=error)
        return result

    def finish(self, result: FileResult) -> None:
        """Write down what became of a picture.

        Raises:
            OutputError: That cannot be done.
        """
        job, pages = result.job, len(result.failed)
        if not isinstance(job.target, Path) or not isinstance(job.source, Path):
            return
        error: Exception | None = result.error
        if error is None and pages:
            error = KakudaiError(f"{pages} of {result.pages} pages could not be enlarged")
        message, hint = _told(error)
        width, height = result.output_size or (0, 0)
        networks = result.report.networks if result.report else result.networks
        self._add(
            replace(
                self._entry(job, "failed" if error else "done"),
                after=None if result.output_size is None and not result.pages else _stamp_if_there(job.target),
                error=message,
                hint=hint,
                seconds=result.seconds,
                pixels=width * height * result.frames,
                networks=tuple(networks),
            )
        )
        self._begun.pop(job.source, None)

    def refuse(self, source: Path, status: Status, reason: str, hint: str = "") -> None:
        """Write down why nothing is begun with a picture, unless that is what was written last.

        Raises:
            OutputError: That cannot be done.
        """
        known = self.ledger.latest(source, None)
        if known is None or (known.status, known.error) != (status, reason):
            key, setting = self._places.key(source), self._run.setting
            self._add(Entry(key, "", status, setting, time.time_ns(), error=reason, hint=hint))

    def _entry(self, job: Job, status: Status) -> Entry:
        source, target = Path(job.source), Path(job.target)  # type: ignore[arg-type]  # both were looked at before
        key, setting = self._places.key, self._run.setting
        return Entry(key(source), key(target), status, setting, time.time_ns(), self._begun.get(source))

    def _add(self, entry: Entry) -> None:
        if not self._introduced:
            self._manifest.add(self._run)
            self._introduced = True
        self._manifest.add(entry)
        self.ledger.take(entry)


def _told(error: Exception | None) -> tuple[str, str]:
    """Return what happened and what to do about it; empty words for no error."""
    if isinstance(error, KakudaiError):
        return error.message, error.hint
    return ("" if error is None else str(error) or type(error).__name__), ""


def _is_untouched(path: Path, stamp: Stamp) -> bool:
    """Say whether a file has the size and time of its stamp."""
    try:
        state = path.stat()
    except OSError:
        return True  # it is gone, and what was read of it was whole
    return (state.st_size, state.st_mtime_ns) == (stamp.size, stamp.mtime_ns)


def _stamp_if_there(path: Path) -> Stamp | None:
    try:
        return stamp_file(path)
    except OSError:
        return None
