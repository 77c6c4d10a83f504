"""Speed of the whole program beside that of the bare network, measured in turn in one run.

    python benchmarks/speed.py [--rounds 5]

The bare network is a session of the same runtime on the same tiles, already converted to float32 and kept in memory,
with as many tiles in flight; nothing is read, checked, converted back or written. Times are medians over the rounds,
ratios are taken within a round. Rewrites docs/reference/speed.md.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakudai import Upscaler, read_image, write_image
from kakudai.cli.doctor import processor_name
from kakudai.engine.batch import upscale_file
from kakudai.engine.passes import to_planes
from kakudai.engine.runtimes import available, open_session, usable_processors
from kakudai.engine.tiles import cut, default_tile, extract
from kakudai.image.picture import Picture
from kakudai.models import Model

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/speed.md"
CASES = [("750x469 JPEG to PNG", (469, 750), "png"), ("12 megapixel JPEG to PNG", (3000, 4000), "png"),
         ("12 megapixel JPEG to JPEG", (3000, 4000), "jpg")]  # fmt: skip


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """Cover a size with mirror images of a real photograph: its texture at every place, at its own sharpness."""
    cat = read_image(ROOT / "examples/chelsea.png").color
    pad = [(0, height), (0, width), (0, 0)]
    return np.pad(cat, pad, mode="symmetric")[:height, :width]


def bare_seconds(upscaler: Upscaler, image: NDArray[np.uint8]) -> float:
    """Time the network alone."""
    model = upscaler.model
    assert isinstance(model, Model)
    assert model.halo is not None
    session = open_session(model, runtime=upscaler.runtime)  # type: ignore[arg-type]  # it is the name of one
    tile = default_tile(*image.shape[:2], workers=session.workers)
    tiles = [to_planes(extract(image, part, model.halo)) for part in cut(image.shape[0], image.shape[1], tile)]
    with ThreadPoolExecutor(session.workers) as pool:
        started = time.perf_counter()
        for _ in pool.map(session.run, tiles):
            pass
        return time.perf_counter() - started


def measure(runtime: str, case: tuple[str, tuple[int, int], str], rounds: int, folder: Path) -> str:
    """Time one case; return a row of the table."""
    name, size, ending = case
    image = photograph(*size)
    source, target = folder / "in.jpg", folder / f"out.{ending}"
    write_image(Picture(image), source)
    image = read_image(source).color
    words = [
        sys.executable,
        "-m",
        "kakudai",
        source,
        "-o",
        target,
        "--runtime",
        runtime,
        "--on-exists",
        "overwrite",
        "-q",
    ]
    whole, process, bare = [], [], []
    with Upscaler(2, runtime=runtime) as upscaler:  # type: ignore[arg-type]
        bare_seconds(upscaler, image[:512, :512])
        for _ in range(rounds):
            bare.append(bare_seconds(upscaler, image))
            started = time.perf_counter()
            upscale_file(upscaler, source, target)
            whole.append(time.perf_counter() - started)
            started = time.perf_counter()
            subprocess.run(words, check=True)
            process.append(time.perf_counter() - started)
    megapixels = 4 * image.shape[0] * image.shape[1] / 1e6
    added = statistics.median(w / b - 1 for w, b in zip(whole, bare, strict=True))
    medians = [statistics.median(times) for times in (bare, whole, process)]
    speed = megapixels / medians[1]
    return (
        f"| {name} | {runtime} | " + " | ".join(f"{m:.2f}" for m in medians) + f" | {100 * added:.0f} % | {speed:.1f} |"
    )


def start_seconds(words: list[str], rounds: int) -> float:
    """Time a process from its start to its end; the first run, which fills the disk's cache, does not count."""
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    runtimes = [found.name for found in available() if found.version and found.name != "torch"]
    with tempfile.TemporaryDirectory() as name:
        rows = [measure(runtime, case, rounds, Path(name)) for case in CASES for runtime in runtimes]
    help_seconds = start_seconds(["-m", "kakudai", "--help"], rounds)
    import_seconds = start_seconds(["-c", "import numpy, onnxruntime"], rounds)
    page = f"""# Speed

Written by `benchmarks/speed.py`; do not edit. {usable_processors()} processors: {processor_name()}. Medians of {rounds}
rounds in seconds; the machine is shared, so look at the ratio: "added" is what reading, cutting, checking, converting
and writing add to the bare network, within one round. "process" is from the start of the program to its end.

| 2x with photo-x2 | runtime | bare network | file to file | process | added | output MP/s |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}

`kakudai --help` takes {help_seconds:.2f} s; `python -c "import numpy, onnxruntime"` takes {import_seconds:.2f} s.
"""
    PAGE.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
