"""PSNR against multiply-adds for each pixel of the output: ours, waifu2x's, and the frontier of the literature."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakudai.evaluate.curves import need_matplotlib
from kakudai.evaluate.frontier import INK, LIGHT, LINE, OURS, THEIRS
from kakudai.evaluate.labels import Label, place_labels
from kakudai.evaluate.published import PIXELS, published
from quality_methods import BICUBIC, Methods
from quality_store import Store

SCALE, SETS = 2, ("Set5", "BSD100")
WAIFU2X = "#2b6ca3"

LARGEST = 400_000
"""Multiply-adds for a pixel of the largest networks that are drawn; EDSR-baseline has 343,000."""

KINDS = {"ours": (OURS, "D", 46), "waifu2x": (WAIFU2X, "s", 40), "published": (LIGHT, "o", 16)}
"""Colour, mark and its size."""


@dataclass(frozen=True, slots=True)
class Point:
    """One network: its kind, and what it costs and gives."""

    label: str
    kind: str
    cost: float
    psnr: float


def points(methods: Methods, store: Store, name: str) -> list[Point]:
    """Return the networks of the plot of a set, ours first."""
    found = []
    for method in (*methods.clean(SCALE), *methods.waifu2x.values()):
        mean, cost = store.mean(f"clean x{SCALE}", name, "bicubic", method.key), method.multiply_adds(SCALE)
        if mean is not None and cost:
            kind = "waifu2x" if method.label.startswith("waifu2x") else "ours"
            found.append(Point(method.label.removeprefix("waifu2x "), kind, cost, mean))
    theirs = [row for row in published() if row.scale == SCALE and name in row.sets]
    costs = [(row, (row.multiply_adds or 0.0) / PIXELS) for row in theirs]
    return found + [
        Point(row.model, "published", cost, row.sets[name].psnr) for row, cost in costs if 0.0 < cost <= LARGEST
    ]


def frontier(shown: Sequence[Point]) -> list[Point]:
    """Return the points that no cheaper one equals."""
    best: list[Point] = []
    for point in sorted(shown, key=lambda p: (p.cost, -p.psnr)):
        if not best or point.psnr > best[-1].psnr:
            best.append(point)
    return best


def plot(methods: Methods, store: Store, target: Path) -> list[str]:
    """Draw a panel for each set.

    Returns:
        The names of published networks for which there was no room.
    """
    need_matplotlib()
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"font.size": 9}):
        figure = Figure(figsize=(8.6, 5.6 * len(SETS)), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(zip(figure.subplots(len(SETS), 1), (points(methods, store, name) for name in SETS), strict=True))
        for name, (axes, shown) in zip(SETS, panels, strict=True):
            _draw(axes, shown, name, store.mean(f"clean x{SCALE}", name, "bicubic", BICUBIC.key))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # from here on nothing moves
        left_out = [text for axes, shown in panels for text in _label(axes, shown)]
        figure.savefig(target)
    return left_out


def _draw(axes: Any, shown: Sequence[Point], name: str, bicubic: float | None) -> None:
    from matplotlib.ticker import EngFormatter, NullFormatter

    axes.set(
        xscale="log", xlabel="multiply-adds for each pixel of the output", ylabel=f"luma PSNR on {name} x{SCALE}, dB"
    )
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#e4e8ec", linewidth=0.7)
    axes.grid(which="minor", axis="x", color="#f2f4f6", linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    best = frontier([point for point in shown if point.kind == "published"])
    axes.plot([p.cost for p in best], [p.psnr for p in best], color=LINE, linewidth=1.2, zorder=1)
    for kind, (color, marker, size) in KINDS.items():
        of_kind = [point for point in shown if point.kind == kind]
        x, y = [p.cost for p in of_kind], [p.psnr for p in of_kind]
        axes.scatter(x, y, s=size, color=color, marker=marker, zorder=3 if kind == "published" else 5, label=kind)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=8, labelcolor=INK)
    left, right = min(p.cost for p in shown), max(p.cost for p in shown)
    low, high = min(p.psnr for p in shown), max(p.psnr for p in shown)
    room = 0.08 * (high - low) + 0.02
    axes.set(xlim=(left / 1.6, right * 1.9), ylim=(low - room, high + room))
    if bicubic is not None:
        axes.text(0.012, 0.985, f"bicubic: {bicubic:.2f} dB", transform=axes.transAxes, va="top", fontsize=8, color=INK)


def _label(axes: Any, shown: Sequence[Point]) -> list[str]:
    """Name the points: ours and waifu2x's in any case, then the published ones on the frontier, then the others."""
    best = frontier([point for point in shown if point.kind == "published"])
    order = sorted(shown, key=lambda p: (list(KINDS).index(p.kind), p not in best, p.cost))
    labels = []
    for point in order:
        color = THEIRS if point.kind == "published" else KINDS[point.kind][0]
        needed = point.kind != "published"
        labels.append(Label(point.label, point.cost, point.psnr, color, 8.5 if needed else 7.0, needed=needed))
    return place_labels(axes, labels, [(p.cost, p.psnr) for p in shown])
