"""degrade/jpeg.py and degrade/waifu2x.py: the grid is where it is said to be, and the levels are waifu2x's."""

from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from kakudai.degrade.jpeg import jpeg, jpeg_chain
from kakudai.degrade.waifu2x import (
    NOISE_RATE,
    draw_compression,
    noise_named,
    noise_rate,
    parse_noise,
    waifu2x_noise,
)
from kakudai.errors import RecipeError

LEVELS = [(style, level) for style in ("art", "photo") for level in range(4)]


def textured(channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth waves with some grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:64, 0:80]
    waves = np.stack([np.sin(x / (5 + c) + c) + np.cos(y / (7 - c)) for c in range(channels)], axis=2)
    return np.clip(128 + 40 * waves + rng.normal(0, 8, waves.shape), 0, 255).astype(np.uint8)


def colour_edges() -> np.ndarray:
    """Red and blue of about the same brightness in stripes of three pixels."""
    image = np.zeros((48, 48, 3), np.uint8)
    image[...] = (40, 90, 230)
    image[:, np.arange(48) // 3 % 2 == 0] = (220, 60, 30)
    return image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("chroma", ["4:2:0", "4:4:4"])
def test_it_is_the_jpeg_that_pillow_writes(channels: int, chroma) -> None:
    image = textured(channels)
    before = image.copy()
    file = BytesIO()
    source = Image.fromarray(image[..., 0] if channels == 1 else image)
    source.save(file, "JPEG", quality=60, subsampling=chroma)
    expected = np.asarray(Image.open(file)).reshape(image.shape)
    np.testing.assert_array_equal(jpeg(image, 60, chroma=chroma), expected)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("value", [0, 77, 128, 255])
@pytest.mark.parametrize("quality", [10, 60, 95])
def test_flat_grey_stays_flat(value: int, quality: int) -> None:
    image = np.full((19, 21, 3), value, np.uint8)
    result = jpeg_chain(image, [quality, quality], shifts=[(0, 0), (3, 5)])
    assert np.ptp(result) == 0
    assert abs(int(result[0, 0, 0]) - value) <= (8 if quality == 10 else 2)


def test_lower_quality_is_further_away() -> None:
    image = textured()
    errors = [float(((jpeg(image, quality).astype(float) - image) ** 2).mean()) for quality in (95, 70, 40, 15)]
    assert errors == sorted(errors)
    assert errors[0] < 0.5 * errors[-1]


def test_full_colour_resolution_keeps_colour_edges() -> None:
    image = colour_edges()

    def chroma_error(chroma) -> float:
        difference = jpeg(image, 90, chroma=chroma).astype(float) - image
        return float(np.abs(difference[..., 0] - difference[..., 2]).mean())

    assert chroma_error("4:4:4") < 0.5 * chroma_error("4:2:0")


@pytest.mark.parametrize("shift", [(0, 0), (3, 0), (0, 5), (6, 2), (7, 7)])
def test_a_shifted_grid_moves_the_squares_and_not_the_picture(shift: tuple[int, int]) -> None:
    """At quality 1 only the squares' means are left, so every edge is one of a square."""
    y, x = np.mgrid[0:96, 0:96]
    image = np.repeat((x + y + 20)[..., None], 3, axis=2).astype(np.uint8)
    result = jpeg(image, 1, shift=shift).astype(int)[..., 0]
    for axis in (0, 1):
        changes = np.nonzero(np.abs(np.diff(result, axis=axis)).max(axis=1 - axis) > 2)[0] + 1
        assert len(changes) > 3
        assert set((changes + shift[axis]) % 8) == {0}
    middle = slice(16, -16)
    assert abs(float((result - image[..., 0])[middle, middle].mean())) < 3


def test_the_same_grid_again_changes_little_and_another_grid_much() -> None:
    once = jpeg(textured(), 40)
    again, moved = jpeg(once, 40), jpeg(once, 40, shift=(4, 4))
    same, other = (float(np.abs(result.astype(int) - once).mean()) for result in (again, moved))
    assert same < 0.25 * other


def test_a_chain_is_its_passes_in_order() -> None:
    image = textured()
    by_hand = jpeg(jpeg(image, 60, chroma="4:4:4"), 45, chroma="4:4:4", shift=(2, 6))
    chain = jpeg_chain(image, [60, 45], chroma="4:4:4", shifts=[(0, 0), (2, 6)])
    np.testing.assert_array_equal(chain, by_hand)
    without = jpeg_chain(image, [60, 45], chroma="4:4:4", shifts=[(1, 1)])
    np.testing.assert_array_equal(without, jpeg(jpeg(image, 60, chroma="4:4:4", shift=(1, 1)), 45, chroma="4:4:4"))
    np.testing.assert_array_equal(jpeg_chain(image, []), image)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (17, 3, 3)])
def test_any_size_can_be_compressed(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert jpeg_chain(image, [50, 40], shifts=[(0, 0), (7, 1)]).shape == shape


DRAWS = 6000
ONE_PASS = {("art", 0): (85, 95), ("art", 1): (65, 85), ("photo", 0): (85, 95)}
ONE_PASS |= {("photo", level): (37, 70) for level in (1, 2, 3)}


@pytest.mark.parametrize(("style", "level"), ONE_PASS)
def test_levels_of_one_pass(style, level: int) -> None:
    rng = np.random.default_rng(2)
    drawn = [draw_compression(style, level, rng) for _ in range(DRAWS)]
    low, high = ONE_PASS[style, level]
    assert {len(compression.qualities) for compression in drawn} == {1}
    counts = Counter(compression.qualities[0] for compression in drawn)
    assert sorted(counts) == list(range(low, high + 1))
    expected = DRAWS / (high - low + 1)
    assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in counts.values())
    assert np.mean([compression.chroma == "4:2:0" for compression in drawn]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("level", [2, 3])
def test_levels_of_up_to_three_passes(level: int) -> None:
    rng = np.random.default_rng(3)
    drawn = [draw_compression("art", level, rng) for _ in range(DRAWS)]
    chains = {passes: [c.qualities for c in drawn if len(c.qualities) == passes] for passes in (1, 2, 3)}
    assert [len(chains[passes]) / DRAWS for passes in (1, 2, 3)] == pytest.approx([0.6, 0.3, 0.1], abs=0.03)
    assert {q for (q,) in chains[1]} == set(range(27, 71))
    assert {q for q, _ in chains[2]} == set(range(37, 71))
    assert {q - second for q, second in chains[2]} == set(range(5, 11))
    assert {q for q, _, _ in chains[3]} == set(range(52, 71))
    assert {q - second for q, second, _ in chains[3]} == set(range(5, 16))
    assert {q - third for q, _, third in chains[3]} == set(range(15, 26))
    for passes in (1, 2, 3):
        half = np.mean([c.chroma == "4:2:0" for c in drawn if len(c.qualities) == passes])
        assert half == pytest.approx(0.5, abs=0.1)


def test_all_passes_of_a_picture_share_their_colour_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, str]] = []

    def remember(image: np.ndarray, quality: int, *, chroma: str, shift: tuple[int, int]) -> np.ndarray:
        assert shift == (0, 0)
        seen.append((quality, chroma))
        return image

    monkeypatch.setattr("kakudai.degrade.jpeg.jpeg", remember)
    lengths = set()
    for seed in range(60):
        seen.clear()
        waifu2x_noise(textured(), "art", 2, np.random.default_rng(seed))
        expected = draw_compression("art", 2, np.random.default_rng(seed))
        assert tuple(quality for quality, _ in seen) == expected.qualities
        assert {chroma for _, chroma in seen} == {expected.chroma}
        lengths.add(len(seen))
    assert lengths == {1, 2, 3}


@pytest.mark.parametrize(("style", "level"), LEVELS)
def test_noise_is_what_its_name_says_and_the_generator_decides(style, level: int) -> None:
    image = textured()
    named = noise_named(image, f"{style}-{level}", np.random.default_rng(9))
    np.testing.assert_array_equal(named, waifu2x_noise(image, style, level, np.random.default_rng(9)))
    compression = draw_compression(style, level, np.random.default_rng(9))
    np.testing.assert_array_equal(named, jpeg_chain(image, compression.qualities, chroma=compression.chroma))
    assert parse_noise(f"{style}-{level}") == (style, level)
    assert noise_rate(f"{style}-{level}") == NOISE_RATE[style][level]


def test_rates_are_waifu2xs() -> None:
    assert NOISE_RATE == {"art": (0.65, 0.65, 0.65, 1.0), "photo": (0.3, 0.3, 0.6, 1.0)}


@pytest.mark.parametrize("name", ["art", "art-4", "photo--1", "cartoon-1", "Art-1", ""])
def test_unknown_noises_are_named(name: str) -> None:
    for function in (lambda: noise_named(textured(), name, np.random.default_rng(0)), lambda: noise_rate(name)):
        with pytest.raises(RecipeError, match=r"no noise is called.*\n.*art-0.*photo-3"):
            function()
