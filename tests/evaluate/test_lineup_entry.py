"""What the figures of a result mean."""

import numpy as np
import pytest

from kakudai.evaluate.lineup_entry import Entry, difference_map


def test_the_difference_is_in_levels_and_local() -> None:
    a = np.full((40, 40, 3), 100, np.uint8)
    b = a.copy()
    b[30:, 30:] += 20
    change = difference_map(a, b, 1.0)
    assert change[39, 39] == pytest.approx(20, abs=0.01)
    assert not change[:20, :20].any()
    np.testing.assert_allclose(difference_map(a / np.float32(255), b / np.float32(255), 1.0), change, atol=1e-3)


def test_what_was_added_is_the_root_of_its_mean_square() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    assert Entry("a", image).added_rms is None
    assert Entry("a", image, added=np.array([[3, 4], [0, 0]], np.float32)).added_rms == pytest.approx(2.5)
