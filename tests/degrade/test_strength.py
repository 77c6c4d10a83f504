"""degrade/strength.py: one number for JPEG and for noise."""

import numpy as np
import pytest

from kakudai.degrade.strength import (
    add_damage,
    quality_of_strength,
    roughly,
    strength_of_noise,
    strength_of_quality,
    together,
)


def test_qualities_and_strengths_are_each_other_s_inverse() -> None:
    qualities = range(10, 101)
    strengths = [strength_of_quality(quality) for quality in qualities]
    assert [quality_of_strength(strength) for strength in strengths] == list(qualities)
    assert strengths == sorted(strengths, reverse=True)
    assert (strengths[0], strengths[-1]) == (1.0, 0.0)
    assert strength_of_quality(1) == strength_of_quality(5) == 1.0


def test_noise_and_compression_add_up_as_independent_errors_do() -> None:
    assert strength_of_noise(0) == 0.0
    assert strength_of_noise(20) == 0.5
    assert strength_of_noise(400) == 1.0
    assert together(0.3, 0.4) == pytest.approx(0.5)
    assert together(0.9, 0.9) == 1.0


@pytest.mark.parametrize("kind", ["photo", "art"])
def test_stronger_damage_is_further_from_the_picture(kind) -> None:
    y, x = np.mgrid[0:64, 0:64]
    picture = np.stack([2 * x + y, 255 - 3 * x, 128 + 60 * np.sin(x * y / 90)], axis=2).clip(0, 255).astype(np.uint8)
    results = [add_damage(picture, kind, np.random.default_rng(seed)) for seed in range(300)]
    strengths = np.array([result.strength for result in results])
    errors = np.array([np.abs(result.image.astype(float) - picture).mean() for result in results])
    assert all(result.image.shape == picture.shape and result.image.dtype == np.uint8 for result in results)
    assert 0.05 < (strengths == 0).mean() < 0.2
    assert (errors[strengths == 0] == 0).all()
    assert np.corrcoef(strengths, errors)[0, 1] > 0.5
    assert strengths.max() > 0.8


def test_a_network_is_told_nearly_the_truth() -> None:
    rng = np.random.default_rng(0)
    assert roughly(0.0, rng) == 0.0
    told = np.array([roughly(0.5, rng) for _ in range(500)])
    assert abs(told.mean() - 0.5) < 0.005
    assert 0.01 < told.std() < 0.03
    assert max(roughly(1.0, rng) for _ in range(50)) == 1.0
