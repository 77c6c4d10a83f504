"""engine/blend.py: tiles that are faded from one to the next."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.small_models import convolutional

from kakudai.engine.blend import Blend
from kakudai.engine.passes import Pass
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import WrongResult
from kakudai.image.picture import Picture
from kakudai.models.catalogue import model_from_bytes


class Doubler:
    """Nearest-neighbour enlargement."""

    name = "doubler"

    def __init__(self, workers: int = 1, *, late: bool = False) -> None:
        self.workers, self.late, self.calls = workers, late, 0

    def run(self, x: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.late and self.calls % 3 == 1:
            time.sleep(0.02)
        return x.repeat(2, axis=2).repeat(2, axis=3)


class Moody(Doubler):
    """Every tile gets another brightness, by its mean: what squeeze and excitation does to tiles."""

    def run(self, x: np.ndarray) -> np.ndarray:
        return super().run(x) + np.float32(0.02) * (x.mean() - np.float32(0.5))


def blended(session: Doubler, image: np.ndarray, tile: int) -> np.ndarray:
    with ThreadPoolExecutor(session.workers) as pool:
        tiles = Pass(session, None, scale=2, halo=16, multiple=1, pool=pool)
        return np.concatenate(list(Blend(tiles).bands(image, tile, image.dtype, lambda pixels: None)))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(32, 90))
def test_weights_add_up_to_one(height: int, width: int, tile: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    np.testing.assert_array_equal(blended(Doubler(), image, tile), image.repeat(2, 0).repeat(2, 1))


def test_the_order_of_tiles_changes_nothing() -> None:
    image = np.random.default_rng(0).random((150, 170, 3), np.float32)
    expected = blended(Moody(), image, 40)
    for workers in (2, 5):
        np.testing.assert_array_equal(blended(Moody(workers, late=True), image, 40), expected)


def test_no_line_between_tiles() -> None:
    """Where each tile has another brightness, neighbouring pixels differ by a share of the ramp only."""
    image = np.full((128, 128, 3), 0.5, np.float32)
    image[:64] += 0.4
    smooth = blended(Moody(), image, 32)
    inside = np.abs(np.diff(smooth[130:], axis=0)).max(), np.abs(np.diff(smooth, axis=1)).max()
    assert 0 < max(inside) < 0.02 * 0.4 / 20


def test_a_network_that_sees_everything_is_run_whole_or_blended() -> None:
    model = model_from_bytes(convolutional(halo="none"), "test")
    assert model.halo is None
    image = np.random.default_rng(0).integers(0, 256, (120, 100, 3)).astype(np.uint8)
    results = {}
    for tile in ("auto", 0, 48):
        with Upscaler(model=model, tile=tile) as upscaler:
            result, report = upscaler.upscale_picture(Picture(image))
            results[report.tile] = result.color
    assert list(results) == [120, 48]
    # This one reaches three pixels in truth, so that blending loses nothing.
    assert np.abs(results[120].astype(int) - results[48]).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_progress_and_layout(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 65536, (70, 50, channels)).astype(np.uint16)
    done: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        tiles = Pass(Doubler(), None, scale=2, halo=16, multiple=1, pool=pool)
        result = np.concatenate(list(Blend(tiles).bands(image, 32, np.uint16, done.append)))
    assert sum(done) == 70 * 50
    assert result.shape == (140, 100, channels)
    assert np.abs(result.astype(int) - image.repeat(2, 0).repeat(2, 1)).max() <= 1


def test_tiles_that_fade_are_checked_too() -> None:
    class Dark(Doubler):
        def run(self, x: np.ndarray) -> np.ndarray:
            return 0 * super().run(x)

    with pytest.raises(WrongResult, match="is not the enlarged picture"):
        blended(Dark(), np.full((70, 50, 3), 0.5, np.float32), 32)
