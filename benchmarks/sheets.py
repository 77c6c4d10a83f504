"""Contact sheets of ten real pictures, to look at: what each network makes of a region of them.

    python benchmarks/sheets.py ../shared -o sheets

Three photographs, three anime and two comic pictures are shrunk by Lanczos and enlarged again, beside waifu2x's
networks and the original; two old JPEG files are enlarged as they are, with strengths from none to much. The pictures
are not ours: the sheets are not for the repository.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kakudai import read_image, write_image
from kakudai.cli.main import run
from kakudai.degrade.shrink import crop_to_multiple, shrink
from kakudai.evaluate.sheet import as_rgb8
from kakudai.image.alpha import on_white
from kakudai.image.picture import Picture, Pixels

REGION = 110, 80
"""Width and height of what is shown, in pixels of the small picture."""

WAIFU2X = {
    "photo": "models-upconv_7_photo-scale2.0x_model",
    "art": "models-upconv_7_anime_style_art_rgb-scale2.0x_model",
}
"""The network of a style, in shared/models/waifu2x-ncnn."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of the test sets.

    Args:
        path: Below shared/data/test.
        style: Of waifu2x's network beside ours.
        place: (x, y) of the region, as shares of the picture.
    """

    path: str
    style: str
    place: tuple[float, float] = (0.5, 0.4)


CLEAN = (
    Shown("kodak4/4.png", "photo"),
    Shown("kodak4/15.png", "photo", (0.5, 0.35)),
    Shown("kodak4/20.png", "photo"),
    Shown("anime/eileen_vhappy.webp", "art", (0.5, 0.12)),
    Shown("anime/bg_lecturehall.webp", "art", (0.3, 0.5)),
    Shown("anime/sylvie_blue_smile.webp", "art", (0.5, 0.15)),
    Shown("comic/climate-frogs-webtoons-en-5.webp", "art", (0.3, 0.45)),
    Shown("comic/climate-frogs-webtoons-en-17.webp", "art", (0.3, 0.1)),
)
OLD = 2
"""Of the real JPEG files, the first and one from the middle."""

STRENGTHS = "auto@0,auto@20,auto,auto@60,auto@90"


def region(image: Pixels, place: tuple[float, float]) -> str:
    """Return the region around a place as `compare` takes it, moved inside the picture."""
    sides = image.shape[1], image.shape[0]
    size = [min(wanted, side) for wanted, side in zip(REGION, sides, strict=True)]
    start = [
        min(max(0, round(share * side - part / 2)), side - part)
        for share, side, part in zip(place, sides, size, strict=True)
    ]
    return ",".join(map(str, (*start, *size)))


def compare(words: list[str]) -> None:
    """Run `kakudai compare`, and stop where it fails."""
    code = run(["compare", *words])
    if code:
        raise SystemExit(f"kakudai compare {' '.join(words)} failed with exit code {code}")


def clean_sheet(shown: Shown, shared: Path, target: Path) -> None:
    """Shrink a picture and show what becomes of it."""
    original = crop_to_multiple(as_rgb8(on_white(read_image(shared / "data/test" / shown.path))), 2)
    small = shrink(original, 2, "lanczos")
    with tempfile.TemporaryDirectory() as name:
        source, reference = Path(name) / f"{Path(shown.path).stem}.png", Path(name) / "original.png"
        write_image(Picture(small), source)
        write_image(Picture(original), reference)
        models = f"photo@0,art@0,{shared / 'models/waifu2x-ncnn' / WAIFU2X[shown.style]}.param"
        words = [str(source), "--models", models, "--region", region(small, shown.place)]
        compare([*words, "--reference", str(reference), "-o", str(target)])


def old_sheet(path: Path, target: Path) -> None:
    """Show an old JPEG file with several strengths."""
    place = region(read_image(path).color, (0.5, 0.4))
    compare([str(path), "--models", STRENGTHS, "--region", place, "-o", str(target)])


def main() -> None:
    """Write ten sheets, and one picture of all of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path, help="folder with data/ and models/")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the sheets, made if missing")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    targets = []
    for shown in CLEAN:
        targets.append(arguments.output / f"{Path(shown.path).stem}.png")
        clean_sheet(shown, arguments.shared, targets[-1])
    files = sorted((arguments.shared / "data/test/real-jpeg").glob("*.jp*g"))
    for path in files[:: max(1, len(files) // OLD)][:OLD]:
        targets.append(arguments.output / f"{path.stem}.png")
        old_sheet(path, targets[-1])
    sheets = [Image.open(target).convert("RGB") for target in targets]
    whole = Image.new("RGB", (max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)))
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    whole.save(arguments.output / "all.png")


if __name__ == "__main__":
    main()
