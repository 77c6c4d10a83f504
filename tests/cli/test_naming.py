"""--include, --exclude and --name; and links that lead in circles."""

from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.cli.main import run
from kakudai.cli.patterns import Patterns
from kakudai.cli.template import Template
from kakudai.errors import UsageError
from kakudai.image.files import write_image
from kakudai.image.picture import Picture


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with a small network and some pictures in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    for name in ("in/a.png", "in/b.jpg", "in/x/a.png", "in/x/thumbs/t.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_image(Picture(np.zeros((8, 8, 3), np.uint8)), name)
    return tmp_path


def upscale(*words: str) -> int:
    return run(["upscale", *words, "-m", "net.onnx", "-q"])


def results(below: str = "out") -> list[str]:
    return sorted(path.relative_to(below).as_posix() for path in Path(below).rglob("*.*") if path.suffix != ".jsonl")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*.png", ["a.png", "x/b.png", "x/y/c.png"]),
        ("./*.png", ["a.png"]),
        ("x/*", ["x/b.png"]),
        ("x/**", ["x/b.png", "x/y/c.png"]),
        ("**/c.*", ["x/y/c.png"]),
        ("**/*.png", ["a.png", "x/b.png", "x/y/c.png"]),
        ("x/**/c.png", ["x/y/c.png"]),
        ("**/x/**", ["x/b.png", "x/y/c.png"]),
        ("[ab].png", ["a.png", "x/b.png"]),
        ("?.jpg", []),
        ("x/", ["x/b.png", "x/y/c.png"]),
        ("y/", ["x/y/c.png"]),
        ("./y/", []),
        ("x/y/", ["x/y/c.png"]),
    ],
)
def test_patterns(pattern: str, fits: list[str]) -> None:
    paths = [Path("a.png"), Path("x/b.png"), Path("x/y/c.png")]
    assert [path.as_posix() for path in paths if Patterns((pattern,)).take(path)] == fits
    assert [path.as_posix() for path in paths if not Patterns((), (pattern,)).take(path)] == fits


def test_pictures_are_chosen_by_their_path_below_the_folder(capsys) -> None:
    words = "--include", "*.png", "--include", "b.*", "--exclude", "**/thumbs/**"
    assert upscale("in", "-r", "-o", "out", *words) == 0
    assert results() == ["a.png", "b.jpg", "x/a.png"]
    assert upscale("in", "in/x/thumbs/t.png", "-o", "named", "--include", "b.*") == 0
    assert results("named") == ["b.jpg", "t.png"]
    assert upscale("in", "-o", "none", "--include", "*.gif") == 1
    assert "--include" in capsys.readouterr().err


def test_a_pattern_that_fits_nothing_is_named(capsys) -> None:
    words = ["in", "-r", "-o", "out", "-m", "net.onnx", "--include", "*.png"]
    assert run(["upscale", *words, "--exclude", "thumbs", "--exclude", "x/**"]) == 0
    said = capsys.readouterr().err
    assert "warning: --exclude thumbs: it fits no picture" in said
    assert said.count("fits no picture") == 1
    assert run(["upscale", *words, "--exclude", "thumbs/"]) == 0
    assert results() == ["a.png", "x/a.png"]


def test_a_name_that_is_too_long_is_said_to_be(folder: Path, capsys) -> None:
    (folder / "in/a.png").rename(folder / f"in/{'n' * 250}.png")
    assert upscale(f"in/{'n' * 250}.png") == 1
    assert "hint: choose a shorter name" in capsys.readouterr().err


def test_links_in_circles_are_not_followed(folder: Path) -> None:
    (folder / "in/x/up").symlink_to("..")
    (folder / "in/x/self").symlink_to("self")
    (folder / "in/same.png").symlink_to("a.png")
    assert upscale("in", "-r", "-o", "out") == 0
    assert results() == ["a.png", "b.jpg", "x/a.png", "x/thumbs/t.png"]


@pytest.mark.parametrize(
    ("template", "words", "name"),
    [
        ("{stem}_{scale}x{ext}", ["-s", "3"], "a_3x.png"),
        ("{stem}_{scale}x{ext}", [], "a_2x.png"),
        ("{label}/{stem}{ext}", ["--width", "20"], "20w/a.png"),
        ("{{{stem}}}.jpg", [], "{a}.jpg"),
        ("{stem}{ext}", ["--format", "webp"], "a.webp"),
    ],
)
def test_results_are_called_as_the_template_says(template: str, words: list[str], name: str) -> None:
    for _ in range(2):
        assert upscale("in", "-o", "out", "--include", "a.png", "--name", template, *words) == 0
    assert results() == [name]


def test_a_template_keeps_the_tree_and_works_beside_the_input() -> None:
    assert upscale("in", "-r", "-o", "out", "--name", "big-{stem}{ext}") == 0
    assert results() == ["big-a.png", "big-b.jpg", "x/big-a.png", "x/thumbs/big-t.png"]
    assert upscale("in/a.png", "--name", "big-{stem}{ext}") == 0
    assert Path("in/big-a.png").exists()


def test_two_pictures_never_get_one_name(capsys) -> None:
    assert upscale("in", "-o", "out", "--name", "same.png") == 1
    assert "is the result of in/a.png already" in capsys.readouterr().err
    assert results() == ["same.png"]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{name}{ext}", "accepted are {stem}, {ext}, {scale}, {label}"),
        ("{}{ext}", "accepted are"),
        ("{stem.__class__}{ext}", "accepted are"),
        ("{stem!r}{ext}", "accepted are"),
        ("{stem:>9}{ext}", "accepted are"),
        ("{stem", "braces"),
        ("{stem}", "without an ending"),
        ("{stem}.{label}", "end in .2x"),
        ("{stem}.jsonl", "end in .jsonl"),
        ("../{stem}{ext}", "out of the output folder"),
        ("x/../../{stem}{ext}", "out of the output folder"),
        ("/tmp/{stem}{ext}", "out of the output folder"),
    ],
)
def test_templates_that_cannot_be(template: str, said: str, capsys) -> None:
    assert upscale("in", "-o", "out", "--name", template) == 2
    assert said in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_size_in_pixels_has_no_scale(capsys) -> None:
    assert upscale("in", "-o", "out", "--name", "{stem}_{scale}x{ext}", "--width", "9") == 2
    assert "{label}" in capsys.readouterr().err
    assert upscale("in/a.png", "-o", "b.png", "--name", "{stem}{ext}") == 2


def test_no_name_of_a_picture_leads_out() -> None:
    with pytest.raises(UsageError, match="out of the output folder"):
        Template("{stem}/{label}{ext}", "2x", 2.0).fill("..", ".png")
