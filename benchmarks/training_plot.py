"""Draw PSNR over steps of training runs, for docs/images.

    python benchmarks/training_plot.py docs/images/training-photo-x2.png training/photo-x2-start training/photo-x2

Needs matplotlib, which nothing else does: pip install matplotlib
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot


def main(target: Path, runs: list[Path]) -> None:
    """Draw one curve per run, one after the other."""
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    offset = 0
    for run in runs:
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        points = [(line["step"], line["psnr"]) for line in lines if "psnr" in line]
        axes.plot([offset + step for step, _ in points], [psnr for _, psnr in points], marker=".", label=run.name)
        offset += points[-1][0]
    axes.set(xlabel="step", ylabel="luma PSNR on Set5, dB", title="Validation during training")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
