"""How often is `kakudai analyse` right? On all test sets, clean and damaged in known ways.

    python benchmarks/analysis.py ../shared/data/test          # all: about a quarter of an hour of one processor
    python benchmarks/analysis.py ../shared/data/test jpeg     # some of: jpeg, alarms, noise, kind, enlarged

Writes benchmarks/results/analysis.json, where parts that were not measured again stay as they were, and
docs/reference/analysis.md. Sprites are laid on white before they are compressed or enlarged. Every picture is cropped
after its compression, so that the grid begins anywhere.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from analysis_alarms import alarms
from analysis_sets import CHROMA, DRAWN_SETS, PHOTOGRAPHS, SETS, Colour, encoded, pictures, printed
from kakudai.analyse import (
    analyse_picture,
    areas,
    drawn_probability,
    find_compression,
    noise_level,
    read_jpeg_history,
)
from kakudai.analyse.blocking import Grid, find_grid
from kakudai.analyse.enlarged import enlarged_by
from kakudai.analyse.grey import is_grey
from kakudai.degrade.noise import gaussian_noise
from kakudai.image.exif import is_by_camera
from kakudai.image.resize import resize

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results/analysis.json", ROOT / "docs/reference/analysis.md"
QUALITIES = (20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95)
TWICE = ((30, 90), (50, 90), (70, 90), (30, 75), (50, 75), (30, 98), (50, 98))
SIGMAS = (0, 2, 5, 10, 15, 25)
SCALES, KERNELS = (1.5, 2.0, 3.0, 4.0), ("triangle", "bicubic", "lanczos3")
AS_FILE = "as a file"
"""A clean picture, with what its file says of the camera."""

LOOKS = ("all", "drawn", "compression and noise")
"""What is timed."""


def jpeg(root: Path) -> dict[str, Any]:
    """Qualities from tables and from pixels, phase, chroma; double compression."""
    rows: dict[str, list[Any]] = defaultdict(list)
    tables, twice = [], defaultdict(list)
    rng = np.random.default_rng(0)
    for name, stem, picture in pictures(root, SETS):
        image = printed(picture)
        for chroma in CHROMA:
            for quality in QUALITIES:
                file, pixels = encoded(image, quality, chroma)
                history = read_jpeg_history(file)
                assert history is not None
                tables.append(max(abs(history.quality - quality), int(history.chroma != chroma)))
                y, x = (int(v) for v in rng.integers(0, 8, 2))
                grid = find_grid(areas(pixels[y:, x:]))
                rows[f"{name} {quality} {chroma}"].append(_found(grid, (-y % 8, -x % 8)))
        for first, second in TWICE if name != "BSD100" or int(stem[-3:]) % 5 == 0 else ():
            for moved in (0, 3):
                once = encoded(image, first, "4:2:0")[1][moved:, moved:]
                file, pixels = encoded(once, second, "4:2:0")
                parts = areas(pixels)
                grid, known = find_grid(parts), find_compression(parts, read_jpeg_history(file))
                found = None if grid is None else [grid.quality, grid.earlier]
                twice[f"{first} {second} {moved}"].append([found, known.earlier])
    return {"tables": {"files": len(tables), "largest error": max(tables)}, "pixels": rows, "twice": twice}


def _found(grid: Grid | None, phase: tuple[int, int]) -> list[Any] | None:
    return None if grid is None else [grid.quality, (grid.y, grid.x) == phase, grid.chroma, grid.earlier]


def noise(root: Path) -> dict[str, Any]:
    """Levels found where Gaussian noise of known levels was added."""
    rows: dict[str, list[float | None]] = defaultdict(list)
    for name, _, picture in pictures(root, SETS):
        for sigma in SIGMAS:
            color = gaussian_noise(picture.color, sigma, np.random.default_rng(sigma)) if sigma else picture.color
            level = noise_level(areas(color, picture.alpha))
            rows[f"{name} {sigma}"].append(None if level is None else round(level, 2))
    rows["real-jpeg 0"] = [round(noise_level(areas(p.color)) or 0.0, 2) for _, _, p in pictures(root, ["real-jpeg"])]
    return rows


def kind(root: Path) -> dict[str, Any]:
    """Drawn or photographed, clean and damaged; grey."""
    rows: dict[str, dict[str, float | None]] = defaultdict(dict)
    truth: dict[str, bool] = {}
    grey: Counter[str] = Counter()
    for name, stem, picture in pictures(root, (*SETS, "real-jpeg")):
        image = printed(picture)
        truth[stem] = name in DRAWN_SETS and stem not in PHOTOGRAPHS
        half = resize(image, (image.shape[0] // 2, image.shape[1] // 2))
        versions: dict[str, Any] = {
            AS_FILE: (picture.color, picture.alpha),
            "clean": (picture.color, picture.alpha),
            "JPEG 30": (encoded(image, 30, "4:2:0")[1], None),
            "noise 10": (gaussian_noise(picture.color, 10.0, np.random.default_rng(0)), picture.alpha),
            "half": (half, None),
            "half, JPEG 50": (encoded(half, 50, "4:2:0")[1], None),
            "enlarged 2x": (resize(image, (2 * image.shape[0], 2 * image.shape[1])), None),
            "64 pixels": (_thumbnail(image, 64), None),
            "32 pixels": (_thumbnail(image, 32), None),
        }
        for version, (color, alpha) in versions.items():
            camera = version == AS_FILE and is_by_camera(picture.metadata.exif)
            found = drawn_probability(areas(color, alpha), by_camera=camera)
            rows[f"{name} {version}"][stem] = None if found is None else round(found, 3)
        luma = np.repeat(image[..., 1:2], 3, axis=2)
        noisy = gaussian_noise(luma, 10.0, np.random.default_rng(0), grey=True)
        for label, color in (("grey", luma), ("grey, JPEG 50", encoded(luma, 50, "4:2:0")[1]), ("grey, noise", noisy)):
            grey[label] += is_grey(areas(color))
        grey["as it is"] += is_grey(areas(picture.color, picture.alpha))
        grey["pictures"] += 1
    return {"drawn": rows, "truth": truth, "grey": grey}


def _thumbnail(image: Colour, side: int) -> Colour:
    """Shrink the longer side to so many pixels."""
    height, width = (max(1, round(side * length / max(image.shape[:2]))) for length in image.shape[:2])
    return resize(image, (height, width))


def enlarged(root: Path) -> dict[str, Any]:
    """Factors found where pictures were shrunk and enlarged again by known factors."""
    rows: dict[str, list[float | None]] = defaultdict(list)
    for _, _, picture in pictures(root, SETS, every=5):
        image = printed(picture)
        grid = find_grid(areas(image))
        rows["as it is"].append(enlarged_by(areas(picture.color, picture.alpha), grid.phases if grid else ()))
        for quality in (90, 50):
            rows[f"JPEG {quality}"].append(enlarged_by(areas(encoded(image, quality, "4:2:0")[1]), [(0, 0)]))
        cropped = encoded(image, 30, "4:2:0")[1][3:, 2:]
        rows["JPEG 30, cropped, JPEG 95"].append(analyse_picture(encoded(cropped, 95, "4:2:0")[1]).enlarged)
        for scale in SCALES:
            small = resize(image, (int(image.shape[0] / scale), int(image.shape[1] / scale)))
            size = (int(small.shape[0] * scale), int(small.shape[1] * scale))
            for kernel in KERNELS:
                large = resize(small, size, kernel=kernel)  # type: ignore[arg-type]
                rows[f"{scale:g} {kernel}"].append(enlarged_by(areas(large)))
                if kernel == "bicubic":
                    compressed = encoded(large, 90, "4:2:0")[1]
                    rows[f"{scale:g} {kernel}, JPEG 90"].append(enlarged_by(areas(compressed), [(0, 0)]))
    return rows


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "jpeg": jpeg,
    "alarms": alarms,
    "noise": noise,
    "kind": kind,
    "enlarged": enlarged,
}


def seconds() -> dict[str, float]:
    """Return the time that decoded JPEGs take: for all, and for what the engine asks."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (188, 250, 3)).astype(np.uint8)
    found = {}
    for name, size in (("0.4", (512, 768)), ("12", (3008, 4000))):
        file, pixels = encoded(gaussian_noise(resize(coarse, size), 3.0, rng), 85, "4:2:0")
        for what in LOOKS:
            _look(what, file, pixels)
            start = process_time()
            _look(what, file, pixels)
            found[f"{name} {what}"] = round(process_time() - start, 2)
    return found


def _look(what: str, file: bytes, pixels: Colour) -> None:
    history = read_jpeg_history(file)
    if what == "all":
        analyse_picture(pixels, history)
        return
    parts = areas(pixels)
    if what == "drawn":
        drawn_probability(parts)
    else:
        find_compression(parts, history)
        noise_level(parts)


def main(root: Path, parts: list[str]) -> None:
    """Measure, keep the figures, and write the page once all parts are there."""
    from analysis_page import page

    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in parts or PARTS:
        results[part] = PARTS[part](root)
        RESULTS.write_text(json.dumps(results) + "\n")
    if results.keys() >= PARTS.keys():
        results["seconds"] = seconds()
        RESULTS.write_text(json.dumps(results) + "\n")
        PAGE.write_text(page(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
