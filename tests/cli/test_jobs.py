"""`kakudai jobs show`."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.cli.main import run
from kakudai.image.files import write_image
from kakudai.image.picture import Picture
from kakudai.jobs.manifest import NAME


@pytest.fixture(autouse=True)
def job(tmp_path: Path, monkeypatch, capsys) -> Path:
    """A job of six pictures, of which two are none and one was there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    for folder in ("in", "out"):
        Path(folder).mkdir()
        write_image(Picture(np.zeros((500, 250, 3), np.uint8)), f"{folder}/there.png")
    for name in ("a", "b", "c"):
        write_image(Picture(np.zeros((500, 250, 3), np.uint8)), f"in/{name}.png")
    for name in ("x y", "it's"):
        Path(f"in/{name}.png").write_bytes(b"no picture")
    assert run(["upscale", "in", "-o", "out", "-m", "net.onnx", "--on-exists", "skip"]) == 1
    capsys.readouterr()
    return tmp_path


def test_a_job_is_told_in_a_few_lines(capsys) -> None:
    assert run(["jobs", "show", f"out/{NAME}"]) == 1
    said = capsys.readouterr().out
    assert "3 done, 2 failed, 1 skipped" in said
    assert "1.5 MP in" in said
    (line,) = [line for line in said.splitlines() if "not a picture" in line]
    assert line.strip().endswith("2")
    assert "x y" not in said
    assert run(["jobs", "show", "out", "--failed"]) == 1
    said = capsys.readouterr().out
    assert "../in/x y.png" in said
    assert "../in/it's.png" in said


def test_machines_get_an_object(capsys) -> None:
    with Path("out", NAME).open("ab") as file:
        file.write(b"rubbish\n{")
    assert run(["jobs", "show", "out", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["skipped"], told["unfinished"], told["runs"]) == (3, 1, 0, 1)
    assert {Path(entry["input"]).name for entry in told["failed"]} == {"x y.png", "it's.png"}
    assert [entry["pictures"] for entry in told["reasons"]] == [2]
    assert told["corrupt_lines"] == [len(Path("out", NAME).read_bytes().splitlines()) - 1]
    assert told["megapixels"] == 1.5
    assert told["seconds"] > 0


def test_when_nothing_has_failed_the_code_is_0(capsys) -> None:
    for name in ("x y", "it's"):
        Path(f"in/{name}.png").unlink()
        write_image(Picture(np.zeros((8, 8, 3), np.uint8)), f"in/{name}.png")
    assert run(["upscale", "in", "-o", "out", "-m", "net.onnx", "--on-exists", "skip"]) == 0
    assert run(["jobs", "show", "out"]) == 0
    assert "5 done, 0 failed, 1 skipped" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "code"), [("nowhere", 2), ("in", 2), ("in/a.png", 2)])
def test_what_is_no_manifest_is_refused(name: str, code: int, capsys) -> None:
    assert run(["jobs", "show", name]) == code
    assert "manifest" in capsys.readouterr().err
