"""What is to be measured, and what that means on this machine."""

from dataclasses import dataclass
from typing import cast, get_args

from kakudai.engine.memory import SMALLEST_TILE
from kakudai.engine.runtimes import EXTRAS, RuntimeName, available, usable_processors
from kakudai.errors import RuntimeUnavailable, UsageError

Size = tuple[int, int]
"""(width, height) in pixels."""

SMALL, LARGE = (750, 469), (4000, 3000)
"""The picture that all tables of this program have, and one of 12 megapixels."""

QUICK_SMALL, QUICK_LARGE = (96, 64), (160, 120)

SIDE, QUICK_SIDE = 1024, 128
"""Rows and columns of the matrix products."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be measured.

    Args:
        models: Names or paths; those that the words of the family stand for if none.
        runtimes: All that are installed if none.
        tiles: Sides in input pixels; 0 is the whole picture, None what the engine takes. 128 and None if none.
        threads: One, and as many as there are processors, if none.
        rounds: How often each case is timed.
        peers: Measure other programs too.
        quick: Tiny pictures and products, once: whether it works, not how fast it is.
    """

    models: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    tiles: tuple[int | None, ...] = ()
    threads: tuple[int, ...] = ()
    rounds: int = 5
    peers: bool = True
    quick: bool = False

    @property
    def sizes(self) -> tuple[Size, Size]:
        """Of the two pictures."""
        return (QUICK_SMALL, QUICK_LARGE) if self.quick else (SMALL, LARGE)

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
        return self.tiles or ((None,) if self.quick else (128, None))

    def chosen_threads(self) -> tuple[int, ...]:
        """Return the numbers of threads to be tried, smallest first.

        Raises:
            UsageError: One is no such number.
        """
        if min(self.threads, default=1) < 1:
            raise UsageError(f"threads is {min(self.threads)}", "accepted are whole numbers from 1")
        most = usable_processors()
        return tuple(sorted({*self.threads} or ({most} if self.quick else {1, most})))

    def chosen_rounds(self) -> int:
        """Return how often each case is timed.

        Raises:
            UsageError: It is no such number.
        """
        if self.rounds < 1:
            raise UsageError(f"rounds is {self.rounds}", "accepted are whole numbers from 1")
        return 1 if self.quick else self.rounds

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
