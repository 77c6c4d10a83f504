"""Words in drawn art: captions, sounds and speech balloons, in the one font that comes with Pillow."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kakudai.data.sheet import SUPERSAMPLING, Ink, Points, Sheet, closed_curve, fill, stroke

WHITE: Ink = (255, 255, 255)
LETTERS = "eeeettaaoooinnsshrrdlucmfwygpbvkxqjzAEIOSTRNDL"


@lru_cache(maxsize=64)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)


def words(rng: np.random.Generator, count: int) -> str:
    """Make up words of no language."""
    made = ["".join(rng.choice(list(LETTERS), rng.integers(1, 8))) for _ in range(count)]
    text = " ".join(made) + str(rng.choice(["", "", ".", "!", "?", "...", "!!"]))
    return text.upper() if rng.random() < 0.6 else text.capitalize()


def letter(sheet: Sheet, text: str, middle: Points, height: float, *, ink: Ink, edge: Ink | None, turn: float) -> None:
    """Write text around a point.

    Args:
        height: Of the letters, in drawn pixels.
        edge: Colour of a line around every letter; None for none.
        turn: Degrees against the clock.
    """
    font, border = _font(max(8, round(height))), round(0.12 * height) if edge is not None else 0
    probe = ImageDraw.Draw(sheet.image)
    left, top, right, bottom = probe.multiline_textbbox((0, 0), text, font=font, stroke_width=border, align="center")
    size = (int(right - left) + 4, int(bottom - top) + 4)
    if max(size) > 4 * sheet.side:
        return
    layer = Image.new("RGBA", size)
    ImageDraw.Draw(layer).multiline_text(
        (2 - left, 2 - top), text, fill=ink, font=font, stroke_width=border, stroke_fill=edge, align="center"
    )
    if turn:
        layer = layer.rotate(turn, Image.Resampling.BILINEAR, expand=True)
    x, y = np.round(middle - np.array(layer.size) / 2).astype(int).tolist()
    sheet.image.paste(layer, (x, y), layer)


def sound(sheet: Sheet) -> None:
    """Write one large word across the picture, as a sound is drawn in comics."""
    rng = sheet.rng
    height = sheet.side * rng.uniform(0.08, 0.25)
    dark = rng.random() < 0.5
    ink, edge = (sheet.outline, WHITE) if dark else (sheet.ink(), sheet.outline)
    letter(sheet, words(rng, 1), sheet.place(), height, ink=ink, edge=edge, turn=float(rng.uniform(-40, 40)))


def caption(sheet: Sheet) -> None:
    """Write a few lines in a box."""
    rng = sheet.rng
    height = rng.uniform(6.0, 13.0) * SUPERSAMPLING
    lines = "\n".join(words(rng, int(rng.integers(2, 6))) for _ in range(rng.integers(1, 5)))
    middle = sheet.place()
    half = np.array(
        [0.28 * height * max(map(len, lines.split("\n"))) + height, 0.65 * height * (lines.count("\n") + 2)]
    )
    corners = middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    dark = rng.random() < 0.25
    fill(sheet, corners, sheet.outline if dark else WHITE)
    if rng.random() < 0.7:
        stroke(sheet, corners, sheet.width, closed=True)
    letter(sheet, lines, middle, height, ink=WHITE if dark else sheet.outline, edge=None, turn=0.0)


def balloon(sheet: Sheet) -> None:
    """Draw a speech balloon with its tail and what is said."""
    rng = sheet.rng
    height = rng.uniform(6.0, 15.0) * SUPERSAMPLING
    lines = "\n".join(words(rng, int(rng.integers(1, 3))) for _ in range(rng.integers(1, 5)))
    middle = sheet.place()
    across = 0.35 * height * max(map(len, lines.split("\n"))) + height
    down = 0.75 * height * (lines.count("\n") + 1) + height
    curve = closed_curve(rng, np.zeros(2), 1.0, 0.05)
    if rng.random() < 0.15:  # a shout
        curve[::2] *= 1.25
    edge = middle + curve / np.abs(curve).max(0) * 1.15 * np.array([across, down])
    angle = rng.uniform(0, 2 * np.pi)
    tip = middle + 1.9 * np.array([across * np.cos(angle), down * np.sin(angle)])
    root = int(np.argmin(np.hypot(*(edge - tip).T)))
    outline = np.concatenate([np.roll(edge, -root - 3, 0)[:-6], tip[None]])
    fill(sheet, outline, WHITE)
    stroke(sheet, outline, sheet.width * rng.uniform(0.8, 1.6), closed=True)
    letter(sheet, lines, middle, height, ink=sheet.outline, edge=None, turn=0.0)
