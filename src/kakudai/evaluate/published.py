"""Figures of the literature that our own measurements are checked against."""

from kakudai.errors import PictureError

BICUBIC_PSNR: dict[tuple[str, int], float] = {
    ("Set5", 2): 33.66, ("Set5", 3): 30.39, ("Set5", 4): 28.42,
    ("Set14", 2): 30.24, ("Set14", 3): 27.55, ("Set14", 4): 26.00,
    ("BSD100", 2): 29.56, ("BSD100", 3): 27.21, ("BSD100", 4): 25.96,
}  # fmt: skip
"""Luma PSNR of bicubic enlargement by (set, scale), in decibels. Source: the tables of IMDN, RCAN and SAFMN."""

TOLERANCE = 0.02
"""Decibels by which our bicubic row may differ; the published one was made by a script that converts to luma first."""


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
    expected = BICUBIC_PSNR.get((name, scale))
    if expected is None or abs(psnr - expected) <= TOLERANCE:
        return None
    return f"bicubic on {name} x{scale} is {psnr:.2f} dB, published {expected:.2f} dB"
