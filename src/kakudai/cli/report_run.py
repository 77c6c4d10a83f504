"""`kakudai report`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.progress import counting
from kakudai.cli.report import say
from kakudai.cli.targets import check_output

if TYPE_CHECKING:
    from kakudai.evaluate.before_after import Group
    from kakudai.evaluate.report_tables import Key
    from kakudai.evaluate.runs import Run


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of training runs.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="If not given, RUN/report.html; of several runs, report.html in this folder.",
        ),
    ] = None,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(
            "--picture", metavar="FILE", help="Show this before and after; may be repeated. Else the progress picture."
        ),
    ] = None,
) -> None:
    """Write a page about training runs: recipe, curves, progress, before and after, quality beside the literature.

    The page is one HTML file, which fetches nothing and can be mailed. Pictures are shrunk and enlarged again by the
    networks of the runs; of large ones the middle is shown.

    Example: kakudai report runs/photo-x2 --picture photo.png -o photo-x2.html
    """
    from kakudai.evaluate.before_after import progress_group
    from kakudai.evaluate.report import make_report
    from kakudai.evaluate.runs import read_runs
    from kakudai.image.writing import write_whole

    if output:
        check_output(output, (".html", ".htm"))
    runs = read_runs(folders)
    for note in (note for run in runs for note in run.notes):
        say(f"warning: {note}")
    target = output or (folders[0] / "report.html" if len(folders) == 1 else Path("report.html"))
    groups = compared(runs, pictures or [])
    progress = [group for run in runs if (group := progress_group(run))]
    page = make_report(runs, pictures=groups, progress=progress, keys=meanings(), output=target.name)
    write_whole(target, page.encode())
    say(f"written: {target}")


def compared(runs: "Sequence[Run]", files: Sequence[Path]) -> "list[Group]":
    """Enlarge pictures by the networks of the runs: those that are named, else the progress pictures."""
    from kakudai.evaluate.before_after import compare_picture

    scales = sorted({run.model.scale for run in runs if run.model})
    if not scales:
        if files:
            say("warning: no picture is shown, for none of the runs has an exported network yet")
        return []
    named = {file: file.name for file in files} or originals(runs)
    work = [(file, name, scale) for file, name in named.items() for scale in scales]
    groups = []
    with counting("pictures") as progress:
        for number, (file, name, scale) in enumerate(work, 1):
            title = name if len(scales) == 1 else f"{name}, x{scale}"
            groups.append(compare_picture(file, runs, scale, title))
            progress(number, len(work))
    return groups


def originals(runs: "Sequence[Run]") -> dict[Path, str]:
    """Return the progress pictures of runs, each once, and what to call them."""
    found: dict[bytes, tuple[Path, str]] = {}
    for run in runs:
        if run.progress.original:
            name = (run.recipe or {}).get("progress_picture")
            digest = hashlib.sha256(run.progress.original.read_bytes()).digest()
            found.setdefault(
                digest, (run.progress.original, Path(name).name if isinstance(name, str) else "The progress picture")
            )
    return dict(found.values())


def meanings() -> "dict[str, Key]":
    """Return what the keys of a recipe mean; nothing where training is not installed."""
    from kakudai.evaluate.report_tables import Key

    try:
        from pydantic_core import PydanticUndefined

        from kakudai.train.recipe import Recipe
    except ImportError:
        return {}
    fields = {
        name: (field.description or "", field.get_default(call_default_factory=True))
        for name, field in Recipe.model_fields.items()
    }
    return {
        name: Key(description, ... if default is PydanticUndefined else default)
        for name, (description, default) in fields.items()
    }
