"""What a manifest knows: which pictures are done, which files are ours, and what failed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Generic

from kakudai.image.formats import BOOKS
from kakudai.jobs.fingerprint import Stamp
from kakudai.jobs.lines import FINAL, Entry
from kakudai.jobs.places import Name, Names


@dataclass(frozen=True, slots=True)
class Written:
    """A file that we have written, or were about to.

    Args:
        source: The input that it is the result of.
        stamps: What it may be: the last that was seen to be there, and those that were about to appear since.
    """

    source: str
    stamps: tuple[Stamp, ...]


class Ledger(Generic[Name]):
    """What is known of pictures by the lines of a manifest, of which the last counts.

    Args:
        entries: In the order of the file.
        places: How the manifest names pictures.
    """

    def __init__(self, entries: Iterable[Entry], places: Names[Name]) -> None:
        self._places = places
        self._latest: dict[tuple[str, str], Entry] = {}
        self._written: dict[str, Written] = {}
        self._targets: dict[str, dict[str, None]] = {}
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
        if not entry.target or entry.after is None:
            return
        known = self._written.get(entry.target)
        stamps: tuple[Stamp, ...] = (entry.after,)
        if entry.status == "written" and known is not None and known.source == entry.source:
            stamps = (*(stamp for stamp in known.stamps if stamp.hash != entry.after.hash), entry.after)
        self._written[entry.target] = Written(entry.source, stamps)
        self._targets.setdefault(entry.source, {})[entry.target] = None

    def latest(self, source: Name, target: Name | None) -> Entry | None:
        """Return the last line of a picture and its output."""
        key = self._places.key(target) if target is not None else ""
        return self._latest.get((self._places.key(source), key))

    def targets(self, source: Name) -> list[Name]:
        """Return the files that are results of a picture, written by us, and untouched since."""
        key = self._places.key(source)
        named = [target for target in self._targets.get(key, ()) if self._written[target].source == key]
        paths = [(self._places.path(target), self._written[target]) for target in named]
        return [path for path, written in paths if self._is_ours(path, written)]

    def owns(self, source: Name, target: Name) -> bool:
        """Say whether a file is the result of that picture, written by us, and untouched since."""
        written = self._written.get(self._places.key(target))
        return written is not None and written.source == self._places.key(source) and self._is_ours(target, written)

    def stamps(self, source: Name, target: Name) -> tuple[Stamp, ...]:
        """Return what the result of that picture may be that we have written; nothing where it is another's."""
        written = self._written.get(self._places.key(target))
        return written.stamps if written is not None and written.source == self._places.key(source) else ()

    def origin(self, path: Name) -> Name | None:
        """Return the picture that a file is the untouched result of; None where it is none of ours."""
        written = self._written.get(self._places.key(path))
        return self._places.path(written.source) if written is not None and self._is_ours(path, written) else None

    def _is_ours(self, target: Name, written: Written) -> bool:
        """Say whether a file is still what we have written, and nobody else's."""
        return any(self._places.is_same(target, stamp) for stamp in reversed(written.stamps))

    def judge(self, source: Name, target: Name, setting: str, *, verify: bool = False) -> Entry | None:
        """Return the line that says how a picture has ended, where it still holds; None where it has to be done.

        Args:
            source: The input; that it has changed means that it has to be done.
            target: The output; that it is gone or has changed means the same, unless it failed.
            setting: Of this run; one of another is worth nothing.
            verify: Read all bytes, rather than believe sizes and times.

        A book that has appeared, and of which nothing more is said, may have bad pages: it is done again.
        """
        entry = self.latest(source, target)
        if entry is None or entry.setting != setting or entry.before is None:
            return None
        if not self._places.is_same(source, entry.before, verify=verify):
            return None
        if entry.status == "failed":
            return entry if entry.reason in FINAL and self._has_its_file(entry, target, verify=verify) else None
        is_book = PurePosixPath(entry.target).suffix.lower() in BOOKS
        ended = entry.status == "done" or (entry.status == "written" and not is_book)
        return entry if ended and entry.after is not None and self._has_its_file(entry, target, verify=verify) else None

    def _has_its_file(self, entry: Entry, target: Name, *, verify: bool) -> bool:
        """Say whether what a line says was written is there; also where that was nothing."""
        return entry.after is None or self._places.is_same(target, entry.after, verify=verify)
