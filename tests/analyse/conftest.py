"""Two pictures for all tests here: a photograph that was never a JPEG, and a drawing."""

from pathlib import Path

import numpy as np
import pytest

from kakudai.data.drawn import draw_picture
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels
from kakudai.image.resize import resize

CHELSEA = Path(__file__).parents[2] / "examples/chelsea.png"


@pytest.fixture(scope="session")
def photograph() -> Pixels:
    """Shrunk a little, so that nothing is left of whatever happened to the file before. Shape: (224, 320, 3)."""
    image = read_image(CHELSEA).color
    return np.ascontiguousarray(resize(image, (image.shape[0] * 4 // 5, image.shape[1] * 4 // 5))[:224, :320])


@pytest.fixture(scope="session")
def drawing() -> Pixels:
    return draw_picture("art", 3, 1, 256)
