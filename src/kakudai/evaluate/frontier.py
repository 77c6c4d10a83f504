"""Quality against cost, ours among the published: the plots that papers on this subject open with.

Needs matplotlib, which the extra `train` brings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from kakudai.errors import UsageError
from kakudai.evaluate.curves import need_matplotlib
from kakudai.evaluate.labels import Label, place_labels
from kakudai.evaluate.published import BICUBIC, PIXELS, published
from kakudai.evaluate.results import Row, rows, scales, set_names

Cost: TypeAlias = Literal["multiply-adds", "seconds", "per input pixel"]

CAPTIONS: dict[Cost, str] = {
    "multiply-adds": "multiply-adds for an output of 1280x720",
    "seconds": "measured seconds for a megapixel of output",
    "per input pixel": "millions of multiplications for each pixel of the input",
}

OURS, THEIRS, LIGHT, LINE, INK = "#b5301f", "#74828f", "#9dabb8", "#cbd3da", "#30373e"


@dataclass(frozen=True, slots=True)
class Point:
    """One network in a plot.

    Args:
        x: What it costs.
        y: PSNR, or gain over bicubic, in decibels.
        ours: Measured here; else published.
    """

    label: str
    x: float
    y: float
    ours: bool


def plot_results(
    results: Sequence[dict[str, Any]], target: Path, *, name: str | None = None, compared: bool = True
) -> list[str]:
    """Draw PSNR against multiply-adds, and against time where it was measured: one row of axes for each scale.

    Args:
        results: What `kakudai evaluate --json` wrote, one object per file.
        target: A .png or .svg file.
        name: The set; the first that was measured if none.
        compared: Draw the networks of the literature too.

    Returns:
        The names of published points for which there was no room.

    Raises:
        RuntimeUnavailable: Matplotlib is not installed.
        UsageError: The set was not measured, or the target has another ending.
    """
    measured = scales(results)
    costs: list[Cost] = ["multiply-adds"]
    if any(row.seconds for scale in measured for row in rows(results, scale)):
        costs.append("seconds")
    panels = [(scale, cost) for scale in measured for cost in costs]
    return _plot(results, target, panels, name=name, compared=compared)


def plot_gain(
    results: Sequence[dict[str, Any]], target: Path, *, name: str | None = None, compared: bool = True
) -> list[str]:
    """Draw the gain over bicubic against millions of multiplications for each pixel of the input.

    Arguments, result and errors are those of `plot_results`.
    """
    return _plot(
        results, target, [(scale, "per input pixel") for scale in scales(results)], name=name, compared=compared
    )


def points(table: Sequence[Row], name: str, cost: Cost, *, compared: bool = True) -> list[Point]:
    """Return the networks of a plot, ours first; those whose cost or quality is unknown are left out.

    Args:
        table: Rows of one scale, bicubic first.
        name: The set.
        compared: Take the networks of the literature too, where their cost is known.
    """
    scale, found = table[0].scale, []
    for row in table[1:]:
        spent = row.seconds if cost == "seconds" else row.multiply_adds
        if name in row.scores and spent:
            base = table[0].scores[name].psnr if cost == "per input pixel" else 0.0
            found.append(Point(row.label, _cost(spent, cost, scale), row.scores[name].psnr - base, ours=True))
    theirs = [row for row in published() if row.scale == scale and name in row.sets]
    base = (
        next((row.sets[name].psnr for row in theirs if row.model == BICUBIC), 0.0) if cost == "per input pixel" else 0.0
    )
    if compared and cost != "seconds":
        found += [
            Point(row.model, _cost(row.multiply_adds, cost, scale), row.sets[name].psnr - base, ours=False)
            for row in theirs
            if row.multiply_adds
        ]
    return found


def _cost(spent: float, cost: Cost, scale: int) -> float:
    return spent / (PIXELS / scale**2) / 1e6 if cost == "per input pixel" else spent


def _plot(
    results: Sequence[dict[str, Any]],
    target: Path,
    panels: Sequence[tuple[int, Cost]],
    *,
    name: str | None,
    compared: bool,
) -> list[str]:
    if target.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"the plot is {target}", "accepted are files that end with .png or .svg")
    need_matplotlib()
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = len({cost for _, cost in panels})
    down = len(panels) // across
    with rc_context({"svg.hashsalt": "kakudai", "font.size": 9}):
        figure = Figure(figsize=(8.2 * across, 5.4 * down), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(down, across, squeeze=False).flat
        drawn = [
            _draw(axes, results, *panel, name=name, compared=compared) for axes, panel in zip(grid, panels, strict=True)
        ]
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # from here on nothing moves
        left_out = [text for axes, shown in zip(figure.axes, drawn, strict=True) for text in _label(axes, shown)]
        figure.savefig(target, metadata={"Date": None} if target.suffix.lower() == ".svg" else {})
    return left_out


def _draw(
    axes: Any, results: Sequence[dict[str, Any]], scale: int, cost: Cost, *, name: str | None, compared: bool
) -> list[Point]:
    """Draw the points of one pair of axes and return them."""
    names = set_names(results, scale)
    if name is not None and name not in names:
        raise UsageError(f"{name} x{scale} was not measured", f"measured were {', '.join(names)}")
    set_, table = name or names[0], rows(results, scale)
    shown = points(table, set_, cost, compared=compared)
    y = (
        f"gain over bicubic on {set_} x{scale}, dB"
        if cost == "per input pixel"
        else f"luma PSNR on {set_} x{scale}, dB"
    )
    axes.set(xscale="log", xlabel=CAPTIONS[cost], ylabel=y)
    axes.grid(which="major", color="#e4e8ec", linewidth=0.7)
    axes.grid(which="minor", axis="x", color="#f2f4f6", linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    theirs, ours = [p for p in shown if not p.ours], [p for p in shown if p.ours]
    best = _frontier(theirs)
    axes.plot([p.x for p in best], [p.y for p in best], color=LINE, linewidth=1.2, zorder=1)
    if theirs:
        axes.scatter([p.x for p in theirs], [p.y for p in theirs], s=16, color=LIGHT, zorder=3, label="published")
    if ours:
        axes.scatter([p.x for p in ours], [p.y for p in ours], s=46, color=OURS, marker="D", zorder=5, label="ours")
    if shown:
        above = (1.0, 1.0)  # among the points, its diamond would look like one of them
        axes.legend(loc="lower right", bbox_to_anchor=above, ncols=2, frameon=False, fontsize=8, labelcolor=INK)
    _set_limits(axes, shown, cost)
    bicubic = f"bicubic: {table[0].scores[set_].psnr:.2f} dB"
    axes.text(0.012, 0.985, bicubic, transform=axes.transAxes, va="top", fontsize=8, color=INK)
    return shown


def _set_limits(axes: Any, shown: Sequence[Point], cost: Cost) -> None:
    """Leave room for names around the points, also where there are few, and write costs as plain numbers."""
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

    wide = max((p.x for p in shown), default=1.0) > 50 * min((p.x for p in shown), default=1.0)
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(EngFormatter() if cost == "multiply-adds" else plain)
    axes.xaxis.set_minor_formatter(NullFormatter())
    if shown:
        left, right = min(p.x for p in shown), max(p.x for p in shown)
        low, high = min(p.y for p in shown), max(p.y for p in shown)
        beside = max(1.5, (right / left) ** 0.07)
        above = max(0.3 if high - low < 0.5 else 0.0, 0.08 * (high - low))
        axes.set(xlim=(left / beside, right * beside), ylim=(low - above, high + above))


def _frontier(shown: Sequence[Point]) -> list[Point]:
    """Return the points that no cheaper one equals."""
    best: list[Point] = []
    for point in sorted(shown, key=lambda p: (p.x, -p.y)):
        if not best or point.y > best[-1].y:
            best.append(point)
    return best


def _label(axes: Any, shown: Sequence[Point]) -> list[str]:
    """Name the points: ours first, then the published ones on the frontier, then the others from the left."""
    best = _frontier([point for point in shown if not point.ours])
    order = sorted(shown, key=lambda p: (not p.ours, p not in best, p.x))
    labels = [
        Label(p.label, p.x, p.y, OURS if p.ours else THEIRS, 9.0 if p.ours else 7.0, needed=p.ours) for p in order
    ]
    return place_labels(axes, labels, [(p.x, p.y) for p in shown])
