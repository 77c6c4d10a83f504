"""What a manifest knows: which pictures are done, which files are ours, and what failed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kakudai.jobs.fingerprint import Stamp, is_same
from kakudai.jobs.lines import Entry
from kakudai.jobs.places import Places

LEEWAY_NS = 2_000_000_000
"""How far the clock of a disk may be behind ours, and how coarse it may be: FAT counts in two seconds."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that we have written, or were about to.

    Args:
        source: The input that it is the result of.
        stamp: What it was then; None where it was not seen to be finished.
        begun_ns: Since when a new one may have taken its place; None where none is under way.
    """

    source: str
    stamp: Stamp | None
    begun_ns: int | None = None

    def is_ours(self, path: Path) -> bool:
        """Say whether the file is still what we have written.

        A run that is killed between the appearance of a file and its line in the manifest leaves one that only its
        beginning is known of. There was none before, or our own, and files appear whole: it is ours if it is newer.
        """
        if self.begun_ns is not None:
            try:
                if path.stat().st_mtime_ns >= self.begun_ns - LEEWAY_NS:
                    return True
            except OSError:
                return False
        return self.stamp is not None and is_same(path, self.stamp)


class Ledger:
    """What is known of pictures by the lines of a manifest, of which the last counts.

    Args:
        entries: In the order of the file.
        places: How the manifest names files.
    """

    def __init__(self, entries: Iterable[Entry], places: Places) -> None:
        self._places = places
        self._latest: dict[tuple[str, str], Entry] = {}
        self._written: dict[str, Written] = {}
        for entry in entries:
            self.take(entry)

    @property
    def entries(self) -> list[Entry]:
        """The last line of each picture and output."""
        return list(self._latest.values())

    def take(self, entry: Entry) -> None:
        """Add a line."""
        self._latest.pop((entry.source, ""), None)  # what had no output was never more than an attempt
        self._latest.pop((entry.source, entry.target), None)  # so that the order is that of the last lines
        self._latest[entry.source, entry.target] = entry
        if not entry.target:
            return
        known = self._written.get(entry.target)
        if entry.after is not None:
            self._written[entry.target] = Written(entry.source, entry.after)
        elif entry.status == "begun":
            self._written[entry.target] = _begun(entry, known)
        elif entry.status == "failed" and known is not None:
            self._written[entry.target] = Written(known.source, known.stamp)

    def latest(self, source: Path, target: Path | None) -> Entry | None:
        """Return the last line of a picture and its output."""
        key = self._places.key(target) if target is not None else ""
        return self._latest.get((self._places.key(source), key))

    def owns(self, source: Path, target: Path) -> bool:
        """Say whether a file is the result of that picture, written by us, and untouched since."""
        written = self._written.get(self._places.key(target))
        return written is not None and written.source == self._places.key(source) and written.is_ours(target)

    def origin(self, path: Path) -> Path | None:
        """Return the picture that a file is the untouched result of; None where it is none of ours."""
        written = self._written.get(self._places.key(path))
        return self._places.path(written.source) if written is not None and written.is_ours(path) else None

    def judge(self, source: Path, target: Path, setting: str, *, verify: bool = False) -> Entry | None:
        """Return the line that says how a picture has ended, where it still holds; None where it has to be done.

        Args:
            source: The input; that it has changed means that it has to be done.
            target: The output; that it is gone or has changed means the same, unless it failed.
            setting: Of this run; one of another is worth nothing.
            verify: Read all bytes, rather than believe sizes and times.
        """
        entry = self.latest(source, target)
        if entry is None or entry.setting != setting or entry.before is None:
            return None
        if not is_same(source, entry.before, verify=verify):
            return None
        whole = entry.after is not None and is_same(target, entry.after, verify=verify)
        return entry if entry.status == "failed" or (entry.status == "done" and whole) else None


def _begun(entry: Entry, known: Written | None) -> Written:
    """Return what is known of an output that is begun, perhaps after an earlier beginning that came to no end."""
    if known is None:
        return Written(entry.source, None, entry.at_ns)
    unfinished = known.begun_ns is not None and known.source == entry.source
    return Written(entry.source, known.stamp, known.begun_ns if unfinished else entry.at_ns)
