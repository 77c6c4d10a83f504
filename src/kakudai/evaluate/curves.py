"""The course of training runs as curves: what to draw, and drawing it with matplotlib.

Convention: the log holds means of the loss over 50 steps, which still jump about. The strong line is their running
median over a fiftieth of the run (see `smooth`), the pale line behind it is the log itself; PSNR is never smoothed.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import RuntimeUnavailable, UsageError
from kakudai.evaluate.markup import printable
from kakudai.evaluate.published import BICUBIC, find
from kakudai.evaluate.runs import Run, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Axis: TypeAlias = Literal["step", "epoch", "time"]
AXES: tuple[Axis, ...] = ("step", "epoch", "time")

Values: TypeAlias = NDArray[np.float64]

COLORS = ("#2f6db5", "#d2691e", "#2e8b57", "#8a4fbf", "#c0392b", "#1a8a99", "#8c6d31", "#c2528b")
"""One per run; later runs have the same again, dashed."""

NO_PANEL = {"loss", "psnr", "rate", "waiting", "best", "best_step"}
"""Figures of the log that have no panel made by name: they have another one, or are not what a run is judged by."""

ROOM = 1.5
"""Decibels shown below the lowest line that matters: what a network does in its first steps would flatten the rest."""

UNITS = (("hours", 3600.0, 7200.0), ("minutes", 60.0, 120.0), ("seconds", 1.0, 0.0))
"""Name, seconds in it, and from which length on the time axis is in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One run in one panel. Shape: x, values and smoothed (points,).

    Args:
        number: Which of the runs it is, from 0; decides the colour.
        name: Of the run.
        x: Places on the horizontal axis.
        values: As they were logged.
        smoothed: What the strong line follows; None where that is the values themselves.
    """

    number: int
    name: str
    x: Values
    values: Values
    smoothed: Values | None


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes.

    Args:
        title: What is drawn.
        x_label: With its unit.
        y_label: With its unit; empty where the title says it all.
        logarithmic: Whether the y axis is.
        curves: At most one per run.
        references: Horizontal lines: what they are, and where.
        bottom: Lowest value shown, or None for all.
    """

    title: str
    x_label: str
    y_label: str
    logarithmic: bool
    curves: list[Curve]
    references: list[tuple[str, float]]
    bottom: float | None


def make_panels(runs: Sequence[Run], axis: Axis | None = None, *, chain: bool = False) -> list[Panel]:
    """Choose what to draw: loss and PSNR against one axis; without one, both against epochs and PSNR against time.

    Each kind of loss has a panel of its own, and so have figures that an objective adds.

    Args:
        runs: At least one.
        axis: "step", "epoch", "time" or None.
        chain: Each run begins where the one before it ended, for runs that started from the weights of another.

    Raises:
        UsageError: Nothing is logged yet.
    """
    first: Axis = axis or "epoch"
    losses = dict.fromkeys(name for run in runs for name in run.losses())
    panels = [_loss_panel(runs, name, first, chain) for name in losses]
    against: list[Axis] = [axis] if axis else ["epoch", "time"]
    panels += [_psnr_panel(runs, along, chain) for along in against]
    others = sorted({name for run in runs for name in run.series} - NO_PANEL)
    panels += [_panel(runs, [run.series.get(name) for run in runs], name, first, chain) for name in others]
    panels = [panel for panel in panels if panel.curves]
    if not panels:
        names = ", ".join(str(run.folder) for run in runs)
        raise UsageError(f"nothing is logged yet in {names}", "the first figures come after 50 steps: try again later")
    return panels


def _loss_panel(runs: Sequence[Run], name: str, axis: Axis, chain: bool) -> Panel:
    title = f"loss ({name})" if name else "loss"
    return _panel(runs, [run.losses().get(name) for run in runs], title, axis, chain)


def _psnr_panel(runs: Sequence[Run], axis: Axis, chain: bool) -> Panel:
    measured = [run for run in runs if "psnr" in run.series]
    panel = _panel(runs, [run.series.get("psnr") for run in runs], "PSNR", axis, chain)
    sets = sorted({run.validated_on for run in measured if run.validated_on})
    references = _references(measured)
    return replace(
        panel,
        y_label=f"luma PSNR on {', '.join(sets)}, dB" if sets else "luma PSNR, dB",
        logarithmic=False,
        curves=[replace(curve, smoothed=None) for curve in panel.curves],
        references=references,
        bottom=_bottom(panel.curves, references),
    )


def _panel(runs: Sequence[Run], courses: Sequence[Series | None], figure: str, axis: Axis, chain: bool) -> Panel:
    """Lay out one figure of the log, smoothed, on a logarithmic axis where all of it is positive."""
    curves: list[Curve] = []
    start = 0.0
    for number, (run, series) in enumerate(zip(runs, courses, strict=True)):
        if series is not None:
            x = start + _along(run, series.steps, series.seconds, axis)
            curves.append(Curve(number, run.name, x, series.values, smooth(series.values)))
        if chain:
            start += float(_along(run, np.array(run.steps), np.array(run.seconds), axis))
    label = "step"
    if axis == "time":
        longest = max((float(curve.x[-1]) for curve in curves), default=0.0)
        unit, seconds = next((name, size) for name, size, least in UNITS if longest >= least)
        curves = [replace(curve, x=curve.x / seconds) for curve in curves]
        label = f"{unit} of training"
    elif axis == "epoch":
        lengths = {run.epoch for run in runs}
        label = f"epoch of {lengths.pop():,} steps" if len(lengths) == 1 else "epoch"
    title = f"{figure[:1].upper()}{figure[1:]} against {axis}"
    return Panel(title, label, "", all((curve.values > 0).all() for curve in curves), curves, [], None)


def _along(run: Run, steps: NDArray[np.int64], seconds: Values, axis: Axis) -> Values:
    """Return places on an axis, in steps, epochs or seconds."""
    if axis == "time":
        return seconds
    return steps / (run.epoch if axis == "epoch" else 1.0)


def _references(runs: Sequence[Run]) -> list[tuple[str, float]]:
    """Return the lines of bicubic enlargement on the sets and at the scales that the runs were validated with."""
    lines = {}
    for run in runs:
        row = find(BICUBIC, run.scale or 0)
        if row and run.validated_on in row.sets:
            lines[f"bicubic, {run.validated_on} x{run.scale}"] = row.sets[run.validated_on].psnr
    return list(lines.items())


def _bottom(curves: Sequence[Curve], references: Sequence[tuple[str, float]]) -> float | None:
    if not curves:
        return None
    lines = [float(curve.values.max()) for curve in curves] + [value for _, value in references]
    lowest = min(float(curve.values.min()) for curve in curves)
    return min(lines) - ROOM if lowest < min(lines) - ROOM else None


def smooth(values: Values) -> Values:
    """Return the running median over a fiftieth of the points, over fewer towards the ends.

    A median, unlike a mean, keeps a step where it is: the loss becomes another one at the end of many runs.
    """
    half = max(1, len(values) // 100) if len(values) > 10 else 0
    reach = [min(half, index, len(values) - 1 - index) for index in range(len(values))]
    medians = [float(np.median(values[index - r : index + r + 1])) for index, r in enumerate(reach)]
    return np.array(medians, np.float64)


def need_matplotlib() -> None:
    """Say what to install where matplotlib is missing.

    Raises:
        RuntimeUnavailable: It is.
    """
    if find_spec("matplotlib") is None:
        raise RuntimeUnavailable("plots need matplotlib, which is not installed", "pip install 'kakudai[train]'")


def draw(panels: Sequence[Panel]) -> "Figure":
    """Draw panels in rows of two or three, with one legend for all."""
    need_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = 2 if len(panels) in (2, 4) else min(3, len(panels))
    rows = -(-len(panels) // columns)
    names = {curve.number: _plain(curve.name) for panel in panels for curve in panel.curves}
    legend_rows = -(-len(names) // (2 * columns))
    figure = Figure(figsize=(4.8 * columns, 3.6 * rows + 0.25 * legend_rows + 0.1), layout="constrained")
    for place, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(rows, columns, place + 1), panel)
    handles = [Line2D([], [], **_style(number)) for number in sorted(names)]
    labels = [names[number] for number in sorted(names)]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(2 * columns, len(labels)), frameon=False)
    return figure


def _draw_panel(axes: "Axes", panel: Panel) -> None:
    for curve in panel.curves:
        style = _style(curve.number)
        if curve.smoothed is not None:
            axes.plot(curve.x, curve.values, color=style["color"], alpha=0.25, linewidth=0.8)
        few = len(curve.x) == 1 or (curve.smoothed is None and len(curve.x) <= 60)
        strong = curve.values if curve.smoothed is None else curve.smoothed
        axes.plot(curve.x, strong, marker="." if few else "", **style)
    for label, value in panel.references:
        axes.axhline(value, color="0.35", linewidth=0.9, linestyle="--")
        place = axes.get_yaxis_transform()
        axes.text(0.985, value, _plain(label), transform=place, ha="right", va="bottom", fontsize=8, color="0.3")
    axes.set(title=_plain(panel.title), xlabel=_plain(panel.x_label), ylabel=_plain(panel.y_label))
    _set_scales(axes, panel)
    axes.grid(alpha=0.25, which="both", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _set_scales(axes: "Axes", panel: Panel) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        low, high = axes.get_ylim()
        if high < 10 * low:  # less than one decade has at most one tick of its own
            axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
            axes.tick_params(axis="y", which="minor", labelsize="small")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    begin, end = min(float(curve.x[0]) for curve in panel.curves), max(float(curve.x[-1]) for curve in panel.curves)
    if begin < end / 2:
        axes.set_xlim(left=0)
    if panel.bottom is not None:
        axes.set_ylim(bottom=panel.bottom)


def _style(number: int) -> dict[str, Any]:
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": ("-", "--", "-.", ":")[number // len(COLORS) % 4],
        "linewidth": 1.6,
    }


def _plain(text: str) -> str:
    """Keep matplotlib from reading a name as mathematics, and what cannot be printed out of it."""
    return printable(text).replace("$", r"\$")


def encode(figure: "Figure", suffix: str) -> bytes:
    """Return a figure as a file, the same bytes for the same figure.

    Args:
        figure: What to write.
        suffix: ".png" or ".svg".
    """
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "kakudai", "svg.fonttype": "none"}):
        metadata: dict[str, Any] = {"Date": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(stream, format=suffix.removeprefix("."), dpi=110, metadata=metadata)
    return stream.getvalue()
