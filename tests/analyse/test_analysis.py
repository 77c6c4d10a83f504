"""One value with everything: for pictures of any size and kind, in JSON and in words, and quickly."""

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakudai.analyse import Compression, analyse_picture, read_jpeg_history
from kakudai.analyse.drawn import FEWEST_PIXELS
from kakudai.degrade.jpeg import jpeg
from kakudai.errors import KakudaiError
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels


def test_photograph_and_drawing(photograph: Pixels, drawing: Pixels) -> None:
    for image, drawn in ((photograph, False), (drawing, True)):
        for version in (image, jpeg(image, 40)):
            found = analyse_picture(version)
            assert found.drawn is not None
            assert (found.drawn > 0.5) == drawn


def test_a_jpeg_file_is_described(photograph: Pixels) -> None:
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "JPEG", quality=61, subsampling=2)
    data = file.getvalue()
    found = analyse_picture(read_image(data).color, read_jpeg_history(data))
    assert (found.compression.quality, found.compression.chroma) == (61, "4:2:0")
    assert found.describe().startswith("photograph, JPEG quality 61, 4:2:0")
    fields = json.loads(json.dumps(found.as_json()))
    assert fields["jpeg"]["quality"] == fields["quality"] == fields["grid"]["quality"] == 61
    assert (fields["width"], fields["height"], fields["grey"]) == (320, 224, False)


def test_a_cropped_png_of_a_jpeg_is_described(photograph: Pixels) -> None:
    words = analyse_picture(jpeg(photograph, 35)[1:, 2:]).describe()
    assert "JPEG quality 35" in words
    assert words.endswith("cropped since")


def test_a_clean_picture_is_not_accused(photograph: Pixels, drawing: Pixels) -> None:
    for image in (photograph, drawing):
        found = analyse_picture(image)
        assert found.compression == Compression()
        assert found.enlarged == 1.0
        assert "JPEG" not in found.describe()


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (2, 2), (7, 9), (8, 8), (17, 16), (33, 40), (3, 3000), (70, 64)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_any_size_and_depth_has_an_answer(size: tuple[int, int], dtype: type) -> None:
    """Warnings are errors here."""
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        image = (rng.random((*size, channels)) * (1.0 if dtype is np.float32 else np.iinfo(dtype).max)).astype(dtype)
        alpha = np.ones_like(image[..., :1])
        alpha[::2] = 0
        for pixels, mask in ((image, None), (np.zeros_like(image), None), (image, alpha), (image, 0 * alpha)):
            found = analyse_picture(pixels, alpha=mask)
            assert json.loads(json.dumps(found.as_json()))["width"] == size[1]
            assert found.describe()
            too_small = size[0] * size[1] < FEWEST_PIXELS
            if mask is not None and not mask.any():
                assert found.describe() == "nothing visible"
            elif too_small or min(size) >= 32:
                assert found.describe().startswith("too small to tell") == too_small


def test_of_what_nobody_sees_nothing_is_said(photograph: Pixels) -> None:
    found = analyse_picture(jpeg(photograph, 30), alpha=np.zeros_like(photograph[..., :1]))
    assert (found.noise, found.drawn, found.enlarged, found.grey, found.visible) == (None, None, None, None, False)
    assert found.describe() == "nothing visible"
    assert json.loads(json.dumps(found.as_json()))["grey"] is None


def test_what_is_seen_beside_the_places_that_are_looked_at_is_not_denied() -> None:
    alpha = np.zeros((2000, 2000, 1), np.uint8)
    alpha[0, 0] = 255
    found = analyse_picture(np.zeros((2000, 2000, 3), np.uint8), alpha=alpha)
    assert (found.grey, found.visible) == (None, True)
    assert found.describe() == "too small to tell"


@pytest.mark.parametrize(("shape", "said"), [((1, 16384, 3), "too narrow to tell"), ((9, 9, 3), "too small to tell")])
def test_narrow_pictures_are_not_called_small(shape: tuple[int, int, int], said: str) -> None:
    assert analyse_picture(np.zeros(shape, np.uint8)).describe() == f"{said}, grey"


def test_numbers_that_are_none_are_survived() -> None:
    image = np.full((80, 80, 3), np.nan, np.float32)
    image[::2] = np.inf
    image[1::4] = -1e30
    assert analyse_picture(image).describe()


def test_the_same_picture_has_the_same_answer(photograph: Pixels) -> None:
    image = jpeg(np.tile(photograph, (5, 3, 1)), 70)
    assert image.shape[0] * image.shape[1] > 1 << 20
    found = analyse_picture(image)
    assert found == analyse_picture(image)
    assert found.compression.quality == 70


def test_a_large_picture_takes_seconds_at_most(photograph: Pixels) -> None:
    image = jpeg(np.tile(photograph, (9, 9, 1)), 80)
    start = time.process_time()
    analyse_picture(image)
    assert time.process_time() - start < 5.0


@pytest.mark.real
def test_every_file_that_broke_a_decoder_is_described_or_refused(shared: Path) -> None:
    described = 0
    for path in sorted((shared / "data/test/hostile").iterdir()):
        if path.suffix == ".tsv":
            continue
        history = read_jpeg_history(path.read_bytes())
        try:
            picture = read_image(path, max_pixels=30_000)
        except KakudaiError:
            continue
        assert analyse_picture(picture.color, history, picture.alpha).describe()
        described += 1
    assert described > 20
