"""What a picture will cost, before it is begun: time, memory and disk.

Time is that of a piece of the picture, measured; disk that of pieces of it, encoded; memory follows from its sizes.
"""

import math
import operator
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.plan import Plan
from kakudai.engine.tiles import LARGEST_BAND
from kakudai.engine.tools import Tools
from kakudai.engine.work import Workshop
from kakudai.errors import OutputError
from kakudai.image.encoding import encode, make_plan
from kakudai.image.formats import DEEPZOOM, FORMATS, Format
from kakudai.image.picture import Picture, Pixels
from kakudai.image.spool import SMALL, forget
from kakudai.image.whole import is_special

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions

STREAMED = 192_000_000
"""Bytes of a result up to which it is whole in memory: 64 megapixels of 8-bit colour. Larger ones are written while
they are made. A number of the picture, never of the machine, so that results are the same everywhere."""

PROCESS = 260 << 20
"""Bytes of memory of the program, libvips, a runtime, its networks and their tiles; measured for those shipped."""

MAX_KEPT = 1_040_000_000
"""Bytes that an encoder may keep; all else needs 260 MB besides: 65 megapixels of WebP, 29 of AVIF, 23 of GIF."""

ENCODERS = {"webp": 16.0, "avif": 35.0, "gif": 44.0}
"""Format -> bytes that its encoder keeps for each pixel of the result; others keep rows. Measured."""

SQUARE, SQUARES = 256, 4
"""Side of the squares that are encoded to see how many bytes a picture takes, and their number along each side."""

SMOOTHER = 0.75
"""Bytes of a pixel of an enlarged picture, where one of the picture has 1: there are fewer differences to be written.
Photographs and drawings enlarged twice have 0.5 to 0.8."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a picture will cost.

    Args:
        seconds: Of networks and encoder.
        memory: Largest resident memory, in bytes.
        disk: Bytes of the result.
        spool: Bytes on the same disk that are needed until it is finished.
        streamed: The result is written while it is made.
    """

    seconds: float
    memory: int
    disk: int
    spool: int
    streamed: bool


@dataclass(frozen=True, slots=True)
class Sizes:
    """What lies where while a picture is enlarged, in bytes.

    Args:
        before: Of the decoded picture.
        between: Of all other arrays that there are at the same time, see `arrays_between`.
        after: Of the result.
        pixels: Of the result.
        band: Of one row of tiles of it.
    """

    before: int
    between: tuple[int, ...]
    after: int
    pixels: int
    band: int

    @classmethod
    def of(cls, picture: Picture, plan: Plan, tools: Tools) -> "Sizes":
        """Work them out."""
        bytes_of_pixel = (picture.channels + (picture.alpha is not None)) * picture.color.dtype.itemsize
        pixels, before = plan.size[0] * plan.size[1], picture.height * picture.width * bytes_of_pixel
        band = min(LARGEST_BAND, 512 * plan.size[1] * bytes_of_pixel)
        return cls(before, arrays_between(picture, plan, tools), pixels * bytes_of_pixel, pixels, band)

    @property
    def spooled_between(self) -> int:
        """Bytes on the disk that are needed once the picture is decoded."""
        return sum(size for size in self.between if size > SMALL)

    @property
    def spool(self) -> int:
        """Bytes on the disk."""
        return self.spooled_between + (self.before if self.before > SMALL else 0)

    def memory(self, entry: Format, *, streamed: bool) -> int:
        """Return the memory that is needed."""
        kept = sum(size for size in (self.before, *self.between) if size <= SMALL)
        encoder = kept_by_encoder(entry, (self.pixels, 1))
        return PROCESS + kept + encoder + (5 * self.band if streamed else 2 * self.after)


def arrays_between(picture: Picture, plan: Plan, tools: Tools) -> tuple[int, ...]:
    """Return the bytes of the arrays that exist at the same time besides the picture and its result, at most.

    See `Work.carry_out`: what a network makes is read while the next is written, and in 16 bits where it has 8. Alpha
    goes the same way, and is at its last step when the colours begin, of which there is a copy by then whose
    transparent pixels have colours, too.
    """
    sample, before = picture.color.dtype.itemsize, (picture.height, picture.width)
    if plan == Plan(0, before):
        return ()
    sizes = [max(2, sample) * pixels for pixels in enlarged_pixels(before, plan, tools)]
    found = [picture.channels * size for size in sizes[-2:]]
    if _is_mixed(picture):
        found.append(picture.height * picture.width * picture.channels * sample)
        enlarged = sizes[plan.denoising == "before" :]  # nobody removes noise from alpha
        if enlarged and plan.size != before and tools.means.enlarges:
            found.append(enlarged[-1])
    return tuple(found)


def enlarged_pixels(size: tuple[int, int], plan: Plan, tools: Tools) -> list[int]:
    """Return the pixels of what each network puts into an array for the next, or for the last resize.

    Args:
        size: (height, width) of the picture.
        plan: What is done to it.
        tools: With which networks.
    """
    factors = list(accumulate((loaded.model.scale for loaded in tools.steps(plan)), operator.mul))
    if factors and plan.size == (size[0] * factors[-1], size[1] * factors[-1]):
        factors.pop()
    return [size[0] * size[1] * factor**2 for factor in factors]


def is_streamed(picture: Picture, size: tuple[int, int], entry: Format) -> bool:
    """Say whether a result of that (height, width) is written while it is made."""
    channels = picture.channels + (picture.alpha is not None)
    if entry.saver == "palette":  # which all of the picture is needed for
        return False
    return entry is DEEPZOOM or size[0] * size[1] * channels * picture.color.dtype.itemsize > STREAMED


def kept_by_encoder(entry: Format, size: tuple[int, int]) -> int:
    """Return the bytes that an encoder keeps of a result of that (height, width)."""
    return int(ENCODERS.get(entry.name, 0.0) * size[0] * size[1])


class Costs:
    """Estimates for the pictures of one upscaler; each network is timed once.

    Args:
        shop: Where pictures are enlarged.
    """

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._paces: dict[tuple[str, str, int], float] = {}

    def of(self, picture: Picture, plan: Plan, tools: Tools, entry: Format, options: "FileOptions") -> Estimate:
        """Estimate what a picture costs that is not begun."""
        streamed = is_streamed(picture, plan.size, entry)
        sizes = Sizes.of(picture, plan, tools)
        seconds, pixels = 0.0, picture.height * picture.width * (2 if _is_mixed(picture) else 1)
        for loaded in tools.steps(plan):
            seconds += pixels * self._pace(loaded, picture)
            pixels *= loaded.model.scale**2
        disk, encoding = encoded(picture, plan.size, entry, options)
        memory = sizes.memory(entry, streamed=streamed)
        return Estimate(seconds + encoding, memory, disk, sizes.spool, streamed)

    def _pace(self, loaded: Loaded, picture: Picture) -> float:
        """Return the seconds for a pixel of what a network is given, found with the middle of a picture."""
        key = (str(getattr(loaded.model, "name", id(loaded.model))), loaded.numbers, loaded.session.workers)
        if key not in self._paces:
            tile = min(256, self._shop.tile or 256)
            height, width = min(tile, picture.height), min(tile * loaded.session.workers, picture.width)
            top, left = (picture.height - height) // 2, (picture.width - width) // 2
            piece = np.ascontiguousarray(picture.color[top : top + height, left : left + width])
            run = Run(self._shop.turns, self._shop.pool, lambda _: None)
            for _ in range(2):  # the first prepares itself for this size
                started = time.perf_counter()
                loaded.run(piece, tile, piece.dtype, run)
                taken = time.perf_counter() - started
            self._paces[key] = taken / (height * width)
        return self._paces[key]


def _is_mixed(picture: Picture) -> bool:
    """Say whether alpha goes through networks, too, as far as some rows of it tell."""
    alpha = picture.alpha
    return alpha is not None and bool((alpha[:: max(1, len(alpha) // 64)] != alpha.flat[0]).any())


def encoded(picture: Picture, size: tuple[int, int], entry: Format, options: "FileOptions") -> tuple[int, float]:
    """Return bytes and seconds of a result of that (height, width), by squares of the picture that are encoded."""
    pieces = list(_squares(picture))
    color = np.concatenate([color for color, _ in pieces])
    alpha = None if picture.alpha is None else np.concatenate([alpha for _, alpha in pieces])
    sample = replace(
        picture, color=color, alpha=alpha, metadata=replace(picture.metadata, exif=None, xmp=None, icc=None)
    )
    single = FORMATS["png" if alpha is not None else "jpeg"] if entry is DEEPZOOM else entry
    started = time.perf_counter()
    written, _ = encode(sample, single, make_plan(sample, single, options.quality, options.depth))
    share = size[0] * size[1] / (sample.height * sample.width)
    taken = (time.perf_counter() - started) * share
    grown = size[0] * size[1] > picture.height * picture.width
    found = sum(map(len, written)) * share * (SMOOTHER if grown else 1.0)
    return math.ceil(found * (4 / 3 if entry is DEEPZOOM else 1)), taken  # all sizes of a DeepZoom are a third more


def _squares(picture: Picture) -> Iterator[tuple[Pixels, Pixels | None]]:
    """Yield squares from everywhere, of one width; of a small picture all."""
    height, width = min(SQUARE, picture.height), min(SQUARE, picture.width)
    for top in _starts(picture.height, height):
        for left in _starts(picture.width, width):
            place: Any = (slice(top, top + height), slice(left, left + width))
            yield picture.color[place], None if picture.alpha is None else picture.alpha[place]
    forget(picture.color, picture.alpha)


def _starts(size: int, length: int) -> list[int]:
    count = min(SQUARES, size // length)
    return [(size - length) * (2 * index + 1) // (2 * count) for index in range(count)]


def check_costs(
    picture: Picture, plan: Plan, tools: Tools, *, entry: Format, target: object, options: "FileOptions"
) -> None:
    """Refuse, before any work, a result that its disk cannot hold, or that its encoder would keep too much of.

    Raises:
        OutputError: There is not enough room, or the encoder needs more than `MAX_KEPT` and `max_pixels` is not given.
    """
    kept = kept_by_encoder(entry, plan.size)
    if kept > MAX_KEPT and options.max_pixels is None:
        raise OutputError(
            f"the {entry.title} encoder keeps all of a picture: {plan.size[1]} x {plan.size[0]} pixels take "
            f"{kept / 1e9:.1f} GB of memory",
            "use --format jpeg, png or tiff, or --max-pixels 0 where there is as much memory",
        )
    folder = folder_of(target)
    if folder is None:
        return
    sizes, free = Sizes.of(picture, plan, tools), shutil.disk_usage(folder).free
    spool = sizes.spooled_between  # the picture itself is there already
    if free >= sizes.after + spool:
        return
    needed = encoded(picture, plan.size, entry, options)[0] + spool
    if needed > free:
        raise OutputError(
            f"the result takes about {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free in {folder}",
            "make room on the disk, write elsewhere, or choose --format jpeg",
        )


def folder_of(target: object) -> Path | None:
    """Return the folder that a file is, or will be, in, or the next above it that exists; None for what is no file."""
    if not isinstance(target, str | os.PathLike) or is_special(Path(target)):
        return None
    path = Path(os.path.realpath(target)).parent
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
