"""Sets x models x scales x runtimes: everything measured, as one JSON object.

Bicubic is measured on every set and at every scale before any network runs, and must give the published figure where
the set is one of the literature.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from itertools import count, product
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from kakudai.engine.runtimes import RuntimeName
from kakudai.engine.upscaler import Upscaler
from kakudai.evaluate.choose import Chosen
from kakudai.evaluate.cost import Cost, measure_cost, picture_for_timing
from kakudai.evaluate.measure import (
    BICUBIC,
    Enlarge,
    Score,
    SetScores,
    bicubic,
    measure_method,
    set_files,
    set_name,
)
from kakudai.evaluate.published import check_bicubic
from kakudai.evaluate.results import SCHEMA
from kakudai.image.files import read_image
from kakudai.image.resize import eight_bits
from kakudai.metrics import Protocol

Counting: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Called with what begins; inside the context, what it gives is called with (done, in all)."""


@dataclass(frozen=True, slots=True)
class Method:
    """One model in one runtime.

    Args:
        label: What tables call it.
        wanted: The runtime that was asked for; "auto" finds one.
    """

    label: str
    chosen: Chosen
    wanted: RuntimeName


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be measured.

    Args:
        folders: Test sets.
        scales: Enlargement factors.
        methods: Models in runtimes.
        speed: Measure time and memory too.
    """

    folders: Sequence[Path]
    scales: Sequence[int]
    methods: Sequence[Method]
    speed: bool = False


def methods_of(chosen: Sequence[Chosen], runtimes: Sequence[RuntimeName]) -> list[Method]:
    """Combine models and runtimes; the runtime is named only where there are several.

    Raises:
        UsageError: No runtime has that name.
        RuntimeUnavailable: One is not installed.
    """
    for runtime in runtimes:
        Upscaler(chosen[0].model.scale, model=chosen[0].model, runtime=runtime).close()
    several = len(runtimes) > 1
    return [
        Method(f"{entry.label} ({runtime})" if several else entry.label, entry, runtime)
        for entry, runtime in product(chosen, runtimes)
    ]


@contextmanager
def silently(_title: str) -> Iterator[Callable[[int, int], None]]:
    """Show no progress."""
    yield lambda _done, _total: None


def compare(task: Comparison, counting: Counting = silently) -> dict[str, Any]:
    """Measure everything.

    Args:
        counting: Shows progress.

    Returns:
        The object that `kakudai evaluate --json` writes, see `results`.

    Raises:
        PictureError: A set is not what its name says, or has a picture that cannot be measured.
        KakudaiError: A model does not run.
    """
    sets = [(folder, _bicubic(folder, scale, counting)) for scale, folder in product(task.scales, task.folders)]
    facts: dict[str, Any] = {}
    for method in task.methods:
        scale = method.chosen.model.scale
        with Upscaler(scale, model=method.chosen.model, runtime=method.wanted, precision="float32") as upscaler:
            for folder, scores in sets:
                if scores.scale == scale:
                    title = f"{method.label} on {scores.name}"
                    scores.pictures[method.label] = _measure(folder, scale, upscaler.upscale, title, counting=counting)
            facts[method.label] = _facts(method, upscaler.runtime)
    if task.speed:
        image = eight_bits(read_image(set_files(task.folders[0])[0]).color)
        for method in task.methods:
            with counting(f"speed of {method.label}"):
                low = picture_for_timing(image, method.chosen.model.scale)
                facts[method.label].update(_cost(measure_cost(method.chosen.source, method.wanted, low)))
    return {"schema": SCHEMA, "sets": [scores.as_json() for _, scores in sets], "methods": facts}


def _bicubic(folder: Path, scale: int, counting: Counting) -> SetScores:
    """Measure bicubic enlargement on one set, and check its figure."""
    name = set_name(folder)
    scores = _measure(folder, scale, bicubic(scale), f"bicubic {scale}x on {name}", counting=counting)
    check_bicubic(name, scale, fmean(score.psnr for score in scores.values()))
    return SetScores(name, scale, Protocol.published(scale), {BICUBIC: scores})


def _measure(folder: Path, scale: int, enlarge: Enlarge, title: str, *, counting: Counting) -> dict[str, Score]:
    files, done = set_files(folder), count(1)
    with counting(title) as progress:
        return measure_method(files, scale, enlarge, lambda: progress(next(done), len(files)))


def _facts(method: Method, runtime: str) -> dict[str, Any]:
    """Return what the card says about a model, as plain values."""
    model, row = method.chosen.model, method.chosen.published
    return {
        "name": model.name,
        "source": method.chosen.source,
        "scale": model.scale,
        "runtime": runtime,
        "network": model.card["network"],
        "arguments": model.card["arguments"],
        "color": model.color,
        "parameters": model.parameters,
        "macs_per_output_pixel": float(model.card["macs_per_output_pixel"]),
        "bytes": len(model.data),
        "published": row.model if row else None,
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "seconds_per_megapixel": cost.seconds_per_megapixel,
        "peak_memory": cost.peak_memory,
        "speed": asdict(cost),
    }
