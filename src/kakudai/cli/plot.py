"""`kakudai plot`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kakudai.cli.report import say
from kakudai.cli.targets import check_output
from kakudai.errors import UsageError

if TYPE_CHECKING:
    from kakudai.evaluate.runs import Run

SCHEMA = 1
"""Version of the object that --json prints."""


def plot(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of training runs.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="PNG or SVG; if not given, RUN/curves.png; of several runs, curves.png in this folder.",
        ),
    ] = None,
    axis: Annotated[str | None, typer.Option("--x", help="step, epoch or time; all that matters if not given.")] = None,
    chain: Annotated[
        bool, typer.Option("--chain", help="Begin each run where the one before it ended, for runs that built on it.")
    ] = False,
    table: Annotated[
        bool, typer.Option("--table", help="Print losses and training times as a Markdown table instead.")
    ] = False,
    progress: Annotated[
        bool, typer.Option("--progress", help="Draw the progress pictures instead: a row per run, a column per epoch.")
    ] = False,
    crop: Annotated[
        str | None,
        typer.Option(metavar="LEFT,TOP,SIDE", help="Place of --progress; where bicubic is worst if not given."),
    ] = None,
    epochs: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Epochs that --progress shows; all that were kept if not given."),
    ] = None,
    zoom: Annotated[int, typer.Option(help="Side of the square that a pixel becomes with --progress.")] = 2,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON; draws only if -o is given.")
    ] = False,
) -> None:
    """Draw the course of training runs: loss against epochs, PSNR against epochs and time.

    The strong line of a loss is the running median over a fiftieth of the run. Time is that of training alone.

    Example: kakudai plot training/photo-x2-start training/photo-x2 --chain -o curves.svg
    """
    from kakudai.evaluate.runs import read_runs

    _check_options(axis, zoom, table=table, progress=progress)
    if not progress and (crop is not None or epochs is not None):
        raise UsageError("--crop and --epochs are for progress pictures", "add --progress")
    if output:
        check_output(output, (".md", ".json") if table else (".png",) if progress else (".png", ".svg"))
    runs = read_runs(folders)
    for note in (note for run in runs for note in run.notes):
        say(f"warning: {note}")
    if table:
        _print_table(runs, output, as_json=as_json)
        return
    if as_json:
        typer.echo(json.dumps({"schema": SCHEMA, "runs": [_as_json(run) for run in runs]}))
        if not output:
            return
    name = "progress.png" if progress else "curves.png"
    target = output or (folders[0] / name if len(folders) == 1 else Path(name))
    if progress:
        place, shown = (None if text is None else read_numbers(text) for text in (crop, epochs))
        _draw_progress(runs, target, place, shown, zoom)
    else:
        _draw_curves(runs, target, axis, chain=chain)
    say(f"written: {target}")


def _check_options(axis: str | None, zoom: int, *, table: bool, progress: bool) -> None:
    from kakudai.evaluate.curves import AXES

    if axis not in (None, *AXES):
        raise UsageError(f"--x is {axis!r}", f"accepted are {', '.join(AXES)}")
    if table and progress:
        raise UsageError("--table and --progress are two different things", "ask for one of them")
    if zoom not in range(1, 17):
        raise UsageError(f"--zoom is {zoom}", "accepted are whole numbers from 1 to 16")


def _print_table(runs: "list[Run]", output: Path | None, *, as_json: bool) -> None:
    from kakudai.cli.report import printable
    from kakudai.evaluate.run_table import as_markdown, table_rows
    from kakudai.image.writing import write_whole

    rows = table_rows(runs)
    data = as_json or (output is not None and output.suffix.lower() == ".json")
    text = json.dumps({"schema": SCHEMA, "runs": rows}, indent=1) + "\n" if data else as_markdown(rows)
    if output:
        write_whole(output, text.encode())
        say(f"written: {output}")
    else:
        typer.echo("\n".join(map(printable, text.splitlines())))


def _as_json(run: "Run") -> dict[str, Any]:
    from kakudai.evaluate.run_table import table_rows

    series = {
        name: {
            "step": list(map(int, s.steps)),
            "seconds": list(map(float, s.seconds)),
            "value": list(map(float, s.values)),
        }
        for name, s in run.series.items()
    }
    return {**table_rows([run])[0], "folder": str(run.folder), "epoch": run.epoch, "scale": run.scale, "series": series}


def _draw_curves(runs: "list[Run]", target: Path, axis: str | None, *, chain: bool) -> None:
    from kakudai.evaluate.curves import draw, encode, make_panels
    from kakudai.image.writing import write_whole

    panels = make_panels(runs, axis, chain=chain)  # type: ignore[arg-type]  # checked above
    write_whole(target, encode(draw(panels), target.suffix.lower()))


def _draw_progress(
    runs: "list[Run]", target: Path, crop: list[int] | None, epochs: list[int] | None, zoom: int
) -> None:
    import numpy as np

    from kakudai.evaluate.progress_sheet import progress_sheet
    from kakudai.image.files import write_image
    from kakudai.image.picture import Picture

    if crop is not None and (len(crop) != 3 or not crop[2]):
        raise UsageError(f"--crop is {crop}", "accepted is LEFT,TOP,SIDE in pixels, for example 40,60,96")
    place = None if crop is None else (crop[0], crop[1], crop[2])
    sheet = progress_sheet(runs, place, zoom=zoom, epochs=epochs)
    write_image(Picture(np.asarray(sheet)), target, format="png")


def read_numbers(text: str) -> list[int]:
    """Read whole numbers with commas between them.

    Raises:
        UsageError: It is something else.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words):
        raise UsageError(f"{text!r} is no list of whole numbers", "accepted are numbers with commas between: 40,60,96")
    return [int(word) for word in words]
