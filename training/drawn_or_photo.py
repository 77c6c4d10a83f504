"""Find the weights that tell drawings from photographs: src/kakudai/analyse/drawn.toml.

    python training/drawn_or_photo.py ../shared/data/train

Pictures of the folders photo-* and art-* (those of art-svg are rendered on paper, coloured paper or none), parts of
them, and drawings of our own generator, each as it is and damaged in several ways: shrunk, enlarged, toned, noisy, JPEG
of quality 15 to 95. The kinds count as WEIGHT says. The model is logistic regression with a penalty, by Newton's
method; the same folder gives the same weights. Prints the share it gets right of pictures that it was not fitted to:
every fifth, painted panels as often as they come. Needs `pip install resvg-py`.
"""

import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from kakudai.analyse.drawn import drawn_measures
from kakudai.analyse.sample import areas
from kakudai.data.drawn import draw_picture
from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.noise import gaussian_noise
from kakudai.image.color import luma_bt601_full
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels
from kakudai.image.resize import resize

MODEL = Path(__file__).parents[1] / "src/kakudai/analyse/drawn.toml"
SVGS, OURS, VARIANTS, PENALTY, SIDE = 120, 80, 3, 0.01, 448
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

WEIGHT = {"photograph": 0.5, "painted": 0.05, "flat": 0.15, "vector": 0.15, "ours": 0.15}
"""How much each kind of picture counts: painted panels are often told from photographs by nothing that is measured."""

HEAD = """# How much each measure of kakudai.analyse.drawn speaks for a drawing, written by training/drawn_or_photo.py.
# Fitted to {count} pictures of shared/data/train (licences from CC0 to CC-BY-SA and LGPL-3: see its README) and of our
# own generator; {right:.1f} % right of those left out, a quarter of them painted panels, which are the hardest.
# (measure - mean) / spread, at most 3 either way, times weight; all added up.

[bias]
weight = {bias:.4f}
"""


def pictures(folder: Path) -> Iterator[tuple[str, Pixels, Pixels | None]]:
    """Yield the kind, colours and alpha."""
    for kind in sorted(folder.glob("*-*")):
        for path in sorted(kind.glob("*.webp")):
            picture = read_image(path)
            if path.stem in MIXED:
                continue
            what = "flat" if path.stem in DRAWN else KINDS[kind.name]
            height, width = picture.height, picture.width
            yield what, picture.color, None
            if kind.name != "photo-cid22":  # large ones: parts of them too
                for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    top, left = y * height // 2, x * width // 2
                    cut = picture.color[top : top + height // 2, left : left + width // 2]
                    if cut.std() > 8.0:
                        yield what, cut, None
    yield from drawings(folder / "art-svg")
    for index in range(OURS):
        yield "ours", draw_picture("art", 0, index), None


def drawings(folder: Path) -> Iterator[tuple[str, Pixels, Pixels | None]]:
    """Yield rendered vector drawings."""
    rng = np.random.default_rng(1)
    with tarfile.open(next(folder.glob("*.tar.xz"))) as archive:
        members = sorted((m for m in archive if m.isfile() and m.name.endswith(".svg")), key=lambda m: m.name)
        for index in rng.permutation(len(members))[:SVGS]:
            file = archive.extractfile(members[index])
            assert file is not None
            try:
                data = resvg_py.svg_to_bytes(
                    svg_string=file.read().decode(), width=int(rng.integers(200, 800)), skip_system_fonts=True
                )
            except ValueError:
                continue
            image = np.asarray(Image.open(io.BytesIO(bytes(data))).convert("RGBA"))
            color, alpha = image[..., :3], image[..., 3:]
            if rng.random() < 0.4:
                yield "vector", np.ascontiguousarray(color), np.ascontiguousarray(alpha)
                continue
            paper = np.full(3, 255) if rng.random() < 0.5 else rng.integers(0, 256, 3)
            share = alpha / 255.0
            yield "vector", (color * share + paper * (1.0 - share) + 0.5).astype(np.uint8), None


def damaged(color: Pixels, alpha: Pixels | None, rng: np.random.Generator) -> tuple[Pixels, Pixels | None]:
    """Do to a picture what the world does: shrink, enlarge, tone, add noise, compress; each or not."""
    if alpha is None and rng.random() < 0.5:
        scale = float(rng.choice([0.35, 0.5, 0.7, 1.5, 2.0]))
        size = tuple(max(48, round(length * scale)) for length in color.shape[:2])
        color = resize(color, (size[0], size[1]), kernel=rng.choice(["bicubic", "lanczos3", "triangle"]))
    if rng.random() < 0.5:
        color = toned(color, rng)
    if rng.random() < 0.3:
        color = gaussian_noise(color, float(rng.uniform(1.0, 15.0)), rng, grey=bool(rng.random() < 0.5))
    if alpha is None and rng.random() < 0.6:
        color = jpeg(color, int(rng.integers(15, 96)), chroma="4:2:0" if rng.random() < 0.7 else "4:4:4")
    return color, alpha


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


def main(folder: Path) -> None:
    """Measure, fit, and write the model."""
    rng = np.random.default_rng(0)
    rows, kinds, numbers = [], [], []
    for number, (kind, whole, mask) in enumerate(pictures(folder)):
        color, alpha = whole[:SIDE, :SIDE], None if mask is None else mask[:SIDE, :SIDE]
        for variant in range(VARIANTS):
            measures = drawn_measures(areas(*(damaged(color, alpha, rng) if variant else (color, alpha))))
            if measures:
                rows.append(measures)
                kinds.append(kind)
                numbers.append(number)
    names = list(rows[0])
    x, kind = np.array([[row[name] for name in names] for row in rows]), np.array(kinds)
    y = (kind != "photograph").astype(np.float64)
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = np.clip((x - mean) / spread, -3.0, 3.0)
    left_out = np.array(numbers) % 5 == 4
    weight = np.array([WEIGHT[one] / (kind == one).sum() for one in kind])
    found = fit(x[~left_out], y[~left_out], weight[~left_out])
    right = 100.0 * float((((x[left_out] @ found[:-1] + found[-1]) > 0) == (y[left_out] > 0)).mean())
    found = fit(x, y, weight)
    text = HEAD.format(count=len(set(numbers)), right=right, bias=found[-1])
    for name, *values in zip(names, mean, spread, found[:-1], strict=True):
        text += f"\n[{name}]\n" + "".join(f"{k} = {v:.4f}\n" for k, v in zip(KEYS, values, strict=True))
    MODEL.write_text(text)
    sys.stdout.write(f"{len(y)} measured, {right:.1f} % right of those left out\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
