"""A network that is loaded, and one run of it over a picture: in tiles, in one piece, or in tiles that are blended."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kakudai.engine.blend import RAMP, Blend
from kakudai.engine.ensemble import Ensemble, Given, Turn
from kakudai.engine.machine import Machine, Numbers, check_int8
from kakudai.engine.memory import fits_whole, largest_tile
from kakudai.engine.passes import Pass, Progress
from kakudai.engine.pooled import Statistics, share
from kakudai.engine.runtimes import Session, StagedSession, open_session
from kakudai.engine.tiles import default_tile
from kakudai.image.picture import Pixels
from kakudai.image.resize import Border
from kakudai.image.spool import together
from kakudai.models import Model
from kakudai.models.pools import Pools

ABLE = {"float16": ("torch",), "bfloat16": ("torch", "openvino")}
"""Numbers -> runtimes that compute with them; others take float32 instead."""

GRAINS = {"openvino": 32}
"""Runtime -> what sides of small tiles are rounded up to, where it prepares itself for each size: that takes OpenVINO
about 12 milliseconds, longer than a small network itself."""

UNDIVIDED = ("openvino",)
"""Runtimes that have all processors do one tile: a small picture need not be cut for their sake."""

UNLIMITED_MARGIN = 32
"""Pixels around a picture, or around what a tile shows, for networks that look at all they are given."""


LARGE_TILE = 4096
"""Most pixels along a tile of such networks: they get as few tiles as memory allows, for each costs more or differs."""


class Network(Protocol):
    """A `torch.nn.Module` in memory that takes and gives RGB."""

    scale: int
    halo: int | None
    multiple: int


@dataclass(frozen=True, slots=True)
class Run:
    """How networks are run over one picture.

    Args:
        turns: The result is the mean over these.
        pool: Runs the tiles.
        progress: Called with input pixels that have been done.
    """

    turns: tuple[Turn, ...]
    pool: ThreadPoolExecutor
    progress: Progress


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network with the session that runs it.

    Args:
        model: A file, or a module in memory.
        session: Runs it.
        numbers: What it computes with, as it runs.
        strength: What a network is told that takes a strength of denoising, 0 to 1; None for all others.
        sizes: See `Pass`.
    """

    model: Model | Network
    session: Session
    numbers: Numbers = "float32"
    strength: float | None = None
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter, compare=False, repr=False)

    @classmethod
    def open(cls, model: Model | Network, machine: Machine) -> "Loaded":
        """Load a network, see `open_session`."""
        if isinstance(model, Model):
            if model.precision == "int8":
                check_int8()
            numbers = machine.numbers_of(model)
            session = open_session(
                model, runtime=machine.runtime, threads=machine.threads, numbers=numbers, gpu=machine.on_gpu
            )
            able = ABLE.get(numbers)
            return cls(model, session, numbers if able is None or session.name in able else "float32")
        from kakudai.engine.runtimes.torch import TorchSession

        return cls(model, TorchSession(model))  # type: ignore[arg-type]

    @property
    def border(self) -> Border:
        """What continues outside the picture."""
        return "replicate" if isinstance(self.model, Model) and self.model.border == "edge" else "mirror"

    @property
    def pools(self) -> Pools | None:
        """Averages that can be had from tiles in this session."""
        staged = isinstance(self.model, Model) and isinstance(self.session, StagedSession)
        return self.model.pools if staged and isinstance(self.model, Model) else None

    @property
    def reach(self) -> int:
        """Pixels around a tile that influence its result; for networks that look at everything, those that matter."""
        return UNLIMITED_MARGIN if self.model.halo is None else self.model.halo

    def first_tile(self, height: int, width: int, wish: int | None) -> int:
        """Choose the side of the tiles for a picture.

        Args:
            wish: What the user asked for; 0 is the whole picture, None leaves it to the size and the memory.
        """
        whole = max(height, width)
        if wish is not None:
            return min(wish or whole, whole)
        if self.model.halo is None and fits_whole(height * width):
            return whole
        workers = self.session.workers
        if self.model.halo is None:
            return default_tile(height, width, workers=workers, largest=largest_tile(workers, LARGE_TILE))
        features = self.model.features if isinstance(self.model, Model) else 0
        largest = largest_tile(workers, features=features, halo=self.model.halo)
        share = 1 if self.session.name in UNDIVIDED else workers
        return default_tile(height, width, workers=share, largest=largest)

    def run(self, image: Pixels, tile: int, dtype: DTypeLike, run: Run) -> Pixels:
        """Enlarge a picture once, in memory: what `bands` gives in one piece."""
        height, width, channels = image.shape
        output = np.empty((height * self.model.scale, width * self.model.scale, channels), dtype)
        return together(self.bands(image, tile, dtype, run), output)

    def bands(self, image: Pixels, tile: int, dtype: DTypeLike, run: Run, *, start: int = 0) -> Iterator[Pixels]:
        """Enlarge a picture once, from top to bottom.

        Shape: (H, W, 1 | 3) uint8, uint16 or float32 -> (rows, scale W, 1 | 3) of `dtype`, together scale H rows.

        Args:
            image: The picture.
            tile: Side of the tiles.
            dtype: Of the result.
            run: How.
            start: Rows of the picture that are done already.

        Raises:
            WrongResult: A tile is not the enlarged picture, also when it is done again.
            MemoryError: The tiles are too large.
        """
        whole = tile >= max(image.shape[:2])
        pools = self.pools
        if self.model.halo is not None:
            return self.tiled(run).bands(image, tile, dtype, run.progress, start=start)
        if pools is not None and not (whole and pools.seamless and self.border == "replicate"):
            return self._pooled(pools, image, tile, dtype, run=run, start=start)
        if whole:
            margin = 0 if self.border == "replicate" else UNLIMITED_MARGIN
            return self._pass(run, margin).bands(image, tile, dtype, run.progress)
        return Blend(self._pass(run, UNLIMITED_MARGIN - RAMP)).bands(image, tile, dtype, run.progress, start=start)

    def tiled(self, run: Run) -> Pass:
        """Return the pass of a network whose tiles do not depend on each other."""
        assert self.model.halo is not None
        return self._pass(run, self.model.halo)

    def _pooled(
        self, pools: Pools, image: Pixels, tile: int, dtype: DTypeLike, *, run: Run, start: int
    ) -> Iterator[Pixels]:
        """Find the averages first, then run the tiles with them."""
        assert isinstance(self.session, StagedSession)
        statistics = Statistics(self.session, pools, self.model.multiple, self.border, run.turns)
        if tile >= max(image.shape[:2]):
            given, progress = statistics.of_whole(*image.shape[:2]), run.progress
        else:
            given, stages = statistics.of_tiles(image, tile, run.pool, run.progress), len(pools.levels) + 1

            def progress(pixels: int) -> None:
                run.progress(share(pixels, stages - 1, stages))

        return self._pass(run, pools.halo, given, lost=pools.added).bands(image, tile, dtype, progress, start=start)

    def _pass(self, run: Run, halo: int, given: Sequence[Given] | None = None, *, lost: int = 0) -> Pass:
        def wrapped(session: Session) -> Session:
            session = session if self.strength is None else Told(session, self.strength)
            return Ensemble(session, run.turns, given) if given or len(run.turns) > 1 else session

        model = self.model
        careful = (lambda: wrapped(_careful(model))) if isinstance(model, Model) else None
        session = wrapped(self.session)
        leeway = model.leeway if isinstance(model, Model) else 1.0
        return Pass(
            session, careful, model.scale, halo, model.multiple, run.pool,
            border=self.border, lost=lost, leeway=leeway, local=model.halo is not None,
            grain=GRAINS.get(self.session.name, 1) if model.halo is not None else 1, sizes=self.sizes,
        )  # fmt: skip


class Told:
    """A session that tells the network the strength of denoising, in a fourth plane. It is itself a session."""

    def __init__(self, session: Session, strength: float) -> None:
        self._session, self._strength = session, strength
        self.name, self.workers = session.name, session.workers

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        plane = np.full_like(x[:, :1], self._strength)
        return self._session.run(np.concatenate([x, plane], axis=1))


def _careful(model: Model) -> Session:
    """Open another session, in plain float32, for tiles that came out wrong."""
    return open_session(model, runtime="onnxruntime", threads=1)
