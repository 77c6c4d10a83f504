"""The tiny recipe with its pictures."""

from pathlib import Path

import pytest
from tests.train.tiny import write_recipe

from kakudai.train.recipe import Recipe, read_recipe


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    return write_recipe(tmp_path)


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    return read_recipe(recipe_file)
