"""image/strips.py: what is written row by row is what is written whole; a DeepZoom is the picture in pieces."""

import gc
import io
import re
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kakudai.errors import OutputError, UsageError
from kakudai.image import exif
from kakudai.image import strips as strips_module
from kakudai.image.encoding import make_plan, saver_options
from kakudai.image.files import read_image, write_image
from kakudai.image.formats import FORMATS
from kakudai.image.picture import Metadata, Picture
from kakudai.image.strips import Strips
from kakudai.image.vips import libvips
from kakudai.image.writing import write_rows

SIZE = (301, 263)


def profile(name: str) -> bytes:
    return bytes(libvips().Image.profile_load(name))


def picture(dtype: str, *, channels: int = 3, alpha: bool = False) -> Picture:
    """Return a smooth picture with all metadata."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] / max(SIZE)
    shares = np.stack([rows, columns, (rows + columns) / 2, 1 - rows], axis=2)
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    pixels = (shares * top).astype(dtype)
    tree = {0x010F: (2, 6, b"Maker\0"), 0x8769: {0x9003: (2, 20, b"2026:11:21 12:00:00\0")}}
    block = exif.with_entries(b"II*\0\x08\0\0\0\0\0\0\0\0\0", exif.pack(tree, 14))
    icc = profile("srgb") if channels == 3 else None
    metadata = Metadata(icc, block, b"<x:xmpmeta>kept</x:xmpmeta>", (300.0, 150.0))
    return Picture(pixels[..., :channels], pixels[..., 3:] if alpha else None, metadata)


def in_rows(whole: Picture, heights: tuple[int, ...] = (1, 200, 100)) -> Strips:
    def rows() -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        top = 0
        for height in heights:
            part = slice(top, top + height)
            yield whole.color[part], None if whole.alpha is None else whole.alpha[part]
            top += height

    return Strips(whole.height, whole.width, whole, rows())


KINDS = {
    "8": picture("uint8"), "8a": picture("uint8", alpha=True), "16": picture("uint16"),
    "grey": picture("uint8", channels=1), "16a": picture("uint16", alpha=True),
    "ga": picture("uint16", channels=1, alpha=True), "float": picture("float32"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["png", "tiff", "jpeg", "webp"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_become_the_picture_that_is_written_whole(name: str, kind: str, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    lost = write_image(KINDS[kind], whole, format=name)
    assert write_rows(in_rows(KINDS[kind]), parts, format=name) == lost
    one, other = read_image(whole), read_image(parts)
    np.testing.assert_array_equal(one.color, other.color)
    assert (one.alpha is None) == (other.alpha is None)
    if one.alpha is not None:
        np.testing.assert_array_equal(one.alpha, other.alpha)
    assert one.metadata == other.metadata
    assert other.metadata.exif
    assert b"2026:11:21" in other.metadata.exif


@pytest.mark.parametrize("name", ["png", "tiff", "jpeg"])
def test_a_stream_gets_the_same_as_a_file(name: str, tmp_path: Path) -> None:
    stream = io.BytesIO()
    write_rows(in_rows(KINDS["8"]), stream, format=name)
    write_rows(in_rows(KINDS["8"]), tmp_path / "file", format=name)
    assert stream.getvalue() == (tmp_path / "file").read_bytes()


def test_a_large_tiff_is_tiled_and_a_huge_one_a_bigtiff(tmp_path: Path) -> None:
    write_rows(in_rows(KINDS["8"]), tmp_path / "x.tif", format="tiff")
    image = libvips().Image.new_from_file(str(tmp_path / "x.tif"))
    assert image.get("tile-width") == 256
    plan = make_plan(KINDS["8"], FORMATS["tiff"], None, None)
    assert not saver_options(FORMATS["tiff"], plan, 1_024_000_000, 3_072_000_000)["bigtiff"]
    assert saver_options(FORMATS["tiff"], plan, 2_048_000_000, 6_144_000_000)["bigtiff"]


@pytest.mark.parametrize("target", ["x.png", "x.tif", "x.jpg", "x.webp", "x.dzi"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_row_that_fails_leaves_the_folder_as_it_was(target: str, error: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"old")

    def rows() -> Iterator[tuple[np.ndarray, None]]:
        yield KINDS["8"].color[:100], None
        raise error

    with pytest.raises(error):
        write_rows(Strips(*SIZE, KINDS["8"], rows()), tmp_path / target, format=Path(target).suffix)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
    assert (tmp_path / "x.png").read_bytes() == b"old"


def test_an_encoder_that_gives_up_is_an_error_and_ends(tmp_path: Path) -> None:
    """Fewer rows than were promised: libvips misses the end."""
    with pytest.raises(OutputError, match="encoder failed"):
        write_rows(in_rows(KINDS["8"], (5,)), tmp_path / "x.jpg", format="jpeg")
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def writelines(self, pieces: object) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write_rows(in_rows(KINDS["8"]), Full(), format="png")


@pytest.mark.parametrize("name", ["png", "tiff", "webp", "dzi"])
def test_a_disk_that_becomes_full_is_the_cause_that_is_said(name: str, tmp_path: Path) -> None:
    """Of a TIFF libvips only says "write error"."""
    code = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from kakudai.errors import OutputError\n"
        "from kakudai.image.picture import Picture\n"
        "from kakudai.image.strips import Strips\n"
        "from kakudai.image.writing import write_rows\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "part = np.random.default_rng(0).integers(0, 256, (100, 300, 3)).astype(np.uint8)\n"
        "strips = Strips(300, 300, Picture(part), ((part, None) for _ in range(3)))\n"
        "try:\n"
        "    write_rows(strips, sys.argv[1], format=sys.argv[2])\n"
        "except OutputError as error:\n"
        "    print(error.message)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / f"x.{name}"), name]
    result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=200)
    assert "File too large" in result.stdout, result.stdout + result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_kept_when_the_encoder_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even until cycles are collected: the rows of a large picture are 64 MB each."""
    feeds: list[weakref.ref[strips_module._Feed]] = []

    class Seen(strips_module._Feed):
        def __init__(self) -> None:
            super().__init__()
            feeds.append(weakref.ref(self))

    monkeypatch.setattr(strips_module, "_Feed", Seen)
    gc.disable()
    try:
        write_rows(in_rows(KINDS["8"]), tmp_path / "x.png", format="png")
        assert [feed() for feed in feeds] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", ["8", "8a", "16", "grey"])
def test_the_tiles_of_a_deepzoom_are_the_picture(kind: str, tmp_path: Path) -> None:
    lost = write_image(KINDS[kind], tmp_path / "x.dzi", quality=100)
    assert "DeepZoom cannot hold EXIF: dropped" in lost
    text = (tmp_path / "x.dzi").read_text()
    assert re.search(rf'Height="{SIZE[0]}"\s+Width="{SIZE[1]}"', text)
    assert 'TileSize="254"' in text
    assert 'Overlap="1"' in text
    levels = sorted((int(path.name) for path in (tmp_path / "x_files").iterdir()), reverse=True)
    assert levels == list(range(9, -1, -1))
    tiles = {path.stem: read_image(path) for path in (tmp_path / "x_files/9").iterdir()}
    assert set(tiles) == {"0_0", "1_0", "0_1", "1_1"}
    first = tiles["0_0"]
    expected = KINDS[kind].color[:255, :255] if kind != "16" else KINDS[kind].color[:255, :255] // 257
    assert first.color.shape[:2] == (255, 255)
    assert np.abs(first.color.astype(int) - expected).max() <= 8
    assert (first.alpha is not None) == (kind == "8a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.dzi", "x_files"]


def test_a_deepzoom_takes_the_place_of_an_old_one_and_of_nothing_else(tmp_path: Path) -> None:
    write_image(KINDS["8"], tmp_path / "x.dzi")
    (tmp_path / "x_files/mark").write_text("old")
    write_image(KINDS["grey"], tmp_path / "x.dzi")
    assert not (tmp_path / "x_files/mark").exists()
    (tmp_path / "z.dzi").write_text("its tiles were lost")
    write_image(KINDS["8"], tmp_path / "z.dzi")
    assert (tmp_path / "z_files/9").is_dir()
    (tmp_path / "y_files").mkdir()
    with pytest.raises(OutputError, match="y_files is there already"):
        write_image(KINDS["8"], tmp_path / "y.dzi")
    with pytest.raises(UsageError, match="cannot go into a stream"):
        write_image(KINDS["8"], io.BytesIO(), format="dzi")
