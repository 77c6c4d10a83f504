"""The page and the plot about a server under load, from what benchmarks/serving.py has measured."""

from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
PLOT = ROOT / "docs/images/serving.png"

Figures = dict[str, Any]

TELLING_SECONDS = 600
"""Of a trial that says something about growth: before, allocators and caches still find their size."""


def milliseconds(seconds: float) -> str:
    """Write a short time."""
    return f"{1000 * seconds:.1f} ms"


def megabytes(figures: Figures, sample: int) -> str:
    """Write the memory at a sample."""
    return f"{figures['kilobytes'][sample] / 1024:.0f} MB"


def growth(figures: Figures) -> str:
    """Write the slope of memory, where there is one to speak of."""
    if figures["seconds"] < TELLING_SECONDS:
        return "too short to tell"
    line = figures["kilobytes_per_hour"]
    return f"{line['slope'] / 1024:.1f} ± {line['error'] / 1024:.1f} MB"


ROWS = (
    ("seconds", lambda f: f"{f['seconds']:.0f}"),
    ("answers a second", lambda f: f"{f['answers_per_second']:.1f}"),
    ("of them with a result (200)", lambda f: f"{f['results_per_second']:.1f}"),
    (
        "shares of the status codes",
        lambda f: ", ".join(f"{code}: {100 * part:.1f} %" for code, part in f["shares"].items()),
    ),
    ("time to a result, median and 99th percentile", lambda f: f"{f['seconds_p50']:.2f} s, {f['seconds_p99']:.2f} s"),
    ("time of `/healthz`, median", lambda f: milliseconds(f["health_p50"])),
    ("99th percentile and longest", lambda f: f"{milliseconds(f['health_p99'])}, {milliseconds(f['health_most'])}"),
    ("memory of all processes, first and last", lambda f: f"{megabytes(f, 0)}, {megabytes(f, -1)}"),
    ("most memory", lambda f: f"{max(f['kilobytes']) / 1024:.0f} MB"),
    ("growth of memory in an hour", growth),
    ("files left on disk", lambda f: str(f["left_on_disk"])),
)
"""What is told of each trial, and how."""


def page(found: dict[str, Figures]) -> str:
    """Return the page as Markdown.

    Args:
        found: Trial -> what was measured.
    """
    processor = next(iter(found.values()))["processor"]
    lines = [
        "# A server under load",
        "",
        "Written by `benchmarks/serving.py`; do not edit. Clients and server share the two processors of one machine",
        f"({processor}), and all clients have one address, whose limit is lifted. A client",
        "sends a picture, waits for it, and sends the next; after 503 it waits as long as it is told, up to a second.",
        "",
        f"| | {' | '.join(figures['words'] for figures in found.values())} |",
        f"| --- | {' | '.join('--:' for _ in found)} |",
        *(f"| {words} | {' | '.join(write(figures) for figures in found.values())} |" for words, write in ROWS),
        "",
        "All kinds of requests are pictures of 16 to 400 pixels a side in four formats, half files (422), bombs (413),",
        "analyses, jobs whose events are listened to and whose results are fetched, and jobs that are given up (204).",
        "Memory is what all processes of the server have, each page once (PSS). Its growth is a straight line by least",
        "squares through all but the first fifth, with its standard error; up to 20 MB an hour, beyond two such",
        "errors, count as none.",
        "",
        f"![Memory of the server under load](../images/{PLOT.name})",
        "",
    ]
    return "\n".join(lines)


def draw(found: dict[str, Figures], path: Path) -> None:
    """Draw memory over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    for figures in found.values():
        axes.plot(
            np.array(figures["at"]) / 60, np.array(figures["kilobytes"]) / 1024, linewidth=1, label=figures["words"]
        )
    axes.set(xlabel="minutes", ylabel="MB, all processes", ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=100)
