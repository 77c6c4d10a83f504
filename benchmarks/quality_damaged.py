"""Pictures that were shrunk and compressed: our restoring networks at every strength, waifu2x's at every noise level.

At scale 2 the networks remove the damage and enlarge; at scale 1 they remove the damage of pictures of full size.
Sprites are laid on white, for JPEG knows no alpha.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from statistics import fmean

import numpy as np
from PIL import Image, ImageFilter

from analysis import encoded, printed
from kakudai import read_image
from kakudai.degrade.jpeg import Chroma
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.degrade.strength import strength_of_quality
from kakudai.evaluate.measure import bicubic, set_files
from kakudai.image.picture import Picture, Pixels
from kakudai.metrics import Protocol, psnr
from kakudai.models.shipped import Style
from quality_methods import BICUBIC, BLUR, MEDIAN, NOTHING, Method, Methods, Running
from quality_store import Entry, Store

QUALITIES = (20, 30, 40, 50, 60, 70, 80, 90, 95)
CHROMAS: tuple[Chroma, ...] = ("4:2:0", "4:4:4")
SETS: dict[str, Style] = {"BSD100": "photo", "anime": "art", "comic": "art"}
EVERY = {"BSD100": 4, "anime": 3, "comic": 1}
"""Of which one picture in so many is taken where full sizes are run."""

GRID = tuple(range(0, 101, 10))
AROUND = 20
"""How far from the strength of a quality strengths are always measured; farther, where the best is not inside."""

CLEAN, MIDDLE = "clean", "4:2:0 50"
"""The conditions in which the effect of a growing strength is looked at."""

EIGHT_NEIGHBOURS = 8.0


@dataclass(frozen=True)
class Task:
    """One set at one scale.

    Args:
        name: Of the set.
        scale: 2 shrinks its pictures first; 1 does not, and takes fewer of them.
        shared: Folder with data/.
        most: So many pictures at most.
        few: Take fewer of them at scale 2, too.
    """

    name: str
    scale: int
    shared: Path
    most: int | None = None
    few: bool = False

    @property
    def part(self) -> str:
        """Of the results."""
        return f"jpeg x{self.scale}"

    @property
    def style(self) -> Style:
        """What its pictures are."""
        return SETS[self.name]

    @cached_property
    def highs(self) -> list[Pixels]:
        """The originals, (H, W, 3) uint8."""
        every = EVERY[self.name] if self.scale == 1 or self.few else 1
        files = set_files(self.shared / "data/test" / self.name)[::every][: self.most]
        return [crop_to_multiple(printed(read_image(file)), 2) for file in files]

    def inputs(self, condition: str) -> list[Picture]:
        """Return what is to be restored: "clean", or "4:2:0 50" for a JPEG file of that quality."""
        lows = [shrink_bicubic(high, 2) for high in self.highs] if self.scale == 2 else self.highs
        if condition == CLEAN:
            return [Picture(low) for low in lows]
        chroma, quality = condition.split()
        return [read_image(encoded(low, int(quality), chroma)[0]) for low in lows]

    def scores(self, outputs: Iterator[Pixels]) -> Entry:
        """Compare with the originals: decibels of luma, and of all channels, where damaged colour shows."""
        entry: Entry = {"psnr": [], "rgb": []}
        for output, high in zip(outputs, self.highs, strict=True):
            entry["psnr"].append(round(psnr(output, high, Protocol.published(self.scale)), 4))
            entry["rgb"].append(round(psnr(output, high, Protocol("rgb", self.scale)), 4))
        return entry


def tasks(shared: Path, most: int | None) -> list[Task]:
    """Return everything that is measured."""
    return [Task(name, scale, shared, most) for scale in (2, 1) for name in SETS]


def conditions() -> list[str]:
    """Return all ways to compress."""
    return [f"{chroma} {quality}" for chroma in CHROMAS for quality in QUALITIES]


def others(methods: Methods, task: Task) -> list[Method]:
    """Return what ours are compared with, our clean network among them."""
    if task.scale == 1:
        return [NOTHING, MEDIAN, BLUR]
    usual = methods.usual(task.style, 2)
    return [BICUBIC, *([usual] if usual else []), *methods.levels(task.style)]


def measure_damaged(shared: Path, methods: Methods, store: Store, most: int | None, running: Running) -> None:
    """Measure what the results lack: others, ours at the strengths of the grid, and what strengths do."""
    for task in tasks(shared, most):
        restoring = methods.restoring(task.style, task.scale)
        for condition in conditions():
            inputs = Inputs(task, condition)
            for method in others(methods, task):
                _measure(store, inputs, method.key, partial(_other, running, method))
            if restoring:
                mean = _climb(store, inputs, restoring, running)
                print(f"{task.part}, {task.name}, {condition}: best strength {mean[1]}, {mean[0]:.2f} dB", flush=True)
        if restoring:
            _measure_clean(store, task, methods, restoring, running=running)
            _measure_strengths(store, Task(task.name, task.scale, shared, most, few=True), restoring, running)


class Inputs:
    """The damaged pictures of one condition, made when the first method asks for them."""

    def __init__(self, task: Task, condition: str) -> None:
        self.task, self.condition = task, condition

    @cached_property
    def pictures(self) -> list[Picture]:
        """What the networks are given."""
        return self.task.inputs(self.condition)


def window(quality: int) -> list[int]:
    """Return the strengths of the grid that are measured for a quality first."""
    middle = 100 * strength_of_quality(quality)
    return [strength for strength in GRID if abs(strength - middle) <= AROUND]


def best_strength(store: Store, task: Task, condition: str, restoring: Method) -> tuple[float, int] | None:
    """Return the best mean over a set that was measured, and its strength."""
    means = ((store.mean(task.part, task.name, condition, restoring.at(s)), s) for s in GRID)
    return max(((mean, strength) for mean, strength in means if mean is not None), default=None)


def _climb(store: Store, inputs: Inputs, restoring: Method, running: Running) -> tuple[float, int]:
    """Measure the strengths around the expected one, then further ones until the best lies between two others."""
    wanted, quality = set(window(int(inputs.condition.split()[1]))), 0.0
    while True:
        for strength in sorted(wanted):
            _measure(store, inputs, restoring.at(strength), partial(_told, running, restoring, strength))
        found = best_strength(store, inputs.task, inputs.condition, restoring)
        assert found is not None
        quality, best = found
        more = {s for s in (best - 10, best + 10) if s in GRID} - wanted
        if not more:
            return quality, best
        wanted |= more


def _measure(store: Store, inputs: Inputs, method: str, restore: Callable[[Picture], Pixels]) -> None:
    task = inputs.task
    if store.get(task.part, task.name, inputs.condition, method) is None:
        entry = task.scores(restore(picture) for picture in inputs.pictures)
        store.put(task.part, task.name, inputs.condition, method, entry=entry)


def _told(running: Running, restoring: Method, strength: int, picture: Picture) -> Pixels:
    return running.run(restoring, picture.color, strength)


def _other(running: Running, method: Method, picture: Picture) -> Pixels:
    if method.model is not None:
        return running.run(method, picture.color)
    if method in (MEDIAN, BLUR):
        kind = ImageFilter.MedianFilter(3) if method == MEDIAN else ImageFilter.GaussianBlur(0.6)
        return np.asarray(Image.fromarray(picture.color).filter(kind))
    return bicubic(2)(picture.color) if method == BICUBIC else picture.color


def _measure_clean(store: Store, task: Task, methods: Methods, restoring: Method, *, running: Running) -> None:
    """Measure strength 0 on clean pictures, and the network that they get otherwise."""
    inputs, usual = Inputs(task, CLEAN), methods.usual(task.style, task.scale)
    _measure(store, inputs, restoring.at(0), partial(_told, running, restoring, 0))
    if usual is not None and usual.model is not None:
        _measure(store, inputs, usual.key, partial(_other, running, usual))


def _measure_strengths(store: Store, task: Task, restoring: Method, running: Running) -> None:
    """Measure how much each strength changes and how much fine detail it leaves: a row for each picture."""
    part = f"strengths x{task.scale}"
    for condition in (CLEAN, MIDDLE):
        if store.get(part, task.name, condition, restoring.key) is None:
            entry: Entry = {"change": [], "detail": []}
            for picture in task.inputs(condition):
                outputs = [running.run(restoring, picture.color, strength).astype(np.float32) for strength in GRID]
                entry["change"].append([round(float(np.abs(one - outputs[0]).mean()), 4) for one in outputs])
                entry["detail"].append([round(detail(one), 3) for one in outputs])
            store.put(part, task.name, condition, restoring.key, entry=entry)
            print(f"{part}, {task.name}, {condition}: mean change {fmean(row[-1] for row in entry['change']):.2f}")


def detail(image: Pixels) -> float:
    """Return the mean square of what a pixel differs from the mean of its eight neighbours, over all channels."""
    around = sum(
        image[1 + y : image.shape[0] - 1 + y, 1 + x : image.shape[1] - 1 + x]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
        if (y, x) != (0, 0)
    )
    return float(np.mean((image[1:-1, 1:-1] - around / EIGHT_NEIGHBOURS) ** 2))
