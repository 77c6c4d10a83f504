"""`kakudai bench`: measure, compare."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.progress import counting
from kakudai.cli.report import say
from kakudai.cli.table import print_table
from kakudai.cli.targets import check_output
from kakudai.errors import OutputError, UsageError

if TYPE_CHECKING:
    from kakudai.bench.record import Record

app = typer.Typer(rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="Name or path; may be repeated. Those of photo, art, ... if none."),
    ] = None,
    runtimes: Annotated[
        list[str] | None,
        typer.Option("--runtime", help="onnxruntime, openvino or ncnn; may be repeated. All installed if none."),
    ] = None,
    tiles: Annotated[
        list[str] | None,
        typer.Option("--tile", help="Side in pixels, auto, or whole; may be repeated. 128 and auto if none."),
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option("--threads", help="May be repeated. 1 and all processors if none.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="How often everything is timed.")] = 5,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Measure other programs too, if installed.")] = True,
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
) -> None:
    """Measure how fast networks are on this machine, beside what it could do and beside other programs.

    Everything is timed in turn, round by round, and ratios are taken within rounds, so that what else the machine does
    weighs on both. Takes half an hour for all networks and runtimes; name some for less. --quick takes a minute, and is
    kept only where -o says so.

    Example: kakudai bench -m photo-x2 --runtime onnxruntime --quick
    """
    if context.invoked_subcommand is not None:
        return
    from kakudai.bench.measure import measure
    from kakudai.bench.record import new_record, usual_folder
    from kakudai.bench.wish import Wish
    from kakudai.cli.evaluate import machine
    from kakudai.cli.wishes import parse_tile
    from kakudai.evaluate.curves import need_matplotlib

    if plot:
        check_output(plot, (".png", ".svg"))
        need_matplotlib()
    if output and output.exists() and not output.is_dir():
        raise OutputError(f"{output} is no folder", "name a folder, new or old, for one file per machine and commit")
    sides = tuple(None if tile == "auto" else tile for tile in map(parse_tile, tiles or []))
    wish = Wish(
        tuple(models or ()), tuple(runtimes or ()), sides, tuple(threads or ()), rounds, peers, quick
    )  # fmt: skip
    measured = measure(wish, measuring)
    place = machine()
    record = new_record(
        measured, processor=place["processor"], processors=place["processors"], quick=quick
    )  # fmt: skip
    if folder := output or (None if quick else usual_folder()):
        keep(record, folder)
    if plot:
        from kakudai.bench.picture import plot_record

        plot_record(record, plot)
        say(f"written: {plot}")
    if as_json:
        typer.echo(json.dumps(record.as_json()))
    else:
        show(record)


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
    from kakudai.bench.compare import WORSE, compare_records
    from kakudai.bench.record import read_record
    from kakudai.bench.tables import changes_table

    if tolerance < 0:
        raise UsageError(f"the tolerance is {tolerance} %", "accepted are numbers from 0")
    paths = find_records(old, new, folder)
    records = [read_record(path) for path in paths]
    changes = compare_records(records[0], records[1], tolerance / 100)
    worse = [change for change in changes if change.verdict in WORSE]
    if as_json:
        rows = [{"case": str(c.facts), "change": round(c.change, 4), "verdict": c.verdict} for c in changes]
        typer.echo(json.dumps({"old": str(paths[0]), "new": str(paths[1]), "changes": rows}))
    else:
        table = changes_table(changes)
        print_table(table.headings, table.rows, title=f"{paths[0].name} -> {paths[1].name}: {table.title}")
        typer.echo(f"{len(worse)} of {len(changes)} got worse")
    return 1 if worse else 0


def find_records(old: Path | None, new: Path | None, folder: Path | None) -> tuple[Path, Path]:
    """Return the two records that are to be compared, those that are not named from the history.

    Raises:
        UsageError: There is no history, or there are not two records in it.
    """
    from kakudai.bench.record import history, last_two, read_record, usual_folder

    if old and new:
        return old, new
    place = folder or usual_folder()
    if place is None:
        raise UsageError("there is no history here", "name two records, or a folder of them with --history")
    entries = history(place)
    if old is None:
        return last_two(entries)
    machine = read_record(old).machine
    others = [path for path, record in entries if record.machine == machine and path.resolve() != old.resolve()]
    if not others:
        raise UsageError(f"the history at {place} has no other record of {machine}", "measure with: kakudai bench")
    return old, others[-1]


def keep(record: "Record", folder: Path) -> None:
    """Write a record into a history; an older one of the same machine and commit goes."""
    from kakudai.image.writing import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / record.file_name
    write_whole(path, (json.dumps(record.as_json(), indent=1) + "\n").encode())
    say(f"written: {path}")


def show(record: "Record") -> None:
    """Print the tables, then what could not be measured."""
    from kakudai.bench.tables import tables

    for table in tables(record):
        print_table(table.headings, table.rows, title=table.title)
    for what, why in record.measured.missing:
        typer.echo(f"not measured: {what}: {why}")
    kind = "a quick run says nothing about speed" if record.quick else "other programs slow it down"
    typer.echo(f"measured on {record.processors} x {record.processor}; {kind}")


@contextlib.contextmanager
def measuring(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show what is measured: a bar on a terminal, a line elsewhere."""
    if not sys.stderr.isatty():
        say(f"measuring {name}")
    with counting(f"measuring {name}") as progress:
        yield progress
