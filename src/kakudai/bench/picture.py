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

OURS, INT8, THEIRS = "#b5301f", "#d98a3d", "#9dabb8"

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
    figure.suptitle(printable(f"{record.processors} x {record.processor}"), fontsize=9)
    write_whole(target, encode(figure, target.suffix.lower()))


def bars(block: Block) -> list[Timed]:
    """Choose what is shown: our engine and other programs, with the most threads; the fastest last."""
    entries = [*block.of("engine"), *block.of("peer")]
    most = max((entry.facts.threads for entry in entries), default=0)
    return sorted((entry for entry in entries if entry.facts.threads == most), key=lambda entry: entry.speed)


def _draw(axes: "Axes", block: Block, entries: list[Timed]) -> None:
    most = FAR * max((entry.speed for entry in entries if entry.facts.kind == "engine"), default=float("inf"))
    far = [f"{entry.facts.name}: {entry.speed:.3g}" for entry in entries if entry.speed > most]
    entries = [entry for entry in entries if entry.speed <= most]
    speeds = [entry.speed for entry in entries]
    axes.barh(range(len(entries)), speeds, color=[_color(entry) for entry in entries])
    axes.set_yticks(range(len(entries)), [printable(_label(entry)) for entry in entries], fontsize=8)
    for place, entry in enumerate(entries):
        share = roof_share(block, entry) if entry.facts.kind == "engine" else None
        more = "" if share is None else f", {100 * share:.0f} % of the roof"
        axes.text(entry.speed, place, f" {entry.speed:.3g}{more}", va="center", fontsize=7)
    label = "megapixels of output per second"
    axes.set(
        title=printable(block.name.partition(": ")[2]), xlabel="\n".join([label, *far]), xlim=(0, 1.4 * max(speeds))
    )
    axes.spines[["top", "right"]].set_visible(False)


def _color(entry: Timed) -> str:
    if entry.facts.kind == "peer":
        return THEIRS
    return INT8 if entry.facts.precision == "int8" else OURS


def _label(entry: Timed) -> str:
    facts = entry.facts
    return facts.name if facts.kind == "peer" else f"kakudai, {facts.runtime}, {facts.precision}"
