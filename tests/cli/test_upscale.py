"""`kakudai upscale` as a user runs it: what it writes, says and returns."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.families import COMBINED, ENLARGED, make_family
from tests.small_models import convolutional, nearest, spoiled, with_external_data

from kakudai.cli.main import run
from kakudai.engine.upscaler import Upscaler
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    """An empty working folder with a small network in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(nearest())
    return tmp_path


def picture(path: str | Path, height: int = 20, width: int = 30, *, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_image(Picture(pixels), path)
    return Path(path)


def upscale(*words: str | Path, model: str = "net.onnx") -> int:
    return run(["upscale", *map(str, words), "-m", model])


def process(*words: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "kakudai", *map(str, words)], capture_output=True, check=False, **options
    )


def files(below: Path) -> list[str]:
    """Name the pictures below a folder."""
    others = (".onnx", ".jsonl")
    return sorted(p.relative_to(below).as_posix() for p in below.rglob("*") if p.is_file() and p.suffix not in others)


def test_one_picture_lands_beside_its_input(folder: Path, capsys) -> None:
    picture("a.png")
    assert upscale("a.png") == 0
    np.testing.assert_array_equal(read_image("a_2x.png").color, read_image("a.png").color.repeat(2, 0).repeat(2, 1))
    output = capsys.readouterr()
    assert output.out == ""
    assert "a.png -> a_2x.png  30x20 -> 60x40" in output.err


def test_the_command_may_be_left_out(folder: Path) -> None:
    picture("a.png")
    assert run(["a.png", "-m", "net.onnx", "-q"]) == 0
    assert files(folder) == ["a.png", "a_2x.png"]


@pytest.mark.parametrize(
    ("options", "name", "size"),
    [
        (["-s", "3"], "a_3x.png", (90, 60)),
        (["--scale", "1.5"], "a_1.5x.png", (45, 30)),
        (["-s", "0.5"], "a_0.5x.png", (15, 10)),
        (["--width", "45"], "a_45w.png", (45, 30)),
        (["--height", "50"], "a_50h.png", (75, 50)),
        (["--fit", "100x50"], "a_100x50.png", (75, 50)),
        (["--width", "50", "--height", "50"], "a_50x50.png", (50, 50)),
    ],
)
def test_sizes(folder: Path, options: list[str], name: str, size: tuple[int, int]) -> None:
    picture("a.png")
    assert upscale("a.png", *options, "-q") == 0
    result = read_image(name)
    assert (result.width, result.height) == size


@pytest.mark.parametrize("tile", ["auto", "whole", "32", "57"])
def test_the_tile_changes_no_byte(folder: Path, tile: str) -> None:
    (folder / "net.onnx").write_bytes(convolutional())
    picture("a.png", 140, 90)
    assert upscale("a.png", "--tile", tile, "-o", "b.png", "-q") == 0
    with Upscaler(model="net.onnx", tile=0) as upscaler:
        np.testing.assert_array_equal(read_image("b.png").color, upscaler.upscale(read_image("a.png").color))


def test_a_folder_keeps_names_and_tree_and_leaves_other_files_alone(folder: Path) -> None:
    for name in ("in/b.png", "in/a.jpg", "in/below/c.webp"):
        picture(name)
    (folder / "in/desktop.ini").write_text("not a picture")
    assert upscale("in", "-o", "flat", "-q") == 0
    assert files(folder / "flat") == ["a.jpg", "b.png"]
    assert upscale("in", "-r", "-o", "tree", "-q") == 0
    assert files(folder / "tree") == ["a.jpg", "b.png", "below/c.webp"]


def test_patterns_are_expanded_in_order(folder: Path, capsys) -> None:
    for name in ("b.png", "a.png", "c.jpg"):
        picture(name)
    assert upscale("*.png", "--json", "-q") == 0
    assert [json.loads(line)["input"] for line in capsys.readouterr().out.splitlines()] == ["a.png", "b.png"]
    assert upscale("*.gif") == 1
    assert "no file matches" in capsys.readouterr().err


def test_a_name_with_brackets_is_a_name(folder: Path) -> None:
    picture("a[1].png")
    assert upscale("a[1].png", "-q") == 0
    assert "a[1]_2x.png" in files(folder)


def test_one_bad_file_never_stops_the_rest(folder: Path, capsys) -> None:
    picture("in/a.png")
    (folder / "in/b.png").write_bytes(b"not a picture")
    (folder / "in/c.png").write_bytes(b"")
    picture("in/d.png")
    assert upscale("in", "-o", "out", "--json") == 1
    output = capsys.readouterr()
    status = {Path(line["input"]).name: line["status"] for line in map(json.loads, output.out.splitlines())}
    assert status == {"a.png": "done", "b.png": "failed", "c.png": "failed", "d.png": "done"}
    assert "2 pictures failed" in output.err
    assert "Traceback" not in output.err
    assert files(folder / "out") == ["a.png", "d.png"]


def test_fail_fast_stops(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in/a.png").write_bytes(b"not a picture")
    for name in "bcdef":
        picture(f"in/{name}.png")
    assert upscale("in", "-o", "out", "--fail-fast", "-q") == 1
    assert len(files(folder / "out")) < 5


def test_on_exists(folder: Path, capsys) -> None:
    picture("a.png")
    (folder / "a_2x.png").write_bytes(b"precious")
    assert upscale("a.png") == 1
    assert "a_2x.png exists" in capsys.readouterr().err
    assert upscale("a.png", "--on-exists", "skip") == 0
    assert (folder / "a_2x.png").read_bytes() == b"precious"
    assert upscale("a.png", "--on-exists", "rename") == 0
    assert read_image("a_2x-1.png").width == 60
    assert (folder / "a_2x.png").read_bytes() == b"precious"
    assert upscale("a.png", "--on-exists", "overwrite") == 0
    assert read_image("a_2x.png").width == 60


def test_two_inputs_never_share_an_output(folder: Path, capsys) -> None:
    picture("x/a.png")
    picture("y/a.png", seed=1)
    assert upscale("x/a.png", "y/a.png", "-o", "out") == 1
    assert "already" in capsys.readouterr().err
    assert files(folder / "out") == ["a.png"]
    assert upscale("x/a.png", "y/a.png", "-o", "both", "--on-exists", "rename", "-q") == 0
    assert files(folder / "both") == ["a-1.png", "a.png"]


def test_the_input_is_never_overwritten_by_accident(folder: Path) -> None:
    path = picture("a.png")
    before = path.read_bytes()
    assert upscale("a.png", "-o", "a.png", "--on-exists", "overwrite") == 1
    assert upscale("a.png", "-o", str(folder) + "/", "-q") == 0
    assert path.read_bytes() == before
    assert "a_2x.png" in files(folder)


def test_standard_input_and_output(folder: Path) -> None:
    data = picture("a.png").read_bytes()
    result = process("upscale", "-", "-o", "-", "-m", "net.onnx", input=data)
    assert result.returncode == 0
    assert read_image(result.stdout).width == 60
    assert (
        read_image(process("-", "-o", "-", "-m", "net.onnx", "--format", "jpeg", input=data).stdout).metadata.format
        == "jpeg"
    )
    assert process("upscale", "-", "-m", "net.onnx", "-o", "b.png", input=b"").returncode == 1
    assert files(folder) == ["a.png"]


def test_names_outside_ascii(folder: Path) -> None:
    picture("写真 ÄÖ🙂.png")
    assert upscale("写真 ÄÖ🙂.png", "-q") == 0
    assert "写真 ÄÖ🙂_2x.png" in files(folder)


def test_a_dry_run_writes_nothing(folder: Path, capsys) -> None:
    picture("a.png")
    assert upscale("a.png", "--dry-run", "-s", "3") == 0
    assert "a_3x.png  30x20 -> 90x60  2 x test" in capsys.readouterr().out
    assert files(folder) == ["a.png"]
    assert upscale("a.png", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["output_size"] == [60, 40]
    assert upscale("a.png", "--dry-run", "-o", "new/folder/") == 0
    assert not (folder / "new").exists()


def test_json_has_stable_keys(folder: Path, capsys) -> None:
    picture("a.png")
    upscale("a.png", "--json", "-q")
    line = json.loads(capsys.readouterr().out)
    assert set(line) == {
        "schema", "input", "status", "output", "input_size", "output_size", "frames", "seconds",
        "network_seconds",
        "passes", "denoising", "tile", "model", "networks", "precision", "strength", "reason", "runtime", "notes",
    }  # fmt: skip
    assert (line["schema"], line["input_size"], line["output_size"]) == (1, [30, 20], [60, 40])


def test_what_a_format_cannot_hold_is_said_once(folder: Path, capsys) -> None:
    write_image(Picture(np.full((8, 8, 3), 9, np.uint8), np.full((8, 8, 1), 99, np.uint8)), "a.png")
    assert upscale("a.png", "--format", "jpeg") == 0
    assert capsys.readouterr().err.count("warning:") == 1


def test_a_format_that_is_not_written_becomes_png(folder: Path, capsys) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save("a.bmp")
    assert upscale("a.bmp") == 0
    assert "bmp files are not written" in capsys.readouterr().err
    assert (read_image("a_2x.png").color[0, 0] == (255, 0, 0)).all()
    assert upscale("a.bmp", "--dry-run", "--on-exists", "overwrite") == 0
    assert "bmp files are not written" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_of_what_is_no_picture_only_that_is_said(folder: Path, options: list[str], capsys) -> None:
    Path("notes.txt").write_text("this is no picture at all")
    assert upscale("notes.txt", *options) == 1
    said = capsys.readouterr().err
    assert "'notes.txt' is not a picture that kakudai reads (PNG, JPEG," in said
    assert "not written" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-s", "0"], "the scale is 0"),
        (["-s", "-1"], "the scale is -1"),
        (["-s", "nan"], "the scale is nan"),
        (["-s", "99"], "the scale is 99"),
        (["-s", "two"], "valid number"),
        (["--width", "0"], "the width is 0"),
        (["--fit", "100"], "--fit is '100'"),
        (["-s", "2", "--width", "5"], "--scale and --width exclude each other"),
        (["--height", "2", "--fit", "5x5"], "--height and --fit exclude each other"),
        (["--tile", "many"], "--tile is 'many'"),
        (["--tile", "8"], "--tile is '8'"),
        (["-d", "101"], "--denoise is '101'"),
        (["-d", "abc"], "--denoise is 'abc'"),
        (["-m", "photo-x2", "-d", "50"], "-m photo -d 50"),
        (["-m", "art-fast-x2", "-d", "5"], "-m art -d 5"),
        (["--strength", "50"], "-d 50"),
        (["-m", "models-cunet/"], "kakudai ships no waifu2x networks"),
        (["-m", "models/upconv_7/art"], "kakudai ships no waifu2x networks"),
        (["-m", "networks/"], "there is no model, file or folder 'networks/'"),
        (["--threads", "0"], "threads is 0"),
        (["--runtime", "caffe"], "no runtime is called 'caffe'"),
        (["--device", "tpu"], "no device is called 'tpu'"),
        (["--format", "bmp"], "bmp"),
        (["--quality", "0"], "the quality is 0"),
        (["--depth", "11"], "the depth is 11"),
        (["--on-exists", "ask"], "--on-exists is 'ask'"),
        (["--max-pixels", "-5"], "--max-pixels is -5"),
        (["--json", "-o", "-"], "standard output"),
        (["--bogus"], "--bogus"),
        (["-m", "phto"], "did you mean 'photo'"),
        (["-m", "missing.onnx"], "there is no model, file or folder 'missing.onnx'"),
        (["-m", "text.onnx"], "not an ONNX network"),
        (["-m", "short.onnx"], "truncated"),
        (["-m", "external.onnx"], "other files"),
    ],
)
def test_wrong_usage_is_one_line_a_hint_and_code_2(folder: Path, options: list[str], message: str, capsys) -> None:
    picture("a.png")
    (folder / "text.onnx").write_text("not a network at all")
    (folder / "short.onnx").write_bytes(convolutional()[:-300])
    (folder / "external.onnx").write_bytes(with_external_data())
    assert run(["upscale", "a.png", *([] if "-m" in options else ["-m", "net.onnx"]), *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert message in "".join(lines)
    assert lines[1].startswith("hint: ")
    assert files(folder) == ["a.png"]


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("missing.png", None, []),
        ("empty.png", b"", []),
        ("text.png", b"this is no picture at all", []),
        ("short.png", "half", []),
        ("large.png", "whole", ["--max-pixels", "100"]),
        ("folder.png/", None, []),
    ],
)
def test_a_bad_input_is_one_line_a_hint_and_code_1(folder: Path, name: str, data, options: list[str], capsys) -> None:
    whole = picture("good.png").read_bytes()
    (folder / "good.png").unlink()
    if data is not None:
        (folder / name).write_bytes(
            {"half": whole[:-200], "whole": whole}.get(data, data) if isinstance(data, str) else data
        )
    assert upscale(name, "-o", "out.png", *options) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    assert not (folder / "out.png").exists()


def test_a_folder_that_cannot_be_written(folder: Path, capsys) -> None:
    picture("a.png")
    (folder / "file").write_text("in the way")
    assert upscale("a.png", "-o", "file/b.png") == 1
    assert upscale("a.png", "-o", "/proc/nothing/b.png") == 1
    output = capsys.readouterr().err
    assert output.count("error:") == output.count("hint:") == 2


def test_a_full_disk_leaves_nothing(folder: Path) -> None:
    """Files of this process may not grow beyond 4 KB: the system says so as a full disk does, in the middle of a
    write.
    """
    picture("a.png", 100, 100)
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from kakudai.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", code, "a.png", "-m", "net.onnx"]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "error: " in result.stderr
    assert "Traceback" not in result.stderr
    assert files(folder) == ["a.png"]


def test_a_wrong_result_is_not_written(folder: Path, capsys) -> None:
    (folder / "net.onnx").write_bytes(spoiled("nan"))
    picture("a.png")
    assert upscale("a.png") == 1
    assert "not the enlarged picture" in capsys.readouterr().err
    assert files(folder) == ["a.png"]


def test_control_characters_in_a_name_do_not_reach_the_terminal(folder: Path, capsys) -> None:
    assert upscale("\x1b[31mred.png") == 1
    assert "\x1b" not in capsys.readouterr().err


def test_an_unexpected_error_has_no_traceback_unless_asked(folder: Path, capsys, monkeypatch) -> None:
    picture("a.png")
    monkeypatch.setattr(Upscaler, "upscale_picture", lambda *a, **k: 1 / 0)
    assert upscale("a.png") == 1
    assert "unexpected ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.setenv("KAKUDAI_DEBUG", "1")
    upscale("a.png")
    assert "Traceback" in capsys.readouterr().err


def test_interrupting_keeps_what_is_done_and_leaves_no_rubbish(folder: Path) -> None:
    for number in range(12):
        picture(f"in/{number:02}.png", 900, 900, seed=number)
    words = [sys.executable, "-m", "kakudai", "in", "-o", "out", "-m", "net.onnx", "-s", "4"]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    deadline = time.monotonic() + 60
    while not list(folder.glob("out/*.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, messages = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in messages
    done = sorted(folder.glob("out/*.png"))
    assert sorted(folder.glob("out/*")) == sorted([*done, folder / "out/kakudai-manifest.jsonl"])
    assert 1 <= len(done) < 12
    for path in done:
        assert read_image(path).width == 3600
    assert all(path.suffix == ".png" and not path.name.startswith(".") for path in done)


def test_a_folder_of_waifu2x_networks_removes_noise_as_strongly_as_is_asked(folder: Path, capsys) -> None:
    make_family(folder / "up/photo", "noise1_scale2.0x", "scale2.0x")
    write_image(Picture(np.full((20, 30, 3), 32768, np.uint16)), "a.png")
    assert upscale("a.png", "-o", "b.png", "-d", "100", "--json", model="up") == 0
    output = capsys.readouterr()
    assert "note: up/photo has noise levels 1: level 1 is used instead of 3" in output.err
    assert json.loads(output.out)["denoising"] == "within"
    assert json.loads(output.out)["model"] == "up/photo noise 1"
    assert abs(read_image("b.png").color.mean() / 32768 - COMBINED[1]) < 1e-4
    assert upscale("a.png", "-o", "c.png", "-d", "0", "-q", model="up") == 0
    assert abs(read_image("c.png").color.mean() / 32768 - ENLARGED) < 1e-4
    assert upscale("a.png", "-d", "0", "-s", "4", "--dry-run", model="up") == 0
    assert "2 x up/photo" in capsys.readouterr().out
    assert upscale("a.png", "-d", "200", model="up") == 2
    assert upscale("a.png", "-d", "20") == 2


def test_the_mean_over_turned_pictures(folder: Path) -> None:
    (folder / "net.onnx").write_bytes(convolutional())
    picture("a.png")
    assert upscale("a.png", "-o", "b.png", "--tta", "8", "-q") == 0
    with Upscaler(model="net.onnx", tta=8) as eight, Upscaler(model="net.onnx") as one:
        color = read_image("a.png").color
        np.testing.assert_array_equal(read_image("b.png").color, eight.upscale(color))
        assert (eight.upscale(color) != one.upscale(color)).any()
    assert upscale("a.png", "--tta", "5") == 2
