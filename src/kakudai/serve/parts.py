"""Parts of pictures, by their corner and size."""

from typing import TypeAlias

from kakudai.errors import UsageError

Region: TypeAlias = tuple[int, int, int, int]
"""Left, top, width and height, in pixels of the input."""


def check_region(region: Region, width: int, height: int) -> None:
    """Refuse a part that is not inside the picture.

    Raises:
        UsageError: It is not.
    """
    left, top, across, down = region
    if across < 1 or down < 1 or left + across > width or top + down > height:
        raise UsageError(
            f"the region {left},{top},{across},{down} is not inside the picture of {width}x{height}",
            "give X,Y,W,H in pixels of the input",
        )
