"""One network pass over one picture: every tile converted, run, checked and put in its place, several at once."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import KW_ONLY, dataclass, field
from itertools import groupby, islice

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kakudai.engine.guard import fault
from kakudai.engine.runtimes import Session
from kakudai.engine.tiles import Tile, cut, extract, rows_of_band
from kakudai.errors import WrongResult
from kakudai.image.picture import Pixels, full_scale
from kakudai.image.resize import Border
from kakudai.image.spool import forget

Progress = Callable[[int], None]
"""Called with the number of input pixels that have just been finished."""


SMALL = 256 * 256
"""Pixels of a picture that is done before a runtime has prepared itself for tiles of its size."""

USUAL = 8
"""Tiles of a size, from which on it is worth to prepare for it: from then on no pixels are added."""

SIZES = 32
"""Sizes that are counted: the first that come. What is prepared for a size stays in memory."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A loaded network and how to run it.

    Args:
        session: Runs tiles.
        careful: Opens another session in plain float32, for a tile that came out wrong; None where there is none.
        scale: Enlargement factor.
        halo: Input pixels around a tile that its result depends on.
        multiple: Sides of what the network is given divide by this, and tiles begin at multiples of it.
        pool: Runs `session.workers` tiles at once.
        border: What continues outside the picture.
        lost: Pixels of what it is given that the network has no result for, on each side.
        leeway: How many times further than a faithful network it may move colours, see `guard.fault`.
        local: A result depends on the halo alone, so that tiles of one colour need the network once for each colour.
        grain: Sides of what the network is given divide by this, too, in small pictures of unusual sizes.
        sizes: How often tiles of small pictures had each of some (height, width).
    """

    session: Session
    careful: Callable[[], Session] | None
    scale: int
    halo: int
    multiple: int
    pool: ThreadPoolExecutor
    _: KW_ONLY
    border: Border = "mirror"
    lost: int = 0
    leeway: float = 1.0
    local: bool = False
    grain: int = 1
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    _flat: dict[bytes, NDArray[np.float32]] = field(default_factory=dict, init=False)

    @property
    def margin(self) -> int:
        """Pixels around a tile that the network is given: the halo, but whole multiples."""
        return self.multiple * math.ceil(self.halo / self.multiple)

    def bands(
        self, image: Pixels, tile: int, dtype: DTypeLike, progress: Progress, *, start: int = 0
    ) -> Iterator[Pixels]:
        """Enlarge a picture and give it out from top to bottom, one row of tiles at a time.

        The rows below are being worked on meanwhile: one, or in a narrow picture as many as keep all workers busy. A
        writer that takes rows needs memory for those and for the one it has.

        Shape: (H, W, 1 | 3) uint8, uint16 or float32 -> (rows, scale W, 1 | 3) of `dtype`, together scale H rows.

        Args:
            image: The picture.
            tile: Side of the tiles.
            dtype: Of the result.
            progress: Called for each tile.
            start: Rows of the picture that are done already.

        Raises:
            WrongResult: A tile is not the enlarged picture, also when it is done again.
            MemoryError: The tiles are too large.
        """

        def begin(row: list[Tile]) -> tuple[int, Pixels, list[Future[None]]]:
            size = (row[0].height * self.scale, image.shape[1] * self.scale, image.shape[2])
            band = np.empty(size, dtype)
            return row[0].top, band, [self.pool.submit(self._fill, image, part, band, progress) for part in row]

        height, width, channels = image.shape
        tall = rows_of_band(height, width, tile, self.scale**2 * channels * np.dtype(dtype).itemsize)
        parts = (part for part in cut(height, width, tile, self.multiple, rows=tall) if part.top + part.height > start)
        rows = (list(row) for _, row in groupby(parts, key=lambda part: part.top))
        across = math.ceil(width / tile)
        ahead = max(2, math.ceil(2 * self.session.workers / across))
        pending: deque[tuple[int, Pixels, list[Future[None]]]] = deque()
        try:
            for first in islice(rows, ahead):
                pending.append(begin(first))
            while pending:
                top, band, jobs = pending[0]
                for job in jobs:
                    job.result()
                pending.popleft()
                forget(image)
                if (row := next(rows, None)) is not None:
                    pending.append(begin(row))
                yield band[max(0, start - top) * self.scale :]
        finally:
            # What runs cannot be stopped. Whoever tries again with smaller tiles needs its memory, and must not have
            # its progress counted.
            wait([job for _, _, jobs in pending for job in jobs if not job.cancel()])

    def fill(self, image: Pixels, tiles: list[Tile], output: Pixels, progress: Progress) -> None:
        """Run some tiles of a picture and write their cores into its result.

        Shape: image (H, W, 1 | 3), output (scale H, scale W, 1 | 3).

        Raises:
            WrongResult: A tile is not the enlarged picture, also when it is done again.
            MemoryError: The tiles are too large.
        """
        s = self.scale
        jobs = [
            self.pool.submit(
                self._fill, image, tile, output[tile.top * s : (tile.top + tile.height) * s], progress
            )
            for tile in tiles
        ]  # fmt: skip
        try:
            for job in jobs:
                job.result()
        finally:
            wait([job for job in jobs if not job.cancel()])

    def _fill(self, image: Pixels, tile: Tile, band: Pixels, progress: Progress) -> None:
        """Run one tile and write its core into the band."""
        y = self.core(image, tile)
        columns = slice(tile.left * self.scale, (tile.left + tile.width) * self.scale)
        to_pixels(y[: band.shape[2]], band.dtype, band[:, columns])
        progress(tile.height * tile.width)

    def core(self, image: Pixels, tile: Tile) -> NDArray[np.float32]:
        """Run one tile, and once more with care where it comes out wrong.

        Shape: (H, W, 1 | 3) -> (3, scale height, scale width), the core alone, not clipped.

        Raises:
            WrongResult: It is wrong both times.
        """
        step = math.lcm(self.multiple, self.grain) if self._is_unusual(image, tile) else self.multiple
        pixels = extract(image, tile, self.margin, step, self.border)
        if self.local and is_flat(pixels):
            return self._flat_core(pixels[0, 0], tile)
        return self._checked(to_planes(pixels), tile)

    def _is_unusual(self, image: Pixels, tile: Tile) -> bool:
        """Say whether a runtime would prepare itself for a tile that it hardly sees again, and count it."""
        if self.grain == 1 or image.shape[0] * image.shape[1] > SMALL:
            return False
        size = (tile.height, tile.width)
        if size not in self.sizes and len(self.sizes) >= SIZES:
            return True
        self.sizes[size] += 1
        return self.sizes[size] <= USUAL

    def _flat_core(self, color: Pixels, tile: Tile) -> NDArray[np.float32]:
        """Return the result of a tile of one colour: that of its smallest part, repeated."""
        side, key = self.multiple, color.tobytes()
        if key not in self._flat:
            planes = to_planes(np.broadcast_to(color, (side + 2 * self.margin, side + 2 * self.margin, len(color))))
            self._flat[key] = self._checked(planes, Tile(0, 0, side, side))
        down, across = math.ceil(tile.height / side), math.ceil(tile.width / side)
        repeated = np.tile(self._flat[key], (1, down, across))
        return repeated[:, : tile.height * self.scale, : tile.width * self.scale]

    def _checked(self, x: NDArray[np.float32], tile: Tile) -> NDArray[np.float32]:
        """Run one tile that is cut out already; see `core`."""
        y, wrong = self._run(self.session, x, tile)
        if wrong and self.careful:
            y, wrong = self._run(self.careful(), x, tile)
        if wrong:
            raise WrongResult(
                f"the tile at ({tile.left}, {tile.top}) is not the enlarged picture: {wrong}",
                "the picture was not written; try another --runtime or another --model",
            )
        return y

    def _run(self, session: Session, x: NDArray[np.float32], tile: Tile) -> tuple[NDArray[np.float32], str | None]:
        """Run one tile; return its core and what is wrong with it."""
        y = session.run(x)
        height, width = (side - 2 * self.lost for side in x.shape[2:])
        expected = (1, 3, height * self.scale, width * self.scale)
        if y.shape != expected:
            raise WrongResult(
                f"the network returned a tile of shape {y.shape}, expected {expected}",
                "its metadata states another scale than it has; import it again",
            )
        margin, s = self.margin, self.scale
        h = margin - self.lost
        core = y[0, :, h * s : (h + tile.height) * s, h * s : (h + tile.width) * s]
        return core, fault(x[0, :, margin : margin + tile.height, margin : margin + tile.width], core, s, self.leeway)


def is_flat(pixels: Pixels) -> bool:
    """Say whether all pixels (H, W, C) have the same colour; most pictures say no in their first row."""
    return bool((pixels[0] == pixels[0, 0]).all()) and bool((pixels == pixels[0, 0]).all())


def to_planes(pixels: Pixels) -> NDArray[np.float32]:
    """Convert a tile to what networks take: (H, W, 1 | 3) of any dtype -> (1, 3, H, W) float32 in [0, 1]; grey three
    times. Of floating point, what lies outside is cut off.
    """
    planes = np.empty((1, 3, *pixels.shape[:2]), np.float32)
    np.divide(pixels.transpose(2, 0, 1), np.float32(full_scale(pixels.dtype)), out=planes[0], dtype=np.float32)
    return np.clip(planes, 0.0, 1.0, out=planes) if pixels.dtype.kind == "f" else planes


def to_pixels(
    planes: NDArray[np.float32], dtype: np.dtype[np.generic], output: NDArray[np.generic] | None = None
) -> Pixels:
    """Convert a result to pixels: (C, H, W) float32 -> (H, W, C) of `dtype`, clipped to its range, integers rounded
    half up. They are written into `output` where there is one.
    """
    pixels = np.empty((*planes.shape[1:], len(planes)), dtype) if output is None else output
    top = np.float32(full_scale(dtype))
    for channel, plane in enumerate(planes):  # one after the other: they stay in the cache
        values = plane
        if dtype.kind == "u":
            values = plane * top
            values += np.float32(0.5)
        pixels[..., channel] = np.clip(values, 0.0, top)
    return pixels
