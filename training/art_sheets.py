"""Vector drawings, rendered and laid over each other on sheets: training pictures of flat colour and clean lines.

    python training/art_sheets.py ../shared/data/train/art-svg sheets/
    kakudai data draw art -n 60 --size 512 --seed 7 -o lines/
    kakudai data pack sheets/ lines/ ../shared/data/train/art-peppercarrot ../shared/data/train/art-flat \
        -o packs/art.pack

Every drawing is used once, at a random size, on a sheet with others of its licence, which SOURCES.tsv beside the sheets
states. The same folder gives the same sheets. Needs `pip install resvg-py`.
"""

import argparse
import csv
import io
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image, ImageDraw

SIDE = 640
DRAWINGS = 20
"""On a sheet; some lie under others."""

SMALLEST, LARGEST = 64, 320
"""Widths of a drawing in pixels."""

Colour = tuple[int, int, int]


def drawings(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (licence, SVG text) of each drawing in an archive beside its SOURCES.tsv, ordered by name."""
    with (folder / "SOURCES.tsv").open(newline="") as file:
        licences = {row["file"]: row["licence"] for row in csv.DictReader(file, delimiter="\t")}
    with tarfile.open(next(folder.glob("*.tar.xz"))) as archive:
        files = (
            (Path(member.name).name, archive.extractfile(member)) for member in archive
        )  # in order: xz cannot jump
        svgs = {name: file.read().decode() for name, file in files if file}
    for name in sorted(licences.keys() & svgs.keys()):
        yield licences[name], svgs[name]


def rendered(svg: str, width: int) -> Image.Image | None:
    """Render a drawing; None where it cannot be."""
    try:
        data = resvg_py.svg_to_bytes(svg_string=svg, width=width, skip_system_fonts=True)
    except ValueError:
        return None
    return Image.open(io.BytesIO(bytes(data))).convert("RGBA")


def background(rng: np.random.Generator) -> Image.Image:
    """Make paper: white, of one colour, of one colour that fades into another, or in stripes."""
    kind = rng.choice(["white", "flat", "fading", "stripes"], p=[0.25, 0.35, 0.25, 0.15])
    if kind == "white":
        return Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    first, second = _colour(rng), _colour(rng)
    if kind == "flat":
        return Image.new("RGB", (SIDE, SIDE), first)
    if kind == "fading":
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:SIDE, 0:SIDE]
        along = np.cos(angle) * x + np.sin(angle) * y
        share = ((along - along.min()) / np.ptp(along))[..., None]
        return Image.fromarray(((1 - share) * first + share * second + 0.5).astype(np.uint8))
    paper = Image.new("RGB", (4 * SIDE, 4 * SIDE), first)
    pen, step = ImageDraw.Draw(paper), int(rng.integers(32, 320))
    for start in range(0, 4 * SIDE, step):
        pen.rectangle((start, 0, start + step // 2, 4 * SIDE), fill=second)
    angle = rng.uniform(0, 360)
    turned = paper.rotate(angle, Image.Resampling.BICUBIC)
    middle = turned.crop((SIDE, SIDE, 3 * SIDE, 3 * SIDE))
    return middle.resize((SIDE, SIDE), Image.Resampling.BOX)


def sheet(svgs: list[str], rng: np.random.Generator) -> Image.Image:
    """Lay drawings on a sheet, the largest first."""
    paper = background(rng)
    widths = np.sort(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), len(svgs))))[::-1].astype(int)
    for svg, width in zip(svgs, widths.tolist(), strict=True):
        drawing = rendered(svg, width)
        if drawing is not None:
            x, y = rng.integers(-width // 4, SIDE - 3 * width // 4, 2).tolist()
            paper.paste(drawing, (x, y), drawing)
    return paper


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = (256 * rng.beta(1.4, 0.8, 3)).clip(0, 255).astype(int).tolist()
    return red, green, blue


def main() -> None:
    """Draw all sheets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="folder with an archive of SVG files and SOURCES.tsv")
    parser.add_argument("target", type=Path, help="folder of the sheets")
    parser.add_argument("--only", default="", help="licences that begin so, as CC0 or CC-BY-4")
    arguments = parser.parse_args()
    groups: dict[str, list[str]] = defaultdict(list)
    for licence, svg in drawings(arguments.source):
        if licence.startswith(arguments.only):
            groups[licence].append(svg)
    arguments.target.mkdir(parents=True, exist_ok=True)
    with (arguments.target / "SOURCES.tsv").open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(("file", "licence"))
        for group, (licence, svgs) in enumerate(sorted(groups.items())):
            rng = np.random.default_rng(group)
            order = rng.permutation(len(svgs))
            for number, start in enumerate(range(0, len(svgs), DRAWINGS)):
                chosen = [svgs[index] for index in order[start : start + DRAWINGS].tolist()]
                name = f"sheet-{group}-{number:03}.png"
                sheet(chosen, rng).save(arguments.target / name)
                table.writerow((name, licence))


if __name__ == "__main__":
    main()
