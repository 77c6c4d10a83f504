"""Files that arrive in a folder, each once it has stopped growing."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

State = tuple[int, int]
"""Size in bytes, and the time of the last change in nanoseconds."""


AGAIN_SECONDS = 60.0
"""After which a file is given once more that nothing could be done with; doubled each time."""

MOST_SECONDS = 3600.0
"""That such a file waits at most."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a file was found, and when it is given away.

    Args:
        state: How it was found.
        due: When, unless it changes before; None where it was given away.
        wait: Seconds until it is given once more, if it is put off.
    """

    state: State
    due: float | None
    wait: float


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
                seen = Seen(state, now + self._settle, AGAIN_SECONDS)
            if seen.due is not None and now >= seen.due:
                whole.append(path)
                seen = replace(seen, due=None)
            self._seen[path] = seen
        return whole

    def put_off(self, paths: Iterable[Path]) -> None:
        """Give files once more after a while, though they stay as they are: nothing could be done with them now."""
        now = self._now()
        for path in paths:
            seen = self._seen.get(path)
            if seen is not None:
                self._seen[path] = Seen(seen.state, now + seen.wait, min(2 * seen.wait, MOST_SECONDS))

    @property
    def are_all_given(self) -> bool:
        """Whether there is nothing that may still grow."""
        return all(seen.due is None for seen in self._seen.values())


def _state(path: Path) -> State | None:
    """Return the state of a file; None where it has gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
