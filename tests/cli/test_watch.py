"""`kakudai watch` as a user runs it: what arrives is done once it is whole."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.cli.main import run
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.jobs.manifest import NAME, read_manifest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    """An empty working folder with a small network in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    (tmp_path / "in").mkdir()
    return tmp_path


def picture(name: str, seed: int = 0) -> Path:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    write_image(Picture(np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)), name)
    return Path(name)


def watch(*words: str, output: str = "out") -> int:
    return run(["watch", "in", "-o", output, "-m", "net.onnx", "--once", "--settle", "0.05", *words])


def until(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_so()


def test_once_does_what_is_there_and_ends(capsys) -> None:
    assert watch() == 0
    picture("in/a.png")
    picture("in/x/b.png")
    assert watch() == 0
    assert watch("-r", "--exclude", "a.*", "--name", "{stem}-big{ext}") == 0
    assert watch("-r") == 0
    assert sorted(str(path) for path in Path("out").rglob("*.png")) == ["out/a.png", "out/x/b-big.png", "out/x/b.png"]
    assert "1 of 2 pictures are done already" in capsys.readouterr().err


def test_it_shares_its_manifest_with_upscale(capsys) -> None:
    picture("in/a.png")
    assert watch() == 0
    before = Path("out", NAME).read_bytes()
    assert run(["upscale", "in", "-o", "out", "-m", "net.onnx"]) == 0
    assert "1 of 1 pictures are done already" in capsys.readouterr().err
    assert Path("out", NAME).read_bytes() == before


def test_results_beside_their_pictures_are_left_alone() -> None:
    picture("in/a.png")
    for _ in range(2):
        assert watch(output="in") == 0
    assert sorted(path.name for path in Path("in").glob("*.png")) == ["a.png", "a_2x.png"]


def test_what_is_no_picture_is_a_failure(capsys) -> None:
    Path("in/a.png").write_bytes(b"no picture")
    assert watch() == 1
    assert "not a picture" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--settle", "0"], ["--settle", "nan"], ["--on-exists", "maybe"]])
def test_nonsense_is_wrong_usage(words: list[str]) -> None:
    assert watch(*words) == 2


def test_a_folder_that_is_none_is_named(capsys) -> None:
    assert run(["watch", "nowhere", "-o", "out"]) == 1
    assert "nowhere is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_waits_for_the_end_of_a_file_and_ends_when_it_is_told(number: int, code: int) -> None:
    picture("in/first.png")
    whole = picture("whole.png", 1).read_bytes()
    words = ["watch", "in", "-o", "out", "-m", "net.onnx", "--settle", "0.5"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(
        [sys.executable, "-m", "kakudai", *words], stderr=subprocess.PIPE, text=True, env=environment
    )
    assert until(Path("out/first.png").exists)
    with Path("in/grows.png").open("wb", buffering=0) as file:
        for start in range(0, len(whole), len(whole) // 9):
            file.write(whole[start : start + len(whole) // 9])
            time.sleep(0.2)
    assert not Path("out/grows.png").exists()
    assert until(Path("out/grows.png").exists)
    assert until(lambda: read_manifest(Path("out", NAME)).entries[-1].status == "done")
    running.send_signal(number)
    _, said = running.communicate(timeout=20)
    assert running.returncode == code
    assert "Traceback" not in said
    assert read_image("out/grows.png").width == 60
    assert "failed" not in said
