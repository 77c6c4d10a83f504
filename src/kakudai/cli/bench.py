"""`kakudai bench`: measure, compare."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.report import printable, say
from kakudai.cli.table import print_table
from kakudai.cli.targets import check_output
from kakudai.errors import OutputError, UsageError

if TYPE_CHECKING:
    from kakudai.bench.record import Record
    from kakudai.bench.timing import Facts

app = typer.Typer(rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]

BUSY = 0.5
"""Programs that ran or waited for a minute before, above which a machine is not quiet."""


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="Name or path; may be repeated. Those of photo and art if none."),
    ] = None,
    runtimes: Annotated[
        list[str] | None,
        typer.Option("--runtime", help="onnxruntime, openvino or ncnn; may be repeated. All installed if none."),
    ] = None,
    tiles: Annotated[
        list[str] | None,
        typer.Option("--tile", help="Side in pixels, auto, or whole; may be repeated. auto if none."),
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option("--threads", help="May be repeated. As many as processors if none.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="How often everything is timed. 5 if none.")] = None,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Measure other programs too, if installed.")] = True,
    full: Annotated[
        bool,
        typer.Option("--full", help="All networks, tiles of 128, one thread, 12 megapixels, files in all runtimes."),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Tiny pictures, one round: whether it works, not how fast it is.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="History to keep the record in; a checkout has its own, or none."
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the speeds, as .png or .svg.")] = None,
    as_json: AsJson = False,
) -> int:
    """Measure how fast networks are on this machine, beside what it could do and beside other programs.

    Everything is timed in turn, round by round, and ratios are taken within rounds, so that what else the machine does
    weighs on both. Takes about ten minutes on two processors, and says how long before it begins. A checkout keeps the
    record where nothing was named but --full; -o keeps any. Exits with 1 if a network runs nowhere.

    Example: kakudai bench -m photo-x2 --runtime onnxruntime --quick
    """
    if context.invoked_subcommand is not None:
        return 0
    from kakudai.bench.measure import measure
    from kakudai.bench.record import new_record, usual_folder
    from kakudai.bench.wish import Wish
    from kakudai.cli.evaluate import machine
    from kakudai.cli.wishes import parse_tile
    from kakudai.evaluate.curves import need_matplotlib

    if plot:
        check_output(plot, (".png", ".svg"))
        need_matplotlib()
    if full and quick:
        raise UsageError("--full and --quick are given", "choose one of them")
    sides = tuple(None if tile == "auto" else tile for tile in map(parse_tile, tiles or []))
    wish = Wish(
        tuple(models or ()), tuple(runtimes or ()), sides, tuple(threads or ()), rounds, peers, full, quick
    )  # fmt: skip
    folder = output or (usual_folder() if wish.extent in ("usual", "full") else None)
    if folder:
        check_folder(folder)
    place = machine()
    record = new_record(processor=place["processor"], processors=place["processors"], extent=wish.extent)
    busy = record.load is not None and record.load > BUSY

    def announce(text: str) -> None:
        say(text)
        if busy and not quick:
            say(f"the machine is busy (load {record.load:.1f}): ratios hold, times are longer than they would be")

    record = replace(record, measured=measure(wish, measuring, announce))
    if as_json:
        typer.echo(json.dumps(record.as_json()))
    else:
        show(record)
    if folder:
        keep(record, folder)
    if plot:
        from kakudai.bench.picture import plot_record

        plot_record(record, plot)
        say(f"written: {plot}")
    return 1 if record.measured.failed else 0


@app.command()
def compare(
    old: Annotated[
        Path | None, typer.Argument(metavar="[OLD]", help="Record; the last but one of the history if none.")
    ] = None,
    new: Annotated[
        Path | None, typer.Argument(metavar="[NEW]", help="Record; the last of the history if none.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--history", metavar="FOLDER", help="Where records are kept; a checkout has its own.")
    ] = None,
    tolerance: Annotated[float, typer.Option(metavar="PERCENT", help="Smaller changes do not count.")] = 5.0,
    as_json: AsJson = False,
) -> int:
    """Say what got slower between two records of one machine; exit with 1 if anything did.

    Times are compared as multiples of a fixed piece of work that was timed in the same rounds, not as seconds. What
    lies within the noise of the rounds does not count. Memory is compared in bytes.

    Example: kakudai bench compare --history benchmarks/results/bench
    """
    from kakudai.bench.compare import WORSE, compare_records, only_in, other_versions
    from kakudai.bench.record import read_record
    from kakudai.bench.tables import changes_table

    if tolerance < 0:
        raise UsageError(f"the tolerance is {tolerance} %", "accepted are numbers from 0")
    paths = find_records(old, new, folder)
    records = [read_record(path) for path in paths]
    changes = compare_records(records[0], records[1], tolerance / 100)
    worse = [change for change in changes if change.verdict in WORSE]
    gone, added = only_in(records[0], records[1]), only_in(records[1], records[0])
    versions = other_versions(records[0], records[1])
    if as_json:
        rows = [{"case": named(c.facts), "change": round(c.change, 4), "verdict": c.verdict} for c in changes]
        values = {
            "old": str(paths[0]), "new": str(paths[1]), "versions": versions, "changes": rows,
            "only_old": list(map(named, gone)), "only_new": list(map(named, added)),
        }  # fmt: skip
        typer.echo(json.dumps(values))
    else:
        table = changes_table(changes)
        print_table(table.headings, table.rows, title=f"{paths[0].name} -> {paths[1].name}: {table.title}")
        for facts in gone:
            typer.echo(f"not in the new record: {named(facts)}")
        if added:
            typer.echo(f"in the new record alone: {len(added)} case{'' if len(added) == 1 else 's'}")
        if versions:
            typer.echo(f"other versions, which may be the reason: {', '.join(versions)}")
        typer.echo(f"{len(worse)} of {len(changes)} got worse")
    return 1 if worse else 0


def named(facts: "Facts") -> str:
    """Name a case with its kind."""
    return f"{facts.kind}: {facts}"


def find_records(old: Path | None, new: Path | None, folder: Path | None) -> tuple[Path, Path]:
    """Return the two records that are to be compared, those that are not named from the history.

    Raises:
        UsageError: One that is named is none, there is no history, or there are not two records in it.
    """
    from kakudai.bench.record import history, last_two, read_record, usual_folder

    if old and new:
        return old, new
    machine = read_record(old).machine if old else ""
    place = folder or usual_folder()
    if place is None:
        raise UsageError("there is no history here", "name two records, or a folder of them with --history")
    entries = history(place)
    if old is None:
        return last_two(entries)
    same = [path for path, record in entries if record.machine == machine and record.extent != "quick"]
    others = [path for path in same if path.resolve() != old.resolve()]
    if not others:
        raise UsageError(f"the history at {place} has no other record of {machine}", "measure with: kakudai bench")
    return old, others[-1]


def check_folder(folder: Path) -> None:
    """Make the folder of a history, or say before any work that it cannot be one.

    Raises:
        OutputError: It cannot.
    """
    hint = "name another folder with -o, new or old, for one file per machine and commit"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is no folder" if folder.exists() else error.strerror
        raise OutputError(f"no record can be kept in {folder}: {reason}", hint) from error
    if not os.access(folder, os.W_OK):
        raise OutputError(f"no record can be kept in {folder}: it cannot be written", hint)


def keep(record: "Record", folder: Path) -> None:
    """Write a record into a history; an older one of the same machine, commit and extent goes."""
    from kakudai.image.writing import write_whole

    path = folder / record.file_name
    write_whole(path, (json.dumps(record.as_json(), indent=1) + "\n").encode())
    say(f"written: {path}")


def show(record: "Record") -> None:
    """Print the tables, then what could not be measured."""
    from kakudai.bench.tables import tables

    for table in tables(record):
        print_table(table.headings, table.rows, title=table.title)
    for what, why in record.measured.missing:
        typer.echo(printable(f"not measured: {what}: {why}"))
    quick = "; a quick run says nothing about speed" if record.extent == "quick" else ""
    busy = "" if record.load is None else f", load {record.load:.1f} when it began"
    typer.echo(f"measured on {record.place}{busy}{quick}")


@contextlib.contextmanager
def measuring(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show what is measured: a bar on a terminal, a line elsewhere.

    The bar moves when it is told to and not by a thread of its own, which would run while something is timed.
    """
    if not sys.stderr.isatty():
        say(f"measuring {name}")
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as bars:
        row = bars.add_task(f"measuring {name}".replace("[", r"\["), total=None)
        yield lambda done, total: bars.update(row, completed=done, total=total, refresh=True)
