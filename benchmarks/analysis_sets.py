"""The test sets of benchmarks/analysis.py, and what is known of them."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakudai.evaluate.sheet import as_rgb8
from kakudai.image.alpha import on_white
from kakudai.image.files import read_image
from kakudai.image.picture import Picture

SETS = ("BSD100", "anime", "comic", "kodak4")
CHROMA = {"4:2:0": 2, "4:4:4": 0}
PHOTOGRAPHS = ("bg_cave", "bg_washington")
"""Pictures of the anime set that are photographs, as anybody can see."""

DRAWN_SETS = ("anime", "comic")

Colour = NDArray[np.uint8]


def pictures(root: Path, sets: Iterable[str], every: int = 1) -> Iterator[tuple[str, str, Picture]]:
    """Yield set, name and picture."""
    for name in sets:
        for path in sorted(p for p in (root / name).iterdir() if p.is_file() and p.suffix != ".tsv")[::every]:
            yield name, path.stem, read_image(path)


def once_jpeg(root: Path, name: str) -> dict[str, str]:
    """Return the pictures of a set whose source, by its list, is a JPEG file, and its name."""
    with (root / name / "SOURCES.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {Path(row["stored_as"]).stem: row["path"] for row in rows if row["file"].endswith((".jpg", ".jpeg"))}


def printed(picture: Picture) -> Colour:
    """Return colours as they would be printed, (H, W, 3)."""
    return as_rgb8(on_white(picture))


def encoded(image: Colour, quality: int, chroma: str) -> tuple[bytes, Colour]:
    """Return a JPEG file and its pixels."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=CHROMA[chroma])
    return file.getvalue(), np.asarray(Image.open(file))
