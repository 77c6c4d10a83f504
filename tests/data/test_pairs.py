"""Batches are pairs, pure functions of seed and step, and what the options say about them is true."""

import logging
import time
from dataclasses import replace

import numpy as np
import pytest

from kakudai.data import pairs as module
from kakudai.data.pack import Pack, PackedPicture
from kakudai.data.pairs import Crop, Pairs
from kakudai.degrade.shrink import shrink, shrink_bicubic
from kakudai.errors import RecipeError
from kakudai.image.color import luma_bt601_full


def packed(*images: np.ndarray) -> Pack:
    """Put pictures into a pack in memory."""
    starts = np.cumsum([0, *(image.size for image in images)]).tolist()
    pictures = tuple(
        PackedPicture(str(k), "made", "CC0-1.0", *image.shape[:2], starts[k]) for k, image in enumerate(images)
    )
    return Pack(pictures, np.concatenate([image.reshape(-1) for image in images]))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


@pytest.mark.parametrize("color", ["luma", "rgb"])
@pytest.mark.parametrize("scale", [2, 3])
def test_batches_are_pairs(pack: Pack, color, scale: int) -> None:
    """Every crop is found in a shrunk picture, and its partner at the same place of the large one."""
    pairs = Pairs(pack, scale=scale, color=color)
    batch = pairs.batch(6, 8, seed=3, step=5)
    channels = 1 if color == "luma" else 3
    assert batch.low.shape == (6, channels, 8, 8)
    assert batch.high.shape == (6, channels, 8 * scale, 8 * scale)
    assert batch.low.dtype == batch.high.dtype == np.float32
    means = (batch.low.mean(axis=(1, 2, 3)), batch.high.mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(*means, atol=0.06)
    if color == "rgb":
        restored = np.round(batch.high[0] * 255).astype(np.uint8).transpose(1, 2, 0)
        crop = shrink_bicubic(restored, scale)[2:-2, 2:-2].astype(int)
        np.testing.assert_allclose(crop, np.round(batch.low[0] * 255).transpose(1, 2, 0)[2:-2, 2:-2], atol=3)


def test_a_favoured_folder_comes_more_often() -> None:
    pack = packed(noise(40, 40), noise(40, 40, seed=1), noise(40, 40, seed=2))
    pictures = tuple(replace(picture, folder=folder) for picture, folder in zip(pack.pictures, "aab", strict=True))
    pack = replace(pack, pictures=pictures)
    pairs = Pairs(pack, scale=2, color="rgb", favour={"b": 6}, blur=[0.0, 0.5])
    chosen = [crop.picture // 2 for step in range(40) for crop in pairs.choices(20, 8, seed=1, step=step)]
    shares = np.bincount(chosen) / len(chosen)
    np.testing.assert_allclose(shares, [1 / 8, 1 / 8, 6 / 8], atol=0.05)
    with pytest.raises(RecipeError, match="favour names c, and the pack has pictures of a, b"):
        Pairs(pack, scale=2, color="rgb", favour={"c": 2})


@pytest.mark.parametrize("color", ["luma", "rgb"])
def test_the_crops_of_a_seed_and_step_never_change(pack: Pack, color) -> None:
    """Written out plainly: the order in which numbers are drawn, and the arithmetic, to the bit.

    Recipes that are published give the losses they gave only as long as this holds.
    """
    pairs = Pairs(pack, scale=2, color=color, blur=[0.0, 0.5])
    areas = np.array([low.shape[0] * low.shape[1] for low, _ in pairs.pairs], np.float64)
    for step in range(3):
        batch = pairs.batch(8, 9, seed=5, step=step)
        rng = np.random.default_rng([5, step])
        for index in range(8):
            low, high = pairs.pairs[int(np.searchsorted(np.cumsum(areas / areas.sum()), rng.random(), side="right"))]
            y, x = (int(rng.integers(0, side - 9 + 1)) for side in low.shape[:2])
            turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
            for side, factor, found in ((low, 1, batch.low), (high, 2, batch.high)):
                crop = side[factor * y : factor * (y + 9), factor * x : factor * (x + 9)]
                values = np.rot90(crop[:, ::-1] if mirrored else crop, turns).astype(np.float32) / 255.0
                values = luma_bt601_full(values) if color == "luma" else values
                np.testing.assert_array_equal(found[index], values.transpose(2, 0, 1))


def test_a_batch_is_a_function_of_seed_and_step(pack: Pack) -> None:
    pairs = Pairs(pack, scale=2, color="luma")
    again = Pairs(pack, scale=2, color="luma", threads=2)
    np.testing.assert_array_equal(pairs.batch(4, 8, seed=1, step=9).low, again.batch(4, 8, seed=1, step=9).low)
    assert (pairs.batch(4, 8, seed=1, step=9).low != pairs.batch(4, 8, seed=1, step=10).low).any()
    assert (pairs.batch(4, 8, seed=1, step=9).low != pairs.batch(4, 8, seed=2, step=9).low).any()


@pytest.mark.parametrize("of", [1, 2, 3])
def test_the_parts_of_several_processes_make_the_whole(pack: Pack, of: int) -> None:
    pairs = Pairs(pack, scale=2, color="rgb", noise="photo-1", active_cropping=0.5)
    whole = pairs.batch(7, 8, seed=1, step=2)
    for rank in range(of):
        part = pairs.batch(7, 8, seed=1, step=2, part=(rank, of))
        np.testing.assert_array_equal(part.low, whole.low[rank::of])
        np.testing.assert_array_equal(part.high, whole.high[rank::of])


def test_all_eight_flips_and_turns_are_used_equally() -> None:
    pairs = Pairs(packed(noise(40, 40)), scale=2, color="rgb")
    crops = [crop for step in range(50) for crop in pairs.choices(16, 20, seed=0, step=step)]
    seen = {(crop.turns, crop.mirrored): 0 for crop in crops}
    for crop in crops:
        assert (crop.picture, crop.y, crop.x) == (0, 0, 0)
        seen[crop.turns, crop.mirrored] += 1
    assert len(seen) == 8
    assert min(seen.values()) > 60
    batch = pairs.cut([Crop(0, 0, 0, turns, mirrored) for turns, mirrored in sorted(seen)], 20)
    assert len({crop.tobytes() for crop in batch.high}) == 8


def test_every_blur_is_offered_and_makes_softer(pack: Pack) -> None:
    pairs = Pairs(pack, scale=2, color="luma", blur=[0.0, 0.75])
    assert len(pairs.pairs) == 6
    sharp, soft = (luma_bt601_full(high.astype(np.float32)).std() for _, high in pairs.pairs[:2])
    assert soft < 0.8 * sharp


def test_every_filter_is_offered(pack: Pack) -> None:
    pairs = Pairs(pack, scale=2, color="luma", blur=[0.0, 0.5], downsampling=["bicubic", "box", "lanczos"])
    assert len(pairs.pairs) == 18
    for first in range(0, 18, 3):
        some = pairs.pairs[first : first + 3]
        assert some[0][1] is some[1][1] is some[2][1]
        for (low, high), name in zip(some, ("bicubic", "box", "lanczos"), strict=True):
            np.testing.assert_array_equal(low, shrink(high, 2, name))
    used = {crop.picture for step in range(20) for crop in pairs.choices(16, 8, seed=0, step=step)}
    assert used == set(range(18))
    with pytest.raises(RecipeError, match="triangel"):
        Pairs(pack, scale=2, color="luma", downsampling=["triangel"])  # type: ignore[list-item]


def lost_by_halving(crop: np.ndarray) -> float:
    """Waifu2x's measure, written out: the difference from the crop shrunk to half by a box and enlarged again."""
    small = crop.reshape(crop.shape[0] // 2, 2, crop.shape[1] // 2, 2, 3).astype(float).mean((1, 3))
    return float(((crop - small.repeat(2, 0).repeat(2, 1)) ** 2).sum())


def test_active_cropping_takes_the_most_textured_of_some_crops() -> None:
    image = noise(120, 160)
    image[:, :110] = 128  # texture only at the right
    plain = Pairs(packed(image), scale=2, color="rgb")
    active = Pairs(packed(image), scale=2, color="rgb", active_cropping=1.0, crop_tries=10)
    half = Pairs(packed(image), scale=2, color="rgb", active_cropping=0.5)
    share = [
        np.mean([crop.x > 40 for step in range(40) for crop in pairs.choices(16, 8, seed=0, step=step)])
        for pairs in (plain, half, active)
    ]
    assert share[0] < 0.6 < share[1] < share[2]
    assert share[2] > 0.97
    crop = active.choices(1, 8, seed=0, step=0)[0]
    rng = np.random.default_rng([0, 0])
    rng.random(2)
    tries = rng.integers(0, [53, 73], (10, 2))
    amounts = [lost_by_halving(image[2 * y : 2 * y + 16, 2 * x : 2 * x + 16]) for y, x in tries.tolist()]
    assert (crop.y, crop.x) == tuple(tries[int(np.argmax(amounts))])


def test_active_cropping_at_an_odd_scale_and_among_blurs() -> None:
    image = noise(99, 99)
    image[:60] = 0
    pairs = Pairs(packed(image), scale=3, color="luma", blur=[0.0, 0.6], active_cropping=1.0)
    assert all(crop.y > 10 for step in range(10) for crop in pairs.choices(8, 9, seed=0, step=step))


def test_noise_falls_on_its_share_of_the_crops_and_only_on_the_small_side(pack: Pack) -> None:
    clean = Pairs(pack, scale=2, color="rgb")
    noisy = Pairs(pack, scale=2, color="rgb", noise="photo-2", noise_rate=0.5)
    crops = [crop for step in range(40) for crop in noisy.choices(16, 8, seed=0, step=step)]
    assert 0.4 < np.mean([crop.noise is not None for crop in crops]) < 0.6
    for crop in crops[:40]:
        without = Crop(crop.picture, crop.y, crop.x, crop.turns, crop.mirrored)
        damaged, whole = noisy.cut([crop], 8), clean.cut([without], 8)
        np.testing.assert_array_equal(damaged.high, whole.high)
        assert (damaged.low == whole.low).all() == (crop.noise is None)
    usual = [Pairs(pack, scale=2, color="rgb", noise=name).noise_rate for name in ("photo-1", "art-1", "art-3")]
    assert usual == [0.3, 0.65, 1.0]
    off = Pairs(pack, scale=2, color="rgb", noise="photo-2", noise_rate=0.0)
    assert all(crop.noise is None for crop in off.choices(50, 8, seed=0, step=0))
    with pytest.raises(RecipeError, match="art-9"):
        Pairs(pack, scale=2, color="rgb", noise="art-9")


def test_noise_is_new_for_every_crop_and_its_squares_lie_anywhere(monkeypatch) -> None:
    def squares(image: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
        image = image.copy()
        image[::8] = 255
        image[:, ::8, 1] = 0
        return image

    monkeypatch.setattr(module, "noise_named", squares)
    pairs = Pairs(packed(np.full((300, 300, 3), 100, np.uint8)), scale=1, color="rgb", noise="art-1", noise_rate=1.0)
    rows, columns = set(), set()
    for seed in range(200):
        low = pairs.cut([Crop(0, 100, 57, 0, False, seed)], 32).low[0]
        rows.add(int(np.argmax(low[0, :, 1] == 1.0)))
        columns.add(int(np.argmax(low[1, 1] == 0.0)))
    assert rows == columns == set(range(8))
    for y, x in ((0, 0), (268, 268), (0, 268)):  # nothing is missing at the border
        assert pairs.cut([Crop(0, y, x, 0, False, 1)], 32).low.shape == (1, 3, 32, 32)


def test_damage_of_every_strength_is_told_in_a_channel_of_its_own() -> None:
    gradient = np.linspace(40, 200, 160)[:, None, None] + np.linspace(0, 50, 160)[None, :, None]
    picture = np.broadcast_to(gradient, (160, 160, 3)).astype(np.uint8)
    pairs = Pairs(packed(picture), scale=2, color="rgb", damage="photo")
    clean = Pairs(packed(picture), scale=2, color="rgb")
    crops = [crop for step in range(20) for crop in pairs.choices(16, 24, seed=0, step=step)]
    batch, whole = pairs.cut(crops, 24), clean.cut([replace(crop, noise=None) for crop in crops], 24)
    assert batch.low.shape == (320, 4, 24, 24)
    assert batch.high.shape == (320, 3, 48, 48)
    told = batch.low[:, 3]
    assert (told == told[:, :1, :1]).all()
    error = np.abs(batch.low[:, :3] - whole.low).mean(axis=(1, 2, 3))
    strength = told[:, 0, 0]
    assert 0.05 < (strength == 0).mean() < 0.2
    assert (error[strength == 0] == 0).all()
    assert error[strength > 0.5].mean() > 2 * error[(strength > 0) & (strength < 0.3)].mean()
    np.testing.assert_array_equal(pairs.cut(crops, 24).low, batch.low)


def test_luma_of_a_noisy_crop_is_that_of_its_colours(pack: Pack) -> None:
    grey, rgb = (Pairs(pack, scale=2, color=color, noise="art-2", noise_rate=1.0) for color in ("luma", "rgb"))
    crops = rgb.choices(4, 12, seed=0, step=0)
    colours = rgb.cut(crops, 12).low.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(grey.cut(crops, 12).low[:, 0], luma_bt601_full(colours)[..., 0], atol=1e-6)


def test_pictures_smaller_than_the_patch_are_left_out_with_one_warning(caplog) -> None:
    pairs = Pairs(packed(noise(20, 90), noise(64, 64), noise(1, 5), noise(70, 70)), scale=2, color="rgb", blur=[0, 0.5])
    with caplog.at_level(logging.WARNING):
        crops = [crop for step in range(30) for crop in pairs.choices(8, 16, seed=0, step=step)]
    assert {crop.picture for crop in crops} == {2, 3, 4, 5}
    assert [record.getMessage() for record in caplog.records] == [
        "skipped 2 of 4 pictures: shrunk, they are smaller than 16 pixels"
    ]
    with pytest.raises(RecipeError, match="all 4 pictures, shrunk 2 times, are smaller than the patch of 40 pixels"):
        pairs.batch(4, 40, seed=0, step=0)


def test_a_pack_of_specks_is_an_error_not_a_crash() -> None:
    with pytest.raises(RecipeError, match="all 1 pictures"):
        Pairs(packed(noise(1, 1)), scale=4, color="rgb").batch(1, 1, seed=0, step=0)


@pytest.mark.parametrize("color", ["luma", "rgb"])
def test_a_batch_takes_little_time(color) -> None:
    """A step of the smallest network takes fifteen milliseconds; this measures about half a millisecond."""
    pairs = Pairs(packed(noise(256, 256), noise(300, 400)), scale=2, color=color)
    seconds = []
    for step in range(30):
        started = time.process_time()
        pairs.batch(16, 32, seed=0, step=step)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.003
