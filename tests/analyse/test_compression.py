"""What the file says and what the pixels say, put together: the worst of it counts, and is said in words."""

import io

import numpy as np
import pytest
from PIL import Image

from kakudai.analyse import Compression, analyse_picture, areas, find_compression, read_jpeg_history
from kakudai.degrade.jpeg import jpeg
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels


def saved(image: Pixels, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=2)
    return file.getvalue()


def compression_of(data: bytes) -> Compression:
    return find_compression(areas(read_image(data).color), read_jpeg_history(data))


@pytest.mark.parametrize(("first", "last"), [(30, 98), (30, 95), (50, 98), (20, 85), (50, 100)])
@pytest.mark.parametrize("moved", [(3, 2), (0, 0)])
def test_what_was_cropped_and_saved_again_is_as_bad_as_before(
    photograph: Pixels, first: int, last: int, moved: tuple[int, int]
) -> None:
    """A header of a high quality says nothing of what happened before."""
    y, x = moved
    once = np.ascontiguousarray(jpeg(photograph, first)[y:, x:])
    found = compression_of(saved(once, last))
    assert found.last == last
    assert found.earlier == found.quality == pytest.approx(first, abs=8)
    assert found.describe() == f"JPEG quality {last}, 4:2:0, before that {found.earlier}"
    assert not found.cropped


@pytest.mark.parametrize("quality", [20, 40, 61, 75, 90, 95, 98, 100])
def test_what_was_saved_once_was_not_saved_before(photograph: Pixels, drawing: Pixels, quality: int) -> None:
    for image in (photograph, drawing):
        found = compression_of(saved(image, quality))
        assert (found.last, found.earlier, found.quality) == (quality, None, quality)
        assert found.describe() == f"JPEG quality {quality}, 4:2:0"


def test_a_turned_picture_was_not_compressed_twice(photograph: Pixels) -> None:
    """Turning moves the grid, and swaps rows and columns of the table, which is nearly the same then."""
    data = saved(photograph[:219, :317], 70)
    turned = np.ascontiguousarray(np.rot90(read_image(data).color))
    found = find_compression(areas(turned), read_jpeg_history(data))
    assert found.grid is not None
    assert found.grid.y != 0
    assert (found.last, found.earlier, found.quality) == (70, None, 70)


def test_pixels_alone(photograph: Pixels) -> None:
    found = find_compression(areas(jpeg(photograph, 35)[1:, 2:]))
    assert found.quality == pytest.approx(35, abs=2)
    assert found.cropped
    clean = find_compression(areas(photograph))
    assert (clean.last, clean.quality, clean.earlier, clean.chroma, clean.cropped) == (None, None, None, None, False)
    assert clean.describe() == ""


@pytest.mark.parametrize(("first", "last"), [(30, 95), (30, 97), (20, 85)])
def test_a_second_grid_is_no_enlargement(photograph: Pixels, first: int, last: int) -> None:
    once = np.ascontiguousarray(jpeg(photograph, first)[3:, 2:])
    data = saved(once, last)
    assert analyse_picture(read_image(data).color, read_jpeg_history(data)).enlarged == 1.0
    assert analyse_picture(read_image(data).color).enlarged == 1.0
