"""One picture over many machines: its blocks are enlarged by the actors of a cluster, and put together here.

The driver reads the picture and writes the result, as ever: row by row, with all that its format can hold. Blocks go
out from top to bottom and come back in any order; there is a bound on what waits for those above it.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from kakudai.engine.block import Block, Which, cut_out, rows_of_blocks
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.tiles import Tile
from kakudai.image.picture import Pixels
from kakudai.jobs.cluster import AT_ONCE, Cluster, Say
from kakudai.jobs.requests import BlockRequest, Piece

Item = TypeVar("Item")

ROWS_AHEAD = 2
"""Finished rows of blocks that wait for the writer."""


@dataclass(slots=True)
class Row:
    """A row of blocks that is being put together.

    Args:
        top: Its place in the picture.
        band: Its result.
        missing: Blocks that are not there yet.
    """

    top: int
    band: Pixels
    missing: int


@dataclass(frozen=True, slots=True)
class _End:
    """Comes after the last item: with what ended them, if that was an error."""

    error: BaseException | None


class Canvas:
    """The result of a picture: blocks come in any order, and rows of them are given out from top to bottom.

    Args:
        width: Of the picture.
        channels: Of the picture.
        scale: Enlargement factor.
        dtype: Of the result.
    """

    def __init__(self, width: int, channels: int, scale: int, dtype: DTypeLike) -> None:
        self._width, self._channels, self._scale, self._dtype = width, channels, scale, dtype
        self._rows: deque[Row] = deque()
        self._places: list[tuple[Tile, Row] | None] = []
        self.across = 0

    @property
    def count(self) -> int:
        """How many blocks it knows."""
        return len(self._places)

    @property
    def waiting(self) -> int:
        """How many rows of blocks are begun and not given out."""
        return len(self._rows)

    def begin(self, places: list[Tile]) -> list[int]:
        """Make room for a row of blocks, the one below the last; return their numbers."""
        first, s = places[0], self._scale
        row = Row(first.top, np.empty((first.height * s, self._width * s, self._channels), self._dtype), len(places))
        self._rows.append(row)
        self._places += [(place, row) for place in places]
        self.across = len(places)
        return list(range(self.count - len(places), self.count))

    def put(self, number: int, pixels: Pixels) -> int:
        """Put a block in its place; return the pixels of the picture that it was made of."""
        known = self._places[number]
        assert known is not None
        (place, row), s = known, self._scale
        row.band[:, place.left * s : (place.left + place.width) * s] = pixels
        row.missing -= 1
        self._places[number] = None
        return place.height * place.width

    def finished(self) -> Iterator[tuple[int, Pixels]]:
        """Give out rows that are whole, and above which nothing is missing: tops in the picture, and results."""
        while self._rows and not self._rows[0].missing:
            row = self._rows.popleft()
            yield row.top, row.band


class Spread:
    """Has the blocks of pictures enlarged by a cluster; see `Upscaler.helped_by`.

    Args:
        cluster: It must be entered.
        say: Told when actors come and go.
    """

    def __init__(self, cluster: Cluster, say: Say) -> None:
        self._cluster, self._say = cluster, say
        self._sent: dict[str, list[Any]] = {}

    def bands(
        self, loaded: Loaded, image: Pixels, tile: int | None, dtype: DTypeLike, *, run: Run, start: int
    ) -> Iterator[Pixels]:
        """Enlarge a picture once; see `engine.block.Crew`.

        Raises:
            KakudaiError: A block cannot be enlarged, or no actor can work.
        """
        cut = partial(cut_out, loaded, image, tile=tile, dtype=dtype, run=run)
        return in_background(partial(self._bands, loaded, image, dtype, run, cut, start), ROWS_AHEAD)

    def _bands(
        self,
        loaded: Loaded,
        image: Pixels,
        dtype: DTypeLike,
        run: Run,
        cut: Callable[..., Block],
        start: int,
        enough: threading.Event,
    ) -> Generator[Pixels, None, None]:
        scale = loaded.model.scale
        canvas = Canvas(image.shape[1], image.shape[2], scale, dtype)
        which = Which.of(loaded)
        model = self._network(which, loaded)

        def requests() -> Iterator[BlockRequest]:
            for places in rows_of_blocks(loaded, image, dtype, start):
                for number, place in zip(canvas.begin(places), places, strict=True):
                    yield BlockRequest(number, partial(cut, place=place), which, model)

        def has_room() -> bool:
            busy = AT_ONCE * self._cluster.size
            return canvas.waiting <= 1 + max(1, -(-2 * busy // max(1, canvas.across)))

        coming = self._cluster.run(requests(), self._say, has_room=has_room, enough=enough)
        with contextlib.closing(coming) as pieces:
            for piece in pieces:
                run.progress(canvas.put(piece.number, _pixels(piece)))
                for top, band in canvas.finished():
                    yield band[max(0, start - top) * scale :]

    def _network(self, which: Which, loaded: Loaded) -> list[Any]:
        """Return Ray's reference to a network, which is sent once."""
        import ray

        if which.digest not in self._sent:
            self._sent[which.digest] = [ray.put(loaded.model)]
        return self._sent[which.digest]


def _pixels(piece: Piece) -> Pixels:
    """Return the pixels of a block.

    Raises:
        Exception: Why there are none.
    """
    if piece.pixels is None:
        assert piece.error is not None
        raise piece.error
    return piece.pixels


def in_background(make: Callable[[threading.Event], Generator[Item, None, None]], ahead: int) -> Iterator[Item]:
    """Yield items that a thread of its own makes, so many of them ahead; what it raises is raised here.

    Args:
        make: Makes them, and ends when the event is set that it is given: nobody wants more.
        ahead: How many may wait.
    """
    made: queue.Queue[Item | _End] = queue.Queue(ahead)
    enough = threading.Event()

    def put(thing: Item | _End) -> None:
        while not enough.is_set():
            with contextlib.suppress(queue.Full):
                made.put(thing, timeout=0.2)
                return

    def work() -> None:
        try:
            with contextlib.closing(make(enough)) as items:
                for item in items:
                    put(item)
                    if enough.is_set():
                        return
        except BaseException as error:
            put(_End(error))
        else:
            put(_End(None))

    thread = threading.Thread(target=work, name="kakudai-spread")
    thread.start()
    try:
        while not isinstance(thing := made.get(), _End):
            yield thing
        if thing.error is not None:
            raise thing.error
    finally:
        enough.set()
        thread.join()
