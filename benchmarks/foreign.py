"""Other people's networks, as kakudai runs them, beside its own and bicubic interpolation.

    python benchmarks/foreign.py ../shared
    python benchmarks/foreign.py ../shared --pictures 2      two of each set, to see that it works; writes no page

Every file of shared/models enlarges the pictures of Set5, BSD100, anime and comic, shrunk as the literature does and
with Catmull-Rom, which waifu2x's author used. What was measured is kept in benchmarks/results/foreign.json after every
set, and a run goes on from there. Rewrites docs/reference/foreign-models.md.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from kakudai import Upscaler, read_image
from kakudai.degrade.shrink import Downsampling, crop_to_multiple, shrink
from kakudai.engine.loading import load_model
from kakudai.engine.passes import to_planes
from kakudai.engine.runtimes import open_session
from kakudai.evaluate.measure import set_files
from kakudai.image.picture import Pixels
from kakudai.image.resize import eight_bits, imresize_matlab
from kakudai.metrics import Protocol, psnr

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results/foreign.json", HERE.parent / "docs/reference/foreign-models.md"

SETS = ("Set5", "BSD100", "anime", "comic")
SHRINKS: tuple[Downsampling, ...] = ("bicubic", "catrom")
SCALE, OURS, BICUBIC = 2, "photo-x2", "bicubic"

AUTHOR = {"bicubic": 29.558, "vgg_7": 31.427, "upconv_7": 31.640}
"""BSD100, Catmull-Rom, by waifu2x's author: shared/reference/waifu2x.md, 4.9."""

HEAD = f"""# Networks of others

Written by `benchmarks/foreign.py`; do not edit. PSNR in decibels of 2x enlargement, the mean over a set's pictures;
{Protocol.published(SCALE)}. Networks whose names have `noise` in them also remove noise, which these pictures have not.

"""


def model_files(folder: Path) -> list[Path]:
    """Return the files of all foreign models; ncnn's by their .param."""
    return sorted(path for path in folder.glob("*/*") if path.suffix in (".param", ".json"))


def measure(pictures: list[Path], kernel: Downsampling, enlarge: Callable[[Pixels], Pixels]) -> dict[str, float]:
    """Measure one method on one set: picture -> decibels."""
    scores = {}
    for path in pictures:
        high = crop_to_multiple(eight_bits(read_image(path).color), SCALE)
        scores[path.name] = psnr(enlarge(shrink(high, SCALE, kernel)), high, Protocol.published(SCALE))
    return scores


def difference_to_ncnn(file: Path, picture: Path) -> float | None:
    """Return the largest difference between our conversion and ncnn running the file itself, of a range of 1.

    None for files that are not ncnn's.
    """
    model = load_model(file)
    if model.native is None:
        return None
    x = to_planes(read_image(picture).color)
    sides = [side // model.multiple * model.multiple for side in x.shape[2:]]
    x = np.ascontiguousarray(x[:, :, : sides[0], : sides[1]])
    ours, theirs = (open_session(model, runtime=runtime).run(x) for runtime in ("onnxruntime", "ncnn"))
    return float(np.abs(ours - theirs).max())


def measure_all(shared: Path, results: dict[str, Any], pictures: int | None, save: Callable[[], None]) -> None:
    """Fill in what `results` lacks."""
    files = model_files(shared / "models")
    sets = {name: set_files(shared / "data/test" / name)[:pictures] for name in SETS}
    differences = results.setdefault("differences_to_ncnn", {})
    for file in files:
        if file.stem not in differences:
            differences[file.stem] = difference_to_ncnn(file, sets["Set5"][0])
            save()
    for method in (BICUBIC, OURS, *files):
        label = method.stem if isinstance(method, Path) else method
        scores = results.setdefault("psnr", {}).setdefault(label, {})
        wanted = [(name, kernel) for name in SETS for kernel in SHRINKS if f"{name} {kernel}" not in scores]
        if not wanted:
            continue
        if method == BICUBIC:
            for name, kernel in wanted:
                scores[f"{name} {kernel}"] = measure(sets[name], kernel, lambda low: imresize_matlab(low, SCALE))
            continue
        with Upscaler(SCALE, model=method, tile="auto", precision="float32") as upscaler:
            for name, kernel in wanted:
                scores[f"{name} {kernel}"] = measure(sets[name], kernel, upscaler.upscale)
                save()
                print(f"{label}: {name}, {kernel}: {fmean(scores[f'{name} {kernel}'].values()):.3f} dB", flush=True)


def table(results: dict[str, Any], kernel: Downsampling) -> str:
    """Write one table: a row for each method, a column for each set."""
    rows = [f"| | {' | '.join(SETS)} | largest difference to ncnn |", "|---" * (len(SETS) + 2) + "|"]
    for label, scores in results["psnr"].items():
        means = [fmean(scores[f"{name} {kernel}"].values()) for name in SETS]
        difference = results["differences_to_ncnn"].get(label)
        last = "" if difference is None else f"{difference:.1e}"
        rows.append(f"| {label} | {' | '.join(f'{mean:.2f}' for mean in means)} | {last} |")
    return "\n".join(rows) + "\n"


def page(results: dict[str, Any]) -> str:
    """Write the whole page."""
    author = ", ".join(f"{name} {decibels:.2f}" for name, decibels in AUTHOR.items())
    return (
        f"{HEAD}## Shrunk with MATLAB's bicubic, as in the literature\n\n{table(results, 'bicubic')}\n"
        f"## Shrunk with Catmull-Rom, as by waifu2x's author\n\n{table(results, 'catrom')}\n"
        f"The author's own figures for BSD100, with networks trained on photographs: {author}.\n"
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure other people's networks.")
    parser.add_argument("shared", type=Path, help="folder with data/ and models/")
    parser.add_argument("--pictures", type=int, help="only so many of each set; prints the page and keeps nothing")
    arguments = parser.parse_args()
    trial = arguments.pictures is not None
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and not trial else {}

    def save() -> None:
        if not trial:
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")

    measure_all(arguments.shared, results, arguments.pictures, save)
    save()
    if not trial:
        PAGE.write_text(page(results))
    print(page(results))


if __name__ == "__main__":
    main()
