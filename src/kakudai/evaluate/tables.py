"""Tables of evaluation results: ours beside the published figures, as text cells and as Markdown."""

from collections.abc import Sequence
from typing import Any

from kakudai.evaluate.published import Published
from kakudai.evaluate.results import Row, difference, quality, rows, scales, set_names, short

REMEMBERED = "?"
LEGEND = f"{REMEMBERED} remembered, not yet read in a source"
COSTS = ("parameters", "multiply-adds", "s / MP", "memory")


def costs(row: Row) -> list[str]:
    """Return parameters, multiply-adds for 1280x720, seconds for a megapixel and peak memory as text."""
    return [
        f"{row.parameters:,}" if row.parameters is not None else "-",
        short(row.multiply_adds),
        f"{row.seconds:.3g}" if row.seconds is not None else "-",
        f"{row.memory / (1 << 20):.0f} MB" if row.memory is not None else "-",
    ]


def grid(results: Sequence[dict[str, Any]], scale: int, *, compared: bool = True) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows for a terminal: one line per method, and, where the literature has the same network,
    one with what it prints and one with the difference.

    Columns that say nothing for any method are left out.
    """
    names = set_names(results, scale)
    lines: list[list[str]] = []
    for row in rows(results, scale):
        ours = [quality(row.scores[n].psnr, row.scores[n].ssim) if n in row.scores else "-" for n in names]
        lines.append([row.label, *ours, *costs(row)])
        if compared and row.published and set(row.published.sets) & set(row.scores):
            lines += _beside(row, row.published, names)
    headings = ["PSNR dB / SSIM", *(f"{name} x{scale}" for name in names), *COSTS]
    kept = [
        0,
        *(k for k in range(1, len(headings)) if k <= len(names) or any(line[k] not in ("", "-") for line in lines)),
    ]
    return [headings[k] for k in kept], [[line[k] for k in kept] for line in lines]


def _beside(row: Row, theirs: Published, names: Sequence[str]) -> list[list[str]]:
    """Return the two lines below one of ours."""
    printed, differences = [], []
    for name in names:
        figure = theirs.sets.get(name)
        mark = REMEMBERED if figure and figure.remembered else ""
        printed.append(quality(figure.psnr, figure.ssim, mark) if figure else "-")
        both = figure and name in row.scores
        differences.append(difference(row.scores[name], figure.psnr, figure.ssim) if figure and both else "-")
    size = [*(short(value) if value else "" for value in (theirs.parameters, theirs.multiply_adds)), "", ""]
    title = f"  {theirs.model} [{theirs.mark}]"
    return [[title, *printed, *size], ["  difference", *differences, *[""] * len(COSTS)]]


def markdown(results: Sequence[dict[str, Any]], *, sets: Sequence[str] = (), ssim: bool = False) -> str:
    """Return one Markdown table per scale: our figures, the published ones and the difference, set by set.

    Args:
        results: What `kakudai evaluate --json` wrote, one object per file.
        sets: Which sets, in which order; all that were measured if none.
        ssim: Give SSIM beside PSNR.
    """
    return "\n".join(_markdown(results, scale, sets, ssim=ssim) for scale in scales(results))


def _markdown(results: Sequence[dict[str, Any]], scale: int, sets: Sequence[str], *, ssim: bool) -> str:
    names = [name for name in sets or set_names(results, scale) if name in set_names(results, scale)]
    table = rows(results, scale)
    shown = [number for number in range(len(COSTS)) if any(costs(row)[number] != "-" for row in table)]
    headings = [f"x{scale}", *(COSTS[number] for number in shown)]
    for name in names:
        headings += [name, "published", "difference"]
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "--:|" * (len(headings) - 1)]
    for row in table:
        cells = [row.label, *(costs(row)[number] for number in shown)]
        for name in names:
            cells += _cells(row, name, ssim=ssim)
        lines.append("| " + " | ".join(cells) + " |")
    if any(REMEMBERED in line for line in lines[2:]):
        lines += ["", f"({LEGEND})"]
    return "\n".join(lines) + "\n"


def _cells(row: Row, name: str, *, ssim: bool) -> list[str]:
    """Return ours, theirs and the difference on one set."""
    ours, theirs = row.scores.get(name), row.published.sets.get(name) if row.published else None
    mark = REMEMBERED if theirs and theirs.remembered else ""
    cells = [
        quality(ours.psnr, ours.ssim) if ours else "-",
        quality(theirs.psnr, theirs.ssim, mark) if theirs else "-",
        difference(ours, theirs.psnr, theirs.ssim) if ours and theirs else "-",
    ]
    return cells if ssim else [cell.split(" / ")[0] for cell in cells]
