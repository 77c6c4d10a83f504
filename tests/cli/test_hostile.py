"""Every command that reads pictures, on files that broke decoders: an exit code, a named error, nothing left behind.

`kakudai upscale` itself is in test_real.py. Here one process does a whole list of commands, for starting one costs more
than most of these files; its memory is limited, and so is its time.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.small_models import convolutional, told

pytestmark = [pytest.mark.real, pytest.mark.slow]

DRIVER = """
import contextlib, io, json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
from kakudai.cli.main import run
for line in sys.stdin:
    words, out, err, start = json.loads(line), io.StringIO(), io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    print(json.dumps([words, code, out.getvalue(), err.getvalue(), time.monotonic() - start]), flush=True)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(json.dumps(int(peak.split()[1]) >> 10))
"""
MOST_MEGABYTES = 1024
MOST_SECONDS = 200
SMALL = 20_000
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What one command of the list did."""

    words: list[str]
    code: int
    out: str
    err: str
    seconds: float


def run_all(commands: Sequence[Sequence[object]]) -> list[Ended]:
    """Run commands in one process; none may crash, hang, hoard memory, or fail in a way that nobody thought of."""
    given = "".join(json.dumps([str(word) for word in words]) + "\n" for words in commands)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], input=given, capture_output=True, text=True, check=False, timeout=MOST_SECONDS
    )
    *lines, last = done.stdout.splitlines()
    assert len(lines) == len(commands), f"died after {lines[-1:]}: {done.stderr[-500:]}"
    assert json.loads(last) < MOST_MEGABYTES
    ended = [Ended(*json.loads(line)) for line in lines]
    for one in ended:
        assert one.code in (0, 1, 2), one
        assert "Traceback" not in one.err, one
        assert "unexpected" not in one.err, one
        assert bool(one.code) == any(word in one.err for word in ("error:", "skipped")), one
    return ended


@pytest.fixture(scope="module")
def hostile(shared: Path) -> list[Path]:
    return sorted(path for path in (shared / "data/test/hostile").iterdir() if path.suffix != ".tsv")


@pytest.fixture(scope="module")
def formats(shared: Path) -> list[Path]:
    """Every fourth of those that take no time, of all kinds."""
    folder = shared / "data/test/formats"
    return sorted(path for path in folder.iterdir() if path.suffix != ".tsv" and path.stat().st_size < SMALL)[::4]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    (tmp_path / "small.onnx").write_bytes(convolutional(channels=2))
    return tmp_path / "small.onnx"


def test_every_picture_is_named_once(hostile: list[Path], formats: list[Path], tmp_path: Path) -> None:
    files, folder = [*hostile, *formats], tmp_path / "clean"
    (tmp_path / "restores.onnx").write_bytes(told(1, "restores"))
    options = ("-m", tmp_path / "restores.onnx", "--format", "png", "--on-exists", "rename", "--json", "-q")
    for ended in run_all([["denoise", *files, "-o", folder, *options], ["analyse", *files, "--json"]]):
        said = [json.loads(line) for line in ended.out.splitlines()]
        assert [line["input"] for line in said] == list(map(str, files))
        assert all(line["error"] and line["hint"] for line in said if line["status"] == "failed")
        assert ended.code == 1
        written = {line["output"] for line in said if "output" in line}
        assert written == ({str(path) for path in folder.iterdir()} if ended.words[0] == "denoise" else set())


def test_folders_of_them(shared: Path, tmp_path: Path) -> None:
    """waifu2x's words, and a pack; the same names with other endings become results of their own, or errors."""
    folder, old, packs = shared / "data/test/hostile", tmp_path / "waifu2x", tmp_path / "packs"
    enlarged, packed = run_all([
        ["waifu2x", "-i", folder, "-o", old, "-m", "scale", "-s", "1"],
        ["data", "pack", folder, "-o", packs / "hostile.pack"],
    ])  # fmt: skip
    assert (enlarged.code, packed.code) == (1, 1)
    written = sorted(path.name for path in old.iterdir())
    assert len(written) > 20
    assert all(enlarged.err.count(f"/{name}  ") == 1 for name in written)
    assert [path.name for path in packs.iterdir()] == ["hostile.pack"]
    assert len(set(re.findall(r"^skipped: '([^']+)'", packed.err, re.MULTILINE))) == packed.err.count("skipped: ")


def test_commands_of_one_picture(hostile: list[Path], network: Path, tmp_path: Path) -> None:
    """What can be read is equal to itself, and is a set of its own."""
    commands: list[list[object]] = []
    for number, path in enumerate(hostile):
        alone = tmp_path / f"set{number}"
        alone.mkdir()
        (alone / path.name).symlink_to(path)
        commands += [["compare", path, path, "--json"], ["evaluate", "--set", alone, "--model", network]]
    ended = run_all(commands)
    for compared, measured in zip(ended[::2], ended[1::2], strict=True):
        assert compared.code or json.loads(compared.out)["pictures"][0]["rgb_psnr"] is None
        assert measured.code or not compared.code


def test_layers_are_drawn_or_nothing_is(hostile: list[Path], network: Path, tmp_path: Path) -> None:
    commands = [
        ["features", path, "--model", network, "--crop", "4", "-o", tmp_path / path.name] for path in hostile
    ]  # fmt: skip
    for ended in run_all(commands):
        folder = Path(ended.words[-1])
        assert folder.exists() == (ended.code == 0)
        assert ended.code or (folder / "index.json").exists()
