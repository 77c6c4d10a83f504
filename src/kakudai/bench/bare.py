"""A runtime alone: tiles that are ready in memory go through it, as many at once as it wants, and nothing else happens.

Nothing is read, cut, checked, converted back or written. This is what files are measured against, and the way in which
the roofs are measured, too.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from kakudai.bench.subject import MIDDLING, Subject
from kakudai.bench.timing import Case, Facts
from kakudai.engine.loaded import Loaded
from kakudai.engine.machine import Machine
from kakudai.engine.passes import to_planes
from kakudai.engine.runtimes import RuntimeName, Session
from kakudai.engine.tiles import cut, extract
from kakudai.image.picture import Pixels
from kakudai.models import Model


class Bare:
    """Runs the same inputs whenever it is called."""

    def __init__(self, session: Session, inputs: Sequence[NDArray[np.float32]], stack: ExitStack) -> None:
        self._session, self._inputs = session, inputs
        self._pool = stack.enter_context(ThreadPoolExecutor(session.workers))

    def __call__(self) -> None:
        """Run all inputs."""
        for _ in self._pool.map(self._session.run, self._inputs):
            pass


class Opened:
    """A network in one runtime with some number of threads; its session serves all sizes of tiles."""

    def __init__(self, subject: Subject, runtime: RuntimeName, threads: int, stack: ExitStack) -> None:
        self.runtime, self.threads = runtime, threads
        self._subject, self._stack = subject, stack
        self._loaded = Loaded.open(subject.model, Machine(runtime, threads, subject.numbers))

    def case(self, image: Pixels, tile: int | None) -> Case:
        """Prepare to run the network alone on a picture.

        Args:
            image: (H, W, 3).
            tile: Side of the tiles in input pixels; 0 is the whole picture, None what the engine takes for it.
        """
        subject, (height, width) = self._subject, image.shape[:2]
        side = max(height, width) if subject.model.halo is None else self._loaded.first_tile(height, width, tile)
        facts = Facts(
            "network", subject.name, self._loaded.session.name, subject.numbers, self.threads,
            tile=side, size=f"{width}x{height}", megapixels=subject.megapixels(image), macs=subject.macs(image),
        )  # fmt: skip
        return Case(facts, Bare(self._loaded.session, tiles_of(image, self._loaded, side), self._stack))


def tiles_of(image: Pixels, loaded: Loaded, tile: int) -> list[NDArray[np.float32]]:
    """Return what the engine would give a network for a picture: (1, 3, height, width) float32 each; a fourth plane
    where it takes a strength.
    """
    model = loaded.model
    margin = -(-(model.halo or 0) // model.multiple) * model.multiple
    parts = cut(image.shape[0], image.shape[1], tile, model.multiple)
    tiles = [to_planes(extract(image, part, margin, model.multiple, loaded.border)) for part in parts]
    if not isinstance(model, Model) or not model.takes_strength:
        return tiles
    return [np.concatenate([x, np.full_like(x[:, :1], MIDDLING / 100)], axis=1) for x in tiles]
