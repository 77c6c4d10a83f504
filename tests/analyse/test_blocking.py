"""JPEG that is no JPEG any more: grid, quality, chroma, and what was before, from pixels alone."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakudai.analyse.blocking import Grid, find_grid
from kakudai.analyse.quantisation import tables
from kakudai.analyse.sample import areas
from kakudai.degrade.jpeg import jpeg, jpeg_chain
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture, Pixels
from kakudai.image.resize import resize


def grid_of(pixels: Pixels, alpha: Pixels | None = None) -> Grid:
    grid = find_grid(areas(pixels, alpha))
    assert grid is not None
    return grid


@pytest.mark.parametrize("quality", [20, 50, 75, 90])
@pytest.mark.parametrize("chroma", ["4:2:0", "4:4:4"])
def test_quality_chroma_and_grid_of_a_cropped_jpeg(photograph: Pixels, quality: int, chroma) -> None:
    grid = grid_of(jpeg(photograph, quality, chroma=chroma)[3:, 6:])
    assert (grid.y, grid.x) == (5, 2)
    assert abs(grid.quality - quality) <= 2
    assert grid.chroma in (chroma, None)
    assert grid.earlier is None


def test_a_drawing_too(drawing: Pixels) -> None:
    for quality in (30, 80):
        grid = grid_of(jpeg(drawing, quality))
        assert (grid.y, grid.x) == (0, 0)
        assert abs(grid.quality - quality) <= 8


def test_what_was_never_a_jpeg_has_no_grid(photograph: Pixels, drawing: Pixels) -> None:
    for image in (photograph, drawing, photograph[..., :1], np.repeat(photograph, 2, axis=0)):
        for side in (8, 24, 32, 64, 200):
            assert find_grid(areas(np.ascontiguousarray(image[:side, :side]))) is None


def test_pictures_of_one_or_two_colours_have_none() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((200, 200, 3), 255, np.uint8)
    box = flat.copy()
    box[40:160, 64:128] = 0
    for image in (flat, box, np.where(rng.random((200, 200, 1)) < 0.5, 0, 255).astype(np.uint8)):
        assert find_grid(areas(image)) is None


@pytest.mark.parametrize("extension", ["avif", "webp"])
def test_other_lossy_formats_are_not_taken_for_jpeg(
    photograph: Pixels, drawing: Pixels, tmp_path: Path, extension: str
) -> None:
    """Their squares leave edges and zeros, too, so the grid stands out; but no steps of JPEG fit."""
    for number, image in enumerate((photograph, drawing)):
        for quality in (20, 50, 70, 90):
            path = tmp_path / f"{number}-{quality}.{extension}"
            write_image(Picture(image), path, quality=quality)
            pixels = read_image(path).color
            for version in (pixels, pixels[3:, 5:], np.clip(pixels / 127.5 - 0.5, 0.0, 1.0).astype(np.float32)):
                assert find_grid(areas(np.ascontiguousarray(version))) is None


def test_clipped_and_coarse_tones_are_not_taken_for_jpeg(photograph: Pixels, drawing: Pixels) -> None:
    for image in (photograph, drawing):
        light = image / 255.0
        for version in (3.0 * light - 1.0, 1.6 * light - 0.3, 2.0 * light, (light > 0.5) * 1.0):
            assert find_grid(areas(np.clip(version, 0.0, 1.0).astype(np.float32))) is None
        assert find_grid(areas(image // 8 * 8)) is None


@pytest.mark.parametrize("width", [4, 12, 40])
def test_a_soft_dot_on_black_is_not_taken_for_jpeg(width: int) -> None:
    y, x = np.mgrid[:48, :64]
    dot = 255 * np.exp(-((y - 17.3) ** 2 + (x - 40.6) ** 2) / width)
    assert find_grid(areas(dot.round().astype(np.uint8)[..., None].repeat(3, 2))) is None


@pytest.mark.parametrize("times", [1, 2, 3, 4, 6])
def test_pixel_art_is_not_taken_for_jpeg(times: int) -> None:
    """Squares of a few flat tones have coefficients that are multiples of something."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        colours, side = rng.integers(0, 256, (8, 3)).astype(np.uint8), int(rng.choice([16, 24, 32, 48]))
        sprite = np.zeros((side, side), int)
        y, x = np.mgrid[:side, :side]
        for index in range(1, 8):
            (top, left), reach = rng.integers(0, side, 2), rng.integers(2, side // 2, 2)
            inside = np.hypot((y - top) / reach[0], (x - left) / reach[1]) < 1.0
            box = (abs(y - top) < reach[0] / 2) & (abs(x - left) < reach[1] / 2)
            sprite[inside if index % 2 else box] = index
        assert find_grid(areas(np.kron(colours[sprite], np.ones((times, times, 1), np.uint8)))) is None


def test_dots_of_print_are_not_taken_for_jpeg() -> None:
    y, x = np.mgrid[:256, :256]
    for period in (3, 4, 6, 8, 10.7):
        dots = np.sin(2 * np.pi * x / period) + np.sin(2 * np.pi * y / period) + x / 128 - 1 > 0
        for dark, light in ((0, 255), (30, 220)):
            assert find_grid(areas(np.where(dots, light, dark).astype(np.uint8)[..., None])) is None


def test_tables_of_other_programs_get_the_nearest_quality(photograph: Pixels) -> None:
    file = io.BytesIO()
    steps = [round(step * 1.5) for step in np.sqrt(tables("luma")[59].ravel() * 20)]
    Image.fromarray(photograph).save(file, "JPEG", qtables=[steps, steps])
    assert 40 <= grid_of(np.asarray(Image.open(file))).quality <= 80


def test_depth_makes_no_difference(photograph: Pixels) -> None:
    image = jpeg(photograph, 60)
    expected = grid_of(image)
    assert grid_of(image.astype(np.uint16) * 257) == expected
    assert grid_of(image.astype(np.float32) / np.float32(255)) == expected


def test_hidden_pixels_say_nothing(photograph: Pixels) -> None:
    image = jpeg(photograph, 40)
    alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
    alpha[:, :100] = 0
    image = np.where(alpha > 0, image, np.random.default_rng(0).integers(0, 256, image.shape)).astype(np.uint8)
    assert grid_of(image, alpha).quality == pytest.approx(40, abs=2)
    assert find_grid(areas(image, np.zeros_like(alpha))) is None


def test_a_stronger_compression_before_is_found(photograph: Pixels) -> None:
    same = grid_of(jpeg_chain(photograph, [50, 75]))
    assert (same.quality, same.earlier) == (75, pytest.approx(50, abs=3))
    assert same.phases == [(0, 0)]
    moved = grid_of(jpeg(np.ascontiguousarray(jpeg(photograph, 30)[3:, 2:]), 90))
    assert (moved.quality, moved.earlier) == (90, pytest.approx(30, abs=3))
    assert moved.phases == [(0, 0), (5, 6)]
    assert grid_of(jpeg_chain(photograph, [90, 50])).earlier is None


def test_the_table_of_the_header_is_believed(photograph: Pixels) -> None:
    twice = areas(jpeg_chain(photograph, [30, 90]))
    grid = find_grid(twice, tables("luma")[89].ravel())
    assert grid is not None
    assert (grid.quality, grid.earlier) == (90, pytest.approx(30, abs=3))


def test_enlarging_wipes_the_grid_out(photograph: Pixels) -> None:
    image = jpeg(photograph, 60)
    assert find_grid(areas(resize(image, (image.shape[0] * 3 // 2, image.shape[1] * 3 // 2)))) is None
