"""Drawn pictures are functions of their seed alone, and look like what they stand for in what can be measured."""

import itertools

import numpy as np
import pytest

from kakudai.data.drawn import LICENCE, draw_picture, draw_pictures, drawn_pack
from kakudai.data.pairs import Pairs
from kakudai.data.source import open_source
from kakudai.data.surfaces import SIDE, texture_bank
from kakudai.errors import KakudaiError, RecipeError, UsageError
from kakudai.image.color import luma_bt601_full

KINDS = ["photo", "art"]


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes_whatever_the_threads(kind: str) -> None:
    one, three = (drawn_pack(kind, 6, 48, seed=7, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.pixels, three.pixels)
    for index, picture in enumerate(one.pictures):
        np.testing.assert_array_equal(one.image(picture), draw_picture(kind, 7, index, 48))
    assert len({one.image(picture).tobytes() for picture in one.pictures}) == 6
    assert (drawn_pack(kind, 1, 48, seed=8).pixels != one.pixels[: 48 * 48 * 3]).mean() > 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [16, 17, 50])
def test_any_size(kind: str, size: int) -> None:
    for image in draw_pictures(kind, 4, size, seed=0, threads=2):
        assert image.shape == (size, size, 3)
        assert image.dtype == np.uint8


def test_a_pack_of_drawn_pictures_is_a_pack() -> None:
    counted: list[tuple[int, int]] = []
    pack = drawn_pack("art", 3, 32, progress=lambda done, total: counted.append((done, total)))
    assert counted == [(1, 3), (2, 3), (3, 3)]
    assert pack.licences() == {LICENCE: 3}
    assert {picture.folder for picture in pack.pictures} == {"drawn:art"}
    assert Pairs(pack, scale=2, color="luma").batch(2, 8, seed=0, step=0).low.shape == (2, 1, 8, 8)


def test_sources(tmp_path) -> None:
    pack = open_source("drawn:photo:2", seed=3, threads=2)
    np.testing.assert_array_equal(pack.image(pack.pictures[1]), draw_picture("photo", 3, 1))
    with pytest.raises(RecipeError, match="no pack at"):
        open_source(tmp_path / "missing")
    for wrong in ("", "dog", "photo:", "photo:0", "photo:-1", "photo:1.5", "art:x", "art:1:2"):
        with pytest.raises(RecipeError, match=f"drawn:{wrong}"):
            open_source(f"drawn:{wrong}")


def test_what_cannot_be_drawn_is_an_error() -> None:
    for wrong in (
        lambda: draw_picture("oil", 0, 0),
        lambda: draw_picture("art", 0, 0, 15),
        lambda: draw_picture("photo", 0, 0, 5000),
        lambda: drawn_pack("photo", 0),
    ):
        with pytest.raises(UsageError) as caught:
            wrong()
        assert isinstance(caught.value, KakudaiError)
        assert caught.value.hint


def luma(image: np.ndarray) -> np.ndarray:
    return luma_bt601_full(image.astype(np.float64))[..., 0]


def spectrum(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean power of rings of equal frequency, and the frequencies in cycles per pixel."""
    window = np.hanning(len(image))[:, None] * np.hanning(len(image))[None]
    power = np.abs(np.fft.fft2((luma(image) - luma(image).mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(len(image))[:, None], np.fft.fftfreq(len(image))[None])
    edges = np.linspace(0.02, 0.5, 25)
    rings = [power[(frequency >= a) & (frequency < b)].mean() for a, b in itertools.pairwise(edges)]
    return np.array(rings), (edges[1:] + edges[:-1]) / 2


def test_photo_has_the_statistics_of_photographs() -> None:
    """Power falls with about the square of the frequency; there is structure in every part, and no razor-sharp edge."""
    images = list(draw_pictures("photo", 8, 128, seed=2, threads=2))
    slopes, highest = [], []
    for image in images:
        assert luma(image).std() > 12
        power, frequency = spectrum(image)
        below = frequency < 0.3
        slopes.append(np.polyfit(np.log(frequency[below]), np.log(power[below]), 1)[0])
        highest.append(power[-1] / power[0])
    assert -3.6 < np.mean(slopes) < -1.4
    assert np.median(highest) < 1e-3
    steps = np.abs(np.diff(luma(images[0]), axis=1)).reshape(-1)
    assert np.mean(steps**4) / np.mean(steps**2) ** 2 > 4  # few large steps, many small ones: edges


def test_art_is_flat_with_hard_edges_and_half_of_it_grey() -> None:
    images = list(draw_pictures("art", 24, 96, seed=2, threads=2))
    flat = [np.mean((image[:, 1:] == image[:, :-1]).all(-1)) for image in images]
    assert np.mean(flat) > 0.5
    assert np.mean([np.abs(np.diff(luma(image), axis=1)).max() > 100 for image in images]) > 0.8
    grey = np.mean([(image.max(-1) - image.min(-1)).max() < 8 for image in images])
    assert 0.2 < grey < 0.8


def test_tiles_repeat_without_a_seam() -> None:
    """The step across the border of a tile is like any other step inside it."""
    bank, irregular = texture_bank(0)
    assert bank.shape[1:] == (SIDE, SIDE)
    for tile in bank[:irregular].astype(float):
        inside = np.abs(np.diff(tile, axis=1)).mean()
        across = np.abs(tile[:, 0] - tile[:, -1]).mean()
        assert across < 2 * inside + 2
