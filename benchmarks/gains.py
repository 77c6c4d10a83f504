"""What each shortcut of the engine brings: the same work with it and without it, in turns.

    python benchmarks/gains.py ../shared [--rounds 7]      # on a machine that does nothing else; a quarter of an hour

Every ratio is taken within a round; every second round goes backwards. Rewrites docs/reference/gains.md.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np

from kakudai import Upscaler, read_image, write_image
from kakudai.analyse import analyse_picture
from kakudai.bench.subject import photograph
from kakudai.cli.batch import AT_ONCE
from kakudai.cli.doctor import processor_name
from kakudai.degrade.jpeg import jpeg
from kakudai.engine import passes
from kakudai.engine.batch import upscale_files
from kakudai.engine.ensemble import Turn
from kakudai.engine.job import FileOptions, Job
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.loading import load_model
from kakudai.engine.machine import Machine
from kakudai.engine.runtimes import RuntimeName, available, usable_processors
from kakudai.evaluate.measure import set_files
from kakudai.image import encoding
from kakudai.image.formats import FORMATS
from kakudai.image.picture import Picture, Pixels

PAGE = Path(__file__).parents[1] / "docs/reference/gains.md"
PHOTO, ART = "photo-x2", "art-x2"
THUMBNAILS, SNAPSHOTS = 60, 12
"""Small files, and files of middling size, of one folder."""

ZLIB_LEVEL = 6
"""What PNG files are compressed with by programs that do not say."""

LIMITLESS = 1 << 40
"""Pixels from which on a picture is large: none is."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""What the program tells numpy before it is loaded; so does this script."""


@dataclass(frozen=True, slots=True)
class Gain:
    """One shortcut.

    Args:
        name: What is done.
        work: What it is measured on.
        taken: The work with it.
        left: The same work without it.
    """

    name: str
    work: str
    taken: Callable[[], object]
    left: Callable[[], object]

    def measure(self, rounds: int) -> list[float]:
        """Return how many times as long the work takes without it, round by round."""
        ratios = []
        for number in range(rounds + 1):
            seconds = {}
            for run in (self.taken, self.left) if number % 2 else (self.left, self.taken):
                started = time.perf_counter()
                run()
                seconds[run] = time.perf_counter() - started
            ratios.append(seconds[self.left] / seconds[self.taken])
        return ratios[1:]


def runtimes() -> list[RuntimeName]:
    """Return those of the two usual runtimes that are installed."""
    installed = {found.name for found in available() if found.version}
    names: tuple[RuntimeName, ...] = ("onnxruntime", "openvino")
    return [name for name in names if name in installed]


def enlarge(loaded: Loaded, images: list[Pixels], tile: int | None) -> None:
    """Run a network over pictures, as the engine does."""
    with ThreadPoolExecutor(max(loaded.session.workers, usable_processors())) as pool:
        for image in images:
            height, width, _ = image.shape
            side = loaded.first_tile(height, width, tile)
            loaded.run(image, side, np.uint8, Run((Turn(),), pool, lambda _pixels: None))


def flat(shared: Path) -> Iterator[Gain]:
    """Run the network once for each colour of tiles that have but one."""

    def without(loaded: Loaded, images: list[Pixels], tile: int | None) -> None:
        with mock.patch.object(passes, "is_flat", return_value=False):
            enlarge(loaded, images, tile)

    loaded = Loaded.open(load_model(ART), Machine())
    for name in ("anime", "comic"):
        images = [read_image(path).color for path in set_files(shared / "data/test" / name)[:8]]
        for tile in (None, 64):
            side = "" if tile is None else f", tiles of {tile}"
            yield Gain(
                "tiles of one colour are run once for each colour", f"8 pictures of {name}, {ART}{side}",
                partial(enlarge, loaded, images, tile), partial(without, loaded, images, tile),
            )  # fmt: skip


def folder(path: Path, count: int, sides: tuple[int, int]) -> list[Path]:
    """Fill a folder with pictures of many sizes, PNG and JPEG in turn."""
    path.mkdir()
    image, chance = photograph(1024, 1024), np.random.default_rng(0)
    files = []
    for number in range(count):
        height, width = chance.integers(*sides, 2)
        top, left = (int(chance.integers(0, 1024 - side + 1)) for side in (height, width))
        files.append(path / f"{number:03}.{('png', 'jpg')[number % 2]}")
        write_image(Picture(image[top : top + height, left : left + width]), files[-1])
    return files


def upscale_all(upscaler: Upscaler, files: list[Path], *, at_once: int, alone: bool = False) -> None:
    """Enlarge files; `alone`, each by itself."""
    with tempfile.TemporaryDirectory() as name:
        jobs = [Job(path, Path(name) / path.name, path.name) for path in files]
        for part in [[job] for job in jobs] if alone else [jobs]:
            for result in upscale_files(upscaler, part, FileOptions(), at_once=at_once):
                if result.error:
                    raise result.error


def many_files(scratch: Path) -> Iterator[Gain]:
    """Small files two at once; larger ones read ahead, and written behind."""
    small = folder(scratch / "small", THUMBNAILS, (48, 96))
    middling = folder(scratch / "middling", SNAPSHOTS, (300, 500))
    for runtime in runtimes():
        for model in (PHOTO, "auto"):
            upscaler = Upscaler(2, model=model, runtime=runtime)
            about = f"-m {model}, {runtime}"
            yield Gain(
                f"{AT_ONCE} small files at once",
                f"{THUMBNAILS} of about 72x72 pixels, {about}",
                partial(upscale_all, upscaler, small, at_once=AT_ONCE),
                partial(upscale_all, upscaler, small, at_once=1),
            )
            yield Gain(
                "the next file is read, the last one written meanwhile", f"{SNAPSHOTS} of about 400x400, {about}",
                partial(upscale_all, upscaler, middling, at_once=1),
                partial(upscale_all, upscaler, middling, at_once=1, alone=True),
            )  # fmt: skip


def products(scratch: Path) -> Iterator[Gain]:
    """Let numpy's matrix products take one thread, in the program itself."""
    source, target = scratch / "looked", scratch / "looked_out"
    folder(source, SNAPSHOTS, (300, 500))
    for runtime in runtimes():
        words = [sys.executable, "-m", "kakudai", "upscale", str(source), "-o", str(target), "-q"]
        words += ["-r", "--runtime", runtime]

        def run(words: list[str], count: int) -> None:
            shutil.rmtree(target, ignore_errors=True)  # else it finds that all is done
            environment = os.environ | {name: str(count) for name in ONE_THREAD}
            subprocess.run(words, check=True, env=environment)

        yield Gain(
            "matrix products of numpy take one thread",
            f"the program, {SNAPSHOTS} files of about 400x400, -m auto, {runtime}",
            partial(run, words, 1),
            partial(run, words, usable_processors()),
        )


def encoders(scratch: Path) -> Iterator[Gain]:
    """Compress large results less than small ones, and all PNG files less than others do."""
    picture = Picture(photograph(6000, 4500))

    def run(target: Path, **instead: int) -> None:
        with mock.patch.dict(FORMATS["png"].options, instead), mock.patch.object(encoding, "LARGE", LIMITLESS):
            write_image(picture, target)

    def sized(write: Callable[[], object], target: Path) -> int:
        write()
        return target.stat().st_size

    png, jpg = scratch / "large.png", scratch / "large.jpg"
    level = FORMATS["png"].options["compression"]
    for name, target, taken, left in (
        (f"PNG is compressed at level {level}, not {ZLIB_LEVEL}", png, partial(run, png),
         partial(run, png, compression=ZLIB_LEVEL)),
        ("large PNG files are compressed at level 1", png, partial(write_image, picture, png), partial(run, png)),
        ("large JPEG files have standard tables", jpg, partial(write_image, picture, jpg), partial(run, jpg)),
    ):  # fmt: skip
        more = sized(taken, target) / sized(left, target) - 1
        yield Gain(name, f"27 megapixels are encoded, {more:+.1%} bytes", taken, left)


def looking(rounds: int) -> Iterator[str]:
    """Yield rows of a table: what looking at a picture costs beside its network."""
    image = jpeg(photograph(1024, 1024), 80, chroma="4:2:0")
    upscaler = Upscaler(2, model=PHOTO)
    for side in (64, 256, 1024):
        part = np.ascontiguousarray(image[:side, :side])
        cost = Gain("", "", partial(upscaler.upscale, part), partial(analyse_picture, part))
        shares = sorted(cost.measure(rounds))
        yield f"| {side}x{side} | **{statistics.median(shares):.0%}** | {shares[0]:.0%} to {shares[-1]:.0%} |"


def main() -> None:
    """Measure all, and write the page."""
    if not ONE_THREAD.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder with data/")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for gains in (products(scratch), encoders(scratch), many_files(scratch), flat(arguments.shared)):
            for gain in gains:
                ratios = sorted(gain.measure(arguments.rounds))
                middle = f"{statistics.median(ratios):.2f}"
                lines.append(f"| {gain.name} | {gain.work} | **{middle}** | {ratios[0]:.2f} to {ratios[-1]:.2f} |")
                print(lines[-1], flush=True)
    looked = list(looking(arguments.rounds))
    PAGE.write_text(f"""# What the engine's shortcuts bring

Written by `benchmarks/gains.py`; do not edit. How many times as long the same work takes without each of them: median
and extremes of {arguments.rounds} rounds in which both ran, one after the other. {processor_name()},
{usable_processors()} processors.

| shortcut | measured on | without it | rounds |
|---|---|---|---|
{chr(10).join(lines)}

Looking at a picture, for `-m auto` and `-d auto`, in the time of {PHOTO} on it with {available()[0].name}. It was a
JPEG of quality 80, and is a PNG now, so that all questions are asked:

| picture | looking | rounds |
|---|---|---|
{chr(10).join(looked)}
""")


if __name__ == "__main__":
    main()
