"""`kakudai upscale` with animations and books."""

import json
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest
from tests.animations import animated, moving_square
from tests.small_models import nearest

from kakudai.cli.main import run as main
from kakudai.image.animation import open_animation
from kakudai.image.files import read_image


@pytest.fixture
def upscale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(nearest())
    Path("in.gif").write_bytes(animated(moving_square(3), "gif", [Fraction(1, 10)] * 3))
    with zipfile.ZipFile("book.cbz", "w") as book:
        book.writestr("2.gif", Path("in.gif").read_bytes())
        book.writestr("ComicInfo.xml", "<ComicInfo/>")
        book.writestr("1.png", animated(moving_square(2), "png", [Fraction(1, 10)] * 2))

    def run(*words: str) -> int:
        return main(["upscale", *words, "-m", "net.onnx", "--runtime", "onnxruntime"])

    return run


def test_an_animation_becomes_one_of_its_own_format(upscale, capsys) -> None:
    assert upscale("in.gif", "--json") == 0
    shown = capsys.readouterr()
    line = json.loads(shown.out)
    assert (line["output"], line["frames"], line["output_size"]) == ("in_2x.gif", 3, [120, 80])
    assert "60x40 -> 120x80, 3 frames" in shown.err
    found = open_animation("in_2x.gif")
    assert found is not None
    assert found.count == 3


def test_a_still_is_taken_where_that_is_asked(upscale, capsys) -> None:
    assert upscale("in.gif", "--still") == 0
    assert "only the first of 3 frames" in capsys.readouterr().err
    assert open_animation("in_2x.gif") is None
    assert upscale("in.gif", "-o", "in.jpg") == 0
    assert "only the first of 3 frames" in capsys.readouterr().err
    assert read_image("in.jpg").color.shape == (80, 120, 3)
    assert upscale("in.gif", "-o", "in.png", "--no-dither") == 0
    assert open_animation("in.png") is not None


def test_a_plan_counts_frames_and_pages(upscale, capsys) -> None:
    assert upscale("in.gif", "book.cbz", "--dry-run", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["frames"] == 3
    assert (lines[1]["pages"], lines[1]["output"]) == (2, "book_2x.cbz")
    assert upscale("in.gif", "book.cbz", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "120x80, 3 frames" in shown
    assert "book.cbz -> book_2x.cbz  2 pages" in shown
    assert not Path("book_2x.cbz").exists()


def test_a_book_lies_in_a_folder_with_pictures(upscale, capsys) -> None:
    Path("folder").mkdir()
    Path("book.cbz").rename("folder/book.cbz")
    assert upscale("folder", "-o", "out", "--format", "webp", "--json", "-q") == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["output"], line["pages"], line["failed_pages"]) == (str(Path("out/book.cbz")), 2, [])
    with zipfile.ZipFile("out/book.cbz") as book:
        assert book.namelist() == ["2.webp", "ComicInfo.xml", "1.webp"]
        for name, count in (("2.webp", 3), ("1.webp", 2)):
            found = open_animation(book.read(name))
            assert found is not None
            assert found.count == count


def test_pages_that_fail_are_named_and_count(upscale, capsys) -> None:
    with zipfile.ZipFile("book.cbz", "a") as book:
        book.writestr("3.jpg", b"no picture")
    assert upscale("book.cbz", "--json") == 1
    shown = capsys.readouterr()
    line = json.loads(shown.out)
    assert line["status"] == "done"
    assert line["failed_pages"] == [{"page": "3.jpg", "error": line["failed_pages"][0]["error"], "kept": True}]
    assert "error: book.cbz: 3.jpg: " in shown.err
    assert "it stays as it was" in shown.err
    with zipfile.ZipFile("book_2x.cbz") as book:
        assert book.read("3.jpg") == b"no picture"


def test_a_book_cannot_become_a_picture(upscale, capsys) -> None:
    assert upscale("book.cbz", "-o", "out.png") == 1
    assert "a book of pages cannot become out.png" in capsys.readouterr().err
