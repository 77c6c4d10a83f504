"""How large a result will be, and about how long it will take: known from the header, before anything is decoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kakudai.engine.estimate import MAX_KEPT, kept_by_encoder
from kakudai.engine.plan import Means, Plan, Size, make_plan
from kakudai.errors import UsageError
from kakudai.image.formats import FORMATS
from kakudai.models import Model
from kakudai.models.shipped import WORDS, Picked, enlarges, pick, restores
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


def check_result(name: str, size: tuple[int, int]) -> None:
    """Refuse a result of that (width, height) whose encoder would keep too much.

    Raises:
        Problem: It would: formats differ in how large a result may be.
    """
    entry = FORMATS[name]
    if kept_by_encoder(entry, size) > MAX_KEPT:
        most = MAX_KEPT // kept_by_encoder(entry, (1, 1))
        detail = f"the result would have {size[0]} x {size[1]} pixels; the limit of {entry.title} is {most}"
        raise Problem("too-large-result", detail, "ask for jpeg, png, tiff or webp, or for a smaller scale")


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
        if options.model in self.models:
            return options.tta * self.work_of(self._alone(options, size, result), *size)
        return options.tta * max(self.work_of(names, *size) for names in self._family(options, size, result))

    def _alone(self, options: Options, size: tuple[int, int], result: tuple[int, int]) -> list[str]:
        """Name the networks that run, one after the other, where one is named."""
        model = self.models[options.model]
        removes = model.takes_strength and options.denoise != 0
        means = Means(model.scale, enlarges=model.scale > 1, denoises=model.scale == 1, combined=removes)
        return [options.model] * _plan(size, result, means).runs

    def _family(self, options: Options, size: tuple[int, int], result: tuple[int, int]) -> Iterator[list[str]]:
        """Yield the networks that run, one after the other, for every choice that a word leaves open."""
        styles, grade = WORDS[options.model]
        ratio = max(after / before for before, after in zip(size, result, strict=True))
        restoring = (False, True) if options.denoise == "auto" else (options.denoise != 0,)
        for style in (style for style in styles if enlarges(style, grade)):
            for restore in restoring:
                found = pick(style, ratio, restore=restore and restores(style), grade=grade)
                means = Means(
                    self.models[found.enlarging].scale,
                    denoises=found.denoising is not None,
                    combined=found.combined is not None,
                )
                yield _in_order(found, _plan(size, result, means))

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


def _plan(size: tuple[int, int], result: tuple[int, int], means: Means) -> Plan:
    return make_plan(size[1], size[0], Size(width=result[0], height=result[1]), means)


def _in_order(picked: Picked, plan: Plan) -> list[str]:
    """Name the networks of a plan in the order in which they run."""
    within = plan.denoising == "within"
    first = [picked.denoising] if plan.denoising == "before" else [picked.combined] if within else []
    return [name for name in first if name] + [picked.enlarging] * (plan.passes - within)
