"""CNN_DEEP: seven convolutions, as wide as waifu2x's.

Paper: no paper; the three-CNN comparison with waifu2x, a student's article of about 2018 that trains a small, a medium
and a deep network side by side. Background: https://arxiv.org/abs/1501.00092 (SRCNN), whose scheme it follows.

    bicubic enlargement ─ [conv 3x3 ─ ReLU] x 6 ─ conv 3x3          widths 1-32-64-128-128-64-32-3

What differs from the article: it prints luma in and three channels out, but colour cannot be guessed from luma. The
comparison is therefore run with three channels in and out (`in_channels=3`) and with luma alone (`in_channels=1`);
`out_channels=3` beside it builds what is printed, to count it. `residual` adds the enlarged picture to the output.

| variant               | parameters by layer                      | parameters |
|-----------------------|------------------------------------------|------------|
| CNN_DEEP as printed | 320, 18496, 73856, 147584, 73792, 18464, 867 | 333,379 |
"""

from kakudai.networks._plain import PlainStack

__all__ = ["CNN_DEEP"]

TINY: dict[str, int] = {}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    "CNN_DEEP as printed": {"out_channels": 3},
    "CNN_DEEP luma": {},
    "CNN_DEEP RGB": {"in_channels": 3},
}


class CNN_DEEP(PlainStack):  # noqa: N801 - the article's own spelling
    """Sharpen a picture that bicubic interpolation has enlarged, with seven convolutions.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, out_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor of the bicubic step.
        in_channels: 1 for luma, 3 for RGB.
        out_channels: None for as many as `in_channels`.
        residual: Add the enlarged picture to the output.
    """

    def __init__(
        self, *, scale: int = 2, in_channels: int = 1, out_channels: int | None = None, residual: bool = False
    ) -> None:
        super().__init__(
            (32, 64, 128, 128, 64, 32),
            scale=scale,
            in_channels=in_channels,
            out_channels=out_channels,
            residual=residual,
        )
