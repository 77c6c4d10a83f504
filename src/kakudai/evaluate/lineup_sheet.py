"""The sheet of `kakudai compare --models`: one card per result, all of the same region at exact pixels.

A card is a caption of two lines, the region, and, where it was asked for, a map of what the network added to bicubic.
Maps share one scale of colours, which stands in the card of bicubic, where there is nothing to show.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kakudai.errors import UsageError
from kakudai.evaluate.lineup_entry import CONSISTENT, Entry
from kakudai.evaluate.markup import printable
from kakudai.evaluate.sheet import as_rgb8
from kakudai.evaluate.wanted import Region
from kakudai.image.picture import Pixels
from kakudai.image.resize import eight_bits, resize

Color = tuple[int, int, int]

EDGE, GAP, BELOW, BETWEEN = 36, 28, 30, 4
"""Pixels around the sheet, between cards, below them, and between a region and its map."""

NARROW, SIDE, WIDTH = 300, 400, 1760
"""A card is at least so wide, its region about so large if pixels can be repeated, and the sheet at most so wide."""

CAPTION = 46
"""Height of the two lines above a region."""

TITLE, NAME, SMALL = 24, 17, 13
"""Sizes of type, in pixels."""

THUMBNAIL = 96
"""Largest height of the small picture that shows where the region is."""

LEGEND = 100
"""Least height of a map in whose place the scale of colours can be drawn; else its end is said in words."""

MOST = 120_000_000
"""Pixels of the largest sheet."""

HEAT = np.array(
    [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99],
     [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]],
    np.float64,
)  # fmt: skip
"""From nothing to much: even steps in lightness, so that it can be read without colours too. Source: the map "inferno"
of Smith & van der Walt, 2015, sampled."""


@dataclass(frozen=True, slots=True)
class Paper:
    """Colours of a sheet."""

    ground: Color
    ink: Color
    faint: Color
    accent: Color


PAPERS = {
    "dark": Paper((27, 29, 32), (236, 237, 239), (148, 153, 161), (255, 190, 84)),
    "light": Paper((247, 247, 245), (26, 28, 31), (106, 111, 119), (176, 74, 8)),
}
"""Neutral, so that the eye judges the colours of the pictures rightly."""


@dataclass(frozen=True, slots=True)
class Words:
    """What stands on a sheet besides the captions of its cards.

    Args:
        title: Name of the picture.
        subtitle: What was done to it.
        notes: What figures and colours mean, one line each.
    """

    title: str
    subtitle: str
    notes: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Layout:
    """Where cards stand, all in pixels of the sheet.

    Args:
        zoom: Side of the square that a pixel becomes.
        shown: (width, height) of a region.
        columns: Cards side by side.
        rows: Cards above each other.
        maps: Each card has a map below its region.
        head: Height of what stands above the cards.
    """

    zoom: int
    shown: tuple[int, int]
    columns: int
    rows: int
    maps: bool
    head: int

    @property
    def card(self) -> tuple[int, int]:
        """Width and height of a card."""
        return max(NARROW, self.shown[0]), CAPTION + self.shown[1] * (1 + self.maps) + BETWEEN * self.maps

    @property
    def width(self) -> int:
        """Width of the sheet."""
        return 2 * EDGE + self.columns * (self.card[0] + GAP) - GAP

    @property
    def height(self) -> int:
        """Height of the cards with what is around them."""
        return self.head + self.rows * (self.card[1] + BELOW)

    def corner(self, number: int) -> tuple[int, int]:
        """Return where a card begins."""
        row, column = divmod(number, self.columns)
        return EDGE + column * (self.card[0] + GAP), self.head + row * (self.card[1] + BELOW)


def lay_out(count: int, width: int, height: int, *, maps: bool) -> Layout:
    """Place cards in rows of equal length, as far as that goes.

    Args:
        count: How many.
        width: Of the enlarged region, in pixels.
        height: The same.
        maps: Each card has a map.

    Raises:
        UsageError: The sheet would be larger than anybody can look at.
    """
    zoom = max(1, min(64, SIDE // max(width, height)))
    shown = (width * zoom, height * zoom)
    most = max(1, (WIDTH - 2 * EDGE + GAP) // (max(NARROW, shown[0]) + GAP))
    rows = math.ceil(count / most)
    layout = Layout(zoom, shown, math.ceil(count / rows), rows, maps, EDGE + THUMBNAIL + 28)
    if layout.width * layout.height > MOST:
        raise UsageError(
            f"{count} results of {width}x{height} pixels make a sheet of {layout.width}x{layout.height}",
            "name a smaller --region, or fewer models",
        )
    return layout


def draw_lineup(
    entries: Sequence[Entry], picture: Pixels, region: Region, words: Words, *, background: str = "dark"
) -> Image.Image:
    """Draw the sheet.

    Args:
        entries: At least one; the first is what maps compare with.
        picture: The input, shown small with the region marked.
        region: In pixels of the input.
        words: Title and notes.
        background: "dark" or "light".

    Raises:
        UsageError: The sheet would be too large.
    """
    height, width = entries[0].image.shape[:2]
    paper, layout = PAPERS[background], lay_out(len(entries), width, height, maps=entries[0].added is not None)
    limit = heat_limit([entry.added for entry in entries if entry.added is not None])
    legend = layout.maps and layout.shown[1] >= LEGEND
    unsaid = [f"The lightest colour: {limit:g} levels or more."] if layout.maps and not legend else []
    notes = _wrapped([*words.notes, *unsaid], layout.width - 2 * EDGE, SMALL)
    below = len(notes) * (SMALL + 7) + EDGE - (0 if notes else BELOW)
    sheet = Image.new("RGB", (layout.width, layout.height + below), paper.ground)
    draw = ImageDraw.Draw(sheet)
    _head(sheet, draw, picture, region, words, paper=paper)
    best = max((round(entry.psnr, 2) for entry in entries if entry.psnr is not None), default=None)
    for number, entry in enumerate(entries):
        corner = layout.corner(number)
        _caption(draw, entry, corner, layout.card[0], paper=paper, best=best)
        x, y = corner[0], corner[1] + CAPTION
        sheet.paste(_zoomed(as_rgb8(entry.image), layout.zoom), (x, y))
        y += layout.shown[1] + BETWEEN
        if number == 0 and entry.added is not None:
            room = (layout.card[0], layout.shown[1])
            draw.rectangle((x, y, x + room[0] - 1, y + room[1] - 1), fill=tuple(int(v) for v in HEAT[0]))
            if legend:
                _legend(sheet, draw, (x, y), room, words=f"difference to {entry.title}", limit=limit)
        elif entry.added is not None:
            sheet.paste(_zoomed(heat_colors(entry.added, limit), layout.zoom), (x, y))
    for number, line in enumerate(notes):
        y = layout.height + number * (SMALL + 7)
        draw.text((EDGE, y), line, paper.faint, _font(SMALL))
    return sheet


def heat_limit(maps: Sequence[NDArray[np.float32]]) -> float:
    """Return a round number that nearly all values of several maps stay below, in their unit."""
    top = max((float(np.quantile(values, 0.995)) for values in maps), default=0.0)
    return next(
        (step for step in (2.0, 4.0, 8.0, 12.0, 16.0, 20.0, 32.0, 40.0, 60.0, 100.0, 160.0) if step >= top), 256.0
    )


def heat_colors(values: NDArray[Any], limit: float) -> NDArray[np.uint8]:
    """Return the colours of numbers from 0 to a limit: (H, W) -> (H, W, 3).

    Convention: the scale is that of square roots, so that little is seen as well.
    """
    share, steps = np.sqrt(np.clip(values / limit, 0.0, 1.0)), np.linspace(0.0, 1.0, len(HEAT))
    channels = [np.interp(share, steps, HEAT[:, c]) for c in range(3)]
    result: NDArray[np.uint8] = (np.stack(channels, axis=-1) + 0.5).astype(np.uint8)
    return result


def short_count(count: int) -> str:
    """Write a number of parameters in three digits: 830, 47.7 K, 1.37 M."""
    for unit, word in ((1_000_000, " M"), (1_000, " K")):
        if count >= 0.9995 * unit:
            return f"{count / unit:#.3g}".rstrip(".") + word
    return str(count)


def decibels(value: float) -> str:
    """Write a PSNR."""
    return f"{value:.2f} dB" if math.isfinite(value) else "exact"


def _head(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, picture: Pixels, region: Region, words: Words, *, paper: Paper
) -> None:
    """Draw the title, and the picture with its region at the right."""
    small, box = _thumbnail(picture, region)
    left, top = sheet.width - EDGE - small.width, EDGE
    sheet.paste(small, (left, top))
    if (region.width, region.height) != (picture.shape[1], picture.shape[0]):
        around = (left + box[0] - 2, top + box[1] - 2, left + box[2] + 1, top + box[3] + 1)
        draw.rectangle(tuple(edge + grow for edge, grow in zip(around, (-1, -1, 1, 1), strict=True)), outline=(0, 0, 0))
        draw.rectangle(around, outline=paper.accent, width=2)
    room = left - GAP - EDGE
    draw.text((EDGE, EDGE + 20), _cut_middle(printable(words.title), room, TITLE), paper.ink, _font(TITLE), anchor="ls")
    for number, line in enumerate(_wrapped([words.subtitle], room, SMALL + 1)):
        draw.text((EDGE, EDGE + 48 + 20 * number), line, paper.faint, _font(SMALL + 1), anchor="ls")


def _thumbnail(picture: Pixels, region: Region) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Shrink a picture; return where its region lies then: left, top, right and bottom."""
    height, width = picture.shape[:2]
    share = min(THUMBNAIL / height, 2 * THUMBNAIL / width)
    size = (max(1, round(height * share)), max(1, round(width * share)))
    kernel = "nearest" if share > 1 else "bicubic"
    small = Image.fromarray(as_rgb8(resize(eight_bits(picture), size, kernel=kernel)))  # type: ignore[arg-type]
    left, top = round(region.left * share), round(region.top * share)
    right, bottom = ((region.left + region.width) * share, (region.top + region.height) * share)
    return small, (left, top, max(left + 3, round(right)), max(top + 3, round(bottom)))


def _fitting(text: str, width: int, size: int) -> tuple[str, int]:
    """Return a text and its size: smaller type, and then less text, where it is too wide."""
    while size > SMALL and _font(size).getlength(text) > width:
        size -= 1
    return _cut_middle(text, width, size), size


def _caption(
    draw: ImageDraw.ImageDraw, entry: Entry, corner: tuple[int, int], width: int, *, paper: Paper, best: float | None
) -> None:
    """Write the title with the PSNR at its right, stronger where it is the best, and below what is known besides."""
    x, right = corner[0], corner[0] + width
    figure = "" if entry.psnr is None else decibels(entry.psnr)
    strong = paper.accent if entry.psnr is not None and round(entry.psnr, 2) == best else paper.ink
    # The card before has what is known of the network; a long name leaves no room for more behind it.
    title, facts = entry.title.removesuffix(CONSISTENT), ["consistent"] if entry.consistent else []
    if entry.parameters is not None and not entry.consistent:
        facts.append(f"{short_count(entry.parameters)} parameters")
        if entry.seconds is not None and entry.back is not None:  # else of parts of different sizes
            facts.append(f"{entry.seconds:.2f} s")
    back = "" if entry.back is None else f"shrinks back: {decibels(entry.back.psnr)}"
    rows = [
        (corner[1] + 17, NAME, printable(title), figure, paper.ink, strong),
        (corner[1] + 36, SMALL, "  ·  ".join(facts), back, paper.faint, paper.faint),
    ]
    for y, size, words, number, ink, color in rows:
        font = _font(size)
        draw.text((right, y), number, color, font, anchor="rs")
        room = width - (int(font.getlength(number)) + 14 if number else 0)
        shown, fitted = _fitting(words, room, size)
        draw.text((x, y), shown, ink, _font(fitted), anchor="ls")


def _legend(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    room: tuple[int, int],
    *,
    words: str,
    limit: float,
) -> None:
    """Draw the scale of colours where the first card would have its map."""
    x, y = corner
    across, middle = room[0] - 48, y + room[1] // 2
    ramp = limit * np.square(np.linspace(0.0, 1.0, across, dtype=np.float32))[None].repeat(14, 0)
    ink = (205, 208, 213)
    draw.text((x + 24, middle - 22), words, ink, _font(SMALL + 1), anchor="ls")
    sheet.paste(Image.fromarray(heat_colors(ramp, limit)), (x + 24, middle - 8))
    draw.rectangle((x + 23, middle - 9, x + 24 + across, middle + 6), outline=(92, 92, 104))
    for share, anchor in ((0.0, "ls"), (0.5, "ms"), (1.0, "rs")):
        text = f"{share**2 * limit:g}" + (" levels" if share == 1.0 else "")
        draw.text((x + 24 + share * across, middle + 26), text, ink, _font(SMALL), anchor=anchor)


def _zoomed(image: NDArray[np.uint8], zoom: int) -> Image.Image:
    return Image.fromarray(image.repeat(zoom, 0).repeat(zoom, 1))


def _wrapped(lines: Sequence[str], width: int, size: int) -> list[str]:
    """Break lines between words."""
    font, result = _font(size), []
    for line in lines:
        current = ""
        for word in printable(line).split():
            longer = f"{current} {word}".strip()
            if current and font.getlength(longer) > width:
                result.append(current)
                longer = word
            current = longer
        result.append(current)
    return result


def _cut_middle(text: str, width: int, size: int) -> str:
    """Replace the middle of a text that is wider than a number of pixels: both ends of a model's name tell it apart."""
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if font.getlength(short) <= width:
            return short
    return ""


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
