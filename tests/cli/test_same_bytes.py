"""From file to file: the same bytes for every number of threads and every tile."""

from itertools import product
from pathlib import Path

import pytest

from kakudai.cli.main import run
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture

PHOTOGRAPH = Path(__file__).parents[2] / "examples/chelsea.png"


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_threads_and_tiles_change_no_byte(runtime: str, tmp_path: Path) -> None:
    """The picture is cut by both tiles, in both directions; 8 bits, so that a tie would be seen."""
    pytest.importorskip(runtime)
    write_image(Picture(read_image(PHOTOGRAPH).color[100:230, 150:301]), tmp_path / "in.png")
    contents = {}
    for threads, tile in product(("1", "2", "3"), ("64", "96", "whole")):
        target = tmp_path / f"{threads}-{tile}.png"
        words = ["upscale", str(tmp_path / "in.png"), "-o", str(target), "-m", "photo", "-d", "0", "-q"]
        assert run([*words, "--runtime", runtime, "--threads", threads, "--tile", tile]) == 0
        contents[threads, tile] = target.read_bytes()
    assert len(set(contents.values())) == 1
