"""Find the weights that tell drawings from photographs: src/kakudai/analyse/drawn.toml.

    python training/drawn_or_photo.py ../shared/data/train

Photographs (photo-*), painted comic pages, whole, in parts and lettered (art-peppercarrot), the same under ink of our
own generator, pages of a few such panels on paper with words between them, flat drawings (art-flat), vector drawings
alone and on sheets (art-svg, see art_sheets.py), and our own drawings; each as it is and damaged in several ways:
framed on paper, cut out, shrunk, enlarged, toned, noisy, JPEG of quality 10 to 95, and cut down to a small part. The
kinds count as WEIGHT says. The model is logistic regression with a penalty, by Newton's method; the same folder gives
the same weights. Prints the share it gets right of each kind when it was fitted without them: all that comes from a
file is left out together, a fifth of the files at a time.
Needs `pip install resvg-py`.
"""

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from art_sheets import drawings, rendered, sheet
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kakudai.analyse.drawn import TINY, drawn_measures, visible_pixels
from kakudai.analyse.sample import areas
from kakudai.data.drawn import draw_picture
from kakudai.data.lettering import words
from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.noise import gaussian_noise
from kakudai.image.alpha import on_paper
from kakudai.image.color import luma_bt601_full
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels
from kakudai.image.resize import resize

MODEL = Path(__file__).parents[1] / "src/kakudai/analyse/drawn.toml"
SVGS, SHEETS, OURS, VARIANTS, PENALTY, SIDE, FOLDS = 160, 40, 80, 8, 0.001, 512, 5
KEYS = ("mean", "spread", "weight")
DRAWN = {
    "1454613116",
    "1536017106",
    "3DPieChart",
    "Beam-Space-Processing",
    "Boxplot",
    "EPICA_Delta_D_Plot",
    "Lungs-Cross-Section-Illustration",
    "No-interference",
    "StockQuoteGraph-20120521",
    "Temperament-pie-chart-according-to-Eysenck",
    "Verkehrstote_Deutschland_1953-2012",
    "adriankierman-report-page",
    "akfcrc022",
    "klepas-Gentle-giants-of-the-sea-3",
    "ularapi_Semarang_City_Logo",
}
"""Diagrams and logos in the folders of photographs."""

MIXED = {
    "14768480444_bc0a1b4a2e_o",
    "21169144185_3f7977cb5a_o",
    "26103251787_d8635e260d_o",
    "35875869841_0b10e41e57_o",
    "budgie_ocean-waves",
    "pop_kait-herzog-8242",
}
"""Neither: photographs with lettering, a painting of the sea, an abstract pattern."""

KINDS = {"art-flat": "flat", "art-peppercarrot": "painted", "photo-cid22": "photograph", "photo-hires": "photograph"}

WEIGHT = {
    "photograph": 0.5,
    "painted": 0.04,
    "inked": 0.1,
    "comic": 0.1,
    "flat": 0.08,
    "vector": 0.1,
    "ours": 0.08,
}
"""How much each kind of picture counts: painted panels are often told from photographs by nothing that is measured."""

CUT_OUT = {"photograph": 0.05, "drawn": 0.5}
"""How often what is cut out stays transparent, and is not laid on paper: figures of games are drawn."""

HEAD = """# How much each measure of kakudai.analyse.drawn speaks for a drawing, written by training/drawn_or_photo.py.
# Fitted to {count} versions of {files} pictures of shared/data/train (licences from CC0 to CC-BY-SA and LGPL-3: see its
# README) and of our own generator. Right of those left out, all that comes from a file together:
# {right}
# (measure - mean) / spread, at most 3 either way, times weight; all added up.

[bias]
weight = {bias:.4f}
"""

Masked = tuple[Pixels, Pixels | None]
"""Colours and alpha."""


def pictures(folder: Path) -> Iterator[tuple[str, str, Pixels, Pixels | None]]:
    """Yield the kind, the file that it comes from, colours and alpha."""
    rng = np.random.default_rng(1)
    pages = []
    for kind in sorted(folder.glob("*-*")):
        for path in sorted(kind.glob("*.webp")):
            if path.stem in MIXED:
                continue
            picture = read_image(path)
            what = "flat" if path.stem in DRAWN else KINDS[kind.name]
            if what == "painted":
                pages.append((path.stem, picture.color))
                yield what, path.stem, lettered(part(picture.color, rng), rng), None
            yield what, path.stem, shrunk(picture.color), None
            for _ in range(1 if kind.name == "photo-cid22" else 3):
                yield what, path.stem, part(picture.color, rng), None
    yield from vectors(folder / "art-svg", rng)
    for index in range(OURS):
        drawn = draw_picture("art", 0, index, int(rng.choice([192, 320, 448])))
        yield "ours", f"ours {index}", drawn, None
        name, page = pages[index % len(pages)]
        yield "inked", name, inked(drawn, part(page, rng), rng), None
        panels = [inked(drawn, part(page, rng), rng), part(page, rng)][: int(rng.integers(1, 3))]
        yield "comic", name, comic(panels, rng), None


def shrunk(color: Pixels) -> Pixels:
    """Shrink a picture that is larger than what is looked at."""
    share = min(1.0, SIDE / min(color.shape[:2]))
    size = (round(share * color.shape[0]), round(share * color.shape[1]))
    return resize(color, size)[: SIDE * 3 // 2, : SIDE * 3 // 2]


def part(color: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut a part out in which something is to be seen."""
    side = int(rng.integers(SIDE // 2, SIDE))
    for _ in range(9):
        y, x = (int(rng.integers(0, max(1, length - side))) for length in color.shape[:2])
        cut = color[y : y + side, x : x + side]
        if cut.std() > 12.0:
            break
    return np.ascontiguousarray(cut)


def lettered(color: Pixels, rng: np.random.Generator) -> Pixels:
    """Write into a picture what comics say, in balloons, in boxes or over it."""
    image = Image.fromarray(color)
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 4))):
        font = ImageFont.load_default(int(rng.integers(10, 26)))
        text = "\n".join(words(rng, int(rng.integers(1, 5))) for _ in range(int(rng.integers(1, 5))))
        x, y = (int(rng.integers(0, max(1, length - 90))) for length in image.size)
        left, top, right, bottom = pen.multiline_textbbox((x, y), text, font=font)
        ground = rng.choice(["balloon", "box", "none"])
        if ground == "balloon":
            pen.ellipse((left - 30, top - 20, right + 30, bottom + 20), fill="white", outline="black", width=2)
        elif ground == "box":
            pen.rectangle((left - 6, top - 6, right + 6, bottom + 6), fill="white", outline="black")
        under = np.asarray(image)[y : y + 60, x : x + 90].mean()
        pen.multiline_text((x, y), text, font=font, fill="white" if ground == "none" and under < 128 else "black")
    return np.asarray(image)


def inked(drawn: Pixels, paint: Pixels, rng: np.random.Generator) -> Pixels:
    """Lay ink over paint, as on watercolours: the darker of both, or their product."""
    wash = resize(paint, drawn.shape[:2], kernel="bicubic")
    if rng.random() < 0.5:
        faded = 255 - (255 - wash.astype(np.int64)) * int(rng.integers(40, 100)) // 100
        wash = faded.astype(np.uint8)
    if rng.random() < 0.5:
        luma = drawn.mean(axis=2, keepdims=True)
        return np.where(luma < 80.0, drawn, wash).astype(np.uint8)
    return (drawn.astype(np.int64) * wash // 255).astype(np.uint8)


def comic(panels: list[Pixels], rng: np.random.Generator) -> Pixels:
    """Lay panels on a page below each other, cut slantwise or not, and write between and over them."""
    height, width = (int(length) for length in rng.integers(SIDE // 2, SIDE, 2))
    page = np.full((SIDE, width, 3), 255 if rng.random() < 0.8 else rng.integers(200, 256), np.uint8)
    top = int(rng.integers(0, 120))
    for panel in panels:
        scale = rng.uniform(0.6, 1.0) * width / panel.shape[1]
        size = (max(16, int(scale * panel.shape[0])), max(16, int(scale * panel.shape[1])))
        cut = resize(panel, size)[: max(0, SIDE - top)]
        left = int(rng.integers(0, width - size[1] + 1))
        if rng.random() < 0.4:
            y, x = np.mgrid[: cut.shape[0], : size[1]]
            away = np.cos(turn := rng.uniform(0, 6.3)) * (x - size[1] / 2) + np.sin(turn) * (y - size[0] / 2)
            cut = np.where((away < rng.uniform(0, 0.4) * size[1])[..., None], cut, page[0, 0])
        page[top : top + cut.shape[0], left : left + size[1]] = cut
        top += cut.shape[0] + int(rng.integers(4, 100))
        if top >= SIDE:
            break
    return lettered(np.ascontiguousarray(page[:height]), rng)


def vectors(folder: Path, rng: np.random.Generator) -> Iterator[tuple[str, str, Pixels, Pixels | None]]:
    """Yield rendered vector drawings: alone, with alpha or on paper, and many on a sheet."""
    svgs = [svg for _, svg in drawings(folder)]
    order = iter(rng.permutation(len(svgs)).tolist())
    for index in islice(order, SVGS):
        image = rendered(svgs[index], int(np.exp(rng.uniform(np.log(16), np.log(640)))))
        if image is None:
            continue
        color, alpha = np.asarray(image)[..., :3], np.asarray(image)[..., 3:]
        paper = np.full(3, 255) if rng.random() < 0.5 else rng.integers(0, 256, 3)
        masked = (np.ascontiguousarray(color), np.ascontiguousarray(alpha))
        yield "vector", f"svg {index}", *(masked if rng.random() < 0.4 else (on_paper(color, alpha, paper), None))
    for number in range(SHEETS):
        made = sheet([svgs[index] for index in islice(order, 8)], rng)
        yield "vector", f"sheet {number}", np.ascontiguousarray(np.asarray(made)[:SIDE, :SIDE]), None


def damaged(kind: str, color: Pixels, alpha: Pixels | None, rng: np.random.Generator) -> Masked:
    """Do to a picture what the world does, each or not; only transparency is rarer in photographs than in drawings."""
    if alpha is None and rng.random() < 0.2:
        color, alpha = framed(color, CUT_OUT["photograph" if kind == "photograph" else "drawn"], rng)
    if alpha is not None and rng.random() < 0.5:
        color, alpha = on_paper(color, alpha, 255), None
    if alpha is None and rng.random() < 0.5:
        scale = float(rng.choice([0.25, 0.35, 0.5, 0.7, 1.5, 2.0]))
        size = tuple(max(16, round(length * scale)) for length in color.shape[:2])
        color = resize(color, (size[0], size[1]), kernel=rng.choice(["bicubic", "lanczos3", "triangle"]))
        color = np.ascontiguousarray(color[:SIDE, :SIDE])
    if rng.random() < 0.4:
        color = toned(color, rng)
    if rng.random() < 0.35:
        color = gaussian_noise(color, float(rng.uniform(1.0, 18.0)), rng, grey=bool(rng.random() < 0.5))
    if alpha is None and rng.random() < 0.6:
        color = jpeg(color, int(rng.integers(10, 96)), chroma="4:2:0" if rng.random() < 0.7 else "4:4:4")
    if rng.random() < 0.12:
        side = int(rng.integers(16, 96))
        y, x = (int(rng.integers(0, max(1, length - side))) for length in color.shape[:2])
        color = np.ascontiguousarray(color[y : y + side, x : x + side])
        alpha = None if alpha is None else np.ascontiguousarray(alpha[y : y + side, x : x + side])
    return color, alpha


def framed(color: Pixels, transparent: float, rng: np.random.Generator) -> Masked:
    """Lay a picture on paper with a margin, or cut it out with paper around it, or by a chance transparency."""
    height, width = color.shape[:2]
    if rng.random() < 0.5:
        rim = int(rng.integers(4, 80))
        paper = np.full(
            (height + 2 * rim, width + 2 * rim, 3), 255 if rng.random() < 0.7 else rng.integers(256), np.uint8
        )
        paper[rim : rim + height, rim : rim + width] = color
        return paper, None
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = np.abs(x) ** 3 + np.abs(y + 0.3 * np.sin(3.0 * x)) ** 3 < rng.uniform(0.4, 1.0)
    alpha = np.where(inside, 255, 0).astype(np.uint8)[..., None]
    if rng.random() < transparent:
        return color, alpha
    return on_paper(color, alpha, 255), None


def toned(color: Pixels, rng: np.random.Generator) -> Pixels:
    """Make a picture lighter or darker, and its colours weaker, down to grey."""
    light = (color / 255.0) ** float(rng.uniform(0.6, 1.6))
    light += float(rng.choice([0.4, 1.0])) * (luma_bt601_full(light) - light)
    return (255.0 * light + 0.5).astype(np.uint8)


def fit(x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of logistic regression, the bias last. Shape: x (n, features) with mean 0 and spread 1."""
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    penalty = np.diag([PENALTY] * (x.shape[1] - 1) + [1e-9])
    found = np.zeros(x.shape[1])
    for _ in range(30):
        probability = 1.0 / (1.0 + np.exp(-np.clip(x @ found, -30, 30)))
        slope = x.T @ (weight * (y - probability)) - penalty @ found
        curve = (x * (weight * probability * (1.0 - probability))[:, None]).T @ x + penalty
        found += np.linalg.solve(curve, slope)
    return found


@dataclass(frozen=True)
class Measured:
    """What was measured: names of the measures; the measures; of each version what it is."""

    names: list[str]
    x: NDArray[np.float64]
    kind: NDArray[np.str_]
    file: NDArray[np.str_]
    clean: NDArray[np.bool_]

    @property
    def weight(self) -> NDArray[np.float64]:
        """How much each version counts: those as they were as much as all damaged ones together."""
        weight = np.zeros(len(self.kind))
        for kind, share in WEIGHT.items():
            for part in (self.clean, ~self.clean):
                which = (self.kind == kind) & part
                weight[which] = 0.5 * share / which.sum()
        return weight


def measured(folder: Path) -> Measured:
    """Measure all versions of all pictures."""
    rng = np.random.default_rng(0)
    rows, kinds, files, clean = [], [], [], []
    for kind, file, whole, mask in pictures(folder):
        color, alpha = whole[:SIDE, :SIDE], None if mask is None else mask[:SIDE, :SIDE]
        for variant in range(VARIANTS):
            parts = areas(*(damaged(kind, color, alpha, rng) if variant else (color, alpha)))
            measures = drawn_measures(parts) if visible_pixels(parts) >= TINY else None
            if measures:
                rows.append(measures)
                kinds.append(kind)
                files.append(file)
                clean.append(variant == 0)
    names = list(rows[0])
    x = np.array([[row[name] for name in names] for row in rows])
    return Measured(names, x, np.array(kinds), np.array(files), np.array(clean))


def left_out(x: NDArray[np.float64], y: NDArray[np.float64], found: Measured) -> NDArray[np.float64]:
    """Return the score of each version by a model that was fitted without anything from its file."""
    numbers = {file: number for number, file in enumerate(sorted(set(found.file.tolist())))}
    order = np.random.default_rng(2).permutation(len(numbers))
    fold = order[[numbers[file] for file in found.file.tolist()]] % FOLDS
    score = np.zeros(len(y))
    for one in range(FOLDS):
        weights = fit(x[fold != one], y[fold != one], found.weight[fold != one])
        score[fold == one] = x[fold == one] @ weights[:-1] + weights[-1]
    return score


def main(folder: Path) -> None:
    """Measure, fit, and write the model."""
    found = measured(folder)
    y = (found.kind != "photograph").astype(np.float64)
    mean, spread = found.x.mean(axis=0), found.x.std(axis=0) + 1e-6
    x = np.clip((found.x - mean) / spread, -3.0, 3.0)
    right = (left_out(x, y, found) > 0) == (y > 0)
    shares = {
        kind: tuple(100.0 * right[(found.kind == kind) & part].mean() for part in (found.clean, ~found.clean))
        for kind in WEIGHT
    }
    said = "; ".join(f"{kind} {clean:.0f} %, damaged {damage:.0f} %" for kind, (clean, damage) in shares.items())
    weights = fit(x, y, found.weight)
    files = len(set(found.file.tolist()))
    text = HEAD.format(count=len(y), files=files, right="\n# ".join(textwrap.wrap(said, 116)), bias=weights[-1])
    for name, *values in zip(found.names, mean, spread, weights[:-1], strict=True):
        text += f"\n[{name}]\n" + "".join(f"{k} = {v:.4f}\n" for k, v in zip(KEYS, values, strict=True))
    MODEL.write_text(text)
    sys.stdout.write(f"{len(y)} measured; right of those left out: {said}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
