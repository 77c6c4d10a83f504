"""`kakudai analyse`: folders, pipes, JSON, and errors of single files."""

import io
import json
import os
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakudai.cli.main import run
from kakudai.image.files import read_image

CHELSEA = Path(__file__).parents[2] / "examples/chelsea.png"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in/below").mkdir(parents=True)
    image = Image.fromarray(np.ascontiguousarray(read_image(CHELSEA).color[:160, :160]))
    image.save("in/a.jpg", quality=61)
    image.save("in/below/b.png")
    return tmp_path


def objects(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_people_read_lines(folder: Path, capsys) -> None:
    assert run(["analyse", "in/a.jpg"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("in/a.jpg: 160x160, ")
    assert "JPEG quality 61, 4:2:0" in lines[0]
    assert any(line.startswith("  file       JPEG quality 61, 4:2:0 (libjpeg's tables)") for line in lines)
    assert [line.split()[0] for line in lines[1:]] == ["file", "pixels", "noise", "drawn", "enlarged", "grey"]


def test_machines_read_objects(folder: Path, capsys) -> None:
    assert run(["analyse", "in", "-r", "--json"]) == 0
    found = objects(capsys)
    assert [one["input"] for one in found] == ["in/a.jpg", "in/below/b.png"]
    assert all((one["schema"], one["status"]) == (1, "done") for one in found)
    assert found[0]["jpeg"]["quality"] == found[0]["quality"] == 61
    assert found[1]["jpeg"] is None


def test_nothing_is_said_of_a_picture_that_nobody_sees(folder: Path, capsys) -> None:
    Image.new("RGBA", (100, 100)).save("clear.png")
    assert run(["analyse", "clear.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "clear.png: 100x100, nothing visible"
    assert [line.split(maxsplit=1)[1] for line in lines[2:]] == ["too little to tell"] * 4
    assert run(["analyse", "clear.png", "--json"]) == 0
    (found,) = objects(capsys)
    assert (found["grey"], found["visible"]) == (None, False)


def test_what_reading_could_not_keep_is_said(folder: Path, capsys) -> None:
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    frames[0].save("two.gif", save_all=True, append_images=frames[1:])
    assert run(["analyse", "two.gif", "in/a.jpg", "--json"]) == 0
    output = capsys.readouterr()
    note = "only the first of 2 frames was read"
    assert [json.loads(line)["notes"] for line in output.out.splitlines()] == [[note], []]
    assert output.err == f"warning: two.gif: {note}\n"


def test_what_only_writing_loses_is_said_by_what_writes(folder: Path, capsys) -> None:
    block = b"\x1c\x02\x78\x00\x04here"
    segment = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(block).to_bytes(4, "big") + block + b"\0"
    whole = Path("in/a.jpg").read_bytes()
    Path("said.jpg").write_bytes(whole[:2] + b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment + whole[2:])
    assert run(["analyse", "said.jpg"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["upscale", "said.jpg", "-s", "0.5", "-d", "0"]) == 0
    assert "the IPTC block was dropped" in capsys.readouterr().err


def test_a_broken_file_does_not_stop_the_rest(folder: Path, capsys) -> None:
    Path("in/0.jpg").write_bytes(Path("in/a.jpg").read_bytes()[:300])
    assert run(["analyse", "in", "nowhere.png", "--json"]) == 1
    found = objects(capsys)
    assert [one["status"] for one in found] == ["failed", "done", "failed"]
    assert found[2]["kind"] == "PictureNotFound"
    assert run(["analyse", "in/0.jpg"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")


def test_a_book_in_a_folder_is_no_picture(folder: Path, capsys) -> None:
    (folder / "in/book.cbz").write_bytes(b"PK\3\4")
    assert run(["analyse", "in", "--json"]) == 0
    assert [Path(line["input"]).name for line in objects(capsys)] == ["a.jpg"]


def test_a_book_that_is_named_is_a_book(folder: Path, capsys) -> None:
    with zipfile.ZipFile("book.cbz", "w") as book:
        book.write("in/a.jpg")
    assert run(["analyse", "book.cbz"]) == 1
    assert "analyse looks at single pictures, and book.cbz is a book of pages" in capsys.readouterr().err


def test_standard_input(folder: Path, capsys, monkeypatch) -> None:
    class Pipe:
        buffer = io.BytesIO(Path("in/a.jpg").read_bytes())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Pipe())
    assert run(["analyse", "-", "--json"]) == 0
    (found,) = objects(capsys)
    assert (found["input"], found["quality"]) == ("-", 61)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_named_pipe_is_read_once(folder: Path, capsys) -> None:
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(Path("in/a.jpg").read_bytes()), daemon=True)
    writer.start()
    assert run(["analyse", "pipe", "--json"]) == 0
    (found,) = objects(capsys)
    assert (found["input"], found["quality"], found["jpeg"]["quality"]) == ("pipe", 61, 61)


def test_wrong_usage(folder: Path) -> None:
    assert run(["analyse", "in/a.jpg", "--max-pixels", "-1"]) == 2
    assert run(["analyse"]) == 2
    assert run(["analyse", "in/a.jpg", "--max-pixels", "100"]) == 1
