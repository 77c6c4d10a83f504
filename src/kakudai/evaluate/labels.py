"""Put the names of points beside them so that no two overlap."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RADII = (6.0, 11.0, 18.0, 27.0, 38.0, 52.0)
"""How far a name may stand from its point, in typographic points, the nearest tried first."""

ANGLES = (0, 180, 45, 135, -45, -135, 90, -90, 22, -22, 158, -158, 67, -67, 113, -113)
"""Directions that are tried, in degrees; beside the point comes first."""

NEAR = 12.0
"""Names that stand farther away get a line to their point."""

CLEAR = 2.0
"""Room around a name, in typographic points."""

FARTHER, MISTAKEN = 3.0, 200.0
"""How many pixels of a crossed line are as bad as one point more of distance, and as a name that seems another's."""


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

    def dots_in(self, dots: NDArray[np.float64]) -> int:
        """Count the places that lie in this box. Shape: dots (N, 2), x and y."""
        x, y = dots[:, 0], dots[:, 1]
        return int(np.sum((x > self.left) & (x < self.right) & (y > self.bottom) & (y < self.top)))

    def distance(self, place: Sequence[float]) -> float:
        """Return how far a place is from the nearest edge; 0 inside."""
        across = max(self.left - place[0], place[0] - self.right, 0.0)
        return math.hypot(across, max(self.bottom - place[1], place[1] - self.top, 0.0))

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
    lines = [dots for line in axes.lines for dots in _polyline(axes.transData.transform(line.get_xydata()))]
    left_out = []
    for label in labels:
        text = axes.text(0, 0, label.text, fontsize=label.size, transform=None)
        extent = text.get_window_extent(renderer)
        text.remove()
        size = (extent.width + CLEAR * pixels, extent.height + CLEAR * pixels)
        x, y = axes.transData.transform((label.x, label.y))
        candidates = ((radius, _box((x, y), size, radius * pixels, angle)) for radius in RADII for angle in ANGLES)
        inside = [(radius, box) for radius, box in candidates if box.inside(frame)]
        found = _best((x, y), inside, taken, lines, [mark for mark in marks if math.dist(mark, (x, y)) > pixels])
        if found is None or (found[0] > 0 and not label.needed):
            left_out.append(label.text)
            continue
        _, radius, box = found
        taken.append(box)
        if radius > NEAR:
            lines.append(_leader((x, y), box))
        _write(axes, label, (x, y), box, far=radius > NEAR)
    return left_out


def _best(
    point: tuple[float, float],
    places: Sequence[tuple[float, Box]],
    taken: Sequence[Box],
    lines: Sequence[NDArray[np.float64]],
    marks: Sequence[Sequence[float]],
) -> tuple[float, float, Box] | None:
    """Return (area covered, radius, box) of the place that covers least; None where there is no place.

    Of several, the one that is near, lies on no line, whose own line crosses no name or point, and that, where it has
    none, is nearer to its own point than to any other.

    Args:
        places: Radius and box, the nearest first.
        lines: Dots of all lines, a pixel apart.
        marks: The other points.
    """
    others = [box for box in taken if not box.dots_in(np.array([point]))]
    dots = np.concatenate(lines) if lines else np.empty((0, 2))
    best: tuple[float, float, float, Box] | None = None
    for radius, box in places:
        covered = sum(box.overlap(other) for other in taken)
        crossed = box.dots_in(dots)
        if radius > NEAR:
            leader = _leader(point, box)
            mistaken = sum(other.dots_in(leader) > 0 for other in others)
        else:
            mistaken = sum(box.distance(mark) <= box.distance(point) for mark in marks)
        cost = (covered, crossed + FARTHER * radius + MISTAKEN * mistaken)
        if best is None or cost < best[:2]:
            best = (*cost, radius, box)
        if covered == crossed == mistaken == 0:
            break
    return best and (best[0], *best[2:])


def _leader(point: tuple[float, float], box: Box) -> NDArray[np.float64]:
    """Return the dots of the line between a point and the nearest edge of its name."""
    edge = (min(max(point[0], box.left), box.right), min(max(point[1], box.bottom), box.top))
    return _polyline([point, edge])[0]


def _polyline(corners: Any) -> list[NDArray[np.float64]]:
    """Return the dots of each stretch of a line, a pixel apart. Shape: corners (N, 2) -> N - 1 times (dots, 2)."""
    return [np.linspace(a, b, int(math.dist(a, b)) + 2) for a, b in itertools.pairwise(corners)]


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
        end = axes.transData.inverted().transform(_leader(point, box)[-1])
        axes.plot([label.x, end[0]], [label.y, end[1]], color=label.color, linewidth=0.5, alpha=0.6, zorder=2)
