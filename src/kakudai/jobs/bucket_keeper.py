"""Keeps the manifest of a run between buckets: what will be begun is written down, and is safe, before it is."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from kakudai.engine.job import FileResult
from kakudai.errors import BucketError, KakudaiError
from kakudai.jobs.address import is_address
from kakudai.jobs.carrying import Task
from kakudai.jobs.fingerprint import Stamp
from kakudai.jobs.keeper import ended
from kakudai.jobs.ledger import Ledger
from kakudai.jobs.lines import Entry, Run, Status
from kakudai.jobs.manifest import Contents, Manifest
from kakudai.jobs.object_manifest import UPLOAD_SECONDS, ObjectManifest
from kakudai.jobs.sides import Sides

FIRST_STRETCH, LONGEST_STRETCH = 16, 1024
"""Pictures of which it is written down at once that they will be begun; twice as many where they took no time."""


class BucketKeeper:
    """Writes down what becomes of pictures.

    Args:
        manifest: Where.
        run: What holds for all of them.
        sides: Knows their states.

    Attributes:
        ledger: What is known of pictures.
        unbegun: Pictures that were not begun, because that could not be written down, with the reason.
    """

    def __init__(self, manifest: Manifest | ObjectManifest, run: Run, sides: Sides) -> None:
        self._manifest, self._run, self._sides, self._setting = manifest, run, sides, run.setting
        self._introduced = False
        self.unbegun: list[tuple[Task, KakudaiError]] = []
        self.ledger: Ledger[str] = Ledger(manifest.contents.entries, sides)

    @property
    def name(self) -> str:
        """The path or address of the manifest."""
        return self._manifest.name

    @property
    def contents(self) -> Contents:
        """What the manifest said when it was opened."""
        return self._manifest.contents

    def judge(self, source: str, target: str, *, verify: bool = False) -> Entry | None:
        """Say how a picture has ended, see `Ledger.judge`."""
        return self.ledger.judge(source, target, self._setting, verify=verify)

    def was_begun(self, source: str, target: str) -> bool:
        """Say whether an earlier run has begun a picture, and nobody knows what became of it.

        That is so, too, where the bucket gave no answer: the result may have arrived all the same.
        """
        known = self.ledger.latest(source, target)
        lost = known is not None and known.status == "failed" and known.reason == BucketError.__name__
        return known is not None and (known.status == "begun" or lost)

    def check(self) -> None:
        """Make sure that the manifest is still that of this run, see `ObjectManifest.check`."""
        if isinstance(self._manifest, ObjectManifest):
            self._manifest.check()

    def begin(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """Pass tasks on, a stretch at a time, after it is written down and safe that they are begun."""
        todo = iter(tasks)
        length = FIRST_STRETCH
        while stretch := list(islice(todo, length)):
            started = time.monotonic()
            try:
                for task in stretch:
                    self._add(self._entry(task, "begun", None))
                if isinstance(self._manifest, ObjectManifest):
                    self._manifest.secure()
                else:
                    self._manifest.sync()
            except KakudaiError as error:
                self.unbegun += [(task, error) for task in (*stretch, *todo)]
                return
            yield from stretch
            if time.monotonic() < started + UPLOAD_SECONDS:
                length = min(2 * length, LONGEST_STRETCH)

    def finish(self, task: Task, result: FileResult, before: Stamp | None, after: Stamp | None) -> None:
        """Write down what became of a picture.

        Args:
            task: Which.
            result: What the engine says.
            before: The input; None where it could not be read.
            after: The output that is delivered; None where there is none.
        """
        self._add(ended(self._entry(task, "begun", before), result, after))

    def refuse(self, source: str, status: Status, error: KakudaiError) -> None:
        """Write down why nothing is begun with a picture, unless that is what was written last."""
        known = self.ledger.latest(source, None)
        if known is None or (known.status, known.error) != (status, error.message):
            entry = self._entry(Task(source, ""), status, None)
            self._add(replace(entry, error=error.message, hint=error.hint, reason=type(error).__name__))

    def _entry(self, task: Task, status: Status, before: Stamp | None) -> Entry:
        target = self._sides.key(task.target) if task.target else ""
        source, setting = self._sides.key(task.source), self._setting
        return Entry(source, target, status, setting, time.time_ns(), before or self._listed(task.source))

    def _listed(self, source: str) -> Stamp | None:
        """Return what is known of an object whose bytes nobody has seen yet."""
        with contextlib.suppress(KakudaiError):
            state = self._sides.state(source) if is_address(source) else None
            return Stamp(state.size or 0, state.mtime_ns, "", 0, state.tag) if state is not None else None
        return None

    def _add(self, entry: Entry) -> None:
        if not self._introduced:
            self._manifest.add(self._run)
            self._introduced = True
        self._manifest.add(entry)
        self.ledger.take(entry)
