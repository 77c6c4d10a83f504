"""Batches reach the network as Pairs makes them, wherever they are cut."""

from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from kakudai.data.source import open_source
from kakudai.errors import RecipeError
from kakudai.train.device import DevicePictures
from kakudai.train.feed import Feed, make_pairs
from kakudai.train.recipe import Recipe
from kakudai.train.schedule import scale_of_step

CPU = Fabric(accelerator="cpu", devices=1)


def wanted(recipe: Recipe, step: int) -> tuple[Tensor, Tensor]:
    pairs = make_pairs(recipe, open_source(recipe.pack), scale_of_step(recipe, step))
    batch = pairs.batch(recipe.batch, recipe.patch, seed=recipe.seed, step=step)
    return torch.from_numpy(batch.low), torch.from_numpy(batch.high)


VARIETY = [
    {},
    {"color": "rgb"},
    {"scale": 3, "blur": [0.0, 0.5], "downsampling": ["box", "bicubic"], "active_cropping": 0.5},
    {"scales": [2, 3]},
    {"scale": 1, "color": "rgb", "patch": 16},
]


@pytest.mark.parametrize("keep", ["cpu", "cuda"], ids=["cut on the device", "cut by the thread"])
@pytest.mark.parametrize("update", VARIETY)
def test_batches_are_those_of_pairs_to_the_bit(recipe: Recipe, update: dict[str, object], keep: str) -> None:
    changed = recipe.model_copy(update={"batch": 16, **update})
    feed = Feed(changed, CPU, keep=keep)
    assert bool(feed.pictures) == (keep == "cpu")
    with feed:
        for step in (7, 8, 9, 10):
            for ours, expected in zip(feed.take(step), wanted(changed, step), strict=True):
                torch.testing.assert_close(ours, expected, atol=0, rtol=0)
                assert ours.is_contiguous(memory_format=torch.channels_last)
    assert 0.0 < feed.take_waited() < 10.0
    assert feed.take_waited() == 0.0


def test_all_eight_ways_to_turn_a_crop_are_cut_alike(recipe: Recipe) -> None:
    pairs = make_pairs(recipe, open_source(recipe.pack), recipe.scale)
    crops = pairs.choices(200, recipe.patch, seed=1, step=1)
    assert {(crop.turns, crop.mirrored) for crop in crops} == {(t, m) for t in range(4) for m in (False, True)}
    pictures = DevicePictures(pairs, torch.device("cpu"), recipe.patch)
    ours, expected = pictures.cut(pictures.places(crops)), pairs.cut(crops, recipe.patch)
    torch.testing.assert_close(ours[0], torch.from_numpy(expected.low), atol=0, rtol=0)
    torch.testing.assert_close(ours[1], torch.from_numpy(expected.high), atol=0, rtol=0)


def test_a_picture_that_several_filters_share_is_kept_once(recipe: Recipe) -> None:
    two = recipe.model_copy(update={"downsampling": ["box", "bicubic"]})
    sizes = []
    for changed in (recipe, two):
        pairs = make_pairs(changed, open_source(recipe.pack), 2)
        pictures = DevicePictures(pairs, torch.device("cpu"), 8)
        sizes.append((pictures.low.bytes.numel(), pictures.high.bytes.numel()))
    assert sizes[1] == (2 * sizes[0][0], sizes[0][1])


def test_noise_is_made_by_the_thread(recipe: Recipe) -> None:
    noisy = recipe.model_copy(update={"noise": "art-2", "noise_rate": 1.0})
    feed = Feed(noisy, CPU, keep="cpu")
    assert not feed.pictures
    with feed:
        low, _ = feed.take(0)
    torch.testing.assert_close(low, wanted(noisy, 0)[0], atol=0, rtol=0)
    assert not torch.equal(low, wanted(recipe, 0)[0])


def test_processes_share_a_batch(recipe: Recipe) -> None:
    parts = []
    for rank in range(2):
        feed = Feed(recipe, CPU)
        feed.part = rank, 2
        with feed:
            parts.append(feed.take(3))
    for side, expected in enumerate(wanted(recipe, 3)):
        for rank in range(2):
            torch.testing.assert_close(parts[rank][side], expected[rank::2], atol=0, rtol=0)


def test_pictures_may_be_drawn(recipe: Recipe) -> None:
    with Feed(recipe.model_copy(update={"pack": "drawn:photo:2"}), CPU) as feed:
        low, high = feed.take(0)
    assert (low.shape, high.shape) == ((4, 1, 8, 8), (4, 1, 16, 16))
    assert float(high.std()) > 0.01


def test_what_goes_wrong_in_the_thread_is_said(recipe: Recipe, tmp_path: Path) -> None:
    with Feed(recipe.model_copy(update={"patch": 100}), CPU) as feed, pytest.raises(RecipeError, match="smaller than"):
        feed.take(0)
    with pytest.raises(RecipeError, match="no pack"):
        Feed(recipe.model_copy(update={"pack": str(tmp_path / "missing")}), CPU)


@pytest.mark.gpu
def test_a_gpu_cuts_the_same_crops(recipe: Recipe) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    with Feed(recipe, Fabric(accelerator="cuda", devices=1)) as feed:
        for ours, expected in zip(feed.take(5), wanted(recipe, 5), strict=True):
            torch.testing.assert_close(ours.cpu(), expected, atol=1e-6, rtol=0)
