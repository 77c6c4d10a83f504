"""One picture enlarged by several models, and what can be said of each result: the same region of all of them."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kakudai.degrade.blur import gaussian_blur
from kakudai.engine.loaded import Loaded
from kakudai.engine.plan import MAX_SCALE, Size
from kakudai.engine.toolbox import Chosen
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.errors import ModelNotFound, UsageError
from kakudai.evaluate.comparison import Counting, silently
from kakudai.evaluate.wanted import Region, Wanted
from kakudai.image.consistent import MARGIN, make_consistent
from kakudai.image.picture import Picture, Pixels, full_scale
from kakudai.image.resize import Kernel, imresize_matlab, quantise, resize
from kakudai.metrics import Consistency, Protocol, consistency, psnr

RESIZES = 8
"""Input pixels that a resize looks at around a pixel, and more."""

NEAR = 1.5
"""Standard deviation, in output pixels, over which is averaged what a network added."""

CONSISTENT = ", consistent"
"""What stands behind the title of a result that was projected."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be shown.

    Args:
        scale: Enlargement, 1 to 16.
        models: At least one.
        region: In input pixels.
        reference: The true large picture, of the size of the results or up to a scale larger, or None.
        fidelity: Enlarge all of the picture, shrink it back, and map what was added to bicubic.
        consistent: Show each result once more, projected so that it shrinks back to the input.
        kernel: Filter that results are shrunk with.
        shave: Pixels cut off each side of the enlarged region before PSNR is measured.

    Raises:
        UsageError: The scale is out of range, or is 1 where results are to be consistent.
    """

    scale: float
    models: Sequence[Wanted]
    region: Region
    reference: Pixels | None = None
    fidelity: bool = False
    consistent: bool = False
    kernel: Kernel = "bicubic"
    shave: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.scale <= MAX_SCALE:
            raise UsageError(f"the scale is {self.scale:g}", f"models are compared at scales from 1 to {MAX_SCALE:g}")
        if self.consistent and self.scale == 1:
            raise UsageError("at scale 1 nothing but the input shrinks back to it", "leave --consistent out")

    @property
    def whole_scale(self) -> int | None:
        """The scale where it is a whole number: parts of a picture are then enlarged as the whole is."""
        return int(self.scale) if self.scale == int(self.scale) else None

    @property
    def plain_title(self) -> str:
        """What everything is compared with."""
        return "bicubic" if self.scale > 1 else "input"

    @property
    def cards(self) -> int:
        """How many results there will be: bicubic, those of the models, and the original."""
        return 1 + len(self.models) * (1 + self.consistent) + (self.reference is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One result.

    Args:
        title: What made it.
        image: (H, W, 1 | 3), the region of the result.
        wanted: The model as the user named it; None for bicubic and the original.
        model: What to call the networks, as `kakudai upscale` does; None for bicubic and the original.
        strength: Of denoising, 0 to 100, as it was asked for or chosen; None for bicubic and the original.
        reason: Why these networks and that strength, where the picture decided; else empty.
        parameters: Weights and biases of the networks that ran; None where none ran.
        seconds: Wall time of the networks; None where none ran.
        megapixels: Output that they took that time for: more than is shown, and not the same for all networks.
        psnr: Luma PSNR of the region against the original, in decibels.
        back: How near the whole result is to the input when it is shrunk.
        added: (H, W) RMS difference to bicubic around each pixel, in levels of 255.
        consistent: It was projected.
    """

    title: str
    image: Pixels
    wanted: Wanted | None = None
    model: str | None = None
    strength: int | None = None
    reason: str = ""
    parameters: int | None = None
    seconds: float | None = None
    megapixels: float | None = None
    psnr: float | None = None
    back: Consistency | None = None
    added: NDArray[np.float32] | None = None
    consistent: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return all but the pixels as plain values; infinity, which JSON does not know, as None."""
        back, added = self.back, self.added
        return {
            "title": self.title,
            "asked": str(self.wanted) if self.wanted else None,
            "model": self.model,
            "strength": self.strength,
            "reason": self.reason,
            "consistent": self.consistent,
            "parameters": self.parameters,
            "seconds": self.seconds,
            "megapixels": self.megapixels,
            "luma_psnr": _finite(self.psnr),
            "shrinks_back_psnr": _finite(back.psnr) if back else None,
            "shrinks_back_largest": back.largest if back else None,
            "added_rms": None if added is None else rms(added),
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model, and what it does to the picture: found once, by a look at all of it, as `kakudai upscale` does.

    Args:
        wanted: The model as the user named it.
        upscaler: Runs it.
        chosen: The networks that the picture gets.
        report: What will be done with them.
    """

    wanted: Wanted
    upscaler: Upscaler
    chosen: Chosen
    report: Report

    @property
    def steps(self) -> list[Loaded]:
        """The networks that will run, in their order."""
        return self.chosen.tools.steps(self.report.plan)

    @property
    def name(self) -> str:
        """What was chosen, with its strength; and what is done instead where that is nothing for a network."""
        instead = "unchanged" if self.upscaler.size.scale == 1 else "resize"
        return self.report.model if self.steps else f"{self.report.model}: {instead}"

    @property
    def parameters(self) -> int | None:
        """Weights and biases of all the networks that will run."""
        models = {id(step.model): step.model for step in self.steps}.values()
        return sum(getattr(model, "parameters", 0) for model in models) if models else None


def line_up(picture: Picture, task: Task, counting: Counting = silently) -> tuple[list[Entry], list[str]]:
    """Enlarge a picture by bicubic and by each model; a transparent one as it looks on white.

    Only the region, and what the networks look at around it, is enlarged, unless the fidelity of the whole is wanted,
    the scale is no whole number, or a network looks at all of the picture. The result is the same; consistent ones
    may differ by a level of 255. What each model does is decided by the whole picture in any case.

    Returns:
        Bicubic, the models, and the original where there is one; and what the user should know, one sentence each.

    Raises:
        UsageError: A model does not take a strength, the reference has another size, or there is nothing to measure.
        ModelError: A model cannot be found or used.
    """
    bench = Bench(on_white(picture), task)
    with ExitStack() as stack:
        candidates = [_candidate(wanted, task.scale, picture, stack) for wanted in task.models]
        entries, often = [bench.plain()], Counter(candidate.name for candidate in candidates)
        for candidate in candidates:
            title = candidate.name if often[candidate.name] == 1 else f"{candidate.wanted}: {candidate.name}"
            with counting(title) as progress:
                entries += bench.enlarge(title, candidate, progress)
    if bench.original is not None:
        entries.append(bench.entry("original", bench.original, bench.whole))
    return entries, list(dict.fromkeys(note for candidate in candidates for note in candidate.report.notes))


def _candidate(wanted: Wanted, scale: float, picture: Picture, stack: ExitStack) -> Candidate:
    """Open a model, to be closed by the stack, and let it choose."""
    strength: int | Literal["auto"] = "auto" if wanted.strength is None else wanted.strength
    try:
        upscaler = stack.enter_context(Upscaler(scale, model=wanted.model, denoise=strength))
        chosen = upscaler.choose(picture)
    except (UsageError, ModelNotFound) as error:
        if "--denoise" not in error.hint:
            raise
        # Here a strength stands behind the name of its model.
        left_out = f"leave @{wanted.strength} out, or name another model"
        hint = f"say how much, for example {wanted}@40" if wanted.strength is None else left_out
        raise type(error)(error.message, hint) from error
    return Candidate(wanted, upscaler, chosen, upscaler.plan_picture(picture, chosen))


class Bench:
    """One picture, the part of it that is looked at, and bicubic's result to compare with.

    Args:
        image: (H, W, 1 | 3), the whole picture.
        task: What is to be shown of it.

    Raises:
        UsageError: The reference has another size.
    """

    def __init__(self, image: Pixels, task: Task) -> None:
        self.task, self.image = task, image
        self.size = Size(task.scale).of(*image.shape[:2])
        self.whole = Region(0, 0, image.shape[1], image.shape[0])
        self.original = None if task.reference is None else self._cut_reference(task.reference)
        self._channels = max(shown.shape[2] for shown in (image, self.original) if shown is not None)
        self._area_of_plain = self._area(RESIZES, 1)
        self._plain = self._bicubic(self._area_of_plain)

    def plain(self) -> Entry:
        """Return what everything is compared with: bicubic, or the input itself where it keeps its size."""
        return self.entry(self.task.plain_title, self._plain, self._area_of_plain)

    def enlarge(self, title: str, candidate: Candidate, progress: Callable[[int, int], None]) -> list[Entry]:
        """Return the result of one model, and the same once more where a consistent one is wanted."""
        area = self._area_for(candidate.steps)
        part = Picture(np.ascontiguousarray(area.cut(self.image)))
        result, report = candidate.upscaler.upscale_picture(part, candidate.chosen, progress=progress)
        outputs = {title: result.color}
        if self.task.consistent:
            outputs[title + CONSISTENT] = make_consistent(result.color, part.color, kernel=self.task.kernel)
        parameters = candidate.parameters
        return [
            replace(
                self.entry(name, output, area),
                wanted=candidate.wanted,
                model=report.model,
                strength=report.strength,
                reason=report.reason,
                parameters=parameters,
                seconds=None if parameters is None else report.network_seconds,
                megapixels=None if parameters is None else result.height * result.width / 1e6,
                consistent=output is not result.color,
            )
            for name, output in outputs.items()
        ]

    def entry(self, title: str, output: Pixels, area: Region) -> Entry:
        """Measure one result.

        Args:
            title: What made it.
            output: The enlarged area.
            area: What of the input was enlarged.
        """
        task, shown = self.task, self._shown(output, area)
        figure = back = added = None
        if self.original is not None and output is not self.original:
            try:
                protocol = Protocol("luma_bt601_studio", task.shave)
                figure = psnr(shown, self._shown(self.original, self.whole), protocol)
            except ValueError as error:
                raise UsageError(str(error), "name a larger --region, or shave less") from error
        if task.fidelity:
            back = consistency(self._colored(output), self._colored(self.image), task.kernel)
            added = difference(shown, self._shown(self._plain, self._area_of_plain), NEAR)
        return Entry(title, shown, psnr=figure, back=back, added=added)

    def _area_for(self, steps: Sequence[Loaded]) -> Region:
        """Return what has to be enlarged by some networks, one after the other."""
        halos = [step.model.halo for step in steps]
        if None in halos:
            return self.whole
        margin = sum(halo or 0 for halo in halos) + RESIZES + (MARGIN if self.task.consistent else 0)
        return self._area(margin, math.lcm(*(step.model.multiple for step in steps)))

    def _area(self, margin: int, multiple: int) -> Region:
        """Return the region with a margin around it; its corner is one of a network's squares of `multiple`."""
        if self.task.fidelity or self.task.whole_scale is None:
            return self.whole
        region, (height, width) = self.task.region, self.image.shape[:2]
        left, top = (max(0, (edge - margin) // multiple * multiple) for edge in (region.left, region.top))
        right, bottom = (
            min(end, -(-(edge + margin) // multiple) * multiple)
            for edge, end in ((region.left + region.width, width), (region.top + region.height, height))
        )
        return Region(left, top, right - left, bottom - top)

    def _shown(self, output: Pixels, area: Region) -> Pixels:
        """Cut the region out of the enlarged area; all that is shown has the same channels."""
        region = self.task.region
        (top, bottom), (left, right) = (
            self._span(start - offset, length, self.size[axis] / self.image.shape[axis])
            for axis, (start, offset, length) in enumerate(
                [(region.top, area.top, region.height), (region.left, area.left, region.width)]
            )
        )
        return np.ascontiguousarray(self._colored(output[top:bottom, left:right]))

    @staticmethod
    def _span(start: int, length: int, ratio: float) -> tuple[int, int]:
        first = int(start * ratio + 0.5)
        return first, max(first + 1, int((start + length) * ratio + 0.5))

    def _colored(self, image: Pixels) -> Pixels:
        """Repeat the channel of a grey picture where another one has colours."""
        return np.repeat(image, self._channels // image.shape[2], axis=2)

    def _bicubic(self, area: Region) -> Pixels:
        """Enlarge as the literature does, where a picture has 8 bits and the scale is a whole number."""
        image, scale = np.ascontiguousarray(area.cut(self.image)), self.task.whole_scale
        if scale is None:
            return resize(image, self.size)
        if image.dtype == np.uint8:
            return imresize_matlab(image, scale)
        return resize(image, (scale * area.height, scale * area.width))

    def _cut_reference(self, reference: Pixels) -> Pixels:
        """Bring the original to the size of the results: sets are cut to a multiple before they are shrunk."""
        height, width = self.size
        over = max(reference.shape[0] - height, reference.shape[1] - width)
        if min(reference.shape[0] - height, reference.shape[1] - width) < 0 or over >= self.task.scale:
            raise UsageError(
                f"the reference is {reference.shape[1]}x{reference.shape[0]}, "
                f"and the picture enlarged {self.task.scale:g} times is {width}x{height}",
                "give the true large picture, or another --scale",
            )
        return reference[:height, :width]


def on_white(picture: Picture) -> Pixels:
    """Return the colours of a picture as they look on white. Shape: (H, W, 1 | 3) of its dtype."""
    if picture.alpha is None:
        return picture.color
    color, white = picture.color, full_scale(picture.color.dtype)
    share = picture.alpha.astype(np.float32) / np.float32(white)
    # where(), not a product: a float picture may hide infinities under what is transparent
    mixed = np.where(share > 0, color, 0) * share + np.float32(white) * (1 - share)
    return quantise(mixed, color.dtype) if color.dtype.kind == "u" else mixed.astype(color.dtype, copy=False)


def difference(a: Pixels, b: Pixels, sigma: float) -> NDArray[np.float32]:
    """Return how much two pictures differ around each pixel: RMS over channels and a Gaussian, in levels of 255.

    Shape: two (H, W, C) -> (H, W).

    Args:
        sigma: Standard deviation of the Gaussian, in pixels.
    """
    first, second = (image.astype(np.float32) * np.float32(255.0 / full_scale(image.dtype)) for image in (a, b))
    energy = np.square(first - second).mean(axis=2, keepdims=True)
    result: NDArray[np.float32] = np.sqrt(gaussian_blur(energy, sigma))[..., 0]
    return result


def rms(values: NDArray[Any]) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
