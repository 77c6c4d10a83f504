"""What the literature prints, and whether our own measurements can be put beside it.

The figures are in published.toml, beside this file, with their sources.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from kakudai.errors import PictureError

SETS = ("Set5", "Set14", "BSD100", "Urban100", "Manga109")
BICUBIC = "Bicubic"

PIXELS = 1280 * 720
"""Pixels of the output that the literature counts multiply-adds for."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Quality on one set as a table prints it.

    Args:
        psnr: Decibels.
        ssim: Up to 1, or None where none is printed or it was computed in another way.
        remembered: Nobody has read the figure in a source yet.
    """

    psnr: float
    ssim: float | None
    remembered: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """One network of the literature at one scale.

    Args:
        model: Its name in the literature.
        scale: Enlargement factor.
        sets: Set -> quality.
        parameters: As printed, mostly rounded to the thousand.
        multiply_adds: For an output of 1280x720.
        data: What it was trained on, where several versions are printed.
        sources: Keys of `sources()`; empty where all is remembered.
        remembered: Fields that nobody has read in a source yet.
        network: The file in networks/ that is the same network, or "".
        counts: Parameters that cards of ours state for it.
        note: What else must be known.
    """

    model: str
    scale: int
    sets: dict[str, Figure]
    parameters: int | None = None
    multiply_adds: float | None = None
    data: str = ""
    sources: tuple[str, ...] = ()
    remembered: tuple[str, ...] = ()
    network: str = ""
    counts: tuple[int, ...] = ()
    note: str = ""

    @property
    def mark(self) -> str:
        """The sources, or "remembered"."""
        return ", ".join(self.sources) or "remembered"


@cache
def published() -> tuple[Published, ...]:
    """Return all rows, by scale, in the order of the tables."""
    rows = _file()["rows"]
    return tuple(_row(entry, scale) for scale in (2, 3, 4) for entry in rows[f"x{scale}"])


def find(model: str, scale: int) -> Published | None:
    """Return what is printed for a network of the literature, or None."""
    wanted = model.casefold()
    return next((row for row in published() if row.scale == scale and row.model.casefold() == wanted), None)


def find_same(network: str, parameters: int, scale: int) -> Published | None:
    """Return what is printed for the network that one of ours is, told by its file in networks/ and its size."""
    same = (row for row in published() if row.scale == scale and row.network == network and network)
    return next((row for row in same if parameters in row.counts), None)


def sources() -> dict[str, str]:
    """Return where the rows come from: key -> source."""
    return dict(_file()["sources"])


def check_bicubic(name: str, scale: int, psnr: float) -> None:
    """Let measured pictures pass for a published set only if bicubic enlargement does as well on them as in print.

    Raises:
        PictureError: The set has a name of the literature and other figures.
    """
    if off := bicubic_is_off(name, scale, psnr):
        raise PictureError(
            off, "the pictures are not those of the literature, or were changed: nothing can be compared"
        )


def bicubic_is_off(name: str, scale: int, psnr: float) -> str | None:
    """Say how far a measured bicubic figure is from the published one, or None where it agrees or none is known."""
    row = find(BICUBIC, scale)
    if row is None or name not in row.sets or abs(psnr - row.sets[name].psnr) <= tolerance(name):
        return None
    return f"bicubic on {name} x{scale} is {psnr:.2f} dB, published {row.sets[name].psnr:.2f} dB"


def tolerance(name: str) -> float:
    """Return the decibels by which our bicubic row may be off the published one, which was made by another script."""
    return float(_file()["tolerance"][name])


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("published.toml").read_text("utf-8"))


def _row(entry: dict[str, Any], scale: int) -> Published:
    values = dict(entry)
    other_ssim = values.pop("other_ssim", False)
    remembered = tuple(values.pop("remembered", ()))
    sets = {}
    for name in SETS:
        if name in values:
            psnr, *rest = values.pop(name)
            sets[name] = Figure(psnr, rest[0] if rest and not other_ssim else None, name in remembered)
    values.update({key: tuple(values.get(key, ())) for key in ("sources", "counts")})
    return Published(scale=scale, sets=sets, remembered=remembered, **values)
