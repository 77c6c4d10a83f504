"""How often is `kakudai analyse` right? On all test sets, clean and damaged in known ways.

    python benchmarks/analysis.py ../shared/data/test          # all: about a quarter of an hour of one processor
    python benchmarks/analysis.py ../shared/data/test jpeg     # one of: jpeg, noise, kind, enlarged

Writes benchmarks/results/analysis.json, where parts that were not measured again stay as they were, and
docs/reference/analysis.md. Sprites are laid on white before they are compressed or enlarged. Every picture is cropped
after its compression, so that the grid begins anywhere.
"""

import io
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakudai.analyse import analyse_picture, read_jpeg_history
from kakudai.analyse.blocking import Grid, find_grid
from kakudai.analyse.drawn import drawn_probability
from kakudai.analyse.enlarged import enlarged_by
from kakudai.analyse.grey import is_grey
from kakudai.analyse.noise import noise_level
from kakudai.analyse.sample import areas
from kakudai.degrade.noise import gaussian_noise
from kakudai.image.files import read_image
from kakudai.image.picture import Picture
from kakudai.image.resize import resize

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results/analysis.json", ROOT / "docs/reference/analysis.md"
SETS = ("BSD100", "anime", "comic", "kodak4")
QUALITIES = (20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95)
CHROMA = {"4:2:0": 2, "4:4:4": 0}
TWICE = ((30, 90), (50, 90), (70, 90), (30, 75), (50, 75))
SIGMAS = (0, 2, 5, 10, 15, 25)
SCALES, KERNELS = (1.5, 2.0, 3.0, 4.0), ("triangle", "bicubic", "lanczos3")
PHOTOGRAPHS = ("bg_cave", "bg_washington")
"""Pictures of the anime set that are photographs, as anybody can see."""

WERE_JPEG = "bg_"
"""How the names of pictures of the anime set begin that were JPEGs before; all of BSD100 were."""

Colour = NDArray[np.uint8]


def pictures(root: Path, sets: Iterable[str], every: int = 1) -> Iterator[tuple[str, str, Picture]]:
    """Yield set, name and picture."""
    for name in sets:
        for path in sorted(p for p in (root / name).iterdir() if p.is_file() and p.suffix != ".tsv")[::every]:
            yield name, path.stem, read_image(path)


def on_white(picture: Picture) -> Colour:
    """Return colours as they would be printed."""
    color = np.repeat(picture.color, 3 // picture.channels, axis=2)
    if picture.alpha is None:
        return color
    share = picture.alpha / 255.0
    return np.floor(color * share + 255.0 * (1.0 - share) + 0.5).astype(np.uint8)


def encoded(image: Colour, quality: int, chroma: str) -> tuple[bytes, Colour]:
    """Return a JPEG file and its pixels."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=CHROMA[chroma])
    return file.getvalue(), np.asarray(Image.open(file))


def jpeg(root: Path) -> dict[str, Any]:
    """Qualities from tables and from pixels, phase, chroma; false alarms; double compression."""
    rows: dict[str, list[Any]] = defaultdict(list)
    tables, clean, twice = [], defaultdict(list), defaultdict(list)
    rng = np.random.default_rng(0)
    for name, stem, picture in pictures(root, SETS):
        image = on_white(picture)
        if name != "BSD100" and not stem.startswith(WERE_JPEG):
            grid = find_grid(areas(picture.color, picture.alpha))
            clean[name].append(None if grid is None else grid.quality)
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
                grid = find_grid(areas(encoded(once, second, "4:2:0")[1]))
                twice[f"{first} {second} {moved}"].append(None if grid is None else [grid.quality, grid.earlier])
    return {
        "tables": {"files": len(tables), "largest error": max(tables)},
        "pixels": rows,
        "clean": clean,
        "twice": twice,
    }


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
    grey: Counter[str] = Counter()
    for name, stem, picture in pictures(root, (*SETS, "real-jpeg")):
        image = on_white(picture)
        half = resize(image, (image.shape[0] // 2, image.shape[1] // 2))
        versions: dict[str, Any] = {
            "clean": (picture.color, picture.alpha),
            "JPEG 30": (encoded(image, 30, "4:2:0")[1], None),
            "noise 10": (gaussian_noise(picture.color, 10.0, np.random.default_rng(0)), picture.alpha),
            "half": (half, None),
            "half, JPEG 50": (encoded(half, 50, "4:2:0")[1], None),
            "enlarged 2x": (resize(image, (2 * image.shape[0], 2 * image.shape[1])), None),
        }
        for version, (color, alpha) in versions.items():
            found = drawn_probability(areas(color, alpha))
            rows[f"{name} {version}"][stem] = None if found is None else round(found, 3)
        luma = np.repeat(image[..., 1:2], 3, axis=2)
        noisy = gaussian_noise(luma, 10.0, np.random.default_rng(0), grey=True)
        for label, color in (("grey", luma), ("grey, JPEG 50", encoded(luma, 50, "4:2:0")[1]), ("grey, noise", noisy)):
            grey[label] += is_grey(areas(color))
        grey["as it is"] += is_grey(areas(picture.color, picture.alpha))
        grey["pictures"] += 1
    return {"drawn": rows, "grey": grey}


def enlarged(root: Path) -> dict[str, Any]:
    """Factors found where pictures were shrunk and enlarged again by known factors."""
    rows: dict[str, list[float | None]] = defaultdict(list)
    for _, _, picture in pictures(root, SETS, every=5):
        image = on_white(picture)
        grid = find_grid(areas(image))
        rows["as it is"].append(enlarged_by(areas(picture.color, picture.alpha), grid and (grid.y, grid.x)))
        for quality in (90, 50):
            rows[f"JPEG {quality}"].append(enlarged_by(areas(encoded(image, quality, "4:2:0")[1]), (0, 0)))
        for scale in SCALES:
            small = resize(image, (int(image.shape[0] / scale), int(image.shape[1] / scale)))
            size = (int(small.shape[0] * scale), int(small.shape[1] * scale))
            for kernel in KERNELS:
                large = resize(small, size, kernel=kernel)  # type: ignore[arg-type]
                rows[f"{scale:g} {kernel}"].append(enlarged_by(areas(large)))
                if kernel == "bicubic":
                    compressed = encoded(large, 90, "4:2:0")[1]
                    rows[f"{scale:g} {kernel}, JPEG 90"].append(enlarged_by(areas(compressed), (0, 0)))
    return rows


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {"jpeg": jpeg, "noise": noise, "kind": kind, "enlarged": enlarged}


def seconds() -> float:
    """Return the time that a JPEG of 12 megapixels takes, already decoded."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (188, 250, 3)).astype(np.uint8)
    image = gaussian_noise(resize(coarse, (3008, 4000)), 3.0, rng)
    _, pixels = encoded(image, 85, "4:2:0")
    analyse_picture(pixels)
    start = process_time()
    analyse_picture(pixels)
    return round(process_time() - start, 2)


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
