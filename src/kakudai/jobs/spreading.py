"""One picture over many machines: its blocks are enlarged by the actors of a cluster, and put together here.

The driver reads the picture and writes the result, as ever: row by row, with all that its format can hold. Blocks go
out from top to bottom and come back in any order; there is a bound on what waits for those above it.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from kakudai.engine.block import Which, cut_out, rows_of_blocks
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.tiles import Tile
from kakudai.errors import KakudaiError
from kakudai.image.picture import Pixels
from kakudai.image.spool import forget
from kakudai.jobs.cluster import AT_ONCE, Cluster, Say
from kakudai.jobs.requests import BlockRequest, Piece

Item = TypeVar("Item")

AHEAD_BYTES = 1 << 30
"""Of rows of blocks that are begun, where there are many actors."""

ROWS_AHEAD = 2
"""Finished rows of blocks that wait for the writer."""


@dataclass(slots=True)
class Row:
    """A row of blocks that is being put together.

    Args:
        band: Its result.
        missing: Blocks that are not there yet.
    """

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
        self.across = self.row_bytes = 0

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
        row = Row(np.empty((first.height * s, self._width * s, self._channels), self._dtype), len(places))
        self._rows.append(row)
        self._places += [(place, row) for place in places]
        self.across, self.row_bytes = len(places), row.band.nbytes
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

    def finished(self) -> Iterator[Pixels]:
        """Give out rows that are whole, and above which nothing is missing."""
        while self._rows and not self._rows[0].missing:
            yield self._rows.popleft().band


class Spread:
    """Has the blocks of pictures enlarged by a cluster, which is started when the first is wanted.

    See `Upscaler.helped_by`.

    Args:
        cluster: Not entered yet.
        say: Told when actors come and go.
    """

    def __init__(self, cluster: Cluster, say: Say) -> None:
        self._cluster, self._say = cluster, say
        self._sent: dict[str, list[Any]] = {}
        self._stack, self._is_entered = contextlib.ExitStack(), False
        self._failure: KakudaiError | None = None
        self._background: Background[Pixels] | None = None

    def __enter__(self) -> "Spread":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._background is not None:  # whoever wanted the pixels may have been interrupted
                self._background.end()
        finally:
            self._stack.close()

    def bands(self, loaded: Loaded, image: Pixels, tile: int | None, dtype: DTypeLike, *, run: Run) -> Iterator[Pixels]:
        """Enlarge a picture once; see `engine.block.Crew`.

        Raises:
            KakudaiError: A block cannot be enlarged, or no actor can work.
        """
        self._enter()
        canvas = Canvas(image.shape[1], image.shape[2], loaded.model.scale, dtype)
        which = Which.of(loaded)
        model = self._network(which, loaded)

        def requests() -> Iterator[BlockRequest]:
            for places in rows_of_blocks(loaded, image, dtype):
                for number, place in zip(canvas.begin(places), places, strict=True):
                    cut = partial(cut_out, loaded, image, place, tile, dtype, run=run)
                    yield BlockRequest(number, cut, which, model)

        def has_room() -> bool:
            wanted = -(-2 * AT_ONCE * self._cluster.size // max(1, canvas.across))
            return canvas.waiting <= 1 + max(1, min(wanted, AHEAD_BYTES // max(1, canvas.row_bytes)))

        def bands(enough: threading.Event) -> Generator[Pixels, None, None]:
            coming = self._cluster.run(requests(), self._say, has_room=has_room, enough=enough)
            with contextlib.closing(coming) as pieces:
                for piece in pieces:
                    if enough.is_set():
                        return
                    run.progress(canvas.put(piece.number, _pixels(piece)))
                    for band in canvas.finished():
                        forget(image)
                        yield band

        self._background = Background(bands, ROWS_AHEAD)
        try:
            yield from self._background
        finally:  # it keeps the picture
            self._background = None

    def _enter(self) -> None:
        """Start the cluster; where that fails, it is not tried for each page of a book.

        Raises:
            KakudaiError: It cannot be used.
        """
        if self._failure is not None:
            raise self._failure
        if self._is_entered:
            return
        try:
            self._stack.enter_context(self._cluster)
        except KakudaiError as error:
            self._failure = error
            raise
        self._is_entered = True

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


class Background(Iterable[Item]):
    """Items that a thread of its own makes, some of them ahead of whoever wants them; what it raises is raised there.

    Args:
        make: Makes them, and ends when the event is set that it is given: nobody wants more.
        ahead: How many may wait.
    """

    def __init__(self, make: Callable[[threading.Event], Generator[Item, None, None]], ahead: int) -> None:
        self._make, self._enough = make, threading.Event()
        self._made: queue.Queue[Item | _End] = queue.Queue(ahead)
        self._thread = threading.Thread(target=self._work, name="kakudai-spread")

    def __iter__(self) -> Iterator[Item]:
        """Yield them, once."""
        self._thread.start()
        try:
            while not isinstance(thing := self._next(), _End):
                yield thing
            if thing.error is not None:
                raise thing.error
        finally:
            self.end()

    def _next(self) -> "Item | _End":
        while True:
            try:
                return self._made.get(timeout=0.2)
            except queue.Empty:
                if self._enough.is_set():  # by another thread: nothing will come
                    return _End(None)

    def end(self) -> None:
        """Have no more made, and wait until nothing is."""
        self._enough.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            with contextlib.closing(self._make(self._enough)) as items:
                for item in items:
                    self._put(item)
                    if self._enough.is_set():
                        return
        except BaseException as error:
            self._put(_End(error))
        else:
            self._put(_End(None))

    def _put(self, thing: "Item | _End") -> None:
        while not self._enough.is_set():
            with contextlib.suppress(queue.Full):
                self._made.put(thing, timeout=0.2)
                return
