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

    def bands(self, loaded: Loaded, image: Pixels, tile: int | None, dtype: DTypeLike, *, run: Run) -> Iterator[Pixels]:
        assert isinstance(loaded.model, Model)
        which, model = Which.of(loaded), loaded.model
        for places in rows_of_blocks(loaded, image, dtype):
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
        ({"model": "photo-x2", "precision": "auto"}, np.uint8, 3),
    ],
)
def test_a_crew_gives_the_pixels_of_one_machine(words: dict[str, object], dtype: DTypeLike, channels: int) -> None:
    random = np.random.default_rng(3)
    small = random.integers(0, np.iinfo(np.dtype(dtype)).max, (23, 31, channels), dtype)
    image = np.kron(small, np.ones((7, 7, 1), dtype))[:150, :201]
    crew = Neighbour()
    with Upscaler(**{"precision": "float32", **words}, threads=1) as upscaler:  # type: ignore[arg-type]
        expected, found = upscaler.upscale(image), upscaler.helped_by(crew).upscale(image)
    assert crew.blocks >= 3
    np.testing.assert_array_equal(found, expected)


def test_blocks_cover_what_is_not_done_yet() -> None:
    loaded = Loaded.open(find_model("photo-fast-x2"), Machine(threads=1))
    image = np.zeros((500, 700, 3), np.uint8)
    covered = np.zeros((500, 700), int)
    for row in rows_of_blocks(loaded, image, np.uint8):
        assert len({(place.top, place.height) for place in row}) == 1
        for place in row:
            covered[place.top : place.top + place.height, place.left : place.left + place.width] += 1
    assert (covered == 1).all()


def test_blocks_of_very_wide_pictures_are_low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    loaded = Loaded.open(find_model("photo-fast-x2"), Machine(threads=1))
    wide = np.broadcast_to(np.zeros((1, 1, 3), np.uint16), (300, 100_000, 3))
    row = next(rows_of_blocks(loaded, wide, np.uint16))
    assert row[0].height * 100_000 * 4 * 3 * 2 < 100e6, "bytes of a row of the result"
    assert row[0].height * row[0].width * 4 * 3 * 2 < 10e6


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


def test_a_worker_keeps_to_its_threads_and_knows_what_is_loaded() -> None:
    model = find_model("photo-fast-x2")
    loaded = Loaded.open(model, Machine(threads=1))
    worker = BlockWorker(Machine(threads=1), [loaded])
    image = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
    with ThreadPoolExecutor(1) as pool:
        block = cut_out(loaded, image, Tile(0, 0, 150, 150), 32, np.uint8, run=Run((Turn(),), pool, lambda _: None))

    def fetch() -> Model:
        raise AssertionError("it is there already")

    worker.enlarge(block, Which.of(loaded), fetch)
    assert worker._pool._max_workers == 1
    worker.close()


def test_networks_are_told_apart_by_what_is_in_them() -> None:
    first, second = (Loaded.open(find_model(name), Machine(threads=1)) for name in ("photo-fast-x2", "art-fast-x2"))
    assert Which.of(first) != Which.of(second)
    assert Which.of(first) != Which.of(replace(first, strength=0.5))
    with pytest.raises(TypeError, match="module in memory"):
        Which.of(Loaded(object(), first.session))  # type: ignore[arg-type]
