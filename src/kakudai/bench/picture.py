"""A record as a plot: how fast our engine is with each network and runtime, beside other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

from kakudai.bench.record import Block, Record
from kakudai.bench.summary import roof_share
from kakudai.bench.timing import Timed
from kakudai.errors import UsageError
from kakudai.evaluate.curves import encode, need_matplotlib
from kakudai.evaluate.markup import printable
from kakudai.image.writing import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {
    "kakudai": "#b5301f",
    "kakudai, bfloat16": "#b5523b",
    "kakudai, int8": "#d98a3d",
    "the same network in another program": "#7f92a3",
    "another network or method": "#c9d2da",
}
"""Who does what, and its color."""

FAR = 10.0
"""What is so many times as fast as ours has no bar, but a line of text: others could not be told apart beside it."""


def plot_record(record: Record, target: Path) -> None:
    """Draw one pair of axes for each network.

    Args:
        target: A .png or .svg file.

    Raises:
        RuntimeUnavailable: Matplotlib is not installed.
        UsageError: No network was measured.
        OutputError: The file cannot be written.
    """
    need_matplotlib()
    from matplotlib.figure import Figure

    found = [(block, bars(block)) for block in record.measured.blocks if block.name.startswith("networks")]
    panels = [(block, entries) for block, entries in found if entries]
    if not panels:
        raise UsageError("no network was measured", "see: kakudai bench --help")
    most = max(len(entries) for _, entries in panels)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(6.8 * columns, (0.34 * most + 1.3) * rows), layout="constrained")
    for number, (block, entries) in enumerate(panels, 1):
        _draw(figure.add_subplot(rows, columns, number), block, entries)
    figure.suptitle(printable(record.place), fontsize=9)
    write_whole(target, encode(figure, target.suffix.lower()))


def bars(block: Block) -> list[Timed]:
    """Choose what is shown: our engine and other programs, with the most threads; the fastest last."""
    entries = [*block.of("engine"), *block.of("peer")]
    most = max((entry.facts.threads for entry in entries), default=0)
    return sorted((entry for entry in entries if entry.facts.threads == most), key=lambda entry: entry.speed)


def _draw(axes: "Axes", block: Block, entries: list[Timed]) -> None:
    most = FAR * max((entry.speed for entry in entries if entry.facts.kind == "engine"), default=float("inf"))
    far = [f"without a bar: {entry.facts.name}, {entry.speed:.3g}" for entry in entries if entry.speed > most]
    entries = [entry for entry in entries if entry.speed <= most]
    speeds = [entry.speed for entry in entries]
    who = [_who(entry) for entry in entries]
    for name, color in COLORS.items():
        places = [place for place, other in enumerate(who) if other == name]
        if places:
            axes.barh(places, [speeds[place] for place in places], color=color, label=name)
    axes.set_yticks(range(len(entries)), [printable(_label(entry)) for entry in entries], fontsize=8)
    for place, entry in enumerate(entries):
        share = roof_share(block, entry) if entry.facts.kind == "engine" else None
        more = "" if share is None else f", {100 * share:.0f} % of the roof"
        axes.text(entry.speed, place, f" {entry.speed:.3g}{more}", va="center", fontsize=7)
    label = "megapixels of output per second"
    axes.set(
        title=printable(block.name.partition(": ")[2]), xlabel="\n".join([label, *far]), xlim=(0, 1.4 * max(speeds))
    )
    axes.legend(loc="lower right", fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _who(entry: Timed) -> str:
    """Return a key of `COLORS`. What another network or method multiplies, nobody has counted."""
    if entry.facts.kind == "peer":
        return "the same network in another program" if entry.facts.macs else "another network or method"
    return "kakudai" if entry.facts.precision == "float32" else f"kakudai, {entry.facts.precision}"


def _label(entry: Timed) -> str:
    facts = entry.facts
    return facts.name if facts.kind == "peer" else f"kakudai, {facts.runtime}, {facts.precision}"
