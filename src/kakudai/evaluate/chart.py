"""A panel of curves as an SVG drawing for a page: its colours are the page's, so it is light or dark with it."""

import math
from dataclasses import dataclass

import numpy as np

from kakudai.evaluate.curves import COLORS, Curve, Panel, Values
from kakudai.evaluate.markup import text

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 42
"""Margins around the curves."""

POINTS = 400
"""More points than this are thinned: a drawing has no more pixels."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns values into places on the drawing.

    Args:
        low: Value at `start`.
        high: Value at `stop`; another one than low.
        start: Place of the lowest value.
        stop: Place of the highest.
        logarithmic: Whether places follow the logarithm.
    """

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def place(self, values: Values) -> Values:
        """Return where values stand."""
        low, high = (math.log(self.low), math.log(self.high)) if self.logarithmic else (self.low, self.high)
        share = ((np.log(values) if self.logarithmic else values) - low) / (high - low)
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Return round values between low and high: a few, as people choose them."""
        if self.logarithmic and self.high / self.low > 8:
            exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            factors = (1, 2, 5) if len(exponents) < 5 else (1,)
            marks = [factor * 10.0**exponent for exponent in exponents for factor in factors]
            return [mark for mark in marks if self.low <= mark <= self.high]
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / 5))
        step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (factor * step) <= 6)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def chart_svg(panel: Panel, name: str) -> str:
    """Draw one panel.

    Args:
        panel: What to draw.
        name: Unique on the page; letters, digits and hyphens.
    """
    x_scale, y_scale = _scales(panel)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    middle = TOP + height / 2
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-title {name}-text">',
        f'<title id="{name}-title">{text(panel.title)}</title><desc id="{name}-text">{text(_told(panel))}</desc>',
        f'<clipPath id="{name}-clip"><rect width="{WIDTH}" height="{TOP + height}"/></clipPath>',
        *_marks(x_scale, vertical=True),
        *_marks(y_scale, vertical=False),
        f'<text class="middle" x="{LEFT + width / 2:g}" y="{HEIGHT - 6}">{text(panel.x_label)}</text>',
        f'<text class="middle" transform="translate(13 {middle:g}) rotate(-90)">{text(panel.y_label)}</text>',
        f'<g clip-path="url(#{name}-clip)">',
        *(part for label, value in panel.references for part in _reference(label, value, y_scale)),
        *(part for curve in panel.curves for part in _curve(curve, x_scale, y_scale)),
        "</g></svg>",
    ]
    return "".join(parts)


def series_class(number: int) -> str:
    """Return the classes that give a run its colour and its dashes."""
    return f"s{number % len(COLORS)}" + (f" d{number // len(COLORS) % 4}" if number >= len(COLORS) else "")


def _scales(panel: Panel) -> tuple[Scale, Scale]:
    first = min(float(curve.x[0]) for curve in panel.curves)
    last = max(float(curve.x[-1]) for curve in panel.curves)
    first = 0.0 if first < last / 2 else first
    every = np.concatenate([curve.values for curve in panel.curves])
    low, high = float(every.min()), float(every.max())
    low = min([low, *(value for _, value in panel.references)]) if panel.bottom is None else panel.bottom
    high = max([high, *(value for _, value in panel.references)])
    if panel.logarithmic:
        room = max((high / low) ** 0.05, 1.01)
        low, high = low / room, high * room
    else:
        room = max(0.05 * (high - low), 1e-3 * abs(high), 1e-9)
        low, high = (low - room if panel.bottom is None else low), high + room
    if last <= first:  # one point stands in the middle
        first, last = first - max(0.1 * abs(first), 0.5), last + max(0.1 * abs(last), 0.5)
    x_scale = Scale(first, last, LEFT, WIDTH - RIGHT)
    return x_scale, Scale(low, high, HEIGHT - BOTTOM, TOP, panel.logarithmic)


def _marks(scale: Scale, *, vertical: bool) -> list[str]:
    """Draw grid lines and the numbers at their ends."""
    marks = scale.ticks()
    parts = []
    for value, place in zip(marks, scale.place(np.array(marks)), strict=True):
        if vertical:
            parts.append(f'<path class="grid" d="M{place:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text class="middle" x="{place:.1f}" y="{HEIGHT - BOTTOM + 16}">{_number(value)}</text>')
        else:
            parts.append(f'<path class="grid" d="M{LEFT} {place:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text class="end" x="{LEFT - 6}" y="{place + 4:.1f}">{_number(value)}</text>')
    return parts


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"


def _reference(label: str, value: float, scale: Scale) -> list[str]:
    y = float(scale.place(np.array([value]))[0])
    return [
        f'<path class="reference" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>',
        f'<text class="end" x="{WIDTH - RIGHT - 4}" y="{y - 4:.1f}">{text(label)}</text>',
    ]


def _curve(curve: Curve, x_scale: Scale, y_scale: Scale) -> list[str]:
    """Draw the log itself, pale, behind its median; a single point as a dot."""
    look = series_class(curve.number)
    x = x_scale.place(curve.x)
    strong = y_scale.place(curve.values if curve.smoothed is None else curve.smoothed)
    parts = []
    if curve.smoothed is not None and len(x) > 1:
        parts.append(f'<polyline class="curve pale {look}" points="{_points(x, y_scale.place(curve.values))}"/>')
    if len(x) > 1:
        parts.append(f'<polyline class="curve {look}" points="{_points(x, strong)}"/>')
    if len(x) == 1 or (curve.smoothed is None and len(x) <= 40):
        places = zip(x, strong, strict=True)
        parts += [f'<circle class="dot {look}" cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in places]
    return parts


def _points(x: Values, y: Values) -> str:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(np.int64))
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[kept], y[kept], strict=True))


def _told(panel: Panel) -> str:
    """Say in words what a panel shows."""
    return "; ".join(_course(curve) for curve in panel.curves) or "nothing"


def _course(curve: Curve) -> str:
    values = curve.values if curve.smoothed is None else curve.smoothed
    return f"{curve.name} from {values[0]:.4g} to {values[-1]:.4g}"
