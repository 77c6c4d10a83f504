"""`kakudai plot` from the command line."""

import json
from pathlib import Path

import pytest
from tests.training_runs import make_run

from kakudai.cli.main import run
from kakudai.image.files import read_image


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs/a")
    make_run(tmp_path / "runs/b", model=None)
    return tmp_path


def test_one_run_is_drawn_into_its_folder_and_many_beside(folder: Path, capsys) -> None:
    assert run(["plot", "runs/a"]) == 0
    assert read_image("runs/a/curves.png").width > 500
    assert "written: runs/a/curves.png" in capsys.readouterr().err
    assert run(["plot", "runs/a", "runs/b", "--x", "step", "--chain"]) == 0
    assert (folder / "curves.png").exists()
    assert run(["plot", "runs/a", "-o", "curve.SVG"]) == 0
    assert (folder / "curve.SVG").read_text().startswith("<?xml")
    assert not list(folder.rglob("*.part"))


def test_progress_pictures(folder: Path) -> None:
    assert (
        run(["plot", "runs/a", "runs/b", "--progress", "-o", "sheet.png", "--crop", "0,0,16", "--epochs", "1,10"]) == 0
    )
    assert read_image("sheet.png").color.shape == (2 * (3 * 22 + 32 + 8), 8 + 4 * (32 + 8), 3)
    assert run(["plot", "runs/a", "--progress"]) == 0
    assert (folder / "runs/a/progress.png").exists()


def test_the_table(folder: Path, capsys) -> None:
    assert run(["plot", "runs/a", "runs/b", "--table"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| run")
    assert len(lines) == 4
    assert run(["plot", "runs/a", "--table", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)["runs"][0]
    assert (entry["run"], entry["best_psnr"], entry["parameters"]) == ("a", 35.25, 57281)
    assert run(["plot", "runs/a", "--table", "-o", "table.md"]) == 0
    assert (folder / "table.md").read_text().splitlines() == lines[:3]
    assert run(["plot", "runs/a", "--table", "-o", "table.json"]) == 0
    assert json.loads((folder / "table.json").read_text())["schema"] == 1


def test_json_has_the_figures_and_draws_only_what_is_named(folder: Path, capsys) -> None:
    assert run(["plot", "runs/a", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)["runs"][0]
    assert entry["series"]["psnr"]["step"] == [200, 400, 600, 800, 1000]
    assert entry["epoch"] == 100
    assert not list(folder.rglob("curves.png"))
    assert run(["plot", "runs/a", "--json", "-o", "x.png"]) == 0
    assert (folder / "x.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "there is no run at nothing"),
        (["runs"], "it holds the runs a, b"),
        (["runs/a", "--x", "hour"], "accepted are step, epoch, time"),
        (["runs/a", "-o", "x.gif"], "x.gif is no .png or .svg file"),
        (["runs/a", "-o", "nowhere/x.png"], "there is no such folder"),
        (["runs/a", "--progress", "-o", "x.svg"], "x.svg is no .png file"),
        (["runs/a", "--table", "-o", "x.png"], "x.png is no .md or .json file"),
        (["runs/a", "--table", "--progress"], "ask for one of them"),
        (["runs/a", "--crop", "1,2,3"], "add --progress"),
        (["runs/a", "--progress", "--crop", "1,2"], "accepted is LEFT,TOP,SIDE"),
        (["runs/a", "--progress", "--crop", "1,2,-3"], "no list of whole numbers"),
        (["runs/a", "--progress", "--crop", "0,0,500"], "ends outside"),
        (["runs/a", "--progress", "--zoom", "0"], "accepted are whole numbers from 1 to 16"),
        (["runs/a", "--progress", "--epochs", "3"], "it has those of 1, 5, 10"),
    ],
)
def test_wrong_words_are_explained(words: list[str], said: str, capsys, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert run(["plot", *words]) in (1, 2)
    assert said in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


def test_what_could_not_be_read_is_said(folder: Path, capsys) -> None:
    (folder / "runs/a/small.onnx").write_bytes(b"broken")
    assert run(["plot", "runs/a", "--table"]) == 0
    assert "warning: runs/a/small.onnx" in capsys.readouterr().err
