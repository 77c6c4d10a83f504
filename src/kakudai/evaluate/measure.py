"""Measure enlargement methods on a folder of pictures.

Each picture is cut to a multiple of the scale, shrunk as the literature does, enlarged by every method, and compared
with the original by the published protocol. What is measured is what a user gets: 8-bit pixels in, 8-bit pixels out.
What does not enlarge removes damage: at scale 1 pictures are compressed as JPEG instead, and methods are told how much.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, TypeAlias

from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.degrade.strength import strength_of_quality
from kakudai.errors import PictureError, PictureNotFound
from kakudai.evaluate.published import check_bicubic
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels
from kakudai.image.resize import eight_bits, imresize_matlab
from kakudai.metrics import Protocol, psnr, ssim

Enlarge: TypeAlias = Callable[[Pixels], Pixels]
"""Takes an (H, W, 1 | 3) uint8 picture, gives it enlarged."""

BICUBIC = "bicubic"
JPEG_QUALITY = 40
"""Of the pictures at scale 1; their colour has half the resolution."""

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

    @property
    def conditions(self) -> str:
        """How pictures were shown and compared, as cards state it."""
        return f"{self.protocol}, JPEG quality {JPEG_QUALITY}, 4:2:0" if self.scale == 1 else str(self.protocol)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        methods = {
            method: {
                "mean": asdict(self.mean(method)),
                "pictures": {name: asdict(s) for name, s in scores.items()},
            }
            for method, scores in self.pictures.items()
        }
        return {"set": self.name, "scale": self.scale, "protocol": self.conditions, "methods": methods}


def measure_set(
    folder: Path,
    scale: int,
    methods: Mapping[str, Enlarge],
    *,
    published: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SetScores:
    """Measure bicubic interpolation and some methods on all pictures directly in a folder.

    Args:
        methods: Name -> function; bicubic is always measured, and first.
        published: Go on after bicubic only if its figure is the published one, where the folder is called as a set of
            the literature.
        progress: Called with (pictures done, pictures in all), each picture counted once per method.

    Raises:
        PictureNotFound: There is no picture in the folder.
        PictureError: A picture is too small, or, with `published`, the folder is not the set that it is called.
    """
    files = set_files(folder)
    name, protocol = set_name(folder), Protocol.published(scale)
    scores: dict[str, dict[str, Score]] = {}
    done, total = 0, len(files) * (1 + len(methods))

    def count() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    for method, enlarge in {BICUBIC: bicubic(scale), **methods}.items():
        scores[method] = measure_method(files, scale, enlarge, count)
        if published and method == BICUBIC:
            check_bicubic(name, scale, fmean(score.psnr for score in scores[method].values()))
    return SetScores(name, scale, protocol, scores)


def set_files(folder: Path) -> list[Path]:
    """Return the pictures of a set.

    Raises:
        PictureNotFound: There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise PictureNotFound(f"there is no folder {folder}", "name the folder of a test set, such as Set5")
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise PictureNotFound(f"no pictures in {folder}", "a set is a folder of lossless pictures, such as PNG")
    return files


def bicubic(scale: int) -> Enlarge:
    """Return the method that everything is compared with: MATLAB's bicubic enlargement."""
    return lambda low: imresize_matlab(low, scale)


def measure_method(
    files: Sequence[Path], scale: int, enlarge: Enlarge, count: Callable[[], None] | None = None
) -> dict[str, Score]:
    """Measure one method on the pictures of a set: file name -> score.

    Args:
        count: Called after each picture.

    Raises:
        PictureError: A picture is too small.
    """
    scores = {}
    for file in files:
        scores[file.name] = _measure(file, scale, enlarge, Protocol.published(scale))
        if count:
            count()
    return scores


def set_name(folder: Path) -> str:
    """Return the name of the set in a folder, also of "." and "Set5/../Set14"; links keep the name they have."""
    return os.path.basename(os.path.abspath(folder))  # noqa: PTH100, PTH119 - Path would follow links, or keep the dots


def told_strength(scale: int) -> int | Literal["auto"]:
    """Return the strength, 0 to 100, that methods of a scale are told: at scale 1 that of the pictures."""
    return round(100 * strength_of_quality(JPEG_QUALITY)) if scale == 1 else "auto"


def _measure(file: Path, scale: int, enlarge: Enlarge, protocol: Protocol) -> Score:
    high = crop_to_multiple(eight_bits(read_image(file).color), scale)
    try:
        low = jpeg(high, JPEG_QUALITY, chroma="4:2:0") if scale == 1 else shrink_bicubic(high, scale)
        output = enlarge(low)
        return Score(psnr(output, high, protocol), ssim(output, high, protocol))
    except ValueError as error:
        raise PictureError(f"{file} cannot be measured: {error}", "take it out of the set") from error
