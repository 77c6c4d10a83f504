"""data/: a pack gives back what went in, with its licences; batches are pure functions of seed and step."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakudai.data.pack import Pack, open_pack, pack_folders
from kakudai.data.pairs import Pairs
from kakudai.degrade.shrink import shrink_bicubic
from kakudai.errors import KakudaiError, RecipeError
from kakudai.image.color import luma_bt601_full


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, shape in (("b", (40, 51, 3)), ("a", (33, 64, 3)), ("grey", (48, 48))):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{name}.png")
    (folder / "SOURCES.tsv").write_text("file\tlicence\na.png\tCC0-1.0\nb.png\tCC-BY-4.0\n")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def pack(folder: Path, tmp_path: Path) -> Pack:
    return pack_folders([folder], tmp_path / "pack")


def test_pictures_and_licences_come_back(pack: Pack, folder: Path, tmp_path: Path) -> None:
    assert [(p.name, p.licence) for p in pack.pictures] == [
        ("a", "CC0-1.0"),
        ("b", "CC-BY-4.0"),
        ("grey", "unknown"),
    ]
    for picture in open_pack(tmp_path / "pack").pictures:
        original = np.asarray(Image.open(folder / f"{picture.name}.png").convert("RGB"))
        np.testing.assert_array_equal(pack.image(picture), original)
    assert pack.licences() == {"CC-BY-4.0": 1, "CC0-1.0": 1, "unknown": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack", "pictures"]


def test_a_broken_picture_leaves_no_pack(folder: Path, tmp_path: Path) -> None:
    (folder / "z.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(KakudaiError):
        pack_folders([folder], tmp_path / "pack")
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_files_that_are_no_packs(folder: Path, pack: Pack, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no pack"):
        open_pack(tmp_path / "missing")
    with pytest.raises(RecipeError, match="not a pack"):
        open_pack(folder / "a.png")
    whole = (tmp_path / "pack").read_bytes()
    (tmp_path / "short").write_bytes(whole[:-100])
    with pytest.raises(RecipeError, match="truncated"):
        open_pack(tmp_path / "short")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match="no pictures"):
        pack_folders([tmp_path / "empty"], tmp_path / "none")


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


def test_a_batch_is_a_function_of_seed_and_step(pack: Pack) -> None:
    pairs = Pairs(pack, scale=2, color="luma")
    again = Pairs(pack, scale=2, color="luma", threads=2)
    np.testing.assert_array_equal(pairs.batch(4, 8, seed=1, step=9).low, again.batch(4, 8, seed=1, step=9).low)
    assert (pairs.batch(4, 8, seed=1, step=9).low != pairs.batch(4, 8, seed=1, step=10).low).any()
    assert (pairs.batch(4, 8, seed=1, step=9).low != pairs.batch(4, 8, seed=2, step=9).low).any()


def test_every_blur_is_offered_and_makes_softer(pack: Pack) -> None:
    pairs = Pairs(pack, scale=2, color="luma", blur=[0.0, 0.75])
    assert len(pairs.pairs) == 6
    sharp, soft = (luma_bt601_full(high.astype(np.float32)).std() for _, high in pairs.pairs[:2])
    assert soft < 0.8 * sharp


def test_a_patch_larger_than_a_picture_is_named(pack: Pack) -> None:
    pairs = Pairs(pack, scale=2, color="luma")
    with pytest.raises(RecipeError, match="smaller than the patch"):
        pairs.batch(4, 32, seed=0, step=0)
