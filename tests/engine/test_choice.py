"""engine/choice.py: what is done to which picture, and the words for it."""

import io

import numpy as np
import pytest
from PIL import Image

from kakudai.analyse import Compression, areas, find_compression, read_jpeg_history
from kakudai.data.drawn import draw_picture
from kakudai.degrade.strength import strength_of_quality
from kakudai.engine import choice
from kakudai.engine.choice import CLEAN_NOISE, CLEAN_QUALITY, choose, strength_of
from kakudai.image.files import read_image
from kakudai.image.picture import Picture

BOTH = ("photo", "art")


def as_jpeg(image: np.ndarray, quality: int) -> Picture:
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality, subsampling=2)
    return read_image(data.getvalue())


@pytest.fixture(scope="module")
def drawing() -> np.ndarray:
    return draw_picture("art", 11, 5, 384)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return draw_picture("photo", 3, 1, 384)


def test_what_a_picture_looks_like_decides_where_nobody_has_said(drawing, photograph) -> None:
    assert choose(Picture(drawing), BOTH, 0) == choice.Choice("art", 0, "drawn")
    assert choose(Picture(drawing), ("photo",), 0) == choice.Choice("photo", 0, "")
    assert choose(Picture(photograph), BOTH, None) == choice.Choice("photo", 0, "photograph, clean")
    assert choose(Picture(photograph), (), None).reason == "photograph, clean"


@pytest.mark.parametrize(("quality", "strength"), [(10, 100), (50, 45), (90, 20), (CLEAN_QUALITY, 0)])
def test_the_strength_is_that_of_the_file(drawing, quality: int, strength: int) -> None:
    found = choose(as_jpeg(drawing, quality), ("art",), None)
    assert found.strength == strength
    assert found.reason == (f"JPEG quality {quality}, 4:2:0" if strength else "clean")
    assert choose(as_jpeg(drawing, quality), ("art",), 7).strength == 7


def test_what_it_went_through_before_counts(photograph) -> None:
    cropped = as_jpeg(photograph, 30).color[3:, 2:]
    found = choose(as_jpeg(cropped, 98), ("photo",), None)
    assert abs(found.strength - 58) <= 6
    assert found.reason.startswith("JPEG quality 98, 4:2:0, before that ")


def test_grain_counts_in_photographs_only_by_what_they_are_taken_for(photograph) -> None:
    rng = np.random.default_rng(0)
    noisy = (photograph + rng.normal(0, 15, photograph.shape)).clip(0, 255).astype(np.uint8)
    taken = choose(Picture(noisy), ("photo",), None)
    assert abs(taken.strength - 37) <= 8
    assert taken.reason.startswith("noise 1")
    assert choose(Picture(noisy), ("art",), None).strength == 0


def test_noise_counts_also_where_a_network_without_a_style_was_named(photograph, drawing) -> None:
    rng = np.random.default_rng(0)
    noisy, grainy = (
        (image + rng.normal(0, 15, image.shape)).clip(0, 255).astype(np.uint8) for image in (photograph, drawing)
    )
    assert choose(Picture(noisy), (), None).reason.startswith("photograph, noise 1")
    assert choose(Picture(grainy), (), None) == choice.Choice("art", 0, "drawn, clean")


def test_colour_that_fared_worse_counts_half(photograph) -> None:
    data = io.BytesIO()
    Image.fromarray(photograph).save(data, "JPEG", qtables=[[2] * 64, [90] * 64], subsampling=2)
    found = choose(read_image(data.getvalue()), ("photo",), None)
    colour = read_jpeg_history(data.getvalue()).chroma_quality
    assert 30 < colour < 70
    assert found.strength == round(50 * strength_of_quality(colour))
    assert found.reason == f"JPEG quality 99, {colour} for colour, 4:2:0"


def test_old_traces_are_left_alone_whatever_the_file_is_now(photograph) -> None:
    pixels = as_jpeg(photograph, 95).color
    assert choose(Picture(pixels), ("photo",), None).strength == 0
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=100, subsampling=0)
    saved = read_image(data.getvalue())
    assert find_compression(areas(saved.color), read_jpeg_history(data.getvalue())).quality < CLEAN_QUALITY
    assert choose(saved, ("photo",), None).strength == 0


def test_strengths_add_up_as_errors_do() -> None:
    data = io.BytesIO()
    Image.new("RGB", (16, 16)).save(data, "JPEG", quality=50)
    compression = Compression(read_jpeg_history(data.getvalue()))
    assert strength_of(compression, None) == (45, "JPEG quality 50, 4:2:0")
    assert strength_of(compression, 20.0) == (67, "JPEG quality 50, 4:2:0, noise 20")
    assert strength_of(Compression(), CLEAN_NOISE) == (0, "clean")


def test_nothing_is_looked_at_that_is_not_asked(drawing, monkeypatch) -> None:
    for name in ("find_compression", "noise_level"):
        monkeypatch.setattr(choice, name, None)
    assert choose(Picture(drawing), BOTH, 20).style == "art"
    monkeypatch.undo()
    monkeypatch.setattr(choice, "drawn_probability", None)
    assert choose(Picture(drawing), ("art",), None).strength == 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (40, 1, 1), (16, 16, 3), (24, 24, 1)])
def test_the_smallest_pictures_are_left_as_they_are(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 2, shape, np.uint8) * 255
    assert choose(Picture(image), BOTH, None).strength == 0
