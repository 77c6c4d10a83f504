"""What `Cluster` keeps in mind: who works, what is still to be done, and how long somebody has been waited for."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kakudai.jobs.requests import Request

START_SECONDS = 120.0
"""How long it may take until an actor is at work."""

LOOK_SECONDS = 2.0
"""From one look whether nodes have joined to the next."""


@dataclass(slots=True)
class Worker:
    """An actor, as the driver sees it.

    Args:
        actor: Its handle.
        place: Where it was put: a node and the processors, and GPUs, that it holds.
        doing: How many requests it has.
        is_alone: It has one over which another has died, and gets no other.
    """

    actor: Any
    place: "Place"
    doing: int = 0
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Room for one actor on one node."""

    node: str
    processors: int
    gpus: int = 0


@dataclass(slots=True)
class Given:
    """A request that an actor has, or that waits for one again.

    Args:
        request: Which.
        deaths: Of actors that had it.
        refused_by: Actors that could not do it.
    """

    request: Request[Any]
    deaths: int = 0
    refused_by: list[Worker] = field(default_factory=list, repr=False)
    worker: Worker | None = field(default=None, repr=False)
    outcome: Any = field(default=None, repr=False)


class Todo:
    """What one call of `Cluster.run` has to do.

    Args:
        requests: See there.
        has_room: See there.

    Attributes:
        again: What has to be done once more, before all that is new.
        given: What actors have, by Ray's references.
        is_over: Nothing new will come.
    """

    def __init__(self, requests: Iterator[Request[Any]], has_room: Callable[[], bool]) -> None:
        self._requests, self._has_room = requests, has_room
        self.again: deque[Given] = deque()
        self.given: dict[Any, Given] = {}
        self._next: Given | None = None
        self.is_over = False

    def first(self) -> Given | None:
        """Return what is to be given out next, if that may be."""
        if self.again:
            return self.again[0]
        if self._next is None and not self.is_over and self._has_room():
            self._next = next(map(Given, self._requests), None)
            self.is_over = self._next is None
        return self._next

    def begin(self, reference: Any, one: Given) -> None:
        """Note that an actor has what was to be given out next."""
        self.given[reference] = one
        if self.again:
            self.again.popleft()
        else:
            self._next = None


class Patience:
    """How long there has been nobody to work.

    Attributes:
        has_seen: There has been somebody.
    """

    def __init__(self) -> None:
        self._seen = self._looked = time.monotonic()
        self.has_seen = False

    @property
    def is_over(self) -> bool:
        """Nobody has been there for too long."""
        return time.monotonic() > self._seen + START_SECONDS

    def restart(self) -> None:
        """Begin anew, after a time in which nobody looked."""
        self._seen = time.monotonic()

    def see_somebody(self) -> None:
        """Begin anew."""
        self._seen, self.has_seen = time.monotonic(), True

    def wants_a_look(self) -> bool:
        """Say whether it is time to look for new nodes."""
        is_time = time.monotonic() > self._looked + LOOK_SECONDS
        if is_time:
            self._looked = time.monotonic()
        return is_time
