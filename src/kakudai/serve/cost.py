"""How large a result will be, and about how long it will take: known from the header, before anything is decoded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kakudai.engine.plan import Size
from kakudai.errors import UsageError
from kakudai.models import Model
from kakudai.models.shipped import RESERVED, STYLES, Style, enlarges, pick, restores
from kakudai.serve.header import Header
from kakudai.serve.options import Options
from kakudai.serve.parts import check_region
from kakudai.serve.problems import Problem
from kakudai.serve.settings import Limits

FIRST_SPEED = 6e10
"""Multiply-adds per second that are believed until pictures have been measured: two processors of a laptop. Rather too
much than too little, for nothing is to be refused that would have been done in time."""

LEARNED = 0.3
"""Weight of the last picture in the mean of all."""

PIXELS_PER_SECOND = 20e6
"""Decoding, looking, resizing and encoding, in pixels of input and output."""

SMALLEST = 2e9
"""Multiply-adds of pictures that speed is measured with; smaller ones tell more of everything else."""


def check_header(header: Header, size: tuple[int, int] | None, limits: Limits) -> None:
    """Refuse a picture that is too large, by what its header says.

    Raises:
        Problem: It has too many pixels, too many along a side, or too many frames.
    """
    if header.frames > limits.frames:
        raise Problem("too-many-frames", f"the animation has more than {limits.frames} frames")
    if size is None:
        return
    width, height = size
    if width < 1 or height < 1:
        raise Problem("broken-picture", f"its header says {width} x {height} pixels")
    if width * height > limits.input_pixels:
        raise Problem(
            "too-large-pixels", f"the picture has {width} x {height} pixels; the limit is {limits.input_pixels}"
        )
    if max(size) > limits.input_side:
        raise Problem("too-large-side", f"the picture is {width} x {height}; the limit is {limits.input_side} a side")


def output_size(options: Options, size: tuple[int, int], limits: Limits) -> tuple[int, int]:
    """Return the (width, height) of the result.

    Raises:
        Problem: The options exclude each other, or the result would be too large.
    """
    width, height = size
    try:
        wish = Size(options.scale, options.width, options.height, options.box)
        tall, wide = wish.of(height, width)
        if options.part is not None:
            check_region(options.part, width, height)
            ratio = max(wide / width, tall / height)
            wide, tall = (max(1, round(side * ratio)) for side in options.part[2:])
    except UsageError as error:
        raise Problem("not-possible", error.message, error.hint) from None
    if wide * tall > limits.output_pixels:
        raise Problem(
            "too-large-result", f"the result would have {wide} x {tall} pixels; the limit is {limits.output_pixels}"
        )
    return wide, tall


@dataclass(slots=True)
class Estimator:
    """Knows what networks cost, and learns how fast this machine is.

    Args:
        models: All that are shipped.
        speed: Multiply-adds per second, as far as has been seen.
    """

    models: dict[str, Model]
    speed: float = FIRST_SPEED

    def multiply_adds(self, options: Options, size: tuple[int, int], result: tuple[int, int]) -> float:
        """Estimate the work of networks: the most that it can be, whatever is chosen.

        Args:
            options: What was asked.
            size: (width, height) of what is enlarged.
            result: (width, height) of what comes out.
        """
        ratio, pixels = max(result[0] / size[0], result[1] / size[1]), size[0] * size[1]
        if options.model not in RESERVED:
            return options.tta * self._passes(options.model, pixels, ratio)
        styles = [style for style in STYLES if options.model in ("auto", style) and enlarges(style)]
        return options.tta * max(self._of_style(style, pixels, ratio, options.denoise != 0) for style in styles)

    def _of_style(self, style: Style, pixels: int, ratio: float, denoise: bool) -> float:
        picked = pick(style, ratio, restore=denoise and restores(style))
        enlarging = [name for name in (picked.enlarging, picked.combined) if name]
        before = self._passes(picked.denoising, pixels, ratio) if picked.denoising else 0.0
        return before + max(self._passes(name, pixels, ratio) for name in enlarging)

    def _passes(self, name: str, pixels: int, ratio: float) -> float:
        """Return the work of a network that is run until it reaches an enlargement."""
        scale = self.models[name].scale
        runs = 1 if scale == 1 else math.ceil(math.log(ratio) / math.log(scale) - 1e-9) if ratio > 1 else 0
        return self.work_of([name] * runs, pixels)

    def work_of(self, names: Sequence[str], width: int, height: int = 1) -> float:
        """Return the work of networks that run one after the other."""
        work, pixels = 0.0, float(width * height)
        for name in names:
            model = self.models[name]
            pixels *= model.scale**2
            work += pixels * float(model.card.get("macs_per_output_pixel", model.parameters))
        return work

    def seconds(self, work: float, size: tuple[int, int], result: tuple[int, int]) -> float:
        """Estimate how long a picture takes."""
        return work / self.speed + (size[0] * size[1] + result[0] * result[1]) / PIXELS_PER_SECOND

    def learn(self, work: float, seconds: float) -> None:
        """Take in what a picture has taken."""
        if work >= SMALLEST and seconds > 0:
            self.speed += LEARNED * (work / seconds - self.speed)
