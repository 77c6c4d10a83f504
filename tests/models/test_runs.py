"""models/runs.py: the folder of a training run stands for its network."""

import json
from pathlib import Path

import pytest
from tests.small_models import nearest

import kakudai
from kakudai.cli.main import run
from kakudai.engine.loading import load_model
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import ModelNotFound
from kakudai.models.catalogue import is_folder
from kakudai.models.runs import is_run, network_of_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run called mine, in a folder of another name, with a second network beside."""
    path = tmp_path / "runs/first"
    path.mkdir(parents=True)
    (path / "recipe.json").write_text(json.dumps({"name": "mine"}))
    (path / "mine.onnx").write_bytes(nearest(name="mine"))
    (path / "other.onnx").write_bytes(nearest(3, name="other"))
    return path


def test_a_run_is_its_network(folder: Path, capsys) -> None:
    assert network_of_run(folder) == folder / "mine.onnx"
    assert load_model(folder).name == load_model(str(folder)).name == kakudai.find_model(folder).name == "mine"
    with Upscaler(model=folder) as upscaler:
        assert upscaler.name == "mine"
    assert run(["models", "show", str(folder)]) == 0
    assert "mine" in capsys.readouterr().out


def test_a_run_in_the_working_folder_needs_no_slash(folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert load_model("first").name == "mine"


@pytest.mark.parametrize("recipe", ["", "[]", "{}", '{"name": 3}', "[" * 100_000])
def test_where_no_recipe_says_a_name_it_is_the_folder_s(folder: Path, recipe: str) -> None:
    (folder / "recipe.json").write_text(recipe)
    with pytest.raises(ModelNotFound, match="has no network first") as caught:
        load_model(folder)
    assert "mine.onnx, other.onnx" in caught.value.hint
    (folder / "mine.onnx").rename(folder / "first.onnx")
    assert load_model(folder).scale == 2


def test_a_run_that_has_not_ended_says_so(folder: Path) -> None:
    for file in folder.glob("*.onnx"):
        file.unlink()
    assert is_run(folder)
    with pytest.raises(ModelNotFound) as caught:
        load_model(folder)
    assert "at the end" in caught.value.hint


def test_a_folder_does_not_hide_a_model_of_its_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("auto", "photo", "photo-x2", "comics"):
        Path(name).mkdir()
    assert [is_folder(name) for name in ("auto", "photo", "photo-x2", "comics", "./photo", Path("photo"), "no")] == [
        False, False, False, True, True, True, False,
    ]  # fmt: skip
    for name in ("auto", "photo"):
        with Upscaler(model=name) as upscaler:
            assert upscaler.name == "photo-x2"
    with pytest.raises(ModelNotFound, match="no waifu2x networks"):
        Upscaler(model="./photo")
