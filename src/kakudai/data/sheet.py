"""Paper and pen for drawn art: curves, strokes that swell and taper, and shapes filled flat, hatched or with dots."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

Points = NDArray[np.float64]
"""(N, 2) x, y in drawn pixels."""
Ink = tuple[int, int, int]

SUPERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture that is being drawn, `SUPERSAMPLING` times as large as it will be.

    Args:
        image: The RGB picture.
        rng: Where every choice comes from.
        inks: Flat colours to choose from; greys where the picture is black and white.
        outline: Colour of the lines.
        width: Usual width of a line, in drawn pixels.
        toned: Half tones are dots, as in print, where they would else be flat colours.
    """

    image: Image.Image
    rng: np.random.Generator
    inks: list[Ink]
    outline: Ink
    width: float
    toned: bool

    @property
    def side(self) -> int:
        """Rows and columns, in drawn pixels."""
        return self.image.width

    def ink(self) -> Ink:
        """Choose one of the flat colours."""
        return self.inks[int(self.rng.integers(len(self.inks)))]

    def place(self) -> Points:
        """Choose a point."""
        return self.rng.random(2) * self.side


def closed_curve(rng: np.random.Generator, centre: Points, radius: float, bumps: float) -> Points:
    """Make a smooth closed curve around a point: a stretched circle with waves of the given strength."""
    angle = np.linspace(0.0, 2 * np.pi, 72, endpoint=False)
    reach = np.ones_like(angle)
    for order in range(2, 6):
        reach += bumps * rng.normal(0.0, 0.5 / order) * np.cos(order * angle + rng.uniform(0, 6.3))
    stretch, turn = np.exp(rng.normal(0.0, 0.2)), rng.uniform(0, 6.3)
    x, y = np.cos(angle) * stretch * reach, np.sin(angle) / stretch * reach
    return centre + radius * np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], -1)


def bent_line(start: Points, bend: Points, end: Points) -> Points:
    """Make a curve from one point to another, pulled towards a third."""
    t = np.linspace(0.0, 1.0, 24)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end


def stroke(sheet: Sheet, points: Points, width: float, *, ink: Ink | None = None, closed: bool = False) -> None:
    """Draw along points with a pen whose pressure changes; an open stroke ends in points."""
    ink = sheet.outline if ink is None else ink
    if closed:
        points = np.concatenate([points, points[:1]])
    along = np.linspace(0.0, 1.0, len(points))
    pressure = 1.0 + 0.45 * np.sin(2 * np.pi * (along * sheet.rng.integers(1, 4) + sheet.rng.random()))
    if not closed:
        pressure = pressure * np.minimum(1.0, 4.0 * np.sqrt(along * (1.0 - along)) + 0.1)
    half = 0.5 * np.maximum(width * pressure, 1.0)
    step = np.gradient(points, axis=0)
    normal = np.stack([-step[:, 1], step[:, 0]], -1) / np.maximum(np.hypot(*step.T), 1e-6)[:, None] * half[:, None]
    left, right = points + normal, points - normal
    draw = ImageDraw.Draw(sheet.image)
    for quad in np.stack([left[:-1], left[1:], right[1:], right[:-1]], 1).reshape(-1, 8).tolist():
        draw.polygon(quad, fill=ink)
    for (x, y), r in zip(points.tolist(), half.tolist(), strict=True):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)


def fill(sheet: Sheet, points: Points, ink: Ink) -> None:
    """Fill a shape flat."""
    ImageDraw.Draw(sheet.image).polygon(points.reshape(-1).tolist(), fill=ink)


def cel_shade(sheet: Sheet, points: Points, ink: Ink, depth: float, light: Points) -> None:
    """Fill a shape with a colour, and with a darker one (or with dots) the part that looks away from the light.

    Args:
        depth: How much brighter (above 0) or darker than the colour the part becomes, from -1 to 1.
        light: How far the edge of the shade stands from the edge of the shape.
    """
    fill(sheet, points, ink)
    box, inside = _mask(sheet, points)
    if inside is None:
        return
    _, moved = _mask(sheet, points + light, box)
    shade = ImageChops.subtract(inside, moved) if moved is not None else inside
    if sheet.toned and depth < 0:
        shade = ImageChops.multiply(shade, _dots(sheet.rng, box, -0.7 * depth + 0.08))
        sheet.image.paste(sheet.outline, box, shade)
    else:
        sheet.image.paste(_shift(ink, depth), box, shade)


def screentone(sheet: Sheet, points: Points, ink: Ink, share: float, *, fading: bool = False) -> None:
    """Print dots into a shape that cover a share of it; a fading tone has them grow from one side to the other."""
    box, inside = _mask(sheet, points)
    if inside is not None:
        sheet.image.paste(ink, box, ImageChops.multiply(inside, _dots(sheet.rng, box, share, fading=fading)))


def hatch(sheet: Sheet, points: Points, ink: Ink, *, crossed: bool = False) -> None:
    """Hatch a shape with pen lines of one direction, or of two."""
    box, inside = _mask(sheet, points)
    if inside is None:
        return
    angle = sheet.rng.uniform(0, np.pi)
    gap = sheet.rng.uniform(2.2, 7.0) * SUPERSAMPLING
    lines = Image.new("L", inside.size)
    draw = ImageDraw.Draw(lines)
    middle, reach = np.array(inside.size) / 2, float(np.hypot(*inside.size)) / 2
    for turn in (angle, angle + 1.2)[: 2 if crossed else 1]:
        along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        for offset in np.arange(-reach, reach, gap):
            wobble = sheet.rng.normal(0.0, 0.08 * gap, 2)
            first, last = (
                middle + across * (offset + w) + along * reach * s for w, s in zip(wobble, (-1, 1), strict=True)
            )
            width = max(1, round(sheet.width * sheet.rng.uniform(0.35, 0.8)))
            draw.line((*first, *last), fill=255, width=width)
    sheet.image.paste(ink, box, ImageChops.multiply(inside, lines))


def fade(sheet: Sheet, points: Points, first: Ink, last: Ink) -> None:
    """Fill a shape with a gradient from top to bottom."""
    box, inside = _mask(sheet, points)
    if inside is None:
        return
    t = np.linspace(0.0, 1.0, inside.height)[:, None, None]
    rows = np.round(np.array(first) * (1 - t) + np.array(last) * t).astype(np.uint8)
    sheet.image.paste(Image.fromarray(np.repeat(rows, inside.width, 1)), box, inside)


def _shift(ink: Ink, depth: float) -> Ink:
    """Mix a colour with white (depth above 0) or with a dark blue (below 0), which is how shade is painted."""
    goal = (255, 255, 255) if depth > 0 else (40, 20, 70)
    red, green, blue = (round(a + (b - a) * abs(depth)) for a, b in zip(ink, goal, strict=True))
    return red, green, blue


Box = tuple[int, int, int, int]


def _mask(sheet: Sheet, points: Points, box: Box | None = None) -> tuple[Box, Image.Image | None]:
    """Return the part of the sheet that a shape stands in, and white where the shape is; None outside the sheet."""
    if box is None:
        left, top = np.floor(points.min(0)).clip(0, sheet.side).astype(int).tolist()
        right, bottom = np.ceil(points.max(0) + 1).clip(0, sheet.side).astype(int).tolist()
        box = (left, top, right, bottom)
    if box[2] <= box[0] or box[3] <= box[1]:
        return box, None
    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    ImageDraw.Draw(mask).polygon((points - np.array(box[:2])).reshape(-1).tolist(), fill=255)
    return box, mask


def _dots(rng: np.random.Generator, box: Box, share: float, *, fading: bool = False) -> Image.Image:
    """Make a pattern of dots (sometimes lines) at an angle that covers a share of the box."""
    period = rng.uniform(2.6, 7.0) * SUPERSAMPLING
    angle = np.float32(rng.choice([np.pi / 4, np.pi / 4, 0.26, np.pi / 3]))
    y, x = (np.arange(box[k], box[k + 2], dtype=np.float32) for k in (1, 0))
    frequency = np.float32(2 * np.pi / period)
    u = (x[None] * np.cos(angle) + y[:, None] * np.sin(angle)) * frequency
    v = (y[:, None] * np.cos(angle) - x[None] * np.sin(angle)) * frequency
    height = np.cos(u) * (1.0 if rng.random() < 0.1 else 0.5) + np.cos(v) * 0.5
    level = np.full(len(y), share) if not fading else np.linspace(0.0, 2.0 * share, len(y)).clip(0, 1)
    limit = np.cos(np.pi * np.sqrt(level)) if fading else 1.0 - 2.0 * level
    return Image.fromarray(np.where(height > limit[:, None], 255, 0).astype(np.uint8))
