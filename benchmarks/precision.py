"""What shorter numbers lose, and what they gain, with every network that ships.

    python benchmarks/precision.py ../shared [--rounds 7]

PSNR is that of `Upscaler` with OpenVINO, on 8-bit pixels; pictures are shrunk bicubically, and for networks that
restore, compressed at quality 60, 4:2:0, and told so. Times are the networks' own, on a picture of one megapixel,
measured in turn in one run. Rewrites docs/reference/precision.md, unless a network loses more than 0.05 dB on a set.
"""

import argparse
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from kakudai import Upscaler, list_models, read_image
from kakudai.bench.subject import photograph
from kakudai.cli.doctor import processor_name
from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.degrade.strength import strength_of_quality
from kakudai.engine.machine import Machine, Numbers, adds_exactly, has_matrix_unit
from kakudai.engine.runtimes import usable_processors
from kakudai.evaluate.measure import set_files
from kakudai.image.picture import Pixels
from kakudai.metrics import Protocol, psnr
from kakudai.models import Model
from kakudai.models.shipped import INT8

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/precision.md"
SETS = ("Set5", "BSD100", "anime", "comic")
ALLOWED = 0.05
QUALITY = 60


def kinds_of(model: Model, names: set[str]) -> list[Numbers]:
    """Return what a network can compute with on this processor, float32 first."""
    found: list[Numbers] = ["float32"]
    found += ["bfloat16"] if has_matrix_unit() else []
    return found + (["int8"] if f"{model.name}{INT8}" in names and adds_exactly() else [])


def upscaler(model: Model, precision: Numbers) -> Upscaler:
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


def quality(model: Model, kinds: list[Numbers], folder: Path) -> list[float]:
    """Return the mean PSNR over a set, for each kind of numbers."""
    protocol, given = Protocol.published(model.scale), pairs(folder, model)
    means = []
    for kind in kinds:
        with upscaler(model, kind) as network:
            means.append(statistics.fmean(psnr(network.upscale(small), large, protocol) for small, large in given))
    return means


def gains(model: Model, kinds: list[Numbers], rounds: int) -> list[float]:
    """Return how many times as fast a network is with each kind of numbers: medians over rounds of all in turn."""
    image = photograph(1000, 1000)
    seconds: list[list[float]] = []
    with ExitStack() as stack:
        networks = [stack.enter_context(upscaler(model, kind)) for kind in kinds]
        for network in networks:
            network.upscale(image[:300, :300])
        for _ in range(rounds):
            seconds.append([])
            for network in networks:
                started = time.perf_counter()
                network.upscale(image)
                seconds[-1].append(time.perf_counter() - started)
    return [statistics.median(times[0] / times[number] for times in seconds) for number in range(len(kinds))]


def main() -> None:
    """Measure every network with every kind of numbers, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path, help="folder with data/")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    models = {model.name: model for model in list_models()}
    rows, lost = [], 0.0
    for name, model in models.items():
        kinds = [] if name.endswith(INT8) else kinds_of(model, set(models))
        if len(kinds) < 2:
            continue
        means = [quality(model, kinds, arguments.shared / "data/test" / each) for each in SETS]
        ratios = gains(model, kinds, arguments.rounds)
        for number, kind in enumerate(kinds[1:], 1):
            losses = [of_set[0] - of_set[number] for of_set in means]
            lost = max(lost, *losses)
            cells = [f"{of_set[0]:.2f} / {of_set[number]:.2f}" for of_set in means]
            rows.append(f"| {name} | {kind} | {' | '.join(cells)} | {ratios[number]:.2f} |")
            print(rows[-1], flush=True)
    if not rows:
        sys.exit(
            "this processor has nothing to gain: it has no unit for bfloat16, and no network of 8-bit numbers ships"
        )
    if lost > ALLOWED:
        sys.exit(f"a network loses {lost:.3f} dB, and {ALLOWED} are allowed: the page was not written")
    PAGE.write_text(f"""# Shorter numbers

Written by `benchmarks/precision.py`; do not edit. Luma PSNR in decibels with OpenVINO, float32 / shorter numbers, of
pictures shrunk bicubically; restoring networks are given JPEG files of quality {QUALITY}, 4:2:0, and are told so.
"faster": seconds for one megapixel of input with float32, divided by those with the shorter numbers, the median of
{arguments.rounds} rounds in turn, with cutting, checking and conversion of pixels.
{usable_processors()} processors: {processor_name()}; `--precision auto` is {Machine("openvino").numbers} here.

| network | numbers | {" | ".join(SETS)} | faster |
|---|---|{"---|" * (len(SETS) + 1)}
{chr(10).join(rows)}

`--precision auto` takes bfloat16 with OpenVINO on processors with a matrix unit (AMX). Sums are kept in float32, and
what follows the last convolution is float32, too; no result depends on tiles or threads. On other processors that add
up products of 8-bit numbers exactly it takes networks of such numbers, files that end in `{INT8}`, if there are any.
Both are for networks that ship, which this page measures, and for pictures of 8 bits. All else is float32.
""")


if __name__ == "__main__":
    main()
