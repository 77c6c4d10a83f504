"""One picture enlarged by several models, and what can be said of each result: the same region of all of them."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.degrade.blur import gaussian_blur
from kakudai.engine.plan import Size
from kakudai.engine.upscaler import Upscaler, picture_from_array
from kakudai.errors import UsageError
from kakudai.evaluate.comparison import Counting, silently
from kakudai.evaluate.wanted import Region, Wanted
from kakudai.image.consistent import MARGIN, make_consistent
from kakudai.image.picture import Pixels, full_scale
from kakudai.image.resize import Kernel, imresize_matlab, resize
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
    """

    scale: float
    models: Sequence[Wanted]
    region: Region
    reference: Pixels | None = None
    fidelity: bool = False
    consistent: bool = False
    kernel: Kernel = "bicubic"
    shave: int = 0

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
        wanted: The model that made it; None for bicubic and the original.
        parameters: Weights and biases of all its networks; None where none ran.
        seconds: Wall time of its networks; None where none ran.
        megapixels: Output that they took that time for: more than is shown, and not the same for all networks.
        psnr: Luma PSNR of the region against the original, in decibels.
        back: How near the whole result is to the input when it is shrunk.
        added: (H, W) RMS difference to bicubic around each pixel, in levels of 255.
        consistent: It was projected.
    """

    title: str
    image: Pixels
    wanted: Wanted | None = None
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
            "model": self.wanted.model if self.wanted else None,
            "strength": self.wanted.strength if self.wanted else None,
            "consistent": self.consistent,
            "parameters": self.parameters,
            "seconds": self.seconds,
            "megapixels": self.megapixels,
            "luma_psnr": _finite(self.psnr),
            "shrinks_back_psnr": _finite(back.psnr) if back else None,
            "shrinks_back_largest": back.largest if back else None,
            "added_rms": None if added is None else rms(added),
        }


def line_up(image: Pixels, task: Task, counting: Counting = silently) -> tuple[list[Entry], list[str]]:
    """Enlarge a picture by bicubic and by each model.

    Only the region, and what the networks look at around it, is enlarged, unless the fidelity of the whole is wanted,
    the scale is no whole number, or a network looks at all of the picture. The result is the same.

    Shape: image (H, W, 1 | 3) uint8, uint16 or float32 in [0, 1].

    Returns:
        Bicubic, the models, and the original where there is one; and what the user should know, one sentence each.

    Raises:
        UsageError: A model does not take a strength, the reference has another size, or there is nothing to measure.
        ModelError: A model cannot be found or used.
    """
    bench = Bench(image, task)
    with ExitStack() as stack:
        opened = [(wanted, stack.enter_context(_open(wanted, task.scale))) for wanted in task.models]
        entries, notes = [bench.bicubic()], [note for _, upscaler in opened for note in upscaler.notes]
        names = [upscaler.name for _, upscaler in opened]
        for wanted, upscaler in opened:
            strength = "" if wanted.strength is None else f", strength {wanted.strength}"
            name = upscaler.name if names.count(upscaler.name) == 1 else wanted.model
            title = name.removesuffix("_model").removeprefix("models-") + strength  # waifu2x says it of all its files
            with counting(title) as progress:
                entries += bench.enlarge(title, wanted, upscaler, progress)
    if bench.original is not None:
        entries.append(bench.entry("original", bench.original, bench.whole))
    return entries, list(dict.fromkeys(notes))


def _open(wanted: Wanted, scale: float) -> Upscaler:
    try:
        return Upscaler(scale, model=wanted.model, denoise="auto" if wanted.strength is None else wanted.strength)
    except UsageError as error:
        if wanted.strength is None:
            raise
        raise UsageError(error.message, f"leave @{wanted.strength} out, or name a model that takes it") from error


class Bench:
    """One picture, the part of it that is looked at, and bicubic's result to compare with.

    Raises:
        UsageError: The scale is below 1, or the reference has another size.
    """

    def __init__(self, image: Pixels, task: Task) -> None:
        self.task = task
        if task.scale < 1:
            raise UsageError(f"the scale is {task.scale:g}", "models are compared at scales from 1 to 16")
        if task.consistent and task.scale == 1:
            raise UsageError("at scale 1 nothing but the input shrinks back to it", "leave --consistent out")
        channels = max(picture.shape[2] for picture in (image, task.reference) if picture is not None)
        self.image = np.repeat(image, channels // image.shape[2], axis=2)
        self.size = Size(task.scale).of(*image.shape[:2])
        self.whole = Region(0, 0, image.shape[1], image.shape[0])
        self.original = None if task.reference is None else self._reference(task.reference)
        self._area_of_plain = self._area(RESIZES, 1)
        self._plain = self._bicubic(self._area_of_plain)

    def bicubic(self) -> Entry:
        """Return what everything is compared with: bicubic, or the input itself where it keeps its size."""
        return self.entry("bicubic" if self.task.scale > 1 else "input", self._plain, self._area_of_plain)

    def enlarge(self, title: str, wanted: Wanted, upscaler: Upscaler, progress: Any) -> list[Entry]:
        """Return the result of one model, and the same once more where a consistent one is wanted."""
        networks = upscaler.networks
        halos = [network.halo for network in networks]
        passes = upscaler.plan(*self.image.shape[:2]).runs
        if any(halo is None for halo in halos):
            area = self.whole
        else:
            margin = passes * max(halo or 0 for halo in halos) + RESIZES + (MARGIN if self.task.consistent else 0)
            area = self._area(margin, int(np.lcm.reduce([network.multiple for network in networks])))
        picture = picture_from_array(np.ascontiguousarray(area.cut(self.image)))
        result, report = upscaler.upscale_picture(picture, progress=progress)
        facts: dict[str, Any] = {
            "wanted": wanted,
            "parameters": sum(getattr(network, "parameters", 0) for network in networks),
            "seconds": report.network_seconds,
            "megapixels": result.height * result.width / 1e6,
        }
        entries = [self.entry(title, result.color, area, **facts)]
        if self.task.consistent:
            output = make_consistent(result.color, picture.color, kernel=self.task.kernel)
            entries.append(self.entry(title + CONSISTENT, output, area, consistent=True, **facts))
        return entries

    def entry(self, title: str, output: Pixels, area: Region, **facts: Any) -> Entry:
        """Measure one result.

        Args:
            title: What made it.
            output: The enlarged area.
            area: What of the input was enlarged.
            facts: More fields of the entry.
        """
        task, shown = self.task, np.ascontiguousarray(self._shown(output, area))
        figure = back = added = None
        if self.original is not None and output is not self.original:
            try:
                protocol = Protocol("luma_bt601_studio", task.shave)
                figure = psnr(shown, self._shown(self.original, self.whole), protocol)
            except ValueError as error:
                raise UsageError(str(error), "name a larger --region, or shave less") from error
        if task.fidelity:
            back = consistency(output, self.image, task.kernel)
            added = difference(shown, self._shown(self._plain, self._area_of_plain), NEAR)
        return Entry(title, shown, psnr=figure, back=back, added=added, **facts)

    def _area(self, margin: int, multiple: int) -> Region:
        """Return what has to be enlarged for the region; its corner is one of a network's squares of `multiple`."""
        if self.task.fidelity or self.task.scale != int(self.task.scale):
            return self.whole
        region, (height, width) = self.task.region, self.image.shape[:2]
        left, top = (max(0, (edge - margin) // multiple * multiple) for edge in (region.left, region.top))
        right, bottom = (
            min(end, -(-(edge + margin) // multiple) * multiple)
            for edge, end in ((region.left + region.width, width), (region.top + region.height, height))
        )
        return Region(left, top, right - left, bottom - top)

    def _shown(self, output: Pixels, area: Region) -> Pixels:
        """Cut the region out of the enlarged area."""
        region = self.task.region
        (top, bottom), (left, right) = (
            self._span(start - offset, length, self.size[axis] / self.image.shape[axis])
            for axis, (start, offset, length) in enumerate(
                [(region.top, area.top, region.height), (region.left, area.left, region.width)]
            )
        )
        return output[top:bottom, left:right]

    @staticmethod
    def _span(start: int, length: int, ratio: float) -> tuple[int, int]:
        first = int(start * ratio + 0.5)
        return first, max(first + 1, int((start + length) * ratio + 0.5))

    def _bicubic(self, area: Region) -> Pixels:
        """Enlarge as the literature does, where a picture has 8 bits and the scale is a whole number."""
        image, scale = np.ascontiguousarray(area.cut(self.image)), self.task.scale
        if scale == int(scale) and image.dtype == np.uint8:
            return imresize_matlab(image, scale)
        if scale == int(scale):
            return resize(image, (int(scale) * area.height, int(scale) * area.width))
        return resize(image, self.size)

    def _reference(self, reference: Pixels) -> Pixels:
        """Bring the original to the size and channels of the results: sets are cut to a multiple before shrinking."""
        height, width = self.size
        over = max(reference.shape[0] - height, reference.shape[1] - width)
        if min(reference.shape[0] - height, reference.shape[1] - width) < 0 or over >= max(self.task.scale, 1):
            raise UsageError(
                f"the reference is {reference.shape[1]}x{reference.shape[0]}, "
                f"and the picture enlarged {self.task.scale:g} times is {width}x{height}",
                "give the true large picture, or another --scale",
            )
        return np.repeat(reference[:height, :width], self.image.shape[2] // reference.shape[2], axis=2)


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
