"""`kakudai compare --models`."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import typer

from kakudai.cli.progress import counting
from kakudai.cli.report import say
from kakudai.cli.table import print_table
from kakudai.cli.targets import check_output
from kakudai.errors import UsageError

if TYPE_CHECKING:
    from kakudai.evaluate.lineup_entry import Entry
    from kakudai.evaluate.wanted import Task
    from kakudai.image.picture import Picture

SCHEMA = 1
"""Version of the object that --json prints."""

BACKGROUNDS = ("dark", "light")


@dataclass(frozen=True, slots=True)
class Options:
    """What only the comparison of models knows; see `compare.compare`."""

    region: str | None
    scale: float
    fidelity: bool
    consistent: bool
    kernel: str | None
    background: str


def compare_models(
    path: Path,
    names: list[str],
    options: Options,
    *,
    reference: Path | None,
    output: Path | None,
    shave: int,
    as_json: bool,
) -> None:
    """Enlarge one picture by several models; print figures, and write the sheet.

    Raises:
        UsageError: A value is not accepted.
        KakudaiError: The picture cannot be read, a model cannot be used, or the sheet cannot be written.
    """
    from kakudai.evaluate.lineup import line_up
    from kakudai.evaluate.lineup_sheet import lay_out
    from kakudai.evaluate.wanted import Filter, Task, parse_models, parse_region
    from kakudai.image.alpha import on_white

    _check(path, options, reference, output, shave)
    wanted = parse_models(names)
    picture, lost = read_picture(path)
    original = None
    if reference is not None:
        large, lost_of_it = read_picture(reference)
        original, lost = on_white(large), lost + lost_of_it
    region = parse_region(options.region, picture.height, picture.width)
    kernel = cast(Filter, options.kernel or "bicubic")
    task = Task(options.scale, wanted, region, original, options.fidelity, options.consistent, kernel, shave)
    if output:
        width, height = (math.ceil(side * options.scale) for side in (region.width, region.height))
        lay_out(task.cards, width, height, maps=options.fidelity)
    entries, notes = line_up(picture, task, counting)
    for note in notes:
        say(f"note: {note}")
    if as_json:
        place = [region.left, region.top, region.width, region.height]
        facts = {"schema": SCHEMA, "input": str(path), "reference": str(reference) if reference else None}
        facts |= {"scale": options.scale, "region": place, "shave": shave, "filter": kernel}
        typer.echo(json.dumps(facts | {"results": [entry.as_json() for entry in entries], "notes": lost + notes}))
    else:
        show(entries)
    if output:
        _write_sheet(entries, picture, task, path, output, background=options.background)
        say(f"written: {output}")


def _check(path: Path, options: Options, reference: Path | None, output: Path | None, shave: int) -> None:
    from kakudai.evaluate.wanted import Filter

    if options.kernel is not None and options.kernel not in get_args(Filter):
        raise UsageError(f"--filter is {options.kernel!r}", f"accepted are {', '.join(get_args(Filter))}")
    if options.kernel is not None and not (options.fidelity or options.consistent):
        raise UsageError("nothing is shrunk with --filter", "add --fidelity or --consistent")
    if shave and reference is None:
        raise UsageError("nothing is measured that --shave could cut", "add --reference, or leave --shave out")
    if options.background not in BACKGROUNDS:
        raise UsageError(f"--background is {options.background!r}", f"accepted are {' and '.join(BACKGROUNDS)}")
    if output:
        if output.resolve() in [given.resolve() for given in (path, reference) if given is not None]:
            raise UsageError(f"{output} is one of the pictures to compare", "write the sheet into another file")
        check_output(output, (".png",))


def read_picture(path: Path) -> tuple["Picture", list[str]]:
    """Read a picture; say and return what it has lost, and that what is transparent is shown on white."""
    from kakudai.image.files import read_image
    from kakudai.image.picture import full_scale

    picture = read_image(path)
    notes = [f"{path}: {note}" for note in picture.metadata.notes]
    if picture.alpha is not None and (picture.alpha < full_scale(picture.alpha.dtype)).any():
        notes.append(f"{path}: what is transparent is shown on white")
    for note in notes:
        say(f"warning: {note}")
    return picture, notes


def show(entries: "list[Entry]") -> None:
    """Print one row for each result."""
    from kakudai.evaluate.lineup_entry import Entry
    from kakudai.evaluate.lineup_sheet import decibels, short_count

    columns: dict[str, Callable[[Entry], str | None]] = {
        "parameters": lambda entry: None if entry.parameters is None else short_count(entry.parameters),
        "seconds": lambda entry: None if entry.seconds is None else f"{entry.seconds:.2f}",
        "megapixels": lambda entry: None if entry.megapixels is None else f"{entry.megapixels:.3f}",
        "luma PSNR": lambda entry: None if entry.psnr is None else decibels(entry.psnr),
        "shrinks back": lambda entry: None if entry.back is None else decibels(entry.back.psnr),
        "largest": lambda entry: None if entry.back is None else f"{entry.back.largest:.2f}",
        "added": lambda entry: None if entry.added_rms is None else f"{entry.added_rms:.2f}",
        "seen": lambda entry: entry.reason or None,
    }
    cells = {name: [column(entry) for entry in entries] for name, column in columns.items()}
    kept = [name for name, column in cells.items() if any(cell is not None for cell in column)]
    rows = [[entry.title, *(cells[name][number] or "" for name in kept)] for number, entry in enumerate(entries)]
    print_table(["", *kept], rows)


def _write_sheet(
    entries: "list[Entry]", picture: "Picture", task: "Task", path: Path, output: Path, *, background: str
) -> None:
    import numpy as np

    from kakudai.evaluate.lineup_sheet import Words, draw_lineup, lay_out
    from kakudai.image.alpha import on_white
    from kakudai.image.files import write_image
    from kakudai.image.picture import Metadata, Picture

    region = task.region
    height, width = entries[0].image.shape[:2]
    zoom = lay_out(len(entries), width, height, maps=task.fidelity).zoom
    place = f"{region.width}x{region.height} pixels at {region.left},{region.top} of {picture.width}x{picture.height}"
    size = f"enlarged {task.scale:g} times" if task.scale > 1 else "at their own size"
    drawn = f", each pixel drawn {zoom}x{zoom}" if zoom > 1 else ""
    words = Words(path.name, f"{place}, {size}{drawn}", explain(entries, task))
    sheet = draw_lineup(entries, on_white(picture), region, words, background=background)
    # The cards hold the picture's own values: they look right under its own profile, and greys are grey under any.
    icc = picture.metadata.icc if picture.channels == 3 else None
    write_image(Picture(np.asarray(sheet), None, Metadata(icc=icc)), output, format="png")


def explain(entries: "list[Entry]", task: "Task") -> list[str]:
    """Say what was chosen for the picture, and what figures and colours on a sheet mean."""
    notes = [
        f"Chosen for {entry.wanted}: {entry.model} ({entry.reason})."
        for entry in entries
        if entry.reason and not entry.consistent
    ]
    if task.reference is not None:
        notes.append("Beside the names: luma PSNR of the region shown, against the original.")
    published = task.kernel == "bicubic" and task.whole_scale
    how = f"{task.kernel} as in the published protocol (MATLAB's imresize)" if published else task.kernel
    if task.fidelity:
        shrunk = f", shrunk by {how}," if task.scale > 1 else ""
        notes += [
            f"Shrinks back: PSNR over all colours of the whole result{shrunk} against the input.",
            f"Below: the difference to {task.plain_title} around each place, RMS in levels of 255; "
            "one scale of colours for all.",
        ]
    if task.consistent:
        notes.append(f"Consistent: changed as little as possible so that it shrinks back to the input by {how}.")
    return notes
