"""Quality of the shipped networks: clean and damaged pictures, beside waifu2x's and the literature's.

    python benchmarks/quality.py ../shared
    python benchmarks/quality.py ../shared --pictures 2         two of each set, to see that it works; keeps nothing
    python benchmarks/quality.py ../shared --only automatic     one of: clean, damaged, automatic
    python benchmarks/quality.py ../shared --model photo-restore-x2=runs/photo-restore-x2/photo-restore-x2.onnx

Every figure is kept in benchmarks/results/quality.json when it is measured, under a fingerprint of its network: a run
goes on where the last one stopped, and later ones measure only new weights. Rewrites docs/reference/quality.md and its
plot; with --model, which lets a file stand in for a shipped name, the page is printed only.
"""

import argparse
import tempfile
from pathlib import Path

from quality_automatic import measure_automatic
from quality_clean import measure_clean
from quality_damaged import measure_damaged
from quality_methods import Running, find_methods
from quality_page import page
from quality_plot import plot
from quality_store import Store

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results/quality.json", ROOT / "docs/reference/quality.md"
IMAGE = ROOT / "docs/images/quality-x2.png"

PARTS = ("clean", "damaged", "automatic")

COST = """
what it costs, in megapixels of output that networks make:
  clean      52 for each network of ours; the same once for three of waifu2x's
  damaged    26 x 18 conditions x 5 to 7 strengths for the restoring networks of
             2x, 10 x 18 x 5 to 7 for those of 1x, whose pixels cost four times
             as much; once for waifu2x's, at 138,000 multiply-adds a pixel the
             most of all: 15 x 18 x 4 networks, and 11 x 18 x 2
  automatic  26 x 18 and 10 x 18, where strengths are chosen that were not chosen
             before; else pictures are looked at, and no network runs
Of a new weight file only its own part is measured, of a changed choice only the
last. Sets at full size: Set5, Set14, BSD100, anime, comic.
"""


def stand_in(text: str) -> tuple[str, str]:
    """Read NAME=PATH."""
    name, equals, path = text.partition("=")
    if not (name and equals and path and name.rpartition("-x")[2].isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH with a name such as photo-restore-x2")
    return name, path


def parse(words: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Measure the quality of the shipped networks.",
        epilog=COST,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shared", type=Path, help="folder with data/ and models/")
    parser.add_argument("--only", choices=PARTS, help="measure one part; the page has all that is known")
    parser.add_argument("--pictures", type=int, help="only so many of each set; prints the page and keeps nothing")
    parser.add_argument(
        "--model", type=stand_in, action="append", default=[], metavar="NAME=PATH",
        help="let a file stand in for a shipped network; figures are kept, the page is printed only",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, help="processor threads of a network; all if not given")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Measure and write."""
    arguments = parse(words)
    trial = arguments.pictures is not None
    methods, store = find_methods(arguments.shared, dict(arguments.model)), Store(None if trial else RESULTS)
    if not methods.stand_ins:
        store.forget_others(method.key for method in methods.ours.values())
    for part in (arguments.only,) if arguments.only else PARTS:
        if part == "clean":
            measure_clean(arguments.shared, methods, store, arguments.pictures, arguments.threads)
        else:
            measure_part = measure_damaged if part == "damaged" else measure_automatic
            measure_part(arguments.shared, methods, store, arguments.pictures, Running(arguments.threads))
    text = page(methods, store, IMAGE.relative_to(ROOT / "docs"))
    if trial or methods.stand_ins:
        image = Path(tempfile.gettempdir()) / IMAGE.name
        print(text)
    else:
        image = IMAGE
        PAGE.write_text(text)
    left_out = plot(methods, store, image)
    print(f"plot: {image}" + (f"; no room for the names {', '.join(left_out)}" if left_out else ""))


if __name__ == "__main__":
    main()
