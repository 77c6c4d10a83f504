"""A record as tables of text, for the terminal and for the page in docs/reference."""

from collections.abc import Sequence
from dataclasses import dataclass

from kakudai.bench.compare import Change
from kakudai.bench.record import Block, Record
from kakudai.bench.summary import beside_peers, cold_starts, end_to_end, roof_share
from kakudai.bench.timing import Timed


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows; the title says what the figures are."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(record: Record) -> list[Table]:
    """Return all tables that have rows."""
    made = [_roofs(record), _networks(record), _peers(record), _files(record), _processes(record)]
    return [table for table in made if table.rows]


def as_markdown(table: Table) -> str:
    """Write a table as Markdown, with its title in front."""
    lines = [table.headings, ("---",) * len(table.headings), *table.rows]
    return f"{table.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def changes_table(changes: list[Change]) -> Table:
    """Return what changed, the worst first."""
    ordered = sorted(changes, key=lambda change: -change.change)
    rows = [(str(change.facts), f"{100 * change.change:+.0f} %", change.verdict) for change in ordered]
    return Table("change of what it costs, beside a fixed piece of work in the same rounds", ("case", "", ""), rows)


def _roofs(record: Record) -> Table:
    """Roofs stand in every block; those of the first are shown."""
    block = next((block for block in record.measured.blocks if block.of("roof")), None)
    rows = [
        (
            roof.facts.precision,
            roof.facts.runtime,
            str(roof.facts.threads),
            f"{roof.facts.macs / roof.median / 1e9:.1f}",
            f"{roof.facts.macs / min(roof.seconds) / 1e9:.1f}",
        )
        for roof in (block.of("roof") if block else [])
    ]
    title = "The roofs: thousand million multiply-adds per second of one large matrix product"
    return Table(title, ("numbers", "runtime", "threads", "median", "best"), rows)


def _networks(record: Record) -> Table:
    blocks = [block for block in record.measured.blocks if block.name.startswith("networks")]
    rows = [_network(block, entry) for block in blocks for entry in block.of("network")]
    headings = ("network", "numbers", "runtime", "threads", "tile", "MP/s", "of the roof", "process, peak MB")
    title = "Networks alone: megapixels of output per second, share of the roof without overlaps of tiles"
    return Table(title, headings, rows)


def _network(block: Block, entry: Timed) -> tuple[str, ...]:
    facts, share = entry.facts, roof_share(block, entry)
    return (
        facts.name, facts.precision, facts.runtime, str(facts.threads), str(facts.tile), f"{entry.speed:.2f}",
        _percent(share), _megabytes(entry),
    )  # fmt: skip


def _peers(record: Record) -> Table:
    rows = [
        (
            found.peer.facts.name, found.ours.facts.name, found.ours.facts.runtime, found.ours.facts.precision,
            str(found.ours.facts.threads),
            f"{found.peer.speed:.2f}", f"{found.ours.speed:.2f}", f"{found.gain:.2f}", _megabytes(found.peer),
        )
        for found in beside_peers(record.measured)
    ]  # fmt: skip
    headings = (
        "other program", "our network", "runtime", "numbers", "threads", "its MP/s", "ours", "times as fast",
        "its peak MB",
    )  # fmt: skip
    title = "Other programs, all in float32, and our engine, from array to array: how many times as fast ours is"
    return Table(title, headings, rows)


def _files(record: Record) -> Table:
    rows = [
        (
            found.file.facts.size, found.file.facts.way, found.file.facts.name, found.file.facts.precision,
            found.file.facts.runtime, f"{found.bare.median:.2f}", f"{found.file.median:.2f}",
            _percent(found.share), f"{found.file.speed:.2f}",
        )
        for found in end_to_end(record.measured)
    ]  # fmt: skip
    headings = ("picture", "", "network", "numbers", "runtime", "bare network, s", "file to file, s", "share", "MP/s")
    title = "From file to file: how much is left of the speed of the bare network"
    return Table(title, headings, rows)


def _processes(record: Record) -> Table:
    cold = {found.process.facts: found for found in cold_starts(record.measured)}
    rows = []
    for block in record.measured.blocks:
        for entry in block.of("process"):
            facts, found = entry.facts, cold.get(entry.facts)
            what = ", ".join(filter(None, (facts.name, facts.runtime, facts.precision if found else "", facts.size)))
            less = (f"{found.overhead:.2f}", f"{found.ratio:.2f}") if found else ("", "")
            rows.append((what, f"{entry.median:.2f}", *less))
    headings = ("process", "seconds", "less the network", "in bare imports")
    return Table('Cold start: whole processes; "bare import" is of numpy and onnxruntime alone', headings, rows)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _megabytes(entry: Timed) -> str:
    return "" if entry.peak_memory is None else f"{entry.peak_memory / 1e6:.0f}"
