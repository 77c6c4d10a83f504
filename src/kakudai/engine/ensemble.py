"""The mean of several results: the picture turned and mirrored, enlarged, and turned back ("test-time augmentation").

Networks do not treat all directions alike. The mean over directions costs as many runs and gains 0.05 to 0.15 dB on
photographs, 0.3 dB on drawings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.engine.runtimes import Session, StagedSession
from kakudai.engine.tiles import Tile
from kakudai.errors import UsageError

Given: TypeAlias = Mapping[str, NDArray[Any]]
"""What a network is given beside the picture: name of an input -> its value."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One of the eight ways to lay a picture: transposed or not, then mirrored along rows, columns, both or neither."""

    transpose: bool = False
    rows: bool = False
    columns: bool = False

    def apply(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (N, C, H, W); a view."""
        x = x.swapaxes(2, 3) if self.transpose else x
        return x[:, :, :: -1 if self.rows else 1, :: -1 if self.columns else 1]

    def undo(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (N, C, H, W) back; a view."""
        x = x[:, :, :: -1 if self.rows else 1, :: -1 if self.columns else 1]
        return x.swapaxes(2, 3) if self.transpose else x

    def tile(self, tile: Tile, height: int, width: int) -> Tile:
        """Say where a tile of a picture of that size lies in the turned picture."""
        if self.transpose:
            tile, (height, width) = Tile(tile.left, tile.top, tile.width, tile.height), (width, height)
        top = height - tile.top - tile.height if self.rows else tile.top
        left = width - tile.left - tile.width if self.columns else tile.left
        return Tile(top, left, tile.height, tile.width)


TURNS: dict[int, tuple[Turn, ...]] = {
    1: (Turn(),),
    2: (Turn(), Turn(transpose=True)),
    4: (Turn(), Turn(transpose=True), Turn(columns=True), Turn(transpose=True, rows=True)),
    8: tuple(Turn(t, rows, columns) for t in (False, True) for rows in (False, True) for columns in (False, True)),
}
"""How many results are averaged -> of which turns; the same as waifu2x's."""


def turns_for(count: int) -> tuple[Turn, ...]:
    """Return the turns that are averaged.

    Raises:
        UsageError: There are none for that number.
    """
    if count not in TURNS:
        raise UsageError(f"tta is {count}", "accepted are 1 for none, 2, 4 and 8")
    return TURNS[count]


class Ensemble:
    """A session whose result is the mean over turns, each clipped first. It is itself a session.

    Args:
        session: Runs the network.
        turns: How the picture is laid.
        given: For each turn, what the network is given beside the picture; None for nothing.
    """

    def __init__(self, session: Session, turns: tuple[Turn, ...], given: Sequence[Given] | None = None) -> None:
        self._session, self._turns = session, turns
        self._given: Sequence[Given] = given or [{}] * len(turns)
        self.name, self.workers = session.name, session.workers

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`; clipped to [0, 1] where there are several turns."""
        if len(self._turns) == 1:
            return self._one(self._turns[0], x, self._given[0])
        total: NDArray[np.float32] | None = None
        for turn, given in zip(self._turns, self._given, strict=True):
            y = np.clip(self._one(turn, x, given), 0.0, 1.0)
            if total is None:
                total = y
            else:
                total += y
        assert total is not None
        total *= np.float32(1 / len(self._turns))
        return total

    def _one(self, turn: Turn, x: NDArray[np.float32], given: Given) -> NDArray[np.float32]:
        turned = np.ascontiguousarray(turn.apply(x))
        if not given:
            return turn.undo(self._session.run(turned))
        assert isinstance(self._session, StagedSession)
        return turn.undo(self._session.run_stage(turned, given, ())[0])
