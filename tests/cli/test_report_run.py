"""`kakudai report` from the command line."""

from pathlib import Path

import pytest
from tests.training_runs import RECIPE, make_run, photo

from kakudai.cli import report_run
from kakudai.cli.main import run
from kakudai.image.files import write_image
from kakudai.image.picture import Picture


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs/a", recipe={**RECIPE, "progress_picture": "photos/cat.png"})
    make_run(tmp_path / "runs/b")
    write_image(Picture(photo(seed=1)), tmp_path / "dog.png")
    return tmp_path


def test_a_page_about_one_run(folder: Path, capsys) -> None:
    assert run(["report", "runs/a"]) == 0
    assert "written: runs/a/report.html" in capsys.readouterr().err
    text = (folder / "runs/a/report.html").read_text()
    assert "cat.png" in text, "the progress picture is what is compared"
    assert "Enlargement factor" in text, "keys of the recipe are explained"
    assert "kakudai report runs/a -o report.html" in text
    assert run(["report", "runs/a", "-o", "again.html"]) == 0
    again = (folder / "again.html").read_text()
    assert again.replace("again.html", "report.html") == text, "the same run makes the same page"


def test_pictures_are_shown_once_each_by_all_networks(folder: Path) -> None:
    assert run(["report", "runs/a", "runs/b", "--picture", "dog.png", "--picture", "dog.png", "-o", "two.html"]) == 0
    text = (folder / "two.html").read_text()
    assert text.count('data-title="dog.png"') == 1
    assert 'alt="dog.png: b"' in text
    assert run(["report", "runs/a", "runs/b"]) == 0
    assert (folder / "report.html").read_text().count('data-viewer="compare"') == 1, "both kept the same picture"


def test_the_help_says_where_the_page_of_several_runs_goes(capsys) -> None:
    assert run(["report", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "RUN/report.html; of several runs, report.html in this folder" in text


def test_without_a_network_there_is_nothing_to_compare(folder: Path, capsys) -> None:
    (folder / "runs/a/small.onnx").unlink()
    assert run(["report", "runs/a", "--picture", "dog.png"]) == 0
    assert "no picture is shown" in capsys.readouterr().err
    assert 'data-viewer="compare"' not in (folder / "runs/a/report.html").read_text()


def test_without_what_training_needs_keys_are_not_explained(folder: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydantic_core", None)
    assert report_run.meanings() == {}
    assert run(["report", "runs/a"]) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing"], 2, "there is no run at nothing"),
        (["runs/a", "-o", "x.pdf"], 2, "x.pdf is no .html or .htm file"),
        (["runs/a", "-o", "nowhere/x.html"], 1, "there is no such folder"),
        (["runs/a", "--picture", "cat.png"], 1, "cat.png"),
        (["runs/a", "--picture", "runs/a/log.jsonl"], 1, "log.jsonl"),
    ],
)
def test_wrong_words_are_explained(words: list[str], code: int, said: str, capsys, folder: Path) -> None:
    assert run(["report", *words]) == code
    assert said in capsys.readouterr().err
    assert not list(folder.rglob("*.html"))
