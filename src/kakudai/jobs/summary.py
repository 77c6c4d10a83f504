"""What a manifest says of a job as a whole."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kakudai.jobs.address import is_address
from kakudai.jobs.fingerprint import is_same
from kakudai.jobs.ledger import Ledger
from kakudai.jobs.lines import Entry
from kakudai.jobs.manifest import Contents
from kakudai.jobs.places import Places


@dataclass(frozen=True, slots=True)
class Summary:
    """A job, by the last line of each of its pictures.

    Args:
        done: Pictures with a whole result.
        skipped: Pictures whose results were there, and not by us.
        unfinished: Pictures that were begun and came to no end: the run was stopped, or goes on.
        failed: The lines of those that failed.
        gone: Pictures that failed, and are not there any more; of objects in buckets nobody asks.
        corrupt: Numbers of lines that cannot be read.
        runs: How many there were.
        megapixels: Of all results.
        seconds: That all pictures took, one by one, reading and writing included.
    """

    done: int
    skipped: int
    unfinished: int
    failed: tuple[Entry, ...]
    gone: int
    corrupt: tuple[int, ...]
    runs: int
    megapixels: float
    seconds: float

    @property
    def rate(self) -> float:
        """Megapixels of results per second of work."""
        return self.megapixels / self.seconds if self.seconds else 0.0

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why pictures failed, the commonest reason first, with how many did."""
        return Counter(map(reason, self.failed)).most_common()


def summarise(contents: Contents, places: Places) -> Summary:
    """Count what became of the pictures of a manifest. What has appeared, and of which no more is said, is done."""
    entries = [_ended(entry, places) for entry in Ledger(contents.entries, places).entries]
    count = Counter(entry.status for entry in entries)
    done, all_failed = _of(entries, "done"), _of(entries, "failed")
    failed = tuple(
        entry for entry in all_failed if is_address(entry.source) or os.path.lexists(places.path(entry.source))
    )
    return Summary(
        count["done"],
        count["skipped"],
        count["begun"],
        failed,
        len(all_failed) - len(failed),
        tuple(contents.corrupt),
        len(contents.runs),
        sum(entry.pixels for entry in done) / 1e6,
        sum(entry.seconds for entry in done),
    )


def reason(entry: Entry) -> str:
    """Return why a picture failed, without its name, so that the same reason reads the same for all."""
    names = [re.escape(path.rpartition("/")[2]) for path in (entry.source, entry.target) if path]
    quoted = [rf"{quote}[^{quote}]*{name}{quote}" for name in names for quote in "'\""]
    return re.sub("|".join([*quoted, *(rf"\S*{name}" for name in names)]), "…", entry.error)


def _ended(entry: Entry, places: Places) -> Entry:
    """Say done or begun, where a line says only what was about to appear."""
    if entry.status != "written":
        return entry
    is_there = entry.after is not None and is_same(places.path(entry.target), entry.after)
    return replace(entry, status="done" if is_there else "begun")


def _of(entries: Iterable[Entry], status: str) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.status == status)
