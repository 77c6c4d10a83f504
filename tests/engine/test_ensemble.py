"""engine/ensemble.py: the mean over turned pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.small_models import convolutional

from kakudai.engine.ensemble import TURNS, Ensemble, Turn, turns_for
from kakudai.engine.tiles import Tile
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import UsageError
from kakudai.models.catalogue import model_from_bytes

ALL = TURNS[8]


class Shifter:
    """Adds to each pixel its place, so that every turn gives another result."""

    name, workers = "shifter", 1

    def run(self, x: np.ndarray) -> np.ndarray:
        y = x.repeat(2, axis=2).repeat(2, axis=3)
        return y + np.float32(0.001) * np.arange(y.shape[3], dtype=np.float32)


def test_there_are_as_many_turns_as_are_averaged_and_none_twice() -> None:
    for count, turns in TURNS.items():
        assert len(set(turns)) == len(turns) == count
        assert turns[0] == Turn()
        assert set(turns) <= set(ALL)


@pytest.mark.parametrize("turn", ALL)
def test_turns_can_be_undone(turn: Turn) -> None:
    x = np.random.default_rng(0).random((2, 3, 5, 7), np.float32)
    np.testing.assert_array_equal(turn.undo(turn.apply(x)), x)


@given(st.sampled_from(ALL), st.integers(1, 9), st.integers(1, 9), st.data())
def test_tiles_turn_with_the_picture(turn: Turn, height: int, width: int, data: st.DataObject) -> None:
    x = np.arange(height * width, dtype=np.float32).reshape(1, 1, height, width)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    tile = Tile(top, left, data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left)))
    place = turn.tile(tile, height, width)
    turned = turn.apply(x)[:, :, place.top : place.top + place.height, place.left : place.left + place.width]
    own = x[:, :, tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
    np.testing.assert_array_equal(turned, turn.apply(own))


@pytest.mark.parametrize("count", [2, 4, 8])
def test_the_result_is_the_mean_of_clipped_results_turned_back(count: int) -> None:
    x = np.random.default_rng(0).random((1, 3, 6, 9), np.float32) * 1.2 - 0.1
    results = [turn.undo(Shifter().run(turn.apply(x))).clip(0, 1) for turn in TURNS[count]]
    np.testing.assert_allclose(Ensemble(Shifter(), TURNS[count]).run(x), np.mean(results, axis=0), atol=1e-6)


def test_one_turn_changes_nothing() -> None:
    x = np.random.default_rng(0).random((1, 3, 6, 9), np.float32) + 1
    np.testing.assert_array_equal(Ensemble(Shifter(), TURNS[1]).run(x), Shifter().run(x))


@pytest.mark.parametrize("tta", [2, 8])
def test_tiles_are_turned_one_by_one_and_give_what_the_turned_picture_gives(tta: int) -> None:
    model = model_from_bytes(convolutional(), "test")
    image = np.random.default_rng(0).random((50, 70, 3), np.float32)
    with Upscaler(model=model, tile=0) as plain, Upscaler(model=model, tile=32, tta=tta) as ensemble:
        planes = image.transpose(2, 0, 1)[None]
        results = []
        for turn in TURNS[tta]:
            turned = np.ascontiguousarray(turn.apply(planes)[0].transpose(1, 2, 0))
            results.append(turn.undo(plain.upscale(turned).transpose(2, 0, 1)[None])[0].transpose(1, 2, 0))
        np.testing.assert_allclose(ensemble.upscale(image), np.mean(results, axis=0), atol=1e-5)


@pytest.mark.parametrize("count", [0, 3, 16, -1])
def test_other_counts_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match="tta"):
        turns_for(count)
