"""How much memory does a picture of any size take? One is enlarged in another process, which is watched.

python benchmarks/memory.py /tmp/memory                                  # 16,000 x 16,000 JPEG to a gigapixel TIFF
python benchmarks/memory.py /tmp/memory --height 2000 --plot docs/images/memory.png
python benchmarks/memory.py /tmp/memory --model nearest --target out.png    # a network that costs nothing
python benchmarks/memory.py /tmp/memory --interrupt 20                      # Ctrl-C after 20 s: nothing may be left

Prints one JSON object. Resident memory is sampled ten times a second: all of it, and without the pages of files that
the system may take back at any time.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
LIMIT = 800
"""Megabytes that the gigapixel picture may take."""


def main() -> None:
    """Measure, print, and fail where the limit is exceeded or something is left behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the pictures; needs up to 6 GB")
    parser.add_argument("--width", type=int, default=16_000)
    parser.add_argument("--height", type=int, default=16_000)
    parser.add_argument("--source", default="in.jpg")
    parser.add_argument("--target", default="out.tif")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--interrupt", type=float, default=0.0, help="seconds after which Ctrl-C is sent")
    parser.add_argument("--plot", type=Path)
    words = parser.parse_args()
    words.folder.mkdir(parents=True, exist_ok=True)
    source, target = words.folder / words.source, words.folder / words.target
    make_picture(source, words.width, words.height)
    model = nearest(words.folder) if words.model == "nearest" else words.model
    before = set(words.folder.iterdir())
    samples, code, output = watch(
        [sys.executable, "-m", "kakudai", "upscale", str(source), "-o", str(target), "-m", str(model), "--json"],
        words.interrupt,
    )
    left = [path.name for path in words.folder.iterdir() if path not in before and path != target]
    result = {
        "picture": [words.width, words.height], "source": words.source, "target": words.target, "model": words.model,
        "exit": code, "peak_mb": max(total for _, total, _ in samples), "left": left,
        "own_peak_mb": max(own for _, _, own in samples), "seconds": samples[-1][0],
        "bytes": target.stat().st_size if target.exists() else 0, "said": output,
    }  # fmt: skip
    print(json.dumps(result))
    if words.plot:
        draw(samples, words.plot, f"{words.width} x {words.height} {source.suffix[1:]} to {target.suffix[1:]}")
    wanted = 130 if words.interrupt else 0
    whole = target.exists() != bool(words.interrupt)
    sys.exit(0 if code == wanted and whole and not left and result["peak_mb"] <= LIMIT else 1)


def make_picture(path: Path, width: int, height: int) -> None:
    """Lay the example photograph side by side until the picture is full, row by row."""
    import pyvips

    if path.exists():
        path.unlink()
    piece = pyvips.Image.new_from_file(str(ROOT / "examples/chelsea.png"))
    across, down = -(-width // piece.width), -(-height // piece.height)
    picture = piece.replicate(across, down).crop(0, 0, width, height)
    picture.write_to_file(str(path), **({"Q": 90} if path.suffix == ".jpg" else {}))


def nearest(folder: Path) -> Path:
    """Write a network that repeats pixels, to see what all else costs."""
    sys.path.insert(0, str(ROOT))
    from tests.small_models import nearest as network

    path = folder / "nearest.onnx"
    path.write_bytes(network())
    return path


def watch(command: list[str], interrupt: float) -> tuple[list[tuple[float, int, int]], int, str]:
    """Run a command; return (seconds, MB resident, MB of them not of files), its exit code and output."""
    started, samples = time.monotonic(), [(0.0, 0, 0)]
    page = os.sysconf("SC_PAGE_SIZE")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        while child.poll() is None:
            seconds = time.monotonic() - started
            try:
                _, resident, shared, *_ = map(int, Path(f"/proc/{child.pid}/statm").read_text().split())
            except (FileNotFoundError, ValueError):
                break
            samples.append((seconds, resident * page >> 20, (resident - shared) * page >> 20))
            if interrupt and seconds > interrupt:
                child.send_signal(signal.SIGINT)
                interrupt = 0.0
            time.sleep(0.1)
        output, _ = child.communicate()
        return samples, child.returncode, output


def draw(samples: list[tuple[float, int, int]], path: Path, title: str) -> None:
    """Draw memory over time."""
    from matplotlib.figure import Figure

    seconds, total, own = np.array(samples).T
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(seconds, total, label="resident", linewidth=1)
    axes.plot(seconds, own, label="without pages of files", linewidth=1)
    axes.axhline(LIMIT, color="grey", linestyle=":", label=f"{LIMIT} MB")
    axes.set(xlabel="seconds", ylabel="MB", title=title, ylim=(0, None))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
