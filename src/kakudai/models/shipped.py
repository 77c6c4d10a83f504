"""The shipped family: which file is for which wish.

| style | what for                                       | files                                             |
|-------|------------------------------------------------|---------------------------------------------------|
| photo | photographs                                    | photo-x2 -x3 -x4, photo-restore-x1 -x2            |
| art   | drawings, anime, comics, logos, screenshots    | art-x2 -x4, art-restore-x1 -x2                    |

Those with "restore" in their name are told a strength of denoising.
"""

from importlib import resources
from typing import Literal, TypeAlias, get_args

Style: TypeAlias = Literal["photo", "art"]

STYLES: tuple[Style, ...] = get_args(Style)

LARGEST_SCALE = 4


def is_shipped(name: str) -> bool:
    """Say whether a network of that name is inside the package."""
    return resources.files(__package__).joinpath(f"{name}.onnx").is_file()


def enlarging(style: Style, ratio: float) -> str | None:
    """Name the network for an enlargement: the smallest scale that reaches it, or the largest there is.

    Args:
        style: What the picture is.
        ratio: Output pixels per input pixel.

    Returns:
        None where the style has no network at all.
    """
    there = [scale for scale in range(2, LARGEST_SCALE + 1) if is_shipped(f"{style}-x{scale}")]
    chosen = next((scale for scale in there if scale >= ratio), there[-1] if there else None)
    return None if chosen is None else f"{style}-x{chosen}"


def restoring(style: Style, scale: int) -> str | None:
    """Name the network that removes noise and enlarges by a scale, 1 for none; None where there is none."""
    name = f"{style}-restore-x{scale}"
    return name if is_shipped(name) else None
