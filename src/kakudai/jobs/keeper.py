"""Keeps the manifest of one run: what is begun and what became of it, before anybody is told."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kakudai.engine.job import FileResult, Job
from kakudai.errors import KakudaiError, PictureUnreadable
from kakudai.image.whole import Place
from kakudai.jobs.fingerprint import Stamp, has_times, is_same, stamp_file, stamp_known, stamp_open
from kakudai.jobs.ledger import Ledger
from kakudai.jobs.lines import BAD_PAGES, Entry, Run, Status
from kakudai.jobs.manifest import Manifest
from kakudai.jobs.places import Places


class Keeper:
    """Writes down what becomes of pictures. Of streams it knows nothing.

    Args:
        manifest: Where.
        run: What holds for all of them.
    """

    def __init__(self, manifest: Manifest, run: Run) -> None:
        self._manifest, self._run, self._setting = manifest, run, run.setting
        self._places = Places(manifest.path.parent)
        self._begun: dict[Path, Stamp | None] = {}
        self._written: dict[Path, Stamp] = {}
        self._introduced = False
        self._lock = threading.Lock()
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
        return self.ledger.judge(source, target, self._setting, verify=verify)

    def begin(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Pass jobs on, each when it is asked for and after it is written down; their results are announced.

        Raises:
            OutputError: That cannot be done.
        """
        for job in jobs:
            place = job.target
            if not isinstance(place, Place) or not isinstance(job.source, Path):
                yield job
                continue
            try:
                self._begun[job.source] = stamp_file(job.source)
            except OSError:  # whoever reads it as a picture will say so
                self._begun[job.source] = None
            self._written.pop(place.path, None)
            self._add(self._entry(job.source, place.path, "begun"))
            yield replace(job, target=replace(place, announce=partial(self._announce, job.source, place.path)))

    def _announce(self, source: Path, target: Path, file: BinaryIO) -> None:
        """Write down which file is about to appear. Called by the thread that writes it.

        Raises:
            PictureUnreadable: The input is no longer what was read.
            OutputError: It cannot be written down.
        """
        before = self._begun.get(source)
        if before is not None and source.exists() and not is_same(source, before):
            raise PictureUnreadable(f"{source} has changed while it was read", "wait until it is whole")
        self._written[target] = stamp_open(file)
        self._add(replace(self._entry(source, target, "written"), after=self._written[target]))

    def finish(self, result: FileResult) -> None:
        """Write down what became of a picture.

        Raises:
            OutputError: That cannot be done.
        """
        source, place = result.job.source, result.job.target
        if not isinstance(place, Place) or not isinstance(source, Path):
            return
        written = self._written.pop(place.path, None)
        after = None if result.error or written is None else stamp_known(place.path, written)
        self._add(ended(self._entry(source, place.path, "begun"), result, after))
        self._begun.pop(source, None)

    def refuse(self, source: Path, status: Status, error: KakudaiError) -> None:
        """Write down why nothing is begun with a picture, unless that is what was written last.

        Raises:
            OutputError: That cannot be done.
        """
        known = self.ledger.latest(source, None)
        if known is None or (known.status, known.error) != (status, error.message):
            key, setting = self._places.key(source), self._setting
            entry = Entry(key, "", status, setting, time.time_ns(), error=error.message, hint=error.hint)
            self._add(replace(entry, reason=type(error).__name__))

    def confirm(self, source: Path, target: Path, known: Entry) -> None:
        """Write down that a picture is done where the last line does not say so, or not with the times of its files.

        Without that, the bytes would be read in every later run. Of a manifest that cannot be written nothing is lost.
        """
        assert known.before is not None
        assert known.after is not None
        exact = has_times(source, known.before) and has_times(target, known.after)
        refused = self.ledger.latest(source, None) is not None
        if (exact and known.status == "done" and not refused) or not self._manifest.is_writable:
            return
        try:
            before, after = stamp_file(source), stamp_file(target)
        except OSError:  # gone meanwhile
            return
        if (before.hash, after.hash) == (known.before.hash, known.after.hash):
            self._add(replace(known, status="done", at_ns=time.time_ns(), before=before, after=after))

    def sync(self) -> None:
        """Bring all lines to the disk."""
        self._manifest.sync()

    def _entry(self, source: Path, target: Path, status: Status) -> Entry:
        key, setting = self._places.key, self._setting
        return Entry(key(source), key(target), status, setting, time.time_ns(), self._begun.get(source))

    def _add(self, entry: Entry) -> None:
        with self._lock:
            if not self._introduced:
                self._manifest.add(self._run)
                self._introduced = True
            self._manifest.add(entry)
            self.ledger.take(entry)


def ended(entry: Entry, result: FileResult, after: Stamp | None) -> Entry:
    """Return the line that says what became of a picture.

    Args:
        entry: Which picture and output, and what the input was.
        result: What the engine says.
        after: The output; None where there is none.
    """
    error: Exception | None = result.error
    if error is None and result.failed:
        error = KakudaiError(f"{len(result.failed)} of {result.pages} pages could not be enlarged")
    message, hint = _told(error)
    width, height = result.output_size or (0, 0)
    return replace(
        entry,
        status="failed" if error else "done",
        after=after,
        error=message,
        hint=hint,
        reason=_kind(result),
        seconds=result.seconds,
        pixels=width * height * result.frames,
        networks=tuple(result.report.networks if result.report else result.networks),
    )


def _kind(result: FileResult) -> str:
    """Return what decides whether a failure is remembered, see `FINAL`."""
    if result.error is None:
        return BAD_PAGES if result.failed else ""
    return type(result.error).__name__


def _told(error: Exception | None) -> tuple[str, str]:
    """Return what happened and what to do about it; empty words for no error."""
    if isinstance(error, KakudaiError):
        return error.message, error.hint
    return ("" if error is None else str(error) or type(error).__name__), ""
