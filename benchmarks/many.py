"""Does memory grow with the number of pictures? Thousands of small ones go through one process, which watches itself.

    python benchmarks/many.py                       # 10,000 pictures; half an hour
    python benchmarks/many.py --count 300           # to see that it works; prints the page, keeps nothing

The pictures are of four formats and many sizes; some are damaged. Resident memory is read after every hundredth, and a
straight line laid through what comes after the first fifth. Rewrites docs/reference/many-pictures.md and its plot.
Exits with 1 where memory grows by more than `MOST`.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from growth import Growth, line_through, warm_up
from kakudai import Upscaler, read_image, write_image
from kakudai.engine.batch import upscale_files
from kakudai.engine.job import FileOptions, Job
from kakudai.image.picture import Picture

ROOT = Path(__file__).parents[1]
PAGE, PLOT = ROOT / "docs/reference/many-pictures.md", ROOT / "docs/images/many-pictures.png"
SAMPLES = 100
"""How often memory is read; at full size that is after every hundredth picture."""

MOST = 100.0
"""KB for a thousand pictures, beyond twice the standard error."""

KINDS, DAMAGED = 60, 15
"""Different pictures, and each which of them is cut short."""


def main(words: list[str] | None = None) -> int:
    """Enlarge, measure and write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="how many pictures")
    parser.add_argument("--model", default="auto", help="as for kakudai upscale")
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        numbers, kilobytes = watch(Path(folder), arguments.count, arguments.model)
    growth = line_through([number / 1000 for number in numbers], kilobytes)
    text = page(numbers, kilobytes, growth)
    if arguments.count == parser.get_default("count"):
        PAGE.write_text(text, encoding="utf-8")
        draw(numbers, kilobytes, PLOT)
    else:
        print(text)
    return int(growth.is_above(MOST))


def watch(folder: Path, count: int, model: str) -> tuple[list[int], list[int]]:
    """Enlarge so many pictures; return how many were done at each sample, and the resident KB."""
    sources, output = make_pictures(folder / "in"), folder / "out"
    output.mkdir()
    numbers, kilobytes = [], []
    with Upscaler(2, model=model) as upscaler:
        results = upscale_files(upscaler, islice(jobs(sources, output), count), FileOptions())
        for number, result in enumerate(results, 1):
            if (result.error is not None) != is_damaged(result.job.source):
                raise RuntimeError(f"{result.job.name}: {result.error}")
            if isinstance(result.job.target, Path):
                result.job.target.unlink(missing_ok=True)
            if number % max(1, count // SAMPLES) == 0:
                numbers.append(number)
                kilobytes.append(resident_kilobytes())
    return numbers, kilobytes


def make_pictures(folder: Path) -> list[Path]:
    """Write different parts of a photograph, of which some files are cut short."""
    folder.mkdir()
    random, paths = np.random.default_rng(1), []
    photograph = read_image(ROOT / "examples/chelsea.png").color
    for number in range(KINDS):
        ending = ("png", "jpg", "webp", "tif")[number % 4]
        height, width = random.integers(16, 96, 2)
        top, left = random.integers(0, np.array(photograph.shape[:2]) - (height, width))
        path = folder / f"{number:03}.{ending}"
        write_image(Picture(photograph[top : top + height, left : left + width]), path)
        if is_damaged(path):
            path.write_bytes(path.read_bytes()[:100])
        paths.append(path)
    return paths


def is_damaged(source: object) -> bool:
    """Say whether a picture is one of those that are cut short."""
    return isinstance(source, Path) and int(source.stem) % DAMAGED == DAMAGED - 1


def jobs(sources: list[Path], target: Path) -> Iterator[Job]:
    """Yield jobs without an end, each with a result of its own name."""
    number = 0
    while True:
        for source in sources:
            yield Job(source, target / f"{number}{source.suffix}", source.name)
            number += 1


def resident_kilobytes() -> int:
    """Return the memory of this process that is not elsewhere."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 10


def page(numbers: list[int], kilobytes: list[int], growth: Growth) -> str:
    """Write the page."""
    start = warm_up(len(numbers))
    return f"""# Many pictures in a row

Written by `benchmarks/many.py`; do not edit. {numbers[-1]:,} small pictures, from 16 to 95 pixels a side,
PNG, JPEG, WebP and TIFF, one in {DAMAGED} of them damaged, are made twice as large by one process.

| | |
| --- | --: |
| resident after {numbers[start]:,} pictures | {kilobytes[start] / 1024:.1f} MB |
| resident after {numbers[-1]:,} pictures | {kilobytes[-1] / 1024:.1f} MB |
| most | {max(kilobytes) / 1024:.1f} MB |
| growth for a thousand pictures, after the first {numbers[start]:,} | {growth.slope:.0f} ± {growth.error:.0f} KB |

The growth is a straight line by least squares, with its standard error.

![Resident memory while {numbers[-1]:,} pictures are enlarged](../images/{PLOT.name})
"""


def draw(numbers: list[int], kilobytes: list[int], path: Path) -> None:
    """Draw memory over the number of pictures."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(numbers, np.array(kilobytes) / 1024, linewidth=1)
    axes.set(xlabel="pictures", ylabel="MB resident", ylim=(0, None))
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    sys.exit(main())
