"""Headers of JPEG: what stands between segments is passed over, and no file makes them take long."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from kakudai.analyse.jpeg_file import read_jpeg_history
from kakudai.image.containers import MAX_SEGMENTS, jpeg_dpi, jpeg_segments, jpeg_tables
from kakudai.image.files import read_image


@pytest.fixture(scope="module")
def file() -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    Image.fromarray(noise).save(stream, "JPEG", quality=61, subsampling=2, dpi=(144, 72))
    return stream.getvalue()


def with_inserted(file: bytes, inserted: bytes) -> bytes:
    """Put bytes before the first quantisation table."""
    place = file.index(b"\xff\xdb")
    return file[:place] + inserted + file[place:]


APPLICATION = b"\xff\xef\xff\xff" + bytes(65_533)


@pytest.mark.parametrize(
    "inserted",
    [b"", 20 * APPLICATION, b"\xff", b"\xff\xff\xff", b"\xff\x01", b"\xff\xfe\x00\x04hi", b"\xff\xdb\x00\x02"],
    ids=["nothing", "1.3 MB", "filling", "more filling", "TEM", "comment", "empty table"],
)
def test_tables_are_found_behind_anything(file: bytes, inserted: bytes) -> None:
    """The same, from the bytes of the file and from what `read_image` has kept of it."""
    data = with_inserted(file, inserted)
    found, kept = read_jpeg_history(data), read_image(data).metadata.jpeg
    assert found is not None
    assert (found.quality, found.chroma) == (61, "4:2:0")
    assert kept is not None
    assert read_jpeg_history(kept) == found
    assert jpeg_dpi(data) == (144.0, 72.0)


@pytest.mark.parametrize(
    "inserted",
    [b"\xff\xdb\x00\x02", b"\xff\xdb\x00\x43" + bytes(65), b"\xff\xe0\x00\x02", b"\xff\xff\x01"],
    ids=["empty tables", "tables", "empty application segments", "TEM"],
)
def test_a_flood_of_segments_is_cut_short(file: bytes, inserted: bytes) -> None:
    data = with_inserted(file, (4_000_000 // len(inserted)) * inserted)
    start = time.process_time()
    tables = jpeg_tables(data)
    assert read_jpeg_history(data) is None
    assert time.process_time() - start < 1.0
    assert tables is None or len(tables) <= 2050
    assert len(list(jpeg_segments(data))) <= MAX_SEGMENTS


def test_what_is_cut_has_no_tables(file: bytes) -> None:
    for end in range(file.index(b"\xff\xdb") + 60):
        assert jpeg_tables(file[:end]) is None
    assert jpeg_tables(b"") is None
    assert jpeg_tables(b"\x89PNG" + file) is None
    assert list(jpeg_segments(b"\xff\xd8\xff\xe0\x00\x01" + file)) == []
