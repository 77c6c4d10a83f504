"""engine/passes.py: conversion is exact, workers are kept busy, and an error leaves nothing running."""

import math
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kakudai.engine.ensemble import turns_for
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.machine import Machine
from kakudai.engine.passes import Pass, to_pixels, to_planes
from kakudai.errors import WrongResult
from kakudai.models import find_model


class Doubler:
    """Nearest-neighbour enlargement that takes its time and counts who is inside."""

    name = "doubler"

    def __init__(self, workers: int, seconds: float = 0.0) -> None:
        self.workers, self.seconds = workers, seconds
        self.inside = self.most = self.calls = 0
        self.lock = threading.Lock()

    def run(self, x: np.ndarray) -> np.ndarray:
        with self.lock:
            self.calls += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(self.seconds)
        with self.lock:
            self.inside -= 1
        return self.result(x)

    def result(self, x: np.ndarray) -> np.ndarray:
        return x.repeat(2, axis=2).repeat(2, axis=3)


def make_pass(session: Doubler, pool: ThreadPoolExecutor) -> Pass:
    return Pass(session, None, scale=2, halo=2, multiple=1, pool=pool)


def whole(tiles: Pass, image: np.ndarray, tile: int, dtype: type, progress: Any) -> np.ndarray:
    """Return all bands in one piece."""
    return np.concatenate(list(tiles.bands(image, tile, dtype, progress)))


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.uint16, 65535)])
def test_every_integer_comes_back_from_floating_point(dtype, largest: int) -> None:
    values = np.arange(largest + 1, dtype=dtype).reshape(-1, 16, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(to_pixels(to_planes(values)[0], np.dtype(dtype)), values)


def test_pixels_are_rounded_half_up_and_clipped() -> None:
    planes = np.array([-1, -0.001, 0.5, 1.5, 2.4999, 2.5, 254.5, 255.4, 300], np.float32).reshape(1, 1, -1) / 255
    assert to_pixels(planes, np.dtype(np.uint8)).ravel().tolist() == [0, 0, 1, 2, 2, 3, 255, 255, 255]
    assert to_pixels(np.array([[[-0.5, 0.25, 1.5]]], np.float32), np.dtype(np.float32)).ravel().tolist() == [0, 0.25, 1]


def test_grey_is_given_three_times() -> None:
    planes = to_planes(np.arange(6, dtype=np.uint8).reshape(2, 3, 1))
    assert planes.shape == (1, 3, 2, 3)
    assert (planes == planes[:, :1]).all()


@pytest.mark.parametrize("size", [(1600, 40), (40, 1600), (300, 300)])
def test_all_workers_are_kept_busy_whatever_the_shape(size: tuple[int, int]) -> None:
    session = Doubler(workers=8, seconds=0.01)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    with ThreadPoolExecutor(8) as pool:
        result = whole(make_pass(session, pool), image, 50, np.uint8, lambda pixels: None)
    np.testing.assert_array_equal(result, image.repeat(2, 0).repeat(2, 1))
    assert session.most >= 6


def test_bands_come_in_order_and_are_not_made_long_before_they_are_wanted() -> None:
    """What a writer that takes rows will need: a slow one does not fill the memory with finished bands."""
    session = Doubler(workers=2)
    image = np.random.default_rng(0).integers(0, 256, (1000, 100, 3)).astype(np.uint8)
    with ThreadPoolExecutor(2) as pool:
        bands = make_pass(session, pool).bands(image, 50, np.uint8, lambda pixels: None)
        first = next(bands)
        time.sleep(0.1)
        assert first.shape == (100, 200, 3)
        assert session.calls <= 6
        rest = list(bands)
    np.testing.assert_array_equal(np.concatenate([first, *rest]), image.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ModuleNotFoundError])
def test_after_an_error_nothing_is_running_and_nothing_starts(error: type[BaseException]) -> None:
    class FailsFirst(Doubler):
        def result(self, x: np.ndarray) -> np.ndarray:
            if self.calls == 1:
                raise error
            time.sleep(0.05)
            return super().result(x)

    session = FailsFirst(workers=4)
    done: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(error):
            whole(make_pass(session, pool), np.zeros((500, 500, 3), np.uint8), 50, np.uint8, done.append)
        calls, finished = session.calls, len(done)
        time.sleep(0.15)
        assert (session.calls, len(done), session.inside) == (calls, finished, 0)
        assert session.calls <= 3


def test_progress_is_every_pixel_once() -> None:
    done: list[int] = []
    with ThreadPoolExecutor(3) as pool:
        whole(make_pass(Doubler(workers=3), pool), np.zeros((203, 101, 3), np.uint8), 37, np.uint8, done.append)
    assert sum(done) == 203 * 101
    assert len(done) == math.ceil(203 / 37) * math.ceil(101 / 37)


def test_a_wrong_tile_is_named_by_its_place() -> None:
    class WrongAtTheEnd(Doubler):
        def result(self, x: np.ndarray) -> np.ndarray:
            return super().result(x) * np.float32(np.nan if self.calls == 4 else 1)

    with ThreadPoolExecutor(1) as pool, pytest.raises(WrongResult, match=r"tile at \(50, 50\)"):
        whole(
            make_pass(WrongAtTheEnd(workers=1), pool), np.zeros((100, 100, 3), np.uint8), 50, np.uint8, lambda p: None
        )


def test_tiles_of_one_colour_are_run_once_for_each_colour() -> None:
    session, image = Doubler(workers=2), np.full((64, 96, 3), 200, np.uint8)
    image[:, 48:] = (7, 8, 9)
    with ThreadPoolExecutor(2) as pool:
        tiles = replace(make_pass(session, pool), local=True)
        result = whole(tiles, image, 8, np.uint8, lambda _: None)
    np.testing.assert_array_equal(result, image.repeat(2, axis=0).repeat(2, axis=1))
    mixed = 2 * 8  # the two columns of tiles that see the other colour
    assert mixed < session.calls <= mixed + 2 * session.workers, "workers that begin together may each run a colour"


class Shapes(Doubler):
    """Remembers the sizes of what it is given."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.seen: set[int] = set()

    def result(self, x: np.ndarray) -> np.ndarray:
        self.seen |= {*x.shape[2:]}
        return super().result(x)


def test_tiles_of_small_pictures_have_few_sizes() -> None:
    session, rng = Shapes(), np.random.default_rng(0)
    with ThreadPoolExecutor(1) as pool:
        tiles = replace(make_pass(session, pool), grain=32)
        for _ in range(200):
            image = rng.integers(0, 256, (*rng.integers(1, 90, 2), 3), np.uint8)
            np.testing.assert_array_equal(
                whole(tiles, image, 64, np.uint8, lambda _: None), image.repeat(2, 0).repeat(2, 1)
            )
        assert session.seen <= {32, 64, 96}
        session.seen.clear()
        tiles = replace(tiles, sizes=Counter())
        for _ in range(20):
            whole(tiles, rng.integers(0, 256, (40, 40, 3), np.uint8), 64, np.uint8, lambda _: None)
        assert session.seen == {64, 44}, "a usual size is prepared for in the end"
        session.seen.clear()
        whole(tiles, rng.integers(0, 256, (257, 257, 3), np.uint8), 100, np.uint8, lambda _: None)
        assert session.seen == {90, 89}, "a large one pays for its sizes once, and would pay for more pixels each time"


@pytest.mark.parametrize("name", ["photo-x2", "art-x2", "art-restore-x1"])
def test_tiles_of_one_colour_are_what_the_network_makes_of_them(name: str) -> None:
    """To the bit, whatever their phase in a network that looks at squares of pixels."""
    generator = np.random.default_rng(5)
    image = np.full((120, 150, 3), (250, 3, 128), np.uint8)
    image[20:41, 30:51] = generator.integers(0, 256, (21, 21, 3))
    loaded = Loaded.open(find_model(name), Machine(runtime="onnxruntime", threads=1))
    loaded = replace(loaded, strength=0.5) if "restore" in name else loaded
    with ThreadPoolExecutor(1) as pool:
        run = Run(turns_for(1), pool, lambda _: None)
        ours = loaded.tiled(run)
        assert ours.local
        skipping, all_run = (
            whole(tiles, image, 32, np.uint16, run.progress) for tiles in (ours, replace(ours, local=False))
        )
    np.testing.assert_array_equal(skipping, all_run)
