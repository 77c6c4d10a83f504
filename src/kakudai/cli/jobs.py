"""`kakudai jobs`: what manifests tell."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kakudai.cli.table import print_table
from kakudai.errors import UsageError
from kakudai.jobs.address import is_address, understood, within
from kakudai.jobs.manifest import NAME, Contents, parse, read_manifest
from kakudai.jobs.places import Places
from kakudai.jobs.summary import Summary, summarise

SCHEMA = 1
"""Version of the object that --json prints; it rises when a key changes its meaning or goes."""

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Jobs of many pictures.

    Example: kakudai jobs show large/
    """


@app.command()
def show(
    manifest: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="The file or address, or the output folder that it lies in.")
    ],
    failed: Annotated[bool, typer.Option("--failed", help="Name each picture that failed, and why.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> int:
    """Say what became of a job, also while it runs. The exit code is 1 where pictures have failed.

    Example: kakudai jobs show large/
    """
    named = understood(manifest)
    if is_address(named):
        contents, places = _in_bucket(named), Places(Path())
    else:
        path = Path(named, NAME) if Path(named).is_dir() else Path(named)
        contents, places = read_manifest(path), Places(path.parent)
    summary = summarise(contents, places)
    if as_json:
        typer.echo(json.dumps(_object(summary)))
    else:
        _print(summary, names=failed)
    return 1 if summary.failed else 0


def _in_bucket(address: str) -> Contents:
    """Read a manifest in a bucket, by its own address or by that of the prefix that it lies in."""
    from kakudai.jobs.store import Store

    whole = address if address.endswith(".jsonl") else within(address, NAME)
    data = Store(whole).read(whole)
    if data is None:
        raise UsageError(f"there is no manifest {whole}", "it lies below the output prefix of a job")
    return parse(data, whole)


def _object(summary: Summary) -> dict[str, Any]:
    failed = [{"input": e.source, "output": e.target, "error": e.error, "hint": e.hint} for e in summary.failed]
    return {
        "schema": SCHEMA,
        "done": summary.done,
        "skipped": summary.skipped,
        "unfinished": summary.unfinished,
        "failed": failed,
        "gone": summary.gone,
        "reasons": [{"reason": reason, "pictures": count} for reason, count in summary.reasons],
        "corrupt_lines": summary.corrupt,
        "runs": summary.runs,
        "megapixels": round(summary.megapixels, 3),
        "seconds": round(summary.seconds, 3),
        "megapixels_per_second": round(summary.rate, 3),
    }


def _print(summary: Summary, *, names: bool) -> None:
    counts = {"done": summary.done, "failed": len(summary.failed), "skipped": summary.skipped}
    words = [f"{count} {word}" for word, count in counts.items()]
    if summary.unfinished:
        words.append(f"{summary.unfinished} begun and not ended")
    if summary.gone:
        words.append(f"{summary.gone} failed and gone since")
    typer.echo(", ".join(words))
    typer.echo(f"{summary.megapixels:.1f} MP in {summary.seconds:.1f} s of work, {summary.rate:.2f} MP/s")
    if summary.corrupt:
        typer.echo(f"damaged lines: {', '.join(map(str, summary.corrupt))}")
    if summary.failed and names:
        rows = [(entry.source, entry.error) for entry in summary.failed]
        print_table(("picture", "reason"), rows, wrapped=("picture", "reason"))
    elif summary.failed:
        rows = [(reason, str(count)) for reason, count in summary.reasons]
        print_table(("reason", "pictures"), rows, wrapped=("reason",))
