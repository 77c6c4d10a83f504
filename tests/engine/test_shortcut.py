"""engine/shortcut.py: one picture, one call."""

from pathlib import Path

import numpy as np
import pytest
from tests.families import COMBINED, make_family

import kakudai
from kakudai.errors import UsageError

GREY = np.full((12, 16, 3), 0.5, np.float32)


def test_arrays_and_files(tmp_path: Path) -> None:
    assert kakudai.upscale(GREY, scale=3).shape == (36, 48, 3)
    kakudai.write_image(kakudai.Picture(np.full((12, 16, 3), 99, np.uint8)), tmp_path / "small.png")
    result = kakudai.upscale(tmp_path / "small.png", tmp_path / "large.png")
    assert result.output_size == (32, 24)
    with pytest.raises(UsageError, match="into a file"):
        kakudai.upscale(tmp_path / "small.png")


def test_noise_and_turns_are_passed_on(tmp_path: Path) -> None:
    folder = make_family(tmp_path, "noise1_scale2.0x", "scale2.0x")
    result = kakudai.upscale(GREY, model=folder, denoise=50, tta=2)
    assert result.mean() == pytest.approx(0.5 * COMBINED[1], abs=1e-4)
    with pytest.raises(UsageError, match="tta is 3"):
        kakudai.upscale(GREY, tta=3)
    with pytest.raises(UsageError, match="denoise is 101"):
        kakudai.upscale(GREY, model=folder, denoise=101)
