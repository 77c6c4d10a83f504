"""Put the names of points beside them so that no two overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

RADII = (6.0, 11.0, 18.0, 27.0, 38.0, 52.0)
"""How far a name may stand from its point, in typographic points, the nearest tried first."""

ANGLES = (0, 180, 45, 135, -45, -135, 90, -90, 22, -22, 158, -158, 67, -67, 113, -113)
"""Directions that are tried, in degrees; beside the point comes first."""

NEAR = 12.0
"""Names that stand farther away get a line to their point."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name and its point.

    Args:
        x: Where the point is, in the data of the axes.
        y: The same.
        size: Of the type, in points.
        needed: Shown in any case, even where there is no room; others are left out then.
    """

    text: str
    x: float
    y: float
    color: str
    size: float
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the canvas, in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: "Box") -> float:
        """Return the area that two boxes share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    def inside(self, other: "Box") -> bool:
        """Say whether this box lies wholly in another."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


def place_labels(axes: Any, labels: Sequence[Label], points: Sequence[tuple[float, float]]) -> list[str]:
    """Write names beside their points, the first ones first; call it when limits and layout are final.

    Args:
        points: All points of the axes; no name may cover one.

    Returns:
        The names for which there was no room.
    """
    figure = axes.figure
    renderer = figure.canvas.get_renderer()
    pixels = figure.dpi / 72.0
    bounds = axes.get_window_extent(renderer)
    frame = Box(bounds.x0, bounds.y0, bounds.x1, bounds.y1)
    marks = [axes.transData.transform(point) for point in points]
    taken = [Box(x - 4 * pixels, y - 4 * pixels, x + 4 * pixels, y + 4 * pixels) for x, y in marks]
    written = [text.get_window_extent(renderer) for text in axes.texts]
    if legend := axes.get_legend():
        written.append(legend.get_window_extent(renderer))
    taken += [Box(extent.x0, extent.y0, extent.x1, extent.y1) for extent in written]
    left_out = []
    for label in labels:
        text = axes.text(0, 0, label.text, fontsize=label.size, transform=None)
        extent = text.get_window_extent(renderer)
        text.remove()
        size = (extent.width, extent.height)
        x, y = axes.transData.transform((label.x, label.y))
        found = _best((x, y), size, frame, taken, pixels)
        if found is None or (found[0] > 0 and not label.needed):
            left_out.append(label.text)
            continue
        _, radius, box = found
        taken.append(box)
        _write(axes, label, (x, y), box, far=radius > NEAR)
    return left_out


def _best(
    point: tuple[float, float], size: tuple[float, float], frame: Box, taken: Sequence[Box], pixels: float
) -> tuple[float, float, Box] | None:
    """Return (area covered, radius, box) of the place that covers least, the nearest of them; None outside."""
    best: tuple[float, float, Box] | None = None
    for radius in RADII:
        for angle in ANGLES:
            box = _box(point, size, radius * pixels, angle)
            if box.inside(frame):
                covered = sum(box.overlap(other) for other in taken)
                if best is None or covered < best[0]:
                    best = (covered, radius, box)
                if covered == 0:
                    return best
    return best


def _box(point: tuple[float, float], size: tuple[float, float], radius: float, angle: float) -> Box:
    """Return the box of a name whose edge is `radius` pixels away from its point in some direction."""
    across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x = point[0] + across * radius + size[0] / 2 * max(-1.0, min(1.0, across * 2))
    y = point[1] + up * radius + size[1] / 2 * max(-1.0, min(1.0, up * 1.5))
    return Box(x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)


def _write(axes: Any, label: Label, point: tuple[float, float], box: Box, *, far: bool) -> None:
    """Write a name into its box, on a white rim so that lines do not run through it."""
    from matplotlib.patheffects import withStroke

    place = axes.transData.inverted().transform(((box.left + box.right) / 2, (box.bottom + box.top) / 2))
    text = axes.text(*place, label.text, fontsize=label.size, color=label.color, ha="center", va="center", zorder=6)
    text.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
    if far:
        edge = (min(max(point[0], box.left), box.right), min(max(point[1], box.bottom), box.top))
        end = axes.transData.inverted().transform(edge)
        axes.plot([label.x, end[0]], [label.y, end[1]], color=label.color, linewidth=0.5, alpha=0.6, zorder=2)
