"""The tiny recipe with its pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.train.tiny import TINY

from kakudai.data.pack import pack_folders
from kakudai.image.resize import resize
from kakudai.train.recipe import Recipe, read_recipe


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        Image.fromarray(resize(coarse, (48, 64))).save(pictures / f"{index}.png")
    pack_folders([pictures], tmp_path / "pack")
    text = TINY.replace("PACK", str(tmp_path / "pack")).replace("PICTURES", str(pictures))
    (tmp_path / "tiny.toml").write_text(text)
    return tmp_path / "tiny.toml"


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    return read_recipe(recipe_file)
