"""How many pictures a second one machine does, what more machines bring, and what a million or a billion would take.

    python benchmarks/planning.py                     # all of it, half an hour, on a machine that does nothing else
    python benchmarks/planning.py folder              # one part: folder, actors, giant; the others stay as they were
    python benchmarks/planning.py --small             # to see that it works; prints the page, keeps nothing
    python benchmarks/planning.py page --node-hour 0.2 --put 0.005 --get 0.0004 --nodes 100     # other prices

    folder  10,000 small pictures by `kakudai upscale` beside a plain loop over `Upscaler`, in turn: pictures per
            second, how busy the processors are, memory
    actors  pictures of 450 x 450 by one process, and by 1, 2 and 4 actors of a Ray cluster on this machine: pictures
            per second, and what the driver needs for each
    giant   one picture of 36 megapixels by one process, and in parts by 1 and 2 actors

Rewrites benchmarks/results/planning.json and docs/reference/planning.md. Prices are those that are given, in dollars:
of a machine like this one for an hour, of a thousand requests that write (PUT) and that read (GET, HEAD).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from growth import line_through
from kakudai import Upscaler, read_image, write_image
from kakudai.cli.doctor import processor_name
from kakudai.image.picture import Picture
from kakudai.jobs.manifest import NAME
from planning_page import Prices, page
from serving import memory

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results/planning.json", ROOT / "docs/reference/planning.md"


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is measured.

    Args:
        folder: Small pictures.
        rounds: How often each way is taken, in turn.
        few: Pictures of the shorter run with actors; what it takes to start is in both.
        many: Pictures of the longer one.
        side: Of the giant picture.
    """

    folder: int = 10_000
    rounds: int = 2
    few: int = 60
    many: int = 460
    side: int = 6000


SMALL = Counts(200, 1, 8, 40, 1500)


@dataclass(slots=True)
class Took:
    """What a command took.

    Args:
        seconds: Of the clock.
        cpu: Of the processors, by it and what it started.
        at: Seconds after the start, of each sample of memory.
        kilobytes: The samples.
        most: Kilobytes that the command itself had resident at most.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    most: int = 0
    at: list[float] = field(default_factory=list)
    kilobytes: list[int] = field(default_factory=list)


def timed(command: list[str], *, watch: bool = False) -> Took:
    """Run a command and return what it took; it must succeed."""
    took, started = Took(), time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        while watch and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            took.at.append(time.monotonic() - started)
            took.kilobytes.append(memory(process.pid))
            time.sleep(0.5)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {said.read().decode()[-2000:]}")
    took.seconds, took.cpu = time.monotonic() - started, usage.ru_utime + usage.ru_stime
    took.most = usage.ru_maxrss
    return took


def kakudai(*words: object) -> list[str]:
    """Return a command."""
    return [sys.executable, "-m", "kakudai", "upscale", *map(str, words)]


def draw(folder: Path, count: int, low: int, high: int, ending: str) -> Path:
    """Write parts of a photograph, continued as a mirror image, of `low` to `high` pixels a side."""
    photograph, rng = read_image(ROOT / "examples/chelsea.png").color, np.random.default_rng(1)
    photograph = np.pad(photograph, [(0, high), (0, high), (0, 0)], mode="symmetric")
    folder.mkdir(parents=True)
    for number in range(count):
        height, width = rng.integers(low, high + 1, 2)
        top, left = rng.integers(0, np.array(photograph.shape[:2]) - (height, width))
        write_image(Picture(photograph[top : top + height, left : left + width]), folder / f"{number:05}.{ending}")
    return folder


def loop(source: Path, target: Path) -> None:
    """Enlarge a folder as somebody would in five lines of Python."""
    with Upscaler(2, model="photo-fast", denoise=0) as upscaler:
        for path in sorted(source.iterdir()):
            picture, _ = upscaler.upscale_picture(read_image(path))
            write_image(picture, target / path.name)


def measure_folder(folder: Path, counts: Counts) -> dict[str, Any]:
    """Time a folder of small pictures, by the command and by a loop."""
    source = draw(folder / "in", counts.folder, 32, 127, "jpg")
    found: dict[str, list[dict[str, Any]]] = {"loop": [], "command": []}
    for number in range(counts.rounds):
        for way, rounds in found.items():
            target = folder / f"{way}{number}"
            target.mkdir()
            looped = [sys.executable, __file__, "loop", str(source), str(target)]
            command = kakudai(source, "-o", f"{target}/", "-m", "photo-fast", "-d", 0, "-q")
            took = timed(looped if way == "loop" else command, watch=True)
            made = len([path for path in target.iterdir() if path.suffix == ".jpg"])
            assert made == counts.folder
            thousands = [at / took.seconds * made / 1000 for at in took.at]
            rounds.append({
                "pictures_per_second": made / took.seconds,
                "busy": took.cpu / took.seconds / (os.cpu_count() or 1),
                "most_megabytes": max(took.kilobytes) / 1024,
                "kilobytes_per_thousand": asdict(line_through(thousands, took.kilobytes)),
                "manifest_bytes": size_of(target / NAME) / made,
            })  # fmt: skip
    few = draw(folder / "few", 10, 32, 127, "jpg")
    resumed = []
    for pictures, target in ((few, folder / "of few"), (source, folder / "command0")):
        command = kakudai(pictures, "-o", f"{target}/", "-m", "photo-fast", "-d", 0, "-q")
        timed(command)
        resumed.append(timed(command))  # all of it is done already
    extra = counts.folder - 10
    again = {
        "seconds": (resumed[1].seconds - resumed[0].seconds) / extra,
        "kilobytes": (resumed[1].most - resumed[0].most) / extra,
    }
    return {"pictures": counts.folder, **found, "again": again}


def size_of(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


@contextmanager
def nodes(processors: int) -> Iterator[str]:
    """Start a cluster of one node that says it has so many processors; return its address."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": processors, "include_dashboard": False})
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


WAYS: dict[str, tuple[object, ...]] = {
    "plain": (),
    "1 actor, 2 threads": ("--actors", 1, "--threads", 2),
    "2 actors, 1 thread each": ("--actors", 2, "--threads", 1),
    "4 actors, 1 thread each": ("--actors", 4, "--threads", 1),
}


def measure_actors(folder: Path, counts: Counts) -> dict[str, Any]:
    """Time pictures by one process and by actors: the difference of a long and a short run, so starting is left out."""
    sources = {count: draw(folder / f"in{count}", count, 450, 450, "jpg") for count in (counts.few, counts.many)}
    taken: dict[str, dict[str, list[float]]] = {way: {"seconds": [], "driver": [], "start": []} for way in WAYS}
    bytes_in = sum(path.stat().st_size for path in sources[counts.many].iterdir()) / counts.many
    target, bytes_out = folder / "out", 0.0
    with nodes(4) as address:
        for _ in range(counts.rounds):
            for way, words in WAYS.items():
                both = []
                for source in sources.values():
                    ray = ("--ray", address, *words) if words else ()
                    both.append(timed(kakudai(source, "-o", f"{target}/", "-m", "photo", "-d", 0, "-q", *ray)))
                    made = [path.stat().st_size for path in target.iterdir() if path.suffix == ".jpg"]
                    bytes_out = statistics.mean(made)
                    for path in target.iterdir():
                        path.unlink()
                extra, each = counts.many - counts.few, taken[way]
                each["seconds"].append((both[1].seconds - both[0].seconds) / extra)
                each["driver"].append((both[1].cpu - both[0].cpu) / extra)
                each["start"].append(both[0].seconds - counts.few * each["seconds"][-1])
    medians = {way: {name: statistics.median(values) for name, values in each.items()} for way, each in taken.items()}
    return {"pictures": counts.many, "bytes_in": bytes_in, "bytes_out": bytes_out, "ways": medians}


def measure_giant(folder: Path, counts: Counts) -> dict[str, Any]:
    """Time one large picture, by one process and in parts by actors."""
    source = draw(folder / "giant", 1, counts.side, counts.side, "tif") / "00000.tif"
    ways = {way: words for way, words in WAYS.items() if not way.startswith("4")}
    taken: dict[str, list[float]] = {way: [] for way in ways}
    contents = set[bytes]()
    with nodes(2) as address:
        for _ in range(counts.rounds):
            for way, words in ways.items():
                target = folder / "large.tif"
                ray = ("--ray", address, *words) if words else ()
                taken[way].append(timed(kakudai(source, "-o", target, "-m", "photo", "-d", 0, "-q", *ray)).seconds)
                contents.add(target.read_bytes())
                target.unlink()
    assert len(contents) == 1, "results differ"
    return {
        "megapixels": counts.side**2 / 1e6,
        "seconds": {way: statistics.median(each) for way, each in taken.items()},
    }


PARTS: dict[str, Callable[[Path, Counts], dict[str, Any]]] = {
    "folder": measure_folder,
    "actors": measure_actors,
    "giant": measure_giant,
}


def main() -> None:
    """Measure what is asked, and write the page."""
    if sys.argv[1:2] == ["loop"]:
        return loop(Path(sys.argv[2]), Path(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=[*PARTS, "page"], help="all if none is named")
    parser.add_argument("--small", action="store_true")
    usual = Prices()
    parser.add_argument("--node-hour", type=float, default=usual.node_hour)
    parser.add_argument("--put", type=float, default=usual.put)
    parser.add_argument("--get", type=float, default=usual.get)
    parser.add_argument("--nodes", type=int, default=usual.nodes)
    words = parser.parse_args()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    counts = SMALL if words.small else Counts()
    for part in [words.part] if words.part else PARTS:
        if part != "page":
            with tempfile.TemporaryDirectory() as folder:
                known[part] = {"processor": processor_name(), **PARTS[part](Path(folder), counts)}
    text = page(known, Prices(words.node_hour, words.put, words.get, words.nodes))
    if words.small:
        print(text)
    else:
        if words.part != "page":
            RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(text, encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
