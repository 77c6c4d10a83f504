"""What `--consistent` does to quality: results projected onto the pictures that shrink back to the input.

    S=../shared/data/test
    python benchmarks/consistency.py $S/Set5 $S/BSD100

Pictures are shrunk by three filters, and by bicubic with JPEG damage on top, then enlarged by bicubic and by a shipped
network. The projection is told bicubic each time. Rewrites docs/reference/consistency.md.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

from kakudai import Upscaler, read_image
from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.shrink import crop_to_multiple, shrink
from kakudai.evaluate.measure import bicubic, set_files
from kakudai.image.consistent import make_consistent
from kakudai.image.picture import Pixels
from kakudai.image.resize import eight_bits
from kakudai.metrics import Protocol, consistency, psnr

PAGE = Path(__file__).parents[1] / "docs/reference/consistency.md"
SCALE, MODEL, QUALITY = 2, "photo-x2", 75

HEAD = f"""# Results that shrink back to the input

Written by `benchmarks/consistency.py`; do not edit. Luma PSNR by the published protocol, {SCALE}x, before and after the
projection by `make_consistent`, which is told that the input was shrunk by bicubic; 8-bit pictures throughout.
"Shrinks back" is the PSNR of the result, shrunk by bicubic, against the input, over RGB; "largest" is the largest
difference of any channel of any pixel of the set, in levels of 255, before the result is rounded to 8 bits.

Where the input was shrunk by bicubic, every pixel of the shrunk result rounds to the input's, but for what is lost by
rounding the result itself. A network that was trained for that gains 0.01 dB, for it is nearly consistent by itself;
bicubic gains one. Where the input was made otherwise, or is damaged, the network loses up to 0.07 dB, and some pixels
are not met in 30 rounds. So it is for those who must know that nothing the input shows was changed.

"""


def measure(folder: Path, damage: Callable[[Pixels], Pixels], enlarge: Callable[[Pixels], Pixels]) -> list[float]:
    """Return means of PSNR before and after, consistency before and after, and the largest difference after."""
    rows, worst = [], 0.0
    for path in set_files(folder):
        high = crop_to_multiple(read_image(path).color, SCALE)
        low = damage(high)
        plain = enlarge(low)
        exact = make_consistent(plain.astype(np.float32) / np.float32(255.0), low)
        result = eight_bits(exact)
        before, after = consistency(plain, low), consistency(result, low)
        worst = max(worst, consistency(exact, low).largest)
        # Equal to the last bit is infinitely many decibels, which no mean survives.
        figures = [psnr(image, high, Protocol.published(SCALE)) for image in (plain, result)]
        rows.append([*figures, min(before.psnr, 99.0), min(after.psnr, 99.0)])
    return [*(fmean(column) for column in zip(*rows, strict=True)), worst]


def damaged(high: Pixels) -> Pixels:
    """Shrink by bicubic and save as JPEG."""
    return jpeg(shrink(high, SCALE), QUALITY)


def main(folders: list[Path]) -> None:
    """Measure, and write the page."""
    inputs = {name: partial(shrink, scale=SCALE, kernel=name) for name in ("bicubic", "lanczos", "box")}
    inputs[f"bicubic, JPEG {QUALITY}"] = damaged
    page = HEAD
    with Upscaler(SCALE, model=MODEL) as upscaler:
        for folder in folders:
            page += f"| {folder.name}: input by | enlarged by | PSNR | after | shrinks back | after | largest |\n"
            page += "|---|---|---|---|---|---|---|\n"
            for name, damage in inputs.items():
                for method, enlarge in (("bicubic", bicubic(SCALE)), (MODEL, upscaler.upscale)):
                    figures = measure(folder, damage, enlarge)
                    cells = " | ".join(f"{figure:.2f}" for figure in figures)
                    page += f"| {name} | {method} | {cells} |\n"
            page += "\n"
    PAGE.write_text(page.rstrip("\n") + "\n")
    print(page)


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
