"""The header of a JPEG: libjpeg's tables are told exactly, and no bytes whatever make the parser stumble."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kakudai.analyse.jpeg_file import JpegHistory, read_jpeg_history
from kakudai.analyse.quantisation import quality_of, tables, zigzag


def jpeg_bytes(quality: int = 75, subsampling: int = 2, mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (32, 16), 77).save(file, "JPEG", quality=quality, subsampling=subsampling, **options)
    return file.getvalue()


def history(data: bytes) -> JpegHistory:
    found = read_jpeg_history(data)
    assert found is not None
    return found


@pytest.mark.parametrize("quality", [*range(3, 101, 7), 49, 50, 51, 99])
def test_the_quality_of_libjpeg_is_told_exactly(quality: int) -> None:
    found = history(jpeg_bytes(quality))
    assert (found.quality, found.chroma_quality, found.standard) == (quality, quality, True)


@pytest.mark.parametrize(("number", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_chroma_and_progression_are_told(number: int, name: str) -> None:
    for progressive in (False, True):
        found = history(jpeg_bytes(60, number, progressive=progressive))
        assert (found.chroma, found.progressive) == (name, progressive)


def test_grey_has_no_chroma() -> None:
    found = history(jpeg_bytes(60, mode="L"))
    assert (found.chroma, found.chroma_quality) == ("grey", None)


def test_other_tables_get_the_nearest_quality() -> None:
    steps = np.maximum(tables("luma")[79] + 1, 1)
    assert quality_of(steps, "luma") == (pytest.approx(77, abs=3), False)
    flat = [12] * 64
    found = history(jpeg_bytes(50, qtables=[flat, flat]))  # 50: Pillow scales these by the quality too
    assert not found.standard
    assert found.steps == tuple(flat)


def test_zigzag_is_the_one_of_the_standard() -> None:
    assert list(zigzag()[:10]) == [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]
    assert sorted(zigzag()) == list(range(64))


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9", b"x" * 99]
)
def test_what_is_no_jpeg_has_no_history(data: bytes) -> None:
    assert read_jpeg_history(data) is None


def test_every_cut_and_every_broken_byte_of_a_header_is_survived() -> None:
    data = jpeg_bytes()[:700]
    for end in range(len(data)):
        read_jpeg_history(data[:end])
    for place in range(2, 330):
        for value in (0x00, 0x01, 0x7F, 0xFF):
            read_jpeg_history(data[:place] + bytes([value]) + data[place + 1 :])


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_first_marker_are_survived(tail: bytes) -> None:
    read_jpeg_history(b"\xff\xd8\xff" + tail)


def test_rgb_has_no_quality_of_colour() -> None:
    """All of its components share a table, which is that of luma."""
    file = io.BytesIO()
    Image.new("RGB", (32, 16), 77).save(file, "JPEG", quality=80, keep_rgb=True)
    found = history(file.getvalue())
    assert (found.quality, found.chroma_quality, found.chroma, found.standard) == (80, None, "4:4:4", True)


@pytest.mark.real
def test_hostile_files_and_old_cameras(shared: Path) -> None:
    for path in sorted((shared / "data/test/hostile").iterdir()):
        read_jpeg_history(path.read_bytes())
    found = {path.stem: history(path.read_bytes()) for path in (shared / "data/test/real-jpeg").glob("*.jpg")}
    assert len(found) == 25
    assert all(20 <= one.quality <= 96 for one in found.values())
    assert found["FujiFilm_DX-10"].chroma == "4:2:2"
    assert found["Sanyo_SR662"].chroma == "4:4:4"
