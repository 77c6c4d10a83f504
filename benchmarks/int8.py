"""What the networks of 8-bit numbers lose, and what they gain, beside those of 32 bits.

    python benchmarks/int8.py ../shared [--rounds 7]

PSNR is that of `Upscaler` with OpenVINO, on 8-bit pixels; pictures are shrunk bicubically, and for networks that
restore, compressed at quality 60, 4:2:0, and told so. Times are the networks' own, on a picture of one megapixel,
measured in turn in one run. Rewrites docs/reference/int8.md, unless a network loses more than 0.05 dB on a set.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from kakudai import Upscaler, list_models, read_image
from kakudai.cli.doctor import processor_name
from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.degrade.strength import strength_of_quality
from kakudai.engine.machine import Precision
from kakudai.engine.runtimes import usable_processors
from kakudai.evaluate.measure import set_files
from kakudai.image.picture import Pixels
from kakudai.metrics import Protocol, psnr
from kakudai.models import Model
from kakudai.models.shipped import INT8

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/int8.md"
SETS = ("Set5", "BSD100", "anime", "comic")
ALLOWED = 0.05
QUALITY = 60
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")


def upscaler(model: Model, precision: Precision) -> Upscaler:
    """Open a network, told how strong the damage is where it wants to know."""
    denoise = round(100 * strength_of_quality(QUALITY)) if model.takes_strength else "auto"
    return Upscaler(model.scale, model=model.name, denoise=denoise, runtime="openvino", precision=precision)


def pairs(folder: Path, model: Model) -> list[tuple[Pixels, Pixels]]:
    """Return (what the network is given, what it should give) for the pictures of a set."""
    found = []
    for path in set_files(folder):
        original = crop_to_multiple(read_image(path).color, model.scale)
        original = original.repeat(3, axis=2) if original.shape[2] == 1 else original
        small = shrink_bicubic(original, model.scale) if model.scale > 1 else original
        found.append((jpeg(small, QUALITY, chroma="4:2:0") if model.takes_strength else small, original))
    return found


def quality(model: Model, folder: Path) -> list[float]:
    """Return the mean PSNR over a set, for each precision."""
    protocol, given = Protocol.published(model.scale), pairs(folder, model)
    means = []
    for precision in PRECISIONS:
        with upscaler(model, precision) as network:
            means.append(statistics.fmean(psnr(network.upscale(small), large, protocol) for small, large in given))
    return means


def gain(model: Model, rounds: int) -> float:
    """Return how many times as fast the network of 8-bit numbers is: the median over rounds of both."""
    image = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    ratios = []
    with upscaler(model, "float32") as exact, upscaler(model, "int8") as short:
        for _ in range(rounds):
            seconds = []
            for network in (exact, short):
                started = time.perf_counter()
                network.upscale(image)
                seconds.append(time.perf_counter() - started)
            ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


def main() -> None:
    """Measure every network that has both kinds of numbers, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path, help="folder with data/")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    models = {model.name: model for model in list_models()}
    both = [model for name, model in models.items() if f"{name}{INT8}" in models]
    rows, lost = [], 0.0
    for model in both:
        cells = []
        for name in SETS:
            exact, short = quality(model, arguments.shared / "data/test" / name)
            lost = max(lost, exact - short)
            cells.append(f"{exact:.2f} / {short:.2f}")
        sizes = [len(models[name].data) / 1000 for name in (model.name, f"{model.name}{INT8}")]
        cells.append(f"{gain(model, arguments.rounds):.2f}")
        rows.append(f"| {model.name} | {' | '.join(cells)} | {sizes[0]:.0f} / {sizes[1]:.0f} |")
        print(rows[-1], flush=True)
    if lost > ALLOWED:
        sys.exit(f"a network loses {lost:.3f} dB, and {ALLOWED} are allowed: the page was not written")
    PAGE.write_text(f"""# Networks of 8-bit numbers

Written by `benchmarks/int8.py`; do not edit. Luma PSNR in decibels with OpenVINO, float32 / int8, of pictures shrunk
bicubically; restoring networks are given JPEG files of quality {QUALITY}, 4:2:0, and are told so. "faster": seconds for
one megapixel of input with float32, divided by those with int8, the median of {arguments.rounds} rounds in turn, with
conversion of pixels; {usable_processors()} processors: {processor_name()}.

| network | {" | ".join(SETS)} | faster | kilobytes |
|---|{"---|" * (len(SETS) + 2)}
{chr(10).join(rows)}

They are trained from the float32 network with rounding in place (`networks/_int8.py`; recipes that end in `{INT8}`).
Their first and last convolutions are float32. `--precision auto` takes them with OpenVINO on processors that add up
8-bit products exactly; ONNX Runtime is slower with them than with float32.
""")


if __name__ == "__main__":
    main()
