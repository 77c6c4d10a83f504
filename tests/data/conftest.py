from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakudai.data.pack import Pack, pack_folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, two of them with a known licence, and a text."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, shape in (("b", (40, 51, 3)), ("a", (33, 64, 3)), ("grey", (48, 48))):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{name}.png")
    (folder / "SOURCES.tsv").write_text("file\tlicence\na.png\tCC0-1.0\nb.png\tCC-BY-4.0\n")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def pack(folder: Path, tmp_path: Path) -> Pack:
    return pack_folders([folder], tmp_path / "pack")
