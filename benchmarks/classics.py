"""The figures, tables and plots of docs/guides/the-classics.md, from the runs under runs/.

    S=../shared/data/test
    python benchmarks/classics.py collect                         # logs and small weights -> benchmarks/results/
    python benchmarks/classics.py measure $S/Set5 $S/Set14 $S/BSD100    # evaluate --speed -> classics-x2.json
    python benchmarks/classics.py write                           # tables into the guide, plots into docs/images/

`measure` takes some minutes and wants a quiet machine. `write` needs neither the runs nor the pictures, but for the
sheets of progress pictures.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from kakudai.evaluate.frontier import plot_gain, plot_results
from kakudai.evaluate.results import read_results
from kakudai.evaluate.run_table import as_markdown, table_rows
from kakudai.evaluate.runs import read_runs
from kakudai.evaluate.tables import markdown

ROOT = Path(__file__).parents[1]
RUNS, RESULTS = ROOT / "runs", ROOT / "benchmarks/results"
GUIDE, IMAGES = ROOT / "docs/guides/the-classics.md", ROOT / "docs/images/classics"
FIGURES = RESULTS / "classics-x2.json"

CLASSIC_AND_MODERN = [
    "srcnn-955-classic-x2", "srcnn-955-x2", "fsrcnn-classic-x2", "fsrcnn-x2", "espcn-classic-x2", "espcn-x2",
]  # fmt: skip
COMPARISON = [f"cnn-{size}-{color}-x2" for color in ("rgb", "luma") for size in ("small", "medium", "deep")]
LARGE = ["waifu2x-vgg7-x2", "waifu2x-upconv7-x2", "vdsr-x2", "srresnet-x2", "edsr-baseline-x2"]
DRAWN = ["ecbsr-drawn-x2"]
ALL = ["srcnn-915-x2", *CLASSIC_AND_MODERN, *COMPARISON, *LARGE, *DRAWN]

SHIPPED = "photo-x2"
"""The model that the others are compared with, as kakudai ships it."""

KEPT = ("log.jsonl", "recipe.json", "best.json")
LARGEST = 300_000
"""Bytes of a weight file that is kept in the repository."""


def collect() -> None:
    """Copy the logs of all runs and the networks under 300 KB into benchmarks/results/."""
    for name in ALL:
        target = RESULTS / "runs" / name
        target.mkdir(parents=True, exist_ok=True)
        for file in (*KEPT, f"{name}.onnx"):
            source = RUNS / name / file
            if source.exists() and source.stat().st_size < LARGEST:
                shutil.copyfile(source, target / file)


def measure(sets: list[Path]) -> None:
    """Measure quality, speed and memory of all networks."""
    words = [sys.executable, "-m", "kakudai", "evaluate", "-s", "2", "--speed", "--json", str(FIGURES)]
    for path in sets:
        words += ["--set", str(path)]
    for name in ALL:
        words += ["-m", str(RUNS / name) if (RUNS / name).is_dir() else name]
    words += ["-m", SHIPPED]
    subprocess.run(words, check=True)


def write() -> None:
    """Rewrite the tables of the guide and draw its plots."""
    results = read_results(FIGURES)
    text = GUIDE.read_text()
    tables = {
        "all": markdown([results], sets=["Set5", "Set14", "BSD100"]),
        "classic": run_table(CLASSIC_AND_MODERN),
        "comparison": run_table(COMPARISON),
        "large": run_table(LARGE),
        "drawn": run_table(DRAWN),
    }
    for key, table in tables.items():
        pattern = rf"(<!-- table: {key} -->\n).*?(<!-- end -->)"
        text, count = re.subn(pattern, lambda match, table=table: match[1] + table + match[2], text, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{GUIDE} has no place for the table {key}")
    GUIDE.write_text(text)
    (RESULTS / "classics-x2.md").write_text(markdown([results], ssim=True))
    plot_results([results], IMAGES / "frontier.png", name="BSD100")
    plot_gain([results], IMAGES / "gain.png", name="BSD100")
    for name, runs in (("classic-and-modern", CLASSIC_AND_MODERN), ("comparison", COMPARISON), ("large", LARGE)):
        plot([str(folder(run)) for run in runs], IMAGES / f"{name}.png")
    for color in ("rgb", "luma"):
        runs = [str(RUNS / name) for name in COMPARISON if color in name]
        plot([*runs, "--progress", "--crop", "96,120,72", "--zoom", "2"], IMAGES / f"progress-{color}.png")


def plot(words: list[str], target: Path) -> None:
    """Draw with `kakudai plot`."""
    subprocess.run([sys.executable, "-m", "kakudai", "plot", *words, "-o", str(target)], check=True)


def folder(name: str) -> Path:
    """Return where the kept log of a run is."""
    return RESULTS / "runs" / name


def run_table(names: list[str]) -> str:
    """Return the table of losses and training times of some runs."""
    return as_markdown(table_rows(read_runs([folder(name) for name in names])))


if __name__ == "__main__":
    if sys.argv[1:2] == ["collect"]:
        collect()
    elif sys.argv[1:2] == ["measure"] and len(sys.argv) > 2:
        measure([Path(word) for word in sys.argv[2:]])
    elif sys.argv[1:] == ["write"]:
        write()
    else:
        raise SystemExit(__doc__)
