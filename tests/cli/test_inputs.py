"""Which pictures are taken and where their results go; above all what is never written over."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.cli import assigning
from kakudai.cli.assigning import Naming, assign_targets
from kakudai.cli.inputs import Assignment, Found, find_pictures, is_one_picture
from kakudai.cli.main import run
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture

ENDINGS = frozenset({".png", ".jpg"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    """An empty working folder with a small network in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    return tmp_path


def picture(*names: str) -> None:
    for seed, name in enumerate(names):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_image(Picture(np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)), name)


def upscale(*words: str) -> int:
    return run(["upscale", *words, "-m", "net.onnx"])


def names(*words: str, recursive: bool = False) -> list[str]:
    return [str(found.path) for found in find_pictures([*words], ENDINGS, recursive=recursive) if type(found) is Found]


def targets(*words: str, output: str | None = None, on_exists: str = "error", recursive: bool = False) -> list:
    """Return the target of each picture, or the word that says why it has none."""
    naming = Naming(output, "2x", None, ENDINGS, on_exists)  # type: ignore[arg-type]
    found = [entry for entry in find_pictures([*words], ENDINGS, recursive=recursive) if type(entry) is Found]
    assigned = assign_targets(found, naming)
    return [str(a.target) if a.target else "skipped" if a.skipped else "error" for a in assigned]


def files(below: Path) -> list[str]:
    """Name the pictures below a folder."""
    others = (".onnx", ".jsonl")
    return sorted(p.relative_to(below).as_posix() for p in below.rglob("*") if p.is_file() and p.suffix not in others)


def test_folders_give_their_pictures_in_order_without_what_is_hidden(folder: Path) -> None:
    picture("in/b.PNG", "in/a.jpg", "in/.hidden.png", "in/.thumbs/t.png", "in/x/c.png", "in/x/.cache/d.png")
    (folder / "in/desktop.ini").write_text("")
    (folder / "in/folder.png").mkdir()
    assert names("in") == ["in/a.jpg", "in/b.PNG"]
    assert names("in", recursive=True) == ["in/a.jpg", "in/b.PNG", "in/x/c.png"]
    assert names("in/.thumbs") == ["in/.thumbs/t.png"]


def test_looking_below_is_advised_where_there_is_something_below(folder: Path) -> None:
    def hint() -> str:
        (problem,) = find_pictures(["in"], ENDINGS, recursive=False)
        assert isinstance(problem, Assignment)
        assert problem.error is not None
        return problem.error.hint

    (folder / "in/below").mkdir(parents=True)
    (folder / "in/below/notes.txt").write_text("")
    assert hint() == "name another folder"
    picture("in/below/a.png")
    assert hint() == "use -r to look into the folders below"


def test_a_picture_named_twice_is_done_once(folder: Path) -> None:
    picture("in/a.png")
    (folder / "link.png").symlink_to("in/a.png")
    assert names("in/a.png", "in", "./in/../in/a.png", "link.png", "in/*.png") == ["in/a.png"]


def test_patterns_reach_into_folders(folder: Path) -> None:
    picture("in/a.png", "in/x/b.png", "in/x/c.jpg")
    assert names("in/**/*.png") == ["in/a.png", "in/x/b.png"]
    assert names("in/*/[bc].*") == ["in/x/b.png", "in/x/c.jpg"]


def test_words_that_lead_nowhere_keep_their_name_in_json(folder: Path, capsys) -> None:
    (folder / "empty").mkdir()
    assert upscale("*.gif", "empty", "", "--json") == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["input"], line["kind"]) for line in lines[:2]] == [
        ("*.gif", "PictureNotFound"),
        ("empty", "PictureNotFound"),
    ]
    assert "is empty" in lines[2]["error"]


@pytest.mark.parametrize("bad", ["loop.png", "n" * 300 + ".png", "x" * 250 + ".png", "locked"])
def test_a_name_that_the_system_refuses_stops_nothing(folder: Path, bad: str, monkeypatch, capsys) -> None:
    picture("good.png")
    if bad == "loop.png":
        (folder / bad).symlink_to(bad)
    elif bad == "locked":
        (folder / bad).mkdir()
        monkeypatch.setattr(os, "scandir", _refuse)
    elif len(bad) < 256:
        (folder / bad).write_bytes((folder / "good.png").read_bytes())
    assert upscale(bad, "good.png") == 1
    errors = capsys.readouterr().err
    assert "unexpected" not in errors
    assert errors.count("error: ") == errors.count("hint: ") == 1
    assert read_image("good_2x.png").width == 60


def _refuse(path: str):
    raise PermissionError(13, "Permission denied", str(path))


def test_a_folder_of_one_picture_goes_into_a_folder(folder: Path) -> None:
    picture("in/a.png")
    assert upscale("in", "-o", "out", "-q") == 0
    assert files(folder / "out") == ["a.png"]


@pytest.mark.parametrize("on_exists", ["overwrite", "skip", "error", "rename"])
def test_no_input_is_ever_written_over(folder: Path, on_exists: str) -> None:
    """a.png would become a_2x.png, which is to be enlarged too."""
    picture("a.png", "a_2x.png")
    before = Path("a_2x.png").read_bytes()
    upscale("a.png", "a_2x.png", "--on-exists", on_exists, "-q")
    assert Path("a_2x.png").read_bytes() == before
    assert read_image("a_2x_2x.png").width == 60


def test_an_input_is_known_by_any_name(folder: Path) -> None:
    picture("a.png")
    before = Path("a.png").read_bytes()
    (folder / "link.png").symlink_to("a.png")
    (folder / "here").symlink_to(".")
    for output in ("link.png", "here/a.png", "./a.png", str(folder / "a.png")):
        assert upscale("a.png", "-o", output, "--on-exists", "overwrite", "-q") == 1
    assert Path("a.png").read_bytes() == before


@pytest.mark.parametrize("on_exists", ["overwrite", "skip"])
def test_a_folder_can_be_done_twice(folder: Path, on_exists: str, capsys) -> None:
    picture("in/a.png", "in/b.jpg")
    for _ in range(3):
        assert upscale("in", "--on-exists", on_exists) == 0
        assert files(folder / "in") == ["a.png", "a_2x.png", "b.jpg", "b_2x.jpg"]
    assert "in/a_2x.png: it is the result of in/a.png" in capsys.readouterr().err


def test_an_output_folder_inside_the_input_is_left_alone(folder: Path, capsys) -> None:
    picture("in/a.png", "in/x/b.png")
    for _ in range(2):
        assert upscale("in", "-r", "-o", "in/out", "--on-exists", "skip") == 0
        assert files(folder / "in") == ["a.png", "out/a.png", "out/x/b.png", "x/b.png"]
    assert "it lies in the output folder" in capsys.readouterr().err
    assert targets("in/out", output="in/out") == ["in/out/a_2x.png"]


def test_two_formats_of_one_name_do_not_meet(folder: Path) -> None:
    picture("in/a.png", "in/a.jpg")
    assert upscale("in", "-o", "out", "--format", "png", "-q") == 1
    assert files(folder / "out") == ["a.png"]
    assert upscale("in", "-o", "both", "--format", "png", "--on-exists", "rename", "-q") == 0
    assert files(folder / "both") == ["a-1.png", "a.png"]


def test_renaming_counts_on(folder: Path) -> None:
    picture("a.png", "a_2x.png", "a_2x-1.png")
    assert targets("a.png", on_exists="rename") == ["a_2x-2.png"]
    (folder / "a_2x-2.png").mkdir()
    assert targets("a.png", on_exists="rename") == ["a_2x-3.png"]


@pytest.mark.parametrize(("output", "code"), [("new.folder", 2), ("new.folder/", 0), ("new", 0), ("file.png", 2)])
def test_several_pictures_need_a_folder(folder: Path, output: str, code: int, capsys) -> None:
    picture("a.png", "b.png")
    assert upscale("a.png", "b.png", "-o", output, "-q") == code
    assert ("ends with /" in capsys.readouterr().err) == bool(code)


def test_a_file_called_dash_is_reached_as_everywhere(folder: Path) -> None:
    picture("a.png")
    Path("a.png").replace("-")
    assert upscale("./-", "-o", "b.png", "-q") == 0
    assert read_image("b.png").width == 60


def test_format_and_ending_must_agree(folder: Path, capsys) -> None:
    picture("a.png")
    assert upscale("a.png", "--format", "jpeg", "-o", "b.png") == 2
    assert "contradict" in capsys.readouterr().err
    assert upscale("a.png", "--format", "jpeg", "-o", "b.JPEG", "-q") == 0
    assert upscale("a.png", "--format", "jpeg", "-o", "b.part", "-q") == 0
    assert upscale("a.png", "--format", "jpeg", "-o", "out.png/", "-q") == 2
    assert [read_image(name).metadata.format for name in ("b.JPEG", "b.part")] == ["jpeg", "jpeg"]


def test_a_dry_run_says_the_same_as_the_run(folder: Path, capsys) -> None:
    picture("in/a.png", "in/x/b.jpg")
    (folder / "in/bad.png").write_bytes(b"no picture")
    words = ["in", "-r", "-o", "out", "-s", "3", "--json"]
    keys = {"input", "output", "input_size", "output_size", "passes", "model", "error", "hint", "kind"}

    def said() -> list[dict]:
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        return [{key: value for key, value in line.items() if key in keys and value} for line in lines]

    assert upscale(*words, "--dry-run") == 1
    planned = said()
    assert not (folder / "out").exists()
    assert upscale(*words) == 1
    assert sorted(planned, key=str) == sorted(said(), key=str)  # what fails is tried again, and told of, at the end


def test_without_a_network_pass_no_network_is_named(folder: Path, capsys) -> None:
    picture("a.png")
    assert upscale("a.png", "-s", "0.5") == 0
    assert "30x20 -> 15x10  resize" in capsys.readouterr().err


def test_names_that_are_one_on_the_disk_are_one_target(folder: Path, monkeypatch) -> None:
    picture("x/a.png", "y/A.png", "z/e\u0301.png", "z/\u00e9.jpg")
    inputs = ["x/a.png", "y/A.png", "z/e\u0301.png", "z/\u00e9.jpg"]
    assert not assigning.folds(folder)
    assert "error" not in targets(*inputs, output="out/", on_exists="overwrite")
    monkeypatch.setattr(assigning, "folds", lambda _: True)
    assert targets(*inputs, output="out/", on_exists="overwrite")[:2] == ["out/a.png", "error"]
    assert targets(*inputs, output="out/", on_exists="rename")[:2] == ["out/a.png", "out/A-1.png"]


def test_one_picture_is_one_that_is_named_itself(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert is_one_picture([str(tmp_path / "a.png")])
    assert is_one_picture(["s3://bucket/map.TIF"])
    for words in (
        ["s3://bucket/in/"],
        ["s3://bucket/in.png/"],
        ["s3://bucket/in"],
        [str(tmp_path)],
        ["-"],
        ["*.png"],
        ["a.png", "b.png"],
    ):
        assert not is_one_picture(words)
