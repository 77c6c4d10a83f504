"""Tables and cosines are made once for all callers, so nobody may change them."""

import numpy as np
import pytest

from kakudai.analyse.quantisation import tables
from kakudai.analyse.transform import coefficients, cosines, cosines_both_ways


@pytest.mark.parametrize("shared", [cosines(), cosines_both_ways(), tables("luma"), tables("chroma")])
def test_what_is_shared_cannot_be_written_to(shared: np.ndarray) -> None:
    with pytest.raises(ValueError, match="read-only"):
        shared[0] = 0


def test_quality_50_is_the_table_of_the_standard() -> None:
    assert tables("luma")[49, 0].tolist() == [16, 11, 10, 16, 24, 40, 51, 61]
    assert tables("chroma")[49, 3:5].tolist() == [[47, 66, *[99] * 6], [99] * 8]


def test_the_transform_keeps_lengths() -> None:
    values = np.random.default_rng(0).uniform(0, 255, (5, 8, 8)).astype(np.float32)
    lengths = np.linalg.norm(values.reshape(5, 64) - 128, axis=1)
    np.testing.assert_allclose(np.linalg.norm(coefficients(values), axis=1), lengths, rtol=1e-5)
