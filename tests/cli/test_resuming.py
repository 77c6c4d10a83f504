"""A folder into a folder: what is done stays done, whatever happens in between."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.small_models import nearest

from kakudai.cli.main import run
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.jobs.manifest import NAME, Manifest, read_manifest

COMMAND = [sys.executable, "-m", "kakudai", "upscale", "in", "-r", "-o", "out", "-m", "net.onnx"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    """An empty working folder with a small network in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    return tmp_path


def picture(*names: str, seed: int = 0, side: int = 16) -> None:
    for number, name in enumerate(names):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed + number).integers(0, 256, (side, side, 3), np.uint8)
        write_image(Picture(pixels), name)


def upscale(*words: str, output: str = "out") -> int:
    return run(["upscale", "in", "-r", "-o", output, "-m", "net.onnx", *words])


@pytest.fixture
def worked(capsys):
    """Give a command and return its exit code with the names of the pictures that it did."""

    def work(*words: str, output: str = "out") -> tuple[int, list[str]]:
        capsys.readouterr()
        code = upscale("--json", *words, output=output)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, sorted(Path(line["input"]).name for line in lines if line["status"] == "done")

    return work


def results(below: str = "out") -> dict[str, bytes]:
    return {str(path.relative_to(below)): path.read_bytes() for path in Path(below).rglob("*.png")}


def times() -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in Path("out").rglob("*.png")}


def test_the_same_command_again_does_nothing(worked) -> None:
    picture("in/a.png", "in/x/b.png")
    assert worked() == (0, ["a.png", "b.png"])
    before, manifest = times(), Path("out", NAME).read_bytes()
    for words in ([], ["--verify"], ["--on-exists", "overwrite"], ["--on-exists", "rename"], ["--tile", "64"]):
        assert worked(*words) == (0, [])
    assert times() == before
    assert Path("out", NAME).read_bytes() == manifest


def test_only_what_is_missing_new_or_changed_is_done(worked) -> None:
    picture("in/a.png", "in/b.png", "in/c.png", "in/d.png")
    worked()
    Path("out/a.png").unlink()
    picture("in/b.png", seed=9)
    os.utime("in/c.png")
    picture("in/e.png")
    assert worked() == (0, ["a.png", "b.png", "e.png"])
    np.testing.assert_array_equal(read_image("out/b.png").color[::2, ::2], read_image("in/b.png").color)


@pytest.mark.parametrize("words", [["-s", "3"], ["--strip"], ["-m", "other.onnx"]])
def test_other_options_and_networks_do_all_again(folder: Path, worked, words: list[str]) -> None:
    (folder / "other.onnx").write_bytes(nearest(3))
    picture("in/a.png", "in/b.png")
    worked()
    assert worked(*words) == (0, ["a.png", "b.png"])
    assert worked(*words) == (0, [])


def test_a_network_counts_by_its_bytes(folder: Path, worked) -> None:
    picture("in/a.png")
    worked()
    (folder / "copy.onnx").write_bytes(nearest())
    assert worked("-m", "copy.onnx") == (0, [])
    (folder / "net.onnx").write_bytes(nearest(4))
    assert worked() == (0, ["a.png"])


def test_a_later_version_does_all_again(worked, monkeypatch) -> None:
    picture("in/a.png")
    worked()
    monkeypatch.setattr("kakudai.__version__", "99.0")
    assert worked() == (0, ["a.png"])


@pytest.mark.parametrize(("on_exists", "code", "kept"), [
    ("error", 1, True), ("skip", 0, True), ("rename", 0, True), ("overwrite", 0, False),
])  # fmt: skip
def test_a_result_that_the_user_has_changed_is_theirs(worked, on_exists: str, code: int, kept: bool) -> None:
    picture("in/a.png", "in/b.png")
    worked()
    Path("out/a.png").write_bytes(b"painted over")
    for _ in range(2):
        assert worked("--on-exists", on_exists)[0] == code
        assert (Path("out/a.png").read_bytes() == b"painted over") == kept
    assert sorted(results()) == sorted({"a.png", "b.png", *(["a-1.png"] if on_exists == "rename" else [])})


def test_bytes_that_changed_behind_the_clock_are_found(worked) -> None:
    picture("in/a.png")
    worked()
    result = Path("out/a.png")
    state = result.stat()
    result.write_bytes(bytes(state.st_size))
    os.utime(result, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert worked()[0] == 1  # it is the user's
    assert worked("--on-exists", "overwrite") == (0, ["a.png"])


def test_without_a_manifest_all_is_as_it_was(worked, capsys) -> None:
    picture("in/a.png")
    assert worked("--no-manifest") == (0, ["a.png"])
    assert not Path("out", NAME).exists()
    assert worked("--no-manifest")[0] == 1
    assert upscale("--no-manifest", "--manifest", "m.jsonl") == 2
    assert run(["upscale", "in/a.png", "-o", "one/", "-m", "net.onnx", "-q"]) == 0
    assert not Path("one", NAME).exists()
    assert run(["upscale", "in/a.png", "-o", "two/", "-m", "net.onnx", "-q", "--manifest", "m.jsonl"]) == 0
    assert [entry.target for entry in read_manifest(Path("m.jsonl")).entries] == ["two/a.png"] * 3


def test_failures_are_tried_once_more_and_then_only_when_asked(worked, capsys) -> None:
    picture("in/a.png", "in/c.png")
    Path("in/b.png").write_bytes(b"no picture")
    assert worked() == (1, ["a.png", "c.png"])
    statuses = [entry.status for entry in read_manifest(Path("out", NAME)).entries if entry.source == "../in/b.png"]
    assert statuses == ["begun", "begun", "failed"]
    assert upscale() == 1
    said = capsys.readouterr().err
    assert "not a picture" in said
    assert "--retry-failed" in said
    assert "2 of 3 pictures are done already" in said
    assert upscale("--retry-failed") == 1
    picture("in/b.png")
    assert worked() == (0, ["b.png"])
    assert worked() == (0, [])


def test_what_fails_once_is_done_in_the_end(worked, monkeypatch) -> None:
    picture("in/a.png", "in/b.png")
    from kakudai.engine import batch

    real, failed = batch.read, []

    def read(job, *rest):
        if not failed:
            failed.append(job)
            raise OSError(errno.EIO, "the disk hiccuped")
        return real(job, *rest)

    monkeypatch.setattr(batch, "read", read)
    assert worked() == (0, ["a.png", "b.png"])
    assert failed


def test_an_input_that_changes_meanwhile_is_done_again(worked, monkeypatch) -> None:
    picture("in/a.png")
    from kakudai.engine import batch

    real, calls = batch.read, []

    def read(job, *rest):
        found = real(job, *rest)
        if not calls:
            picture("in/a.png", seed=5)
        calls.append(job)
        return found

    monkeypatch.setattr(batch, "read", read)
    assert worked() == (0, ["a.png"])
    np.testing.assert_array_equal(read_image("out/a.png").color[::2, ::2], read_image("in/a.png").color)


def test_a_damaged_line_is_named_and_its_picture_done_again(worked, capsys) -> None:
    picture("in/a.png", "in/b.png")
    worked()
    manifest = Path("out", NAME)
    lines = manifest.read_bytes().splitlines(keepends=True)
    first, number = (at for at, line in enumerate(lines) if b"a.png" in line and b'"begun"' not in line)
    for at in (first, number):
        lines[at] = lines[at][:20] + b"\0\0\0" + lines[at][23:]
    manifest.write_bytes(b"".join(lines))
    assert upscale("--on-exists", "overwrite") == 0
    said = capsys.readouterr().err
    assert f"damaged in line {first + 1}, {number + 1}:" in said
    assert "1 of 2 pictures are done already" in said
    assert "in/a.png -> " in said


def test_another_kind_of_manifest_is_refused(capsys) -> None:
    picture("in/a.png")
    before = Path("in/a.png").read_bytes()
    assert upscale("--manifest", "in/a.png") == 2
    assert "no manifest of kakudai" in capsys.readouterr().err
    assert Path("in/a.png").read_bytes() == before
    assert not Path("out").exists()


def test_a_finished_job_can_lie_on_a_disk_that_is_read_only(worked, monkeypatch, capsys) -> None:
    picture("in/a.png")
    worked()
    real = os.open

    def read_only(path, flags: int, *rest, **named) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY) and "out" in str(path):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", read_only)
    assert worked() == (0, [])
    picture("in/b.png")
    assert upscale() == 1
    assert "cannot write out/kakudai-manifest.jsonl" in capsys.readouterr().err


def test_a_full_disk_ends_the_run_and_loses_nothing(worked, monkeypatch, capsys) -> None:
    picture(*(f"in/{number}.png" for number in range(5)))
    real, calls = os.write, []

    def fills(file: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) == 6:
            real(file, data[:9])
        if len(calls) >= 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fills)
        assert upscale() == 1
    assert "No space left" in capsys.readouterr().err
    assert worked()[0] == 0
    assert len(results()) == 5
    assert read_manifest(Path("out", NAME)).corrupt == []


def test_results_of_earlier_runs_are_no_inputs(worked) -> None:
    picture("in/a.png", "in/b.png")
    for words in (["-s", "2"], ["-s", "3"], ["-s", "2"], ["-s", "3", "--retry-failed"]):
        assert worked(*words, output="in")[0] == 0
    assert sorted(results("in")) == ["a.png", "a_2x.png", "a_3x.png", "b.png", "b_2x.png", "b_3x.png"]
    for _ in range(2):
        assert worked(output="in/out")[0] == 0
    assert sorted(results("in/out")) == ["a.png", "a_2x.png", "a_3x.png", "b.png", "b_2x.png", "b_3x.png"]


def test_a_dry_run_plans_what_is_left_and_writes_nothing(worked, capsys) -> None:
    picture("in/a.png")
    assert upscale("--dry-run") == 0
    assert not Path("out").exists()
    worked()
    picture("in/b.png")
    before = Path("out", NAME).read_bytes()
    capsys.readouterr()
    assert upscale("--dry-run") == 0
    said = capsys.readouterr()
    assert "in/b.png -> out/b.png" in said.out
    assert "in/a.png" not in said.out
    assert Path("out", NAME).read_bytes() == before


def test_a_book_with_a_bad_page_has_failed(worked) -> None:
    picture("page.png")
    Path("in").mkdir()
    with zipfile.ZipFile("in/book.cbz", "w") as book:
        book.write("page.png", "1.png")
        book.writestr("2.png", b"no picture")
    for words in ([], [], ["--retry-failed"]):
        assert worked(*words)[0] == 1
    with zipfile.ZipFile("in/book.cbz", "w") as book:
        book.write("page.png", "1.png")
    assert worked() == (0, ["book.cbz"])
    assert worked() == (0, [])


@pytest.mark.parametrize("on_exists", ["error", "overwrite", "skip", "rename"])
def test_a_result_that_is_named_as_an_input_is_not_written_over(on_exists: str) -> None:
    picture("in/a.png")
    assert upscale(output="in") == 0
    before = Path("in/a_2x.png").read_bytes()
    run(["upscale", "in/a_2x.png", "in", "-o", "in", "-m", "net.onnx", "--strip", "--on-exists", on_exists])
    assert Path("in/a_2x.png").read_bytes() == before


def test_two_runs_at_once_do_not_mix(worked, capsys) -> None:
    picture("in/a.png", "in/b.png")
    worked()
    Path("out/a.png").unlink()
    with Manifest(Path("out", NAME)):
        assert upscale() == 2
        assert "another run is writing out/kakudai-manifest.jsonl" in capsys.readouterr().err
    assert worked() == (0, ["a.png"])


def test_killed_at_any_moment_it_goes_on_where_it_was() -> None:
    picture(*(f"in/{number % 3}/{number:02}.png" for number in range(40)), side=40)
    assert upscale(output="whole") == 0
    rng, manifest = random.Random(6), Path("out", NAME)
    for _ in range(3):
        lines = len(manifest.read_bytes().splitlines()) if manifest.exists() else 0
        wanted, running = lines + rng.randint(2, 20), subprocess.Popen(COMMAND, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if manifest.exists() and len(manifest.read_bytes().splitlines()) >= wanted:
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.005))
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
    assert 0 < len(results()) < 40
    at_the_kill = times()
    last = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    assert "of 40 pictures are done already" in last.stderr
    assert results() == results("whole")
    contents = read_manifest(manifest)
    assert {name: time for name, time in times().items() if name in at_the_kill} == at_the_kill
    done = [entry.source for entry in contents.entries if entry.status == "done"]
    assert len(done) == len(set(done)) == 40
    assert contents.corrupt == []
    assert not list(Path("out").rglob(".*"))


def test_a_runtime_that_is_chosen_is_the_same_by_any_word(worked) -> None:
    picture("in/a.png")
    worked()
    chosen = read_manifest(Path("out", NAME)).runs[0].runtime
    assert worked("--runtime", chosen) == (0, [])
