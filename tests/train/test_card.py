"""train/card.py: what a card says about the code and the pictures is true."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from kakudai.data.pack import Pack, PackedPicture
from kakudai.train.card import commit, describe_data
from kakudai.train.export import Trained
from kakudai.train.recipe import Recipe

PICTURES = [PackedPicture("a", "here", "CC0-1.0", 1, 1, 0), PackedPicture("b", "here", "CC-BY-4.0", 1, 1, 3)]
PACK = Pack((*PICTURES, PackedPicture("c", "there", "CC-BY-4.0", 1, 1, 6)), np.zeros(9, np.uint8))


def described(recipe: Recipe) -> tuple[str, str]:
    return describe_data(Trained(recipe, torch.nn.Identity(), 60, 3600.0, 40), PACK, "a processor")


def test_the_commit_is_that_of_the_code_wherever_it_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = commit()
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    assert commit() == expected


def test_a_copy_that_another_repository_does_not_know_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.setattr("kakudai.train.card.__file__", str(tmp_path / "card.py"))
    assert commit() == "unknown"


def test_pictures_licences_and_the_best_step_are_told(recipe: Recipe) -> None:
    data, licences = described(recipe)
    assert data.startswith(
        "3 pictures of here, there, shrunk 2 times by antialiased bicubic; 60 steps of 4 crops of 8x8 "
    )
    assert "; 1.00 hours on 1 processor(s): a processor" in data
    assert "the weights are those of step 40, which did best on " in data
    assert licences == "CC-BY-4.0 (2); CC0-1.0 (1)"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 seconds"), (90, "90.0 seconds"), (1088, "18 minutes"), (5400, "1.50 hours")]
)
def test_times_are_told_in_the_unit_that_suits_them(recipe: Recipe, seconds: float, words: str) -> None:
    data, _ = describe_data(Trained(recipe, torch.nn.Identity(), 60, seconds, None), PACK, "a processor")
    assert f" pixels; {words} on 1 processor(s): " in data


@pytest.mark.parametrize(("pack", "words"), [(None, "the same"), ("other.pack", "other.pack")])
def test_only_a_start_that_saw_the_same_pictures_is_said_to_have(
    recipe: Recipe, tmp_path: Path, pack: str | None, words: str
) -> None:
    earlier = recipe.model_copy(update={"pack": pack or recipe.pack}).model_dump(mode="json")
    state = {"recipe": earlier, "step": 1, "seconds": 7200.0, "network": {}, "average": {}, "optimiser": {}}
    torch.save(state, tmp_path / "last.ckpt")
    data, _ = described(recipe.model_copy(update={"start": tmp_path / "first.safetensors"}))
    assert data.endswith(f"; started from the weights of first, trained on {words} for 2.00 hours")
