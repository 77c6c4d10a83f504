"""Drawings are told from photographs, however small, and what is hidden is not looked at."""

import tomllib
from importlib.resources import files

import numpy as np
import pytest

from kakudai.analyse.drawn import FEWEST_PIXELS, drawn_measures, drawn_probability
from kakudai.analyse.sample import areas
from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.noise import gaussian_noise
from kakudai.image.picture import Pixels
from kakudai.image.resize import resize


def probability(image: Pixels, alpha: Pixels | None = None) -> float:
    found = drawn_probability(areas(image, alpha))
    assert found is not None
    return found


def round_mask(height: int, width: int) -> Pixels:
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.where(x**2 + y**2 < 0.8, 255, 0).astype(np.uint8)[..., None]


def test_every_measure_has_its_weight(photograph: Pixels) -> None:
    model = tomllib.loads(files("kakudai.analyse").joinpath("drawn.toml").read_text())
    measures = drawn_measures(areas(photograph))
    assert measures is not None
    assert model.keys() == measures.keys() | {"bias"}
    assert model.pop("bias").keys() == {"weight"}
    assert all(entry.keys() == {"mean", "spread", "weight"} for entry in model.values())
    assert all(np.isfinite(value) for value in measures.values())


def test_a_size_that_is_too_small_has_the_measures_of_the_one_before(photograph: Pixels) -> None:
    found = drawn_measures(areas(np.ascontiguousarray(photograph[:24, :24])))
    assert found is not None
    assert found["steps_50_4"] == found["steps_50_2"] != found["steps_50_1"]
    narrow = drawn_measures(areas(np.ascontiguousarray(photograph[:8])))
    assert narrow is not None
    assert narrow["steps_50_2"] == narrow["steps_50_1"]
    assert drawn_measures(areas(photograph[:7])) is None


@pytest.mark.parametrize("side", [16, 24, 31, 48])
def test_icons_are_drawn(side: int) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:side, :side] / side
        icon = np.full((side, side, 3), rng.integers(0, 256, 3), np.uint8)
        for middle in rng.random((3, 2)):
            icon[np.hypot(y - middle[0], x - middle[1]) < 0.3] = rng.integers(0, 256, 3)
        assert probability(icon) > 0.5
        assert probability(icon, round_mask(side, side)) > 0.5


@pytest.mark.parametrize("side", [12, 16, 24, 31])
def test_of_tiny_photographs_nothing_is_said(photograph: Pixels, side: int) -> None:
    assert drawn_probability(areas(resize(photograph, (side, side)))) is None
    assert drawn_probability(areas(np.zeros((11, 11, 3), np.uint8))) is None


def test_small_photographs_are_not(photograph: Pixels) -> None:
    for place in (0, 60, 120):
        assert probability(np.ascontiguousarray(photograph[place : place + 64, place : place + 64])) < 0.5


def test_damage_changes_little(photograph: Pixels, drawing: Pixels) -> None:
    for image, drawn in ((photograph, False), (drawing, True)):
        half = resize(image, (image.shape[0] // 2, image.shape[1] // 2))
        noisy = gaussian_noise(image, 10.0, np.random.default_rng(0))
        for version in (image, jpeg(image, 30), half, jpeg(half, 50), noisy, image[..., 1:2]):
            assert (probability(np.ascontiguousarray(version)) > 0.5) == drawn


def test_transparency_speaks_for_a_drawing(drawing: Pixels, photograph: Pixels) -> None:
    for image in (drawing, photograph):
        mask = round_mask(*image.shape[:2])
        laid = np.where(mask > 0, image, 255).astype(np.uint8)
        found = drawn_measures(areas(laid, mask))
        assert found is not None
        assert found["transparent"] == 1.0
        assert probability(image, mask) > probability(image)
    assert probability(image, np.full_like(mask, 255)) == probability(image)


def test_hidden_pixels_are_not_looked_at(drawing: Pixels) -> None:
    mask = round_mask(*drawing.shape[:2])
    noise = np.random.default_rng(0).integers(0, 256, drawing.shape).astype(np.uint8)
    other = np.where(mask > 0, drawing, noise).astype(np.uint8)
    assert drawn_measures(areas(drawing, mask)) == drawn_measures(areas(other, mask))
    few = np.zeros_like(mask)
    few[:1, : FEWEST_PIXELS - 1] = 255
    assert drawn_probability(areas(drawing, few)) is None


def test_depth_and_grey_make_no_difference(drawing: Pixels) -> None:
    expected = probability(drawing)
    assert probability(drawing.astype(np.uint16) * 257) == pytest.approx(expected, abs=1e-4)
    assert probability(drawing.astype(np.float32) / np.float32(255)) == pytest.approx(expected, abs=1e-3)
    grey = np.ascontiguousarray(drawing[..., 1:2])
    assert probability(grey) == pytest.approx(probability(np.repeat(grey, 3, axis=2)), abs=1e-6)


def test_what_a_camera_wrote_is_a_photograph_where_pixels_leave_doubt(photograph: Pixels, drawing: Pixels) -> None:
    """A share of the odds, not all: a drawing that is plainly one stays one."""
    doubtful = areas((np.rint(photograph / 255 * 9) * (255 / 9)).astype(np.uint8))
    without, with_camera = drawn_probability(doubtful), drawn_probability(doubtful, by_camera=True)
    assert without is not None
    assert with_camera is not None
    assert without > 0.5 > with_camera
    odds = [np.log(p / (1 - p)) for p in (without, with_camera)]
    assert odds[0] - odds[1] == pytest.approx(3.0)
    assert (drawn_probability(areas(drawing), by_camera=True) or 0.0) > 0.9
