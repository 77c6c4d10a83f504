"""What `--consistent` does to quality: results projected onto the pictures that shrink back to the input.

    S=../shared/data/test
    python benchmarks/consistency.py $S/Set5 $S/BSD100

Pictures are shrunk by three filters, and by bicubic with JPEG damage on top, then enlarged by bicubic and by a shipped
network. The projection is told bicubic each time. Rewrites docs/reference/consistency.md.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from textwrap import fill

import numpy as np

from kakudai import Upscaler, read_image
from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.shrink import crop_to_multiple, shrink
from kakudai.evaluate.measure import bicubic, set_files
from kakudai.image.consistent import ROUNDS, make_consistent
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

"""


@dataclass(frozen=True, slots=True)
class Row:
    """Means over one set: PSNR and consistency before and after, and the largest difference after."""

    damage: str
    method: str
    before: float
    after: float
    back_before: float
    back_after: float
    largest: float

    @property
    def gain(self) -> float:
        """What the projection does to the PSNR, in decibels."""
        return self.after - self.before

    def cells(self) -> str:
        """Write a row of the table."""
        figures = (self.before, self.after, self.back_before, self.back_after, self.largest)
        return f"| {self.damage} | {self.method} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |\n"


def summary(rows: Sequence[Row]) -> str:
    """Say what the tables show, in their own figures."""
    meant, other = ([row for row in rows if (row.damage == "bicubic") == bicubic] for bicubic in (True, False))
    gains = {method: [row.gain for row in meant if row.method == method] for method in ("bicubic", MODEL)}
    elsewhere = [row.gain for row in other if row.method == MODEL]
    unmet, worst = sum(row.largest > 0.5 for row in rows), max(row.largest for row in rows)
    text = (
        "Where the input was shrunk by bicubic, the projection changes the PSNR of "
        f"{MODEL} by {spread(gains[MODEL])} dB, and that of bicubic by {spread(gains['bicubic'])} dB. "
        f"Where the input was made otherwise, or is damaged, it changes that of {MODEL} by {spread(elsewhere)} dB. "
        f"In {unmet} of {len(rows)} rows a pixel still differs by more than rounding takes away after {ROUNDS} rounds, "
        f"by {worst:.1f} levels at most. It is for those who must know that nothing the input shows was changed."
    )
    return fill(text, 120) + "\n\n"


def spread(values: Sequence[float]) -> str:
    """Write "+0.01" or "-0.07 to +0.02"."""
    low, high = (f"{round(value, 2) + 0.0:+.2f}" for value in (min(values), max(values)))  # no "-0.00"
    return low if low == high else f"{low} to {high}"


def measure(folder: Path, damage: Callable[[Pixels], Pixels], enlarge: Callable[[Pixels], Pixels]) -> list[float]:
    """Return the five figures of a row."""
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
    tables, rows = "", []
    with Upscaler(SCALE, model=MODEL, precision="float32") as upscaler:
        for folder in folders:
            tables += f"| {folder.name}: input by | enlarged by | PSNR | after | shrinks back | after | largest |\n"
            tables += "|---|---|---|---|---|---|---|\n"
            for name, damage in inputs.items():
                for method, enlarge in (("bicubic", bicubic(SCALE)), (MODEL, upscaler.upscale)):
                    rows.append(Row(name, method, *measure(folder, damage, enlarge)))
                    tables += rows[-1].cells()
            tables += "\n"
    page = HEAD + summary(rows) + tables
    PAGE.write_text(page.rstrip("\n") + "\n")
    print(page)


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
