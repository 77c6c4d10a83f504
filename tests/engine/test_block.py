"""engine/block.py: parts of a picture that are enlarged elsewhere give the pixels that the whole picture would have."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import DTypeLike
from tests.small_models import convolutional

from kakudai import Upscaler
from kakudai.engine import block as block_module
from kakudai.engine.block import BlockWorker, Which, cut_out, enlarge_block, rows_of_blocks
from kakudai.engine.ensemble import Turn
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.machine import Machine
from kakudai.engine.runtimes import Session
from kakudai.engine.tiles import Tile
from kakudai.errors import OutOfMemory, WrongResult
from kakudai.image.picture import Pixels
from kakudai.models import Model, find_model
from kakudai.models.catalogue import model_from_bytes


class Neighbour:
    """A crew of one, on this machine: each block is enlarged as by an actor, the last first."""

    def __init__(self) -> None:
        self.worker, self.blocks = BlockWorker(Machine(threads=1)), 0

    def bands(
        self, loaded: Loaded, image: Pixels, tile: int | None, dtype: DTypeLike, *, run: Run, start: int
    ) -> Iterator[Pixels]:
        assert isinstance(loaded.model, Model)
        which, model = Which.of(loaded), loaded.model
        for places in rows_of_blocks(loaded, image, dtype, start):
            blocks = [cut_out(loaded, image, place, tile, dtype, run=run) for place in places]
            parts = [self.worker.enlarge(block, which, lambda: model) for block in reversed(blocks)]
            self.blocks += len(blocks)
            yield np.concatenate(parts[::-1], axis=1)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 64 rows, and not much wider."""
    monkeypatch.setattr(block_module, "ROWS", 64)
    monkeypatch.setattr(block_module, "RESULT_BYTES", 64 * 80 * 4 * 3)


@pytest.mark.parametrize(
    ("words", "dtype", "channels"),
    [
        ({"model": "photo-fast-x2"}, np.uint8, 3),
        ({"model": "photo-fast-x2", "tta": 8}, np.uint8, 3),
        ({"model": "photo", "scale": 3, "denoise": 40}, np.uint16, 3),  # told a strength, then resized
        ({"model": "photo-fast-x2", "scale": 4}, np.uint8, 4),  # two passes, and alpha
        ({"model": "art-x2"}, np.uint8, 1),
    ],
)
def test_a_crew_gives_the_pixels_of_one_machine(words: dict[str, object], dtype: DTypeLike, channels: int) -> None:
    random = np.random.default_rng(3)
    small = random.integers(0, np.iinfo(np.dtype(dtype)).max, (23, 31, channels), dtype)
    image = np.kron(small, np.ones((7, 7, 1), dtype))[:150, :201]
    crew = Neighbour()
    with Upscaler(**words, precision="float32", threads=1) as upscaler:  # type: ignore[arg-type]
        expected, found = upscaler.upscale(image), upscaler.helped_by(crew).upscale(image)
    assert crew.blocks >= 3
    np.testing.assert_array_equal(found, expected)


def test_blocks_cover_what_is_not_done_yet() -> None:
    loaded = Loaded.open(find_model("photo-fast-x2"), Machine(threads=1))
    image = np.zeros((500, 700, 3), np.uint8)
    covered = np.zeros((500, 700), int)
    for row in rows_of_blocks(loaded, image, np.uint8, 0):
        assert len({(place.top, place.height) for place in row}) == 1
        for place in row:
            covered[place.top : place.top + place.height, place.left : place.left + place.width] += 1
    assert (covered == 1).all()
    tops = [row[0].top for row in rows_of_blocks(loaded, image, np.uint8, 130)]
    assert tops[0] <= 130 < tops[1]


class Narrow:
    """A session that has memory for small tiles alone, or for none."""

    def __init__(self, session: Session, largest: int) -> None:
        self._session, self._largest = session, largest
        self.name, self.workers = session.name, session.workers

    def run(self, x: np.ndarray) -> np.ndarray:
        if max(x.shape[2:]) > self._largest:
            raise MemoryError("that is too large")
        return self._session.run(x)


def test_a_tile_that_does_not_fit_is_halved_and_at_last_refused() -> None:
    loaded = Loaded.open(model_from_bytes(convolutional(), "net"), Machine(threads=1))
    image = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
    with ThreadPoolExecutor(1) as pool:
        run = Run((Turn(),), pool, lambda _: None)
        place = Tile(0, 0, 150, 150)
        block = cut_out(loaded, image, place, None, np.uint8, run=run)
        expected = enlarge_block(loaded, block, pool)
        narrow = replace(loaded, session=Narrow(loaded.session, 100))
        np.testing.assert_array_equal(enlarge_block(narrow, block, pool), expected)
        with pytest.raises(OutOfMemory, match="no memory for a tile of"):
            enlarge_block(replace(loaded, session=Narrow(loaded.session, 10)), block, pool)


def test_a_wrong_tile_is_named_by_its_place_in_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = Loaded.open(model_from_bytes(convolutional(), "net"), Machine(threads=1))
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    monkeypatch.setattr("kakudai.engine.passes.fault", lambda *_: "it is black")
    with ThreadPoolExecutor(1) as pool:
        run = Run((Turn(),), pool, lambda _: None)
        block = cut_out(loaded, image, Tile(10, 20, 40, 40), None, np.uint8, run=run)
        with pytest.raises(WrongResult, match=r"in the block at \(20, 10\): .* it is black"):
            enlarge_block(loaded, block, pool)


def test_networks_are_told_apart_by_what_is_in_them() -> None:
    first, second = (Loaded.open(find_model(name), Machine(threads=1)) for name in ("photo-fast-x2", "art-fast-x2"))
    assert Which.of(first) != Which.of(second)
    assert Which.of(first) != Which.of(replace(first, strength=0.5))
    with pytest.raises(TypeError, match="module in memory"):
        Which.of(Loaded(object(), first.session))  # type: ignore[arg-type]
