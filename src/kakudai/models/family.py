"""A folder of waifu2x networks: which file enlarges, which one removes noise, and which one does both."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kakudai.errors import ModelNotFound

NAME = re.compile(r"(?:noise(?P<level>[0-3]))?_?(?:scale(?P<scale>\d+)(?:\.0+)?x)?(?:_model)?")

ENDINGS = (".onnx", ".safetensors", ".param", ".json", ".pth", ".pt")
"""Kinds of files; where a folder has several of one network, the first of these is taken."""

DEPTH = 3
"""Folders inside each other that are looked into: models/cunet/art."""

STYLES = ("art", "art_scan", "photo")
"""Names of folders that say for which pictures the networks in them are."""

LEVELS = 4
"""Noise levels of waifu2x: 0 to 3."""


@dataclass(frozen=True, slots=True)
class Family:
    """The networks of one folder.

    Args:
        folder: Where they lie.
        enlarging: Scale -> the network that only enlarges.
        denoising: Level -> the network that only removes noise.
        combined: (Level, scale) -> the network that does both.
    """

    folder: Path
    enlarging: dict[int, Path]
    denoising: dict[int, Path]
    combined: dict[tuple[int, int], Path]

    @property
    def name(self) -> str:
        """What to call it: the last folder, and the one above where that says more."""
        parts = self.folder.resolve().parts
        return "/".join(parts[-2:]) if parts[-1] in STYLES else parts[-1]

    @property
    def levels(self) -> list[int]:
        """Noise levels that there are networks for."""
        return sorted({*self.denoising, *(level for level, _ in self.combined)})

    @property
    def files(self) -> list[Path]:
        """All files of its networks, those with their weights too."""
        networks = {*self.enlarging.values(), *self.denoising.values(), *self.combined.values()}
        weights = {path.with_suffix(".bin") for path in networks if path.suffix == ".param"}
        return sorted(path for path in networks | weights if path.is_file())

    def scale_for(self, scale: float | None, level: int | None) -> int:
        """Choose the scale of the enlarging networks.

        Args:
            scale: What the user wants, None where it depends on the picture.
            level: The noise level that is removed, None for none.

        Returns:
            2, or the largest that is not above what is wanted; 1 where the folder has none.
        """
        combined = {factor for one, factor in self.combined if one == level}
        # Where only networks that do both remove this noise, one that enlarges alone would leave it in.
        only_combined = level is not None and level not in self.denoising
        scales = sorted(combined if only_combined else combined | set(self.enlarging))
        fitting = [factor for factor in scales if factor <= max(2, scale or 2)]
        return (fitting[-1:] or scales[:1] or [1])[0]

    def level_for(self, denoise: int) -> int | None:
        """Choose the noise level for a strength of 0 to 100; None for none.

        Raises:
            ModelNotFound: The folder has no network that removes noise.
        """
        if denoise == 0:
            return None
        if not self.levels:
            raise ModelNotFound(
                f"{self.folder} has no network that removes noise",
                "leave --denoise out (kakudai waifu2x: -n -1), or give another folder",
            )
        wanted = wanted_level(denoise)
        return min(self.levels, key=lambda level: (abs(level - wanted), level))


def wanted_level(denoise: int) -> int:
    """Return waifu2x's noise level for a strength: 1 to 25 is level 0, up to 50 level 1, to 75 level 2, then 3."""
    return min(LEVELS - 1, (denoise - 1) * LEVELS // 100)


def find_family(folder: Path, style: str | None = None) -> Family:
    """Look for waifu2x networks in a folder, or in the folders below, such as models/cunet/art.

    Args:
        folder: Where to look.
        style: Name of the folder that is meant where there are several: art, art_scan or photo.

    Raises:
        ModelNotFound: There are none, or none of that style, or in several folders.
    """
    families = list(_families(folder, DEPTH))
    if style is not None:
        styles = {family.folder.resolve().name for family in families}
        if style not in styles and styles & set(STYLES):
            raise ModelNotFound(
                f"{folder} has no waifu2x networks of the style {style}", f"there are: {', '.join(sorted(styles))}"
            )
        families = [family for family in families if family.folder.resolve().name == style] or families
    if not families:
        raise ModelNotFound(
            f"{folder} has no waifu2x networks",
            "they are called noise0_model, scale2.0x_model, noise0_scale2.0x_model, and end in .param, .json or .pth",
        )
    if len(families) > 1:
        names = ", ".join(str(family.folder.relative_to(folder)) for family in families)
        raise ModelNotFound(f"{folder} has waifu2x networks in several folders", f"name one of them: {names}")
    return families[0]


def _families(folder: Path, depth: int) -> Iterator[Family]:
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    family = _family(folder, [path for path in paths if path.suffix.lower() in ENDINGS])
    if family is not None:
        yield family
    elif depth > 1:
        for path in paths:
            if path.is_dir():
                yield from _families(path, depth - 1)


def _family(folder: Path, paths: list[Path]) -> Family | None:
    family = Family(folder, {}, {}, {})
    for path in sorted(paths, key=lambda path: ENDINGS.index(path.suffix.lower())):
        match = NAME.fullmatch(path.name[: -len(path.suffix)])
        if match is None or not (match["level"] or match["scale"]):
            continue
        level, scale = int(match["level"] or 0), int(match["scale"] or 1)
        if match["level"] is None and scale > 1:
            family.enlarging.setdefault(scale, path)
        elif scale > 1:
            family.combined.setdefault((level, scale), path)
        elif match["level"] is not None:
            family.denoising.setdefault(level, path)
    found = family.enlarging or family.denoising or family.combined
    return family if found else None
