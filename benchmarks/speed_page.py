"""Write docs/reference/speed.md and its picture from a record of `kakudai bench`.

    kakudai bench --full                          # on a machine that does nothing else
    python benchmarks/speed_page.py [RECORD]      # the last one in benchmarks/results/bench if none is named

Nothing is measured here. Rewrites docs/reference/speed.md and docs/images/speed.png.
"""

import argparse
from pathlib import Path

from kakudai.bench.picture import plot_record
from kakudai.bench.record import Record, history, read_record
from kakudai.bench.tables import as_markdown, tables

ROOT = Path(__file__).parents[1]
HISTORY = ROOT / "benchmarks/results/bench"
PAGE = ROOT / "docs/reference/speed.md"
PICTURE = ROOT / "docs/images/speed.png"

HEAD = """# Speed

Written by `benchmarks/speed_page.py` from a record of `kakudai bench`; do not edit. {place}; {load}{date}, commit
{commit}; {versions}. Every figure is the median over {rounds} rounds, every ratio is taken within a round
([how it is measured](../concepts/speed-and-memory.md#how-speed-is-measured)).

![Megapixels per second, ours and others](../images/speed.png)
"""


def page(record: Record) -> str:
    """Return the page as Markdown."""
    head = HEAD.format(
        place=record.place,
        load="" if record.load is None else f"load {record.load:.1f} when it began; ",
        rounds=max(len(entry.seconds) for block in record.measured.blocks for entry in block.timed),
        date=record.date[:10],
        commit=record.commit or record.version,
        versions=", ".join(f"{name} {version}" for name, version in record.versions.items()),
    )
    text = head + "".join(f"\n{as_markdown(table)}" for table in tables(record))
    lines = [f"- {what}: {why}" for what, why in record.measured.missing]
    return text + (f"\nNot measured:\n\n{chr(10).join(lines)}\n" if lines else "")


def main() -> None:
    """Write the page and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, nargs="?", help="the newest of the history if none")
    path = parser.parse_args().record
    if path is None:
        known = [entry for entry in history(HISTORY) if entry[1].extent != "quick"]
        if not known:
            parser.error(f"there is no record in {HISTORY}: run kakudai bench")
        path = known[-1][0]
    record = read_record(path)
    if record.extent == "quick":
        parser.error(f"{path} is of a quick run, which says nothing about speed")
    plot_record(record, PICTURE)
    PAGE.write_text(page(record))
    print(f"{PAGE.relative_to(ROOT)} is written from {path}")


if __name__ == "__main__":
    main()
