"""Measure enlargement methods on a folder of pictures.

Each picture is cut to a multiple of the scale, shrunk as the literature does, enlarged by every method, and compared
with the original by the published protocol. What is measured is what a user gets: 8-bit pixels in, 8-bit pixels out.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.errors import PictureNotFound
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels
from kakudai.image.resize import imresize_matlab
from kakudai.metrics import Protocol, psnr, ssim

Enlarge: TypeAlias = Callable[[Pixels], Pixels]
"""Takes an (H, W, 1 | 3) uint8 picture, gives it enlarged."""

BICUBIC = "bicubic"
SUFFIXES = {".png", ".webp", ".tif", ".tiff", ".bmp"}
"""Lossless formats; a folder's other files are not part of a test set."""


@dataclass(frozen=True, slots=True)
class Score:
    """Quality of one picture or the mean of a set: PSNR in decibels, SSIM up to 1."""

    psnr: float
    ssim: float


@dataclass(frozen=True, slots=True)
class SetScores:
    """What was measured on one set.

    Args:
        name: Name of the folder.
        scale: Enlargement factor.
        protocol: How pictures were compared.
        pictures: Method -> picture -> score.
    """

    name: str
    scale: int
    protocol: Protocol
    pictures: dict[str, dict[str, Score]]

    def mean(self, method: str) -> Score:
        """Return the mean over pictures, as tables print it."""
        scores = self.pictures[method].values()
        return Score(fmean(score.psnr for score in scores), fmean(score.ssim for score in scores))

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        methods = {
            method: {
                "mean": asdict(self.mean(method)),
                "pictures": {name: asdict(s) for name, s in scores.items()},
            }
            for method, scores in self.pictures.items()
        }
        return {"set": self.name, "scale": self.scale, "protocol": str(self.protocol), "methods": methods}


def measure_set(
    folder: Path,
    scale: int,
    methods: Mapping[str, Enlarge],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> SetScores:
    """Measure bicubic interpolation and some methods on all pictures directly in a folder.

    Args:
        methods: Name -> function; bicubic is always measured, and first.
        progress: Called with (pictures done, pictures in all).

    Raises:
        PictureNotFound: There is no picture in the folder.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise PictureNotFound(f"no pictures in {folder}", "a set is a folder of lossless pictures, such as PNG")
    protocol = Protocol.published(scale)
    all_methods: dict[str, Enlarge] = {BICUBIC: lambda low: imresize_matlab(low, scale), **methods}
    scores: dict[str, dict[str, Score]] = {method: {} for method in all_methods}
    for done, file in enumerate(files, 1):
        high = crop_to_multiple(read_image(file).color, scale)
        low = shrink_bicubic(high, scale)
        for method, enlarge in all_methods.items():
            output = enlarge(low)
            scores[method][file.stem] = Score(psnr(output, high, protocol), ssim(output, high, protocol))
        if progress:
            progress(done, len(files))
    return SetScores(folder.name, scale, protocol, scores)
