"""Is anything lost, torn or done twice when a run is killed again and again?

    python benchmarks/killed.py                         # 2,000 pictures, killed twenty times; a few minutes
    python benchmarks/killed.py --count 100 --kills 3

Pictures in a tree of folders are enlarged once without a disturbance, and once by runs that are killed (SIGKILL) at
random moments and given again. After each kill every result that lies there must be whole, and the very same as that of
the run without a disturbance. What counts as done in the manifest must never be written again. Prints one JSON object;
exits with 1 where anything is wrong.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from kakudai import read_image, write_image
from kakudai.image.picture import Picture
from kakudai.jobs.lines import Entry
from kakudai.jobs.manifest import NAME, read_manifest

ROOT = Path(__file__).parents[1]
FOLDERS = 20


def main() -> int:
    """Kill, compare, and say what was found; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="pictures")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=8)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "in", words.count)
        subprocess.run(command(folder, "whole"), check=True, stderr=subprocess.DEVNULL)
        found = kill_and_resume(folder, words.count, words.kills, random.Random(words.seed))
    print(json.dumps(found, indent=1))
    return int(any(found[name] for name in ("torn", "missing", "written again", "done twice", "left over")))


def draw(folder: Path, count: int) -> None:
    """Write parts of a photograph, from 32 to 127 pixels a side, as PNG and JPEG."""
    photograph, rng = read_image(ROOT / "examples/chelsea.png").color, np.random.default_rng(1)
    for number in range(count):
        height, width = rng.integers(32, 128, 2)
        top, left = rng.integers(0, np.array(photograph.shape[:2]) - (height, width))
        path = folder / f"{number % FOLDERS:02}" / f"{number:05}.{('png', 'jpg')[number % 2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(Picture(photograph[top : top + height, left : left + width]), path)


def command(folder: Path, output: str) -> list[str]:
    """Return the command."""
    words = [str(folder / "in"), "-r", "-o", f"{folder / output}/", "-m", "photo-fast", "-q"]
    return [sys.executable, "-m", "kakudai", "upscale", *words]


def kill_and_resume(folder: Path, count: int, kills: int, rng: random.Random) -> dict[str, object]:
    """Kill runs, let the last one end, and compare; return what was found."""
    manifest, whole = folder / "out" / NAME, results(folder / "whole")
    torn, again, done_at_kill = list[str](), set[str](), list[int]()
    times: dict[str, int] = {}
    for kill in range(kills + 1):
        with subprocess.Popen(command(folder, "out"), stderr=subprocess.DEVNULL) as running:
            if kill < kills:
                wait_for(manifest, done_in(manifest) + rng.uniform(0, 2 * count / (kills + 1)), running)
                time.sleep(rng.uniform(0, 0.01))
                running.send_signal(signal.SIGKILL)
            running.wait()
        torn += [name for name, data in results(folder / "out").items() if whole.get(name) != data]
        entries = read_manifest(manifest).entries if manifest.exists() else []
        again |= {name for name, before_ in times.items() if changed(folder / "out" / name, before_)}
        times = {name: (folder / "out" / name).stat().st_mtime_ns for name in done_names(entries, folder / "out")}
        done_at_kill.append(len(times))
    entries = read_manifest(manifest).entries
    counts = Counter(entry.source for entry in entries if entry.status == "done")
    left = [path.name for path in (folder / "out").rglob(".*")]
    shutil.rmtree(folder / "in")
    return {
        "pictures": count,
        "kills": kills,
        "done at each kill, and at the end": done_at_kill,
        "torn": torn,
        "missing": sorted(set(whole) - set(results(folder / "out"))),
        "written again": sorted(again),
        "done twice": sorted(name for name, number in counts.items() if number > 1),
        "left over": left,
    }


def done_names(entries: list[Entry], folder: Path) -> list[str]:
    """Return the results that count as done, by their paths below the folder."""
    last = {entry.source: entry for entry in entries}
    return [entry.target for entry in last.values() if entry.status == "done" and (folder / entry.target).exists()]


def changed(path: Path, before: int) -> bool:
    """Say whether a file has been written since, or is gone."""
    return not path.exists() or path.stat().st_mtime_ns != before


def results(folder: Path) -> dict[str, bytes]:
    """Return all results by their paths below the folder; files that are still to be named do not count."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix in (".png", ".jpg"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if not path.name.startswith(".")}


def done_in(manifest: Path) -> int:
    """Count the pictures that are done, says a manifest that may not be there yet."""
    return manifest.read_bytes().count(b'"status":"done"') if manifest.exists() else 0


def wait_for(manifest: Path, wanted: float, running: "subprocess.Popen[bytes]") -> None:
    """Wait until so many pictures are done, or the run has ended."""
    while running.poll() is None and done_in(manifest) < wanted:
        time.sleep(0.003)


if __name__ == "__main__":
    sys.exit(main())
