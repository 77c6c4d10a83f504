"""A part of a picture, enlarged as the whole picture would be: by the same networks, with what they see around it."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from kakudai.engine.plan import Plan
from kakudai.engine.toolbox import Chosen
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.image.picture import Picture
from kakudai.serve.parts import Region

MARGIN = 16
"""Input pixels that resizing looks at, and a few more."""


def surroundings(region: Region, picture: Picture, chosen: Chosen, ratio: float) -> Region:
    """Return the part that has to be enlarged for a region to come out as in the whole picture.

    Its corner is where pixels of the input and of the output begin together, as far as the ratio allows.
    """
    left, top, across, down = region
    margin = 2 * chosen.tools.reach + MARGIN
    step = math.lcm(Fraction(ratio).limit_denominator(16).denominator, *(n.model.multiple for n in chosen.tools.all))
    first = [max(0, (edge - margin) // step * step) for edge in (left, top)]
    ends = ((left + across, picture.width), (top + down, picture.height))
    last = [min(end, -(-(edge + margin) // step) * step) for edge, end in ends]
    return first[0], first[1], last[0] - first[0], last[1] - first[1]


def cut(picture: Picture, region: Region) -> Picture:
    """Return a part of a picture."""
    left, top, across, down = region
    part = (slice(top, top + down), slice(left, left + across))
    alpha = picture.alpha
    return replace(picture, color=picture.color[part], alpha=None if alpha is None else alpha[part])


def enlarge_region(
    upscaler: Upscaler, picture: Picture, region: Region, ratio: float, progress: Callable[[int, int], None]
) -> tuple[Picture, Report]:
    """Enlarge a part of a picture.

    Args:
        upscaler: One whose scale is `ratio`.
        picture: The whole picture.
        region: The part, inside the picture.
        ratio: Output pixels per input pixel.
        progress: See `Upscaler.upscale_picture`.
    """
    chosen = upscaler.choose(picture)
    area = surroundings(region, picture, chosen, ratio)
    output, report = upscaler.upscale_picture(cut(picture, area), chosen, progress=progress)
    left, top, across, down = (
        round((region[0] - area[0]) * ratio),
        round((region[1] - area[1]) * ratio),
        max(1, round(region[2] * ratio)),
        max(1, round(region[3] * ratio)),
    )
    part = cut(output, (left, top, min(across, output.width - left), min(down, output.height - top)))
    size = (part.height, part.width)
    return part, replace(report, plan=Plan(report.plan.passes, size, report.plan.denoising))
