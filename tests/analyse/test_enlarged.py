"""Enlargements leave a line in the spectrum; what was never enlarged has none. And grey is grey."""

import numpy as np
import pytest

from kakudai.analyse.enlarged import enlarged_by
from kakudai.analyse.grey import is_grey
from kakudai.analyse.sample import areas
from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.noise import gaussian_noise
from kakudai.image.picture import Pixels
from kakudai.image.resize import resize


def enlarged(image: Pixels, scale: float, kernel="bicubic") -> Pixels:
    return resize(image, (round(image.shape[0] * scale), round(image.shape[1] * scale)), kernel=kernel)


@pytest.mark.parametrize("scale", [1.5, 2.0, 3.0, 4.0])
def test_the_factor_is_found(photograph: Pixels, scale: float) -> None:
    assert enlarged_by(areas(enlarged(photograph, scale))) == pytest.approx(scale, abs=0.1)


def test_also_behind_jpeg(photograph: Pixels) -> None:
    assert enlarged_by(areas(jpeg(enlarged(photograph, 2.0), 90)), [(0, 0)]) == pytest.approx(2.0)


def test_what_was_not_enlarged_was_not(photograph: Pixels) -> None:
    assert enlarged_by(areas(photograph)) == 1.0
    assert enlarged_by(areas(jpeg(photograph, 50)), [(0, 0)]) == 1.0


def test_small_and_flat_pictures(photograph: Pixels) -> None:
    assert enlarged_by(areas(photograph[:63])) is None
    assert enlarged_by(areas(np.full((99, 99, 3), 7, np.uint8))) == 1.0


def test_grey_in_colour_clothes(photograph: Pixels) -> None:
    grey = np.repeat(photograph[..., 1:2], 3, axis=2)
    for image in (grey, jpeg(grey, 40), gaussian_noise(grey, 10.0, np.random.default_rng(0), grey=True), grey[..., :1]):
        assert is_grey(areas(image))
    assert not is_grey(areas(photograph))
    stroke = grey.copy()
    stroke[100:110, 100:110] = (255, 0, 0)
    assert not is_grey(areas(stroke))
    hidden = np.full((*stroke.shape[:2], 1), 255, np.uint8)
    hidden[100:110, 100:110] = 0
    assert is_grey(areas(stroke, hidden))
