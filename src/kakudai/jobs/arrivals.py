"""Files that arrive in a folder, each once it has stopped growing."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

State = tuple[int, int]
"""Size in bytes, and the time of the last change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a file was found, since when it has been so, and whether it was given away."""

    state: State
    since: float
    given: bool = False


class Arrivals:
    """Which files are whole, by looking at them again and again.

    Args:
        settle: For so many seconds a file has to stay as it is.
        now: A clock, in seconds.
    """

    def __init__(self, settle: float, now: Callable[[], float] = time.monotonic) -> None:
        self._settle, self._now = settle, now
        self._seen: dict[Path, Seen] = {}

    def settled(self, paths: Iterable[Path]) -> list[Path]:
        """Look at all files that there are; return those that are whole, each once until it changes."""
        now, before, self._seen = self._now(), self._seen, {}
        whole = []
        for path in paths:
            state = _state(path)
            if state is None:
                continue
            seen = before.get(path)
            if seen is None or seen.state != state:
                seen = Seen(state, now)
            if not seen.given and now >= seen.since + self._settle:
                whole.append(path)
                seen = Seen(state, seen.since, given=True)
            self._seen[path] = seen
        return whole

    @property
    def are_all_given(self) -> bool:
        """Whether there is nothing that may still grow."""
        return all(seen.given for seen in self._seen.values())


def _state(path: Path) -> State | None:
    """Return the state of a file; None where it has gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
