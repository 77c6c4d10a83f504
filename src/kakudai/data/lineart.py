"""Pictures that resemble comics and animation: clean lines, flat colours, hard-edged shade, hatching, dots, words.

Half of them are black and white with dots for greys, as comics are printed; half are coloured flat, as cartoons are.
"""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakudai.data import sheet as pen
from kakudai.data.lettering import balloon, caption, sound
from kakudai.data.sheet import SUPERSAMPLING, Ink, Points, Sheet, bent_line, closed_curve, fill, stroke
from kakudai.degrade.blur import gaussian_blur

WHITE: Ink = (255, 255, 255)
BLACK: Ink = (12, 12, 14)


def draw_art(seed: int, index: int, size: int) -> NDArray[np.uint8]:
    """Draw picture number `index` of a seed.

    Shape: (size, size, 3) uint8 RGB.
    """
    rng = np.random.default_rng([seed, index, 0xA127])
    sheet = _new_sheet(rng, size * SUPERSAMPLING)
    _ground(sheet)
    kinds, shares = zip(*FIGURES, strict=True)
    for kind in rng.choice(len(kinds), int(rng.integers(14, 32)), p=np.array(shares) / sum(shares)):
        kinds[kind](sheet)
    for add, chance in ((sound, 0.3), (caption, 0.3), (balloon, 0.45), (balloon, 0.25), (_frame, 0.3)):
        if rng.random() < chance:
            add(sheet)
    image = np.asarray(sheet.image.reduce(SUPERSAMPLING))
    return np.asarray(gaussian_blur(image, float(rng.uniform(0.3, 0.6)) if rng.random() < 0.4 else 0.0))


def _new_sheet(rng: np.random.Generator, side: int) -> Sheet:
    toned = bool(rng.random() < 0.5)
    if toned:
        inks = [WHITE, WHITE, (245, 245, 245), (205, 205, 205), (140, 140, 140), BLACK]
        outline = BLACK
    else:
        hues = rng.uniform(0, 1) + np.concatenate([rng.normal(0.0, 0.08, 4), rng.uniform(0, 1, 3)])
        inks = [_colour(hue, rng.beta(2.0, 2.0) * 0.9, rng.uniform(0.35, 1.0)) for hue in hues]
        inks += [(255, 224, 204), WHITE]
        outline = BLACK if rng.random() < 0.6 else _colour(rng.random(), 0.6, 0.3)
    width = SUPERSAMPLING * float(np.exp(rng.uniform(np.log(0.7), np.log(3.0))))
    return Sheet(Image.new("RGB", (side, side), WHITE), rng, inks, outline, width, toned)


def _colour(hue: float, strength: float, value: float) -> Ink:
    """Turn hue (1 is once around), saturation and value into RGB."""
    red, green, blue = (
        round(255 * value * (1 - strength * min(max(1 - abs((6 * hue + shift) % 6 - 3) + 1, 0), 1)))
        for shift in (3.0, 1.0, 5.0)
    )
    return red, green, blue


def _ground(sheet: Sheet) -> None:
    """Cover the paper: flat, with dots, with a gradient, or with lines that run to one point."""
    rng, side = sheet.rng, sheet.side
    whole = np.array([[0, 0], [side, 0], [side, side], [0, side]], float)
    fill(sheet, whole, sheet.ink())
    choice = rng.random()
    if choice < 0.2:
        pen.fade(sheet, whole, sheet.ink(), sheet.ink())
    elif choice < 0.45:
        pen.screentone(sheet, whole, sheet.ink(), rng.uniform(0.1, 0.6), fading=bool(rng.random() < 0.5))
    elif choice < 0.55:
        _rays(sheet)
    for _ in range(rng.integers(0, 4)):  # hills, walls, floors
        level, slope = rng.uniform(0.2, 1.0, 2) * side, rng.uniform(-0.3, 0.3) * side
        edge = bent_line(np.array([0, level[0]]), np.array([side / 2, level[1]]), np.array([side, level[0] + slope]))
        area = np.concatenate([edge, [[side, side], [0, side]]])
        fill(sheet, area, sheet.ink())
        if rng.random() < 0.6:
            stroke(sheet, edge, sheet.width)


def _rays(sheet: Sheet) -> None:
    """Draw lines that run to one point, as comics show speed."""
    rng, middle = sheet.rng, sheet.place()
    for angle in np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(40, 140)))):
        way = np.array([np.cos(angle), np.sin(angle)])
        side = np.array([-way[1], way[0]]) * rng.uniform(0.5, 3.0) * SUPERSAMPLING
        tip, foot = middle + way * sheet.side * rng.uniform(0.15, 0.4), middle + way * sheet.side * 1.5
        fill(sheet, np.stack([tip, foot + side * 3, foot - side * 3]), sheet.outline)


def _finish(sheet: Sheet, points: Points, radius: float) -> None:
    """Fill a shape in one of the ways of the trade, and draw its outline."""
    rng, ink = sheet.rng, sheet.ink()
    choice = rng.random()
    angle = rng.uniform(0, 2 * np.pi)
    light = radius * rng.uniform(0.15, 0.5) * np.array([np.cos(angle), np.sin(angle)])
    fill(sheet, points, ink)
    if choice < 0.5:
        pen.cel_shade(sheet, points, ink, -rng.uniform(0.15, 0.5), light)
    elif choice < 0.62:
        pen.cel_shade(sheet, points, ink, rng.uniform(0.3, 0.8), -light)
    elif choice < 0.72:
        pen.hatch(sheet, points, sheet.outline, crossed=bool(rng.random() < 0.4))
    elif choice < 0.87 and sheet.toned:
        pen.screentone(sheet, points, sheet.outline, rng.uniform(0.05, 0.6), fading=bool(rng.random() < 0.4))
    elif choice > 0.95:
        pen.fade(sheet, points, ink, sheet.ink())
    if rng.random() < 0.9:
        stroke(sheet, points, sheet.width * rng.uniform(0.6, 1.5), closed=True)


def _radius(sheet: Sheet) -> float:
    return float(sheet.side * np.exp(sheet.rng.uniform(np.log(0.03), np.log(0.35))))


def _blob(sheet: Sheet) -> None:
    radius = _radius(sheet)
    _finish(sheet, closed_curve(sheet.rng, sheet.place(), radius, sheet.rng.uniform(0.0, 1.0)), radius)


def _polygon(sheet: Sheet) -> None:
    rng, radius = sheet.rng, _radius(sheet)
    corners = int(rng.integers(3, 8))
    angle = (np.arange(corners) + rng.uniform(-0.2, 0.2, corners)) * 2 * np.pi / corners + rng.uniform(0, 6.3)
    _finish(sheet, sheet.place() + radius * np.stack([np.cos(angle), np.sin(angle)], -1), radius)


def _star(sheet: Sheet) -> None:
    """Draw a star, a flower or a flash."""
    rng, radius = sheet.rng, _radius(sheet)
    rays = int(rng.integers(4, 13))
    angle = np.arange(2 * rays) * np.pi / rays + rng.uniform(0, 6.3)
    reach = np.where(np.arange(2 * rays) % 2, rng.uniform(0.3, 0.8), 1.0)
    _finish(sheet, sheet.place() + radius * (reach * np.stack([np.cos(angle), np.sin(angle)])).T, radius)


def _strands(sheet: Sheet) -> None:
    """Draw hair: tapering locks that spring from one place and bend the same way."""
    rng, root, radius = sheet.rng, sheet.place(), 1.4 * _radius(sheet)
    ink, heading, pull = sheet.ink(), rng.uniform(0, 6.3), rng.normal(0.0, 0.5, 2) * radius
    for angle in heading + np.linspace(-0.9, 0.9, int(rng.integers(4, 12))) + rng.normal(0.0, 0.08):
        way = np.array([np.cos(angle), np.sin(angle)])
        side = np.array([-way[1], way[0]]) * radius * rng.uniform(0.06, 0.2)
        tip = root + way * radius * rng.uniform(0.7, 1.2) + pull
        bend = root + 0.6 * radius * way
        lock = np.concatenate([bent_line(root - side, bend - side, tip), bent_line(tip, bend + side, root + side)[1:]])
        pen.cel_shade(sheet, lock, ink, -0.3, side * 0.8)
        stroke(sheet, lock, 0.7 * sheet.width)


def _eye(sheet: Sheet) -> None:
    """Draw a large eye: white, iris, pupil, two lights, and a heavy upper lid."""
    rng, middle, radius = sheet.rng, sheet.place(), 0.4 * _radius(sheet) + 4.0 * SUPERSAMPLING
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], -1)
    tall = np.array([0.75, 1.0])
    fill(sheet, middle + 1.25 * radius * circle * np.array([1.0, 0.8]), WHITE)
    pen.fade(sheet, middle + 0.8 * radius * circle * tall, sheet.outline, sheet.ink())
    stroke(sheet, middle + 0.8 * radius * circle * tall, 0.6 * sheet.width, closed=True)
    fill(sheet, middle + 0.35 * radius * circle * tall, sheet.outline)
    spot = np.array([-0.3, -0.35]) * radius
    fill(sheet, middle + spot + 0.22 * radius * circle, WHITE)
    fill(sheet, middle - spot + 0.12 * radius * circle, WHITE)
    lid = middle + 1.3 * radius * circle[np.sin(turn) < -0.15] * np.array([1.05, 0.85])
    stroke(sheet, lid, sheet.width * rng.uniform(1.5, 3.0))


def _head(sheet: Sheet) -> None:
    """Draw a face: cheeks that end in a chin, eyes, mouth, and hair over the forehead."""
    rng, middle, radius = sheet.rng, sheet.place(), _radius(sheet) * 0.7 + 12.0 * SUPERSAMPLING
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    face = np.stack([np.cos(turn) * (1.0 - 0.25 * np.maximum(np.sin(turn), 0) ** 2), np.sin(turn) * 1.15], -1)
    skin = WHITE if sheet.toned else (255, 226, 206)
    hair, shine = sheet.ink(), radius * np.array([rng.choice([-0.25, 0.25]), -0.1])
    fill(sheet, middle + radius * 1.3 * face, hair)
    stroke(sheet, middle + radius * 1.3 * face, sheet.width, closed=True)
    pen.cel_shade(sheet, middle + radius * face, skin, -0.18, shine)
    stroke(sheet, middle + radius * face, sheet.width, closed=True)
    iris = sheet.ink()
    for way in (-1.0, 1.0):
        eye = middle + radius * np.array([0.42 * way, 0.15])
        small = np.stack([np.cos(turn) * 0.2, np.sin(turn) * 0.27], -1) * radius
        fill(sheet, eye + small * 1.15, WHITE)
        pen.fade(sheet, eye + small, sheet.outline, iris)
        fill(sheet, eye + small * 0.35 - radius * np.array([0.06, 0.1]), WHITE)
        stroke(sheet, (eye + 1.3 * small)[np.sin(turn) < -0.1], 1.6 * sheet.width)
        stroke(sheet, (eye + 1.5 * small)[np.sin(turn) < -0.6] - radius * np.array([0.0, 0.15]), 0.8 * sheet.width)
    left, right = (middle + radius * np.array([x, 0.7]) for x in (-0.15, 0.15))
    stroke(sheet, bent_line(left, middle + radius * np.array([0.0, rng.uniform(0.6, 0.95)]), right), 0.8 * sheet.width)
    edge = np.linspace(-1.1, 1.1, int(rng.integers(6, 11)))
    for x, following in itertools.pairwise(edge):
        a, b = (middle + radius * np.array([c, -0.55 - 0.6 * np.cos(c)]) for c in (x, following))
        tip = (a + b) / 2 + radius * np.array([rng.normal(0.0, 0.12), rng.uniform(0.5, 0.95)])
        lock = np.stack([a, tip, b])
        fill(sheet, lock, hair)
        stroke(sheet, np.concatenate([bent_line(a, (a + tip) / 2, tip), bent_line(tip, (b + tip) / 2, b)]), sheet.width)


def _lines(sheet: Sheet) -> None:
    """Draw a few bent strokes beside each other: folds, grass, rain."""
    rng, start = sheet.rng, sheet.place()
    way, bend = (rng.normal(0.0, 0.18, 2) * sheet.side for _ in range(2))
    gap = rng.normal(0.0, 0.02, 2) * sheet.side
    ink = sheet.outline if rng.random() < 0.8 else sheet.ink()
    for number in range(rng.integers(1, 12)):
        at = start + gap * number + rng.normal(0.0, 0.004, 2) * sheet.side
        stroke(sheet, bent_line(at, at + way / 2 + bend, at + way), sheet.width * rng.uniform(0.4, 1.3), ink=ink)


def _building(sheet: Sheet) -> None:
    """Draw a wall with rows of windows, in straight lines."""
    rng, (x, y) = sheet.rng, sheet.place()
    wide, tall = sheet.side * rng.uniform(0.1, 0.4), sheet.side * rng.uniform(0.2, 0.6)
    wall = np.array([[x, y], [x + wide, y], [x + wide, y + tall], [x, y + tall]])
    fill(sheet, wall, sheet.ink())
    stroke(sheet, wall, sheet.width, closed=True)
    columns, rows, glass = int(rng.integers(2, 6)), int(rng.integers(2, 9)), sheet.ink()
    for column in range(columns):
        for row in range(rows):
            corner = wall[0] + np.array([wide * (column + 0.25) / columns, tall * (row + 0.25) / rows])
            pane = corner + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [wide * 0.5 / columns, tall * 0.5 / rows]
            fill(sheet, pane, glass)
            stroke(sheet, pane, 0.5 * sheet.width, closed=True)


def _frame(sheet: Sheet) -> None:
    """Cut the page into panels: a white gutter between two black lines, across or down, at a slant."""
    rng, side = sheet.rng, sheet.side
    at, slant = side * rng.uniform(0.2, 0.8), side * rng.uniform(-0.1, 0.1)
    half = rng.uniform(2.0, 5.0) * SUPERSAMPLING
    band = np.array([[-9, at - half], [side + 9, at + slant - half], [side + 9, at + slant + half], [-9, at + half]])
    band = band[:, ::-1].copy() if rng.random() < 0.5 else band
    fill(sheet, band, WHITE)
    for first, last in ((band[0], band[1]), (band[2], band[3])):
        way = np.array([-(last - first)[1], (last - first)[0]]) / np.hypot(*(last - first)) * sheet.width * 0.5
        fill(sheet, np.stack([first - way, last - way, last + way, first + way]), BLACK)


FIGURES: tuple[tuple[Callable[[Sheet], None], float], ...] = (
    (_blob, 4),
    (_polygon, 2),
    (_star, 1),
    (_strands, 2),
    (_eye, 1),
    (_head, 2.5),
    (_lines, 3),
    (_building, 1),
)
"""What can be drawn, and how often it is."""
