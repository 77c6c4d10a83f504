"""Quality of the shipped networks, through the real command line on 8-bit files.

    S=../shared/data/test
    python benchmarks/quality.py $S/Set5 $S/Set14 $S/BSD100

For every network and set: the pictures are shrunk into PNG files, `kakudai upscale` runs on that folder in a process of
its own, and its files are compared with the originals. Rewrites docs/reference/quality.md.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean

from kakudai import list_models, read_image, write_image
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.evaluate.measure import SUFFIXES
from kakudai.image.picture import Picture
from kakudai.image.resize import imresize_matlab
from kakudai.metrics import Protocol, psnr, ssim

PAGE = Path(__file__).parents[1] / "docs/reference/quality.md"

HEAD = """# Quality

Written by `benchmarks/quality.py`; do not edit. Protocol: {protocol}; pictures shrunk as MATLAB's `imresize` does;
every figure is PSNR in decibels / SSIM, the mean over the pictures of a set, of files that `kakudai upscale` wrote.

"""


def measure(folder: Path, model: str, scale: int) -> dict[str, tuple[float, float]]:
    """Enlarge one set through the command line; return method -> (PSNR, SSIM)."""
    protocol = Protocol.published(scale)
    originals = {
        p.stem: crop_to_multiple(read_image(p).color, scale) for p in sorted(folder.iterdir()) if p.suffix in SUFFIXES
    }
    figures: dict[str, list[tuple[float, float]]] = {"bicubic": [], model: []}
    with tempfile.TemporaryDirectory() as name:
        small, large = Path(name) / "small", Path(name) / "large"
        small.mkdir()
        for stem, original in originals.items():
            write_image(Picture(shrink_bicubic(original, scale)), small / f"{stem}.png")
        words = [sys.executable, "-m", "kakudai", "upscale", small, "-o", large, "-s", str(scale), "-m", model, "-q"]
        subprocess.run(words, check=True)
        for stem, original in originals.items():
            bicubic = imresize_matlab(read_image(small / f"{stem}.png").color, scale)
            for method, output in (("bicubic", bicubic), (model, read_image(large / f"{stem}.png").color)):
                figures[method].append((psnr(output, original, protocol), ssim(output, original, protocol)))
    return {method: (fmean(p for p, _ in rows), fmean(s for _, s in rows)) for method, rows in figures.items()}


def main(folders: list[Path]) -> None:
    """Measure all shipped networks and write the page."""
    page = HEAD.format(protocol=str(Protocol.published(2)).replace("shave 2", "shave the scale"))
    for model in list_models():
        tables = [measure(folder, model.name, model.scale) for folder in folders]
        page += f"| x{model.scale} | " + " | ".join(folder.name for folder in folders) + " |\n"
        page += "|---" * (len(folders) + 1) + "|\n"
        for method in ("bicubic", model.name):
            page += f"| {method} | " + " | ".join(f"{t[method][0]:.2f} / {t[method][1]:.4f}" for t in tables) + " |\n"
        page += "\n"
    PAGE.write_text(page.rstrip("\n") + "\n")
    print(page)


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
