"""Draw the pictures of README and of docs/concepts/which-model.md with the shipped networks.

    python docs/make_pictures.py

The photograph is the demo's, Chelsea the cat by Stefan van der Walt, CC0; the drawing is kakudai's own.
"""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import kakudai
from kakudai.cli.main import run
from kakudai.data.drawn import draw_picture
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.evaluate.sheet import Column, contact_sheet
from kakudai.image.picture import Picture, Pixels
from kakudai.image.resize import imresize_matlab, resize

ROOT = Path(__file__).parents[1]
PHOTOGRAPH = ROOT / "examples/chelsea.png"
IMAGES = ROOT / "docs/images"

SIDE, ZOOM = 100, 2
"""Pixels of the originals along a square of a sheet, and how large each is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of README's picture.

    Args:
        original: (H, W, 3) uint8, of even sides.
        place: (top, left) of what is shown.
        quality: Of the JPEG file that the small picture is; None for PNG.
    """

    original: Pixels
    place: tuple[int, int]
    quality: int | None = None


def photograph() -> Pixels:
    """Return the cat, (H, W, 3) uint8."""
    return crop_to_multiple(kakudai.read_image(PHOTOGRAPH).color, 2)


def drawing() -> Pixels:
    """Return a drawing, (H, W, 3) uint8."""
    return draw_picture("art", 11, 5, 384)


def before_after(rows: list[Row], folder: Path) -> Image.Image:
    """Draw what becomes of each small picture: itself, bicubic, kakudai with no option, and the original."""
    sheets = []
    for number, row in enumerate(rows):
        small = shrink_bicubic(row.original, 2)
        source, target = folder / f"{number}.{'jpg' if row.quality else 'png'}", folder / f"{number}_2x.png"
        save(small, source, row.quality)
        kakudai.upscale(source, target)
        seen = kakudai.read_image(source).color
        columns = [
            Column("small", resize(seen, row.original.shape[:2], kernel="nearest")),
            Column("bicubic", imresize_matlab(seen, 2)),
            Column("kakudai", kakudai.read_image(target).color),
            Column("original", row.original),
        ]
        sheets.append(contact_sheet(columns, [row.place], side=SIDE, zoom=ZOOM))
    whole = Image.new("RGB", (sheets[0].width, sum(sheet.height for sheet in sheets)))
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole


def save(image: Pixels, path: Path, quality: int | None) -> None:
    """Write a PNG file, or a JPEG file of a quality with halved chroma."""
    if quality is None:
        kakudai.write_image(Picture(image), path)
        return
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality, subsampling="4:2:0")
    path.write_bytes(data.getvalue())


def compare(source: Path, models: str, region: str, name: str, *options: str) -> None:
    """Run `kakudai compare --models` and keep its sheet, as WebP."""
    sheet = source.with_suffix(".sheet.png")
    words = ["compare", str(source), "--models", models, "--region", region, "--background", "light", *options]
    code = run([*words, "-o", str(sheet)])
    if code:
        raise SystemExit(f"kakudai {' '.join(words)} failed with exit code {code}")
    Image.open(sheet).save(IMAGES / name, quality=92, method=6)


def main() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [Row(photograph(), (96, 192)), Row(drawing(), (96, 232)), Row(photograph(), (70, 150), quality=40)]
        before_after(rows, folder).save(IMAGES / "before-after.webp", quality=92, method=6)
        for original, stem in ((photograph(), "cat"), (drawing(), "drawing")):
            small = shrink_bicubic(original, 2)
            save(small, folder / f"{stem}.png", None)
            save(original, folder / f"{stem}-large.png", None)
            save(small, folder / f"{stem}-q30.jpg", 30)
        compare(folder / "cat.png", "photo,art", "80,40,90,70", "which-photo.webp",
                "--reference", str(folder / "cat-large.png"))  # fmt: skip
        compare(folder / "drawing.png", "photo,art", "110,50,80,70", "which-art.webp",
                "--reference", str(folder / "drawing-large.png"))  # fmt: skip
        compare(folder / "cat-q30.jpg", "photo@0,photo@30,photo,photo@90", "80,40,90,70", "which-strength.webp")


if __name__ == "__main__":
    main()
