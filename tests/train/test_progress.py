"""train/progress.py: the kept pictures are the picture, at the size it will have."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from kakudai.errors import RecipeError
from kakudai.image.files import write_image
from kakudai.image.picture import Picture
from kakudai.image.resize import imresize_matlab, resize
from kakudai.networks.ecbsr import ECBSR
from kakudai.networks.srcnn import SRCNN
from kakudai.train.progress import Progress, enlarge_rgb8
from kakudai.train.validate import Validation


def smooth_picture(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    return resize(coarse, (height, width))


def test_original_bicubic_and_every_epoch_are_kept(tmp_path: Path) -> None:
    original = smooth_picture(41, 50)
    Image.fromarray(original).save(tmp_path / "picture.png")
    recipe = SimpleNamespace(progress_picture=tmp_path / "picture.png", color="luma", scale=2, damage=None)
    progress = Progress(recipe, tmp_path / "run")
    network = ECBSR(channels=16, blocks=1).eval()
    progress.keep(network, 1)
    progress.keep(network, 12)
    kept = {path.name: np.asarray(Image.open(path)) for path in (tmp_path / "run/progress").iterdir()}
    assert sorted(kept) == ["bicubic.png", "epoch-0001.png", "epoch-0012.png", "original.png"]
    np.testing.assert_array_equal(kept["original.png"], original[:40])
    assert all(image.shape == (40, 50, 3) for image in kept.values())
    assert np.abs(kept["epoch-0001.png"].astype(int) - kept["bicubic.png"]).mean() < 12


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    recipe = SimpleNamespace(progress_picture=tmp_path / "missing.png", color="luma", scale=2, damage=None)
    with pytest.raises(RecipeError, match=r"progress_picture: .*missing\.png"):
        Progress(recipe, tmp_path)


def test_deep_pictures_are_validated_as_their_8_bits(tmp_path: Path) -> None:
    picture = smooth_picture(40, 48)
    network = SRCNN(in_channels=3, residual=True).eval()
    figures = []
    for name, image in (("a/picture.png", picture), ("b/PICTURE.PNG", picture.astype(np.uint16) * 257)):
        (tmp_path / name).parent.mkdir()
        write_image(Picture(image), tmp_path / name)
        figures.append(Validation((tmp_path / name).parent, 2, "rgb").psnr(network))
    assert figures[0] == figures[1]


def test_pictures_too_small_to_validate_on_are_named_before_the_run(tmp_path: Path) -> None:
    write_image(Picture(smooth_picture(4, 48)), tmp_path / "flat.png")
    with pytest.raises(RecipeError, match=r"flat\.png cannot be validated on: a picture of 48x4 "):
        Validation(tmp_path, 2, "rgb")


def test_a_network_that_only_adds_to_bicubic_gives_bicubic_in_luma_and_rgb() -> None:
    low = smooth_picture(20, 30)
    expected = imresize_matlab(low, 2)[6:-6, 6:-6].astype(int)
    for luma in (False, True):
        network = SRCNN(in_channels=1 if luma else 3, residual=True).eval()
        with torch.no_grad():
            network.third.weight.zero_()
        difference = enlarge_rgb8(network, low, luma=luma)[6:-6, 6:-6] - expected
        assert np.abs(difference).max() <= (8 if luma else 1)  # chroma is enlarged by Lanczos


def test_sizes_that_do_not_divide_are_padded_and_cut() -> None:
    class Fours(nn.Module):
        scale, multiple, halo = 2, 4, None

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.shape[2] % 4 == x.shape[3] % 4 == 0
            return self.weight * x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    low = smooth_picture(7, 9)
    np.testing.assert_array_equal(enlarge_rgb8(Fours(), low, luma=False), low.repeat(2, 0).repeat(2, 1))
