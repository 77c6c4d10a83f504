"""What is lost when something goes wrong? Faults are made to happen to the real program, and all results looked at.

    python benchmarks/faults.py                              # 200 pictures, killed 50 times; some minutes
    python benchmarks/faults.py --pictures 12 --kills 3      # to see that it works; prints the page, keeps nothing

Each fault happens to `kakudai upscale` in a process of its own. A result that can be seen is lost if its bytes are not
those of a run without any fault. Rewrites docs/reference/faults.md; exits with 1 where something was lost.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import fault_inside
import fault_kinds
from fault_kinds import Outcome
from fault_scene import Scene

FAULTS = (*fault_kinds.FAULTS, *fault_inside.FAULTS)
PAGE = Path(__file__).parents[1] / "docs/reference/faults.md"
HEAD = """# Faults

Written by `benchmarks/faults.py`; do not edit. Each fault happens to `kakudai upscale` in a process of its own, at
moments that nobody chose. "Lost" counts results that can be seen, say that they are pictures, and are not byte for
byte those of a run without any fault, and old files that are not what they were; "litter" counts files that nobody
asked for.

| what happens | how often | what the program does | lost | litter |
| --- | --: | --- | --: | --: |
"""


def main(words: list[str] | None = None) -> int:
    """Make all faults happen; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200, help="in the folder that is enlarged")
    parser.add_argument("--kills", type=int, default=50, help="how often the program is killed")
    parser.add_argument("--seed", type=int, default=1, help="of the pictures and of all moments")
    arguments = parser.parse_args(words)
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), arguments.pictures, arguments.seed)
        for fault in FAULTS:
            outcomes += fault(scene, arguments.kills)
            for outcome in outcomes[-1:]:
                print(row(outcome), flush=True)
    page = HEAD + "".join(f"{row(outcome)}\n" for outcome in outcomes)
    if (arguments.pictures, arguments.kills) == (parser.get_default("pictures"), parser.get_default("kills")):
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page)
    return int(any(outcome.lost for outcome in outcomes))


def row(outcome: Outcome) -> str:
    """Return a line of the table."""
    return f"| {outcome.what} | {outcome.times} | {outcome.said} | {outcome.lost} | {outcome.litter} |"


if __name__ == "__main__":
    sys.exit(main())
