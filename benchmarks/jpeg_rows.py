"""How much larger are JPEG files that are written row by row, with standard Huffman tables?

    python benchmarks/jpeg_rows.py ../shared

Prints, for each set, the median and the largest ratio to files with the best tables, at quality 95 in 4:4:4.
"""

import sys
from pathlib import Path
from statistics import median

import pyvips

from kakudai import read_image
from kakudai.evaluate.measure import set_files

SETS = ("BSD100", "comic", "kodak4")


def ratio(file: Path) -> float:
    """Return the size of a picture's JPEG file with standard tables, divided by that with its own."""
    image = pyvips.Image.new_from_array(read_image(file).color)
    own, standard = (
        len(image.jpegsave_buffer(Q=95, subsample_mode="off", optimize_coding=best)) for best in (True, False)
    )
    return standard / own


def main(words: list[str]) -> None:
    """Print a line for each set."""
    if len(words) != 1:
        sys.exit(__doc__)
    for name in SETS:
        ratios = [ratio(file) for file in set_files(Path(words[0]) / "data/test" / name)]
        print(f"{name}: {len(ratios)} pictures, {median(ratios):.3f} times as large, at most {max(ratios):.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
