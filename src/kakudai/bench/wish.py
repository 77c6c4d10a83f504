"""What is to be measured, and what that means on this machine."""

from dataclasses import dataclass
from typing import cast, get_args

from kakudai.bench.record import Extent
from kakudai.engine.memory import SMALLEST_TILE
from kakudai.engine.runtimes import EXTRAS, RuntimeName, available, usable_processors
from kakudai.errors import RuntimeUnavailable, UsageError

Size = tuple[int, int]
"""(width, height) in pixels."""

SMALL, LARGE, FULL_LARGE = (750, 469), (2000, 1500), (4000, 3000)
"""The picture that all tables of this program have, one that becomes 12 megapixels at 2x, and one that has 12."""

QUICK_SMALL, QUICK_LARGE = (96, 64), (160, 120)

FULL_TILE = 128
"""Tiles that fit into the caches of small processors, beside those that the engine takes."""

ROUNDS = 5

SIDE, QUICK_SIDE = 1024, 128
"""Rows and columns of the matrix products."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be measured.

    Args:
        models: Names or paths; see `usual_names` if none.
        runtimes: All that are installed if none.
        tiles: Sides in input pixels; 0 is the whole picture, None what the engine takes; the latter if none.
        threads: As many as there are processors if none.
        rounds: How often each case is timed; 5 if None.
        peers: Measure other programs too.
        full: All networks of the family, tiles of 128 and one thread too, a photograph of 12 megapixels, and files in
            every runtime instead of the one that `auto` takes.
        quick: Tiny pictures and products, once: whether it works, not how fast it is.
    """

    models: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    tiles: tuple[int | None, ...] = ()
    threads: tuple[int, ...] = ()
    rounds: int | None = None
    peers: bool = True
    full: bool = False
    quick: bool = False

    @property
    def extent(self) -> Extent:
        """How much is measured."""
        if self.quick:
            return "quick"
        if self.models or self.runtimes or self.tiles or self.threads or self.rounds is not None or not self.peers:
            return "part"
        return "full" if self.full else "usual"

    @property
    def sizes(self) -> tuple[Size, Size]:
        """Of the two pictures."""
        if self.quick:
            return QUICK_SMALL, QUICK_LARGE
        return SMALL, FULL_LARGE if self.full else LARGE

    @property
    def side(self) -> int:
        """Of the matrix products."""
        return QUICK_SIDE if self.quick else SIDE

    def chosen_tiles(self) -> tuple[int | None, ...]:
        """Return the tiles to be tried.

        Raises:
            UsageError: One is too small.
        """
        for tile in self.tiles:
            if tile is not None and 0 != tile < SMALLEST_TILE:
                hint = f"accepted are auto, whole, and {SMALLEST_TILE} or more"
                raise UsageError(f"the tile is {tile}", hint)
        return self.tiles or ((FULL_TILE, None) if self.full else (None,))

    def chosen_threads(self) -> tuple[int, ...]:
        """Return the numbers of threads to be tried, smallest first.

        Raises:
            UsageError: One is no such number.
        """
        if min(self.threads, default=1) < 1:
            raise UsageError(f"threads is {min(self.threads)}", "accepted are whole numbers from 1")
        most = usable_processors()
        return tuple(sorted({*self.threads} or ({1, most} if self.full else {most})))

    def chosen_rounds(self) -> int:
        """Return how often each case is timed.

        Raises:
            UsageError: It is no such number.
        """
        if self.rounds is not None and self.rounds < 1:
            raise UsageError(f"rounds is {self.rounds}", "accepted are whole numbers from 1")
        return 1 if self.quick else self.rounds or ROUNDS

    @property
    def files_everywhere(self) -> bool:
        """Whether files are measured in every runtime, and not in the first alone that runs a network."""
        return self.full or bool(self.runtimes)

    def chosen_runtimes(self) -> tuple[RuntimeName, ...]:
        """Return the runtimes to be tried; those that were named in their order.

        Raises:
            UsageError: There is none of that name.
            RuntimeUnavailable: One that was named is not installed.
        """
        known = [name for name in get_args(RuntimeName) if name != "auto"]
        found = [entry.name for entry in available() if entry.version and entry.name in known]
        for name in self.runtimes:
            if name not in known:
                raise UsageError(f"no runtime is called {name!r}", f"accepted are {', '.join(known)}")
            if name not in found:
                hint = f"pip install '{EXTRAS.get(name, name)}', or leave --runtime out"
                raise RuntimeUnavailable(f"{name} is not installed", hint)
        return tuple(cast(RuntimeName, name) for name in dict.fromkeys(self.runtimes or found))
