"""Shrink a real photograph, enlarge it again, and look at what is lost.

    python examples/demo.py demo

The photograph is Chelsea the cat by Stefan van der Walt, CC0, as scikit-image carries it.
"""

import sys
import time
from pathlib import Path

import kakudai
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.evaluate.sheet import Column, contact_sheet, interesting_places
from kakudai.image.picture import Picture
from kakudai.image.resize import imresize_matlab, resize
from kakudai.metrics import Protocol, psnr

PHOTOGRAPH = Path(__file__).with_name("chelsea.png")
PROTOCOL = Protocol.published(2)


def main(folder: Path) -> None:
    """Write the pictures into a folder and print what they measure."""
    folder.mkdir(exist_ok=True)
    original = crop_to_multiple(kakudai.read_image(PHOTOGRAPH).color, 2)
    small = shrink_bicubic(original, 2)
    kakudai.write_image(Picture(small), folder / "small.png")

    started = time.perf_counter()
    kakudai.upscale(folder / "small.png", folder / "kakudai.png", scale=2)
    seconds = time.perf_counter() - started

    large = kakudai.read_image(folder / "kakudai.png").color
    bicubic = imresize_matlab(small, 2)
    kakudai.write_image(Picture(bicubic), folder / "bicubic.png")
    columns = [
        Column("small", resize(small, original.shape[:2], kernel="nearest")),
        Column("bicubic", bicubic),
        Column("kakudai", large),
        Column("original", original),
    ]
    places = interesting_places(bicubic, large, 96, 3)
    contact_sheet(columns, places, side=96, zoom=2).save(folder / "side-by-side.png")

    print(f"{small.shape[1]}x{small.shape[0]} -> {large.shape[1]}x{large.shape[0]} in {seconds:.2f} seconds")
    print(f"bicubic  {psnr(bicubic, original, PROTOCOL):.2f} dB")
    print(f"kakudai  {psnr(large, original, PROTOCOL):.2f} dB")
    print(f"look at  {folder / 'side-by-side.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
