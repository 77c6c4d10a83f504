"""One picture enlarged by several models, and what can be said of each result: the same region of all of them."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from kakudai.analyse import areas, find_compression, read_jpeg_history
from kakudai.engine.choice import strength_of
from kakudai.engine.loaded import Loaded
from kakudai.engine.plan import Size
from kakudai.engine.toolbox import Chosen
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.errors import ModelNotFound, UsageError
from kakudai.evaluate.comparison import Counting, silently
from kakudai.evaluate.lineup_entry import CONSISTENT, Entry, difference_map
from kakudai.evaluate.wanted import Region, Task, Wanted
from kakudai.image.alpha import on_white
from kakudai.image.consistent import MARGIN, make_consistent
from kakudai.image.picture import Picture, Pixels
from kakudai.image.resize import imresize_matlab, resize
from kakudai.metrics import Protocol, consistency, psnr

RESIZES = 8
"""Input pixels that a resize looks at around a pixel, and more."""

NEAR = 1.5
"""Standard deviation, in output pixels, over which is averaged what a network added."""

DAMAGE_COMES_BACK = (
    "consistent results shrink back to the input, damage and all: what a network removes of it comes back"
)


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
    lined_up = Lineup(on_white(picture), task)
    with ExitStack() as stack:
        candidates = [_candidate(wanted, task.scale, picture, stack) for wanted in task.models]
        entries, often = [lined_up.plain()], Counter(candidate.name for candidate in candidates)
        for candidate in candidates:
            title = candidate.name if often[candidate.name] == 1 else f"{candidate.wanted}: {candidate.name}"
            with counting(title) as progress:
                entries += lined_up.enlarge(title, candidate, progress)
    if lined_up.original is not None:
        entries.append(lined_up.entry("original", lined_up.original, lined_up.whole))
    notes = [note for candidate in candidates for note in candidate.report.notes]
    if task.consistent and (any(entry.strength for entry in entries) or _is_compressed(picture)):
        notes.append(DAMAGE_COMES_BACK)
    return entries, list(dict.fromkeys(notes))


def _is_compressed(picture: Picture) -> bool:
    """Say whether a picture has damage by JPEG that `--denoise auto` would remove."""
    jpeg = picture.metadata.jpeg
    found = find_compression(areas(picture.color, picture.alpha), read_jpeg_history(jpeg) if jpeg else None)
    return strength_of(found, None)[0] > 0


def _candidate(wanted: Wanted, scale: float, picture: Picture, stack: ExitStack) -> Candidate:
    """Open a model, to be closed by the stack, and let it choose."""
    strength: int | Literal["auto"] = "auto" if wanted.strength is None else wanted.strength
    try:
        upscaler = stack.enter_context(Upscaler(scale, model=wanted.model, denoise=strength, precision="float32"))
        chosen = upscaler.choose(picture)
    except (UsageError, ModelNotFound) as error:
        if "--denoise" not in error.hint:
            raise
        # Here a strength stands behind the name of its model.
        left_out = f"leave @{wanted.strength} out, or name another model"
        hint = f"say how much, for example {wanted}@40" if wanted.strength is None else left_out
        raise type(error)(error.message, hint) from error
    return Candidate(wanted, upscaler, chosen, upscaler.plan_picture(picture, chosen))


class Lineup:
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
            added = difference_map(shown, self._shown(self._plain, self._area_of_plain), NEAR)
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
