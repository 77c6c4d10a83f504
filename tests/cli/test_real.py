"""The program on pictures that nobody here made: hostile files, all kinds of formats, and the published test sets."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from kakudai.degrade.shrink import shrink_bicubic
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.metrics import Protocol, psnr
from kakudai.models import find_model

pytestmark = pytest.mark.real


WATCHED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10, file=sys.stderr)
sys.exit(code)
"""
"""Runs a program and says how many megabytes it needed. The system begins to count with what the starting process
holds, so that must be a small one."""


def upscale(inputs: list[Path], folder: Path, *options: str) -> list[dict]:
    """Run the program on files; return what it says of each. It may take 1 GB, and must not hang."""
    words = [sys.executable, "-m", "kakudai", "upscale", *map(str, inputs), "-o", str(folder), "--json", "-q", *options]
    watched = [sys.executable, "-c", WATCHED, *words]
    result = subprocess.run(watched, capture_output=True, text=True, check=False, timeout=540)
    assert result.returncode in (0, 1), result.stderr
    assert int(result.stderr.splitlines()[-1]) < 1024
    assert "Traceback" not in result.stderr
    assert "unexpected" not in result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(("name", "count"), [("hostile", 263), ("formats", 208)])
def test_every_file_is_a_written_picture_or_a_named_error(shared: Path, tmp_path: Path, name: str, count: int) -> None:
    files = sorted(path for path in (shared / "data/test" / name).iterdir() if path.name != "SOURCES.tsv")
    assert len(files) >= count
    said = upscale(files, tmp_path / "out", "--on-exists", "rename", "--format", "png")
    assert [line["input"] for line in said] == [str(path) for path in files]
    kinds = Counter(line.get("kind") for line in said)
    assert set(kinds) <= {None, "PictureUnreadable", "PictureTooLarge"}
    assert kinds[None] >= {"hostile": 40, "formats": 180}[name]
    for line in said:
        if line["status"] == "failed":
            assert line["error"]
            assert line["hint"]
        else:
            result = read_image(line["output"])
            assert [result.width, result.height] == [2 * side for side in line["input_size"]]
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_the_default_network_is_as_good_as_its_card_through_the_command_line(shared: Path, tmp_path: Path) -> None:
    """Set5, from files to files; the figures that were asked of the first network, and what its card says."""
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    originals = {path.stem: read_image(path).color for path in sorted((shared / "data/test/Set5").glob("*.png"))}
    for stem, original in originals.items():
        write_image(Picture(shrink_bicubic(original, 2)), small / f"{stem}.png")
    upscale([small], large, "-m", "photo", "--precision", "float32")
    figures = [
        psnr(read_image(large / f"{stem}.png").color, original, Protocol.published(2))
        for stem, original in originals.items()
    ]
    model = find_model("photo")
    assert fmean(figures) >= 37.1
    assert fmean(figures) == pytest.approx(model.quality["Set5 x2"]["psnr"], abs=0.01)
    assert model.parameters <= 100_000


def test_tiles_of_32_and_57_pixels_and_none_give_the_same_bytes(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data/test/Set5"
    for tile in ("32", "57", "whole"):
        upscale([folder], tmp_path / tile, "--tile", tile)
    for path in sorted(folder.glob("*.png")):
        contents = {(tmp_path / tile / path.name).read_bytes() for tile in ("32", "57", "whole")}
        assert len(contents) == 1
