"""What `kakudai analyse` finds where there is nothing: no JPEG ever, no JPEG before the last, no noise."""

import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from analysis_sets import SETS, Colour, encoded, once_jpeg, pictures, printed
from kakudai.analyse import areas, find_compression, noise_level, read_jpeg_history
from kakudai.analyse.blocking import find_grid
from kakudai.image.files import read_image
from kakudai.image.picture import Picture

ICONS = (16, 24, 32, 48, 64)
"""Sides of icons."""


def alarms(root: Path) -> dict[str, Any]:
    """What is found in pictures that were never JPEG: grids, earlier compressions; noise of icons."""
    grids: dict[str, dict[str, int | None]] = defaultdict(dict)
    once: dict[str, dict[str, Any]] = {}
    for name, stem, picture in pictures(root, SETS):
        if name == "BSD100" or stem in once_jpeg(root, name):
            grid = find_grid(areas(picture.color, picture.alpha))
            source = "" if name == "BSD100" else once_jpeg(root, name)[stem]
            once[f"{name} {stem}"] = {"source": source, "quality": None if grid is None else grid.quality}
            continue
        for version, color, alpha in _never_jpeg(picture, printed(picture)):
            grid = find_grid(areas(color, alpha))
            grids[version][f"{name} {stem}"] = None if grid is None else grid.quality
    for times in (1, 2, 3, 4, 6):
        for number in range(40):
            enlarged = np.kron(_icon(32, 2 * number + 1), np.ones((times, times, 1), np.uint8))
            grid = find_grid(areas(enlarged))
            grids[f"flat icons of 32 pixels, each repeated {times}x{times}"][str(number)] = (
                None if grid is None else grid.quality
            )
    return {"grids": grids, "once JPEG": once, "earlier": earlier(root), "icons": icons()}


def earlier(root: Path) -> list[int | None]:
    """What is said of compressions before the only one, in files of which the header is read."""
    found = []
    for name, stem, picture in pictures(root, [name for name in SETS if name != "BSD100"]):
        if stem not in once_jpeg(root, name):
            for quality in (20, 30, 40, 50, 60, 75, 85, 90, 95, 98, 100):
                file, pixels = encoded(printed(picture), quality, "4:2:0")
                found.append(find_compression(areas(pixels), read_jpeg_history(file)).earlier)
    return found


def icons() -> dict[str, float | None]:
    """The largest noise that is found in 40 clean icons of each size."""
    found = {}
    for side in ICONS:
        levels = [noise_level(areas(_icon(side, number))) for number in range(40)]
        found[str(side)] = max((level for level in levels if level is not None), default=None)
    return found


def _never_jpeg(picture: Picture, image: Colour) -> Iterator[tuple[str, Any, Any]]:
    """Yield a picture as it is, and in ways that look a little like JPEG."""
    yield "as it is", picture.color, picture.alpha
    for name in ("AVIF", "WEBP"):
        for quality in (20, 50, 70, 90):
            file = io.BytesIO()
            Image.fromarray(image).save(file, name, quality=quality)
            yield f"{name if name == 'AVIF' else 'WebP'}, quality {quality}", read_image(file.getvalue()).color, None
    light = image / np.float32(255.0)
    for version, changed in (
        ("contrast 1.6x, clipped", 1.6 * light - 0.3),
        ("contrast 3x, clipped", 3.0 * light - 1.0),
        ("brightness 2x, clipped", 2.0 * light),
    ):
        yield version, np.clip(changed, 0.0, 1.0), None
    yield "32 tones", image // 8 * 8, None
    yield "64 colours", np.asarray(Image.fromarray(image).quantize(64).convert("RGB")), None
    yield "black and white", np.where(light.mean(axis=2, keepdims=True) > 0.5, 255, 0).astype(np.uint8), None


def _icon(side: int, number: int) -> Colour:
    """Draw a few shapes of flat colour."""
    rng = np.random.default_rng(number)
    image = Image.new("RGB", (32, 32), tuple(rng.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for shape in (pen.ellipse, pen.rectangle, pen.ellipse, pen.rectangle):
        x, y, width, height = (*rng.integers(0, 24, 2).tolist(), *rng.integers(3, 20, 2).tolist())
        shape((x, y, x + width, y + height), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return np.asarray(image.resize((side, side), Image.Resampling.NEAREST if number % 2 else Image.Resampling.BICUBIC))
