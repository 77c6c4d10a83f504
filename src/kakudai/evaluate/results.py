"""The JSON files of `kakudai evaluate`, read again, and the rows that tables and plots are made of.

One file: {"schema", "machine", "methods": label -> what is known about a model, "sets": [{"set", "scale", "protocol",
"methods": label -> {"mean", "pictures"}}]}.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kakudai.errors import UsageError
from kakudai.evaluate.measure import BICUBIC, Score
from kakudai.evaluate.published import PIXELS, Published, find

SCHEMA = 2
"""Version of the object; 1 was a list of sets."""


@dataclass(frozen=True, slots=True)
class Row:
    """One method at one scale.

    Args:
        scores: Set -> quality.
        parameters: Weights and biases; None for bicubic.
        multiply_adds: For an output of 1280x720, as the literature counts; None for bicubic.
        seconds: For a megapixel of output; None where speed was not measured.
        memory: Most bytes that the process held; None where it was not measured.
        published: What the literature prints for the same network.
    """

    label: str
    scale: int
    scores: dict[str, Score] = field(default_factory=dict)
    parameters: int | None = None
    multiply_adds: float | None = None
    seconds: float | None = None
    memory: int | None = None
    published: Published | None = None


def read_results(path: Path) -> dict[str, Any]:
    """Read one file.

    Raises:
        UsageError: It is no file of `kakudai evaluate`, or of another version.
    """
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}", "it is written by: kakudai evaluate --json FILE") from error
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise UsageError(f"{path} was not written by this version of kakudai evaluate", "measure again")
    return values


def scales(results: Iterable[dict[str, Any]]) -> list[int]:
    """Return the scales that anything was measured at."""
    return sorted({entry["scale"] for result in results for entry in result["sets"]})


def set_names(results: Iterable[dict[str, Any]], scale: int) -> list[str]:
    """Return the sets that were measured at a scale, in the order of the files."""
    names = (entry["set"] for result in results for entry in result["sets"] if entry["scale"] == scale)
    return list(dict.fromkeys(names))


def rows(results: Sequence[dict[str, Any]], scale: int) -> list[Row]:
    """Return one row per method at a scale, bicubic first; of what was measured twice, the last counts."""
    found = {BICUBIC: Row(BICUBIC, scale, published=find(BICUBIC, scale))}
    for result in results:
        for label, facts in result["methods"].items():
            if facts["scale"] == scale:
                found[label] = _row(label, facts, found.get(label))
        for entry in result["sets"]:
            if entry["scale"] == scale:
                for label, figures in entry["methods"].items():
                    mean = figures["mean"]
                    found[label].scores[entry["set"]] = Score(mean["psnr"], mean["ssim"])
    return list(found.values())


def _row(label: str, facts: dict[str, Any], known: Row | None) -> Row:
    """Make a row of what one file says, keeping what another has measured."""
    scale = facts["scale"]
    return Row(
        label,
        scale,
        known.scores if known else {},
        facts["parameters"],
        facts["macs_per_output_pixel"] * PIXELS,
        facts.get("seconds_per_megapixel", known.seconds if known else None),
        facts.get("peak_memory", known.memory if known else None),
        find(facts["published"], scale) if facts["published"] else None,
    )


def short(value: float | None) -> str:
    """Write a large number as the literature does: 57.3 K, 10.9 G; "-" for none."""
    if value is None:
        return "-"
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if value >= size:
            return f"{value / size:.{0 if value >= 100 * size else 1}f} {unit}"
    return f"{value:.0f}"


def quality(psnr: float, ssim: float | None, mark: str = "") -> str:
    """Write a pair of figures as the literature does: 37.34 / .9582."""
    return f"{psnr:.2f}{mark} / " + (f"{ssim:.4f}".removeprefix("0") if ssim is not None else "-")


def difference(ours: Score, psnr: float, ssim: float | None) -> str:
    """Write by how much ours is better: +0.05 / -.0003."""
    rounded = round(ours.psnr, 2) - psnr
    text = f"{rounded:+.2f} / "
    return text + (f"{round(ours.ssim, 4) - ssim:+.4f}".replace("0.", ".", 1) if ssim is not None else "-")
