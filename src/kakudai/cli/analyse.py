"""`kakudai analyse`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kakudai.cli.endings import readable_extensions
from kakudai.cli.inputs import STREAM, Assignment, Found, find_pictures
from kakudai.cli.options import AsJson, Inputs, MaxPixels
from kakudai.cli.report import printable, report_failure, say
from kakudai.cli.streams import read_standard_input
from kakudai.errors import PictureUnreadable, UsageError

if TYPE_CHECKING:
    from kakudai.analyse import Analysis

SCHEMA = 1
"""Version of the objects that --json prints; it rises when a key changes its meaning or goes."""

TOO_LITTLE = "too little to tell"
"""What is said of what cannot be found in so few pixels."""


def analyse(
    inputs: Inputs,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Look into folders below.")] = False,
    max_pixels: MaxPixels = 179_000_000,
    as_json: AsJson = False,
) -> int:
    """Say what pictures are: how JPEG has treated them, their noise, drawn or photographed, enlarged before, grey.

    Qualities are those of libjpeg, 1 to 100; noise is the standard deviation in levels of 255.

    Example: kakudai analyse photo.jpg
    """
    if max_pixels < 0:
        raise UsageError(f"--max-pixels is {max_pixels}", "accepted are whole numbers from 0")
    failed = False
    for found in find_pictures(inputs, readable_extensions(), recursive=recursive):
        name = str(found.path if isinstance(found, Found) else found.source)
        try:
            analysis, notes = _analyse(found, max_pixels)
        except UsageError:
            raise
        except Exception as error:  # whatever a decoder raises: one bad file never stops the rest
            failed = True
            _fail(name, error, as_json=as_json)
            continue
        for note in notes:
            say(f"warning: {name}: {note}")
        if as_json:
            _print(name, "done", **analysis.as_json(), notes=notes)
        else:
            typer.echo(printable(f"{name}: {analysis.width}x{analysis.height}, {analysis.describe()}"))
            for line in details(analysis):
                typer.echo(f"  {line}")
    return 1 if failed else 0


def _analyse(found: Found | Assignment, max_pixels: int) -> tuple["Analysis", tuple[str, ...]]:
    """Read and look at one picture, or raise why it cannot be; return what reading could not keep, too."""
    from kakudai.analyse import analyse_picture, read_jpeg_history
    from kakudai.engine.intake import lasting
    from kakudai.image.archive import is_book
    from kakudai.image.exif import is_by_camera
    from kakudai.image.files import read_image

    if isinstance(found, Assignment):
        raise found.error or PictureUnreadable(f"{found.source} cannot be read", "name another file")
    source = read_standard_input() if found.path == Path(STREAM) else lasting(found.path)
    if is_book(source):
        message = f"analyse looks at single pictures, and {found.path} is a book of pages"
        raise PictureUnreadable(message, "unpack it, as any ZIP file, and name the folder of its pages")
    picture = read_image(source, max_pixels=max_pixels)
    jpeg = picture.metadata.jpeg
    history, camera = read_jpeg_history(jpeg) if jpeg else None, is_by_camera(picture.metadata.exif)
    analysis = analyse_picture(picture.color, history, picture.alpha, by_camera=camera)
    return analysis, picture.metadata.notes


def details(analysis: "Analysis") -> list[str]:
    """Say all that was found, a line for each matter."""
    return [
        f"{name:<11}{text}"
        for name, text in (
            ("file", _file(analysis)),
            ("pixels", _pixels(analysis)),
            ("noise", TOO_LITTLE if analysis.noise is None else f"{analysis.noise:.1f} levels of 255"),
            ("drawn", TOO_LITTLE if analysis.drawn is None else f"{100 * analysis.drawn:.0f} %"),
            ("enlarged", _enlarged(analysis)),
            ("grey", {True: "yes", False: "no", None: TOO_LITTLE}[analysis.grey]),
        )
        if text
    ]


def _file(analysis: "Analysis") -> str:
    jpeg = analysis.compression.jpeg
    if jpeg is None:
        return ""
    tables = "libjpeg's tables" if jpeg.standard else "other tables, most like these of libjpeg"
    colour = f", {jpeg.chroma_quality} for colour" if jpeg.chroma_quality not in (None, jpeg.quality) else ""
    kind = ", progressive" if jpeg.progressive else ""
    return f"JPEG quality {jpeg.quality}{colour}, {jpeg.chroma}{kind} ({tables})"


def _pixels(analysis: "Analysis") -> str:
    grid = analysis.compression.grid
    if grid is None:
        return "no trace of JPEG"
    colour = f", colour {grid.chroma} of quality {grid.chroma_quality}" if grid.chroma else ""
    before = f", before that of quality {grid.earlier}" if grid.earlier else ""
    return f"traces of JPEG quality {grid.quality}{colour}{before}; grid begins at column {grid.x}, row {grid.y}"


def _enlarged(analysis: "Analysis") -> str:
    if analysis.enlarged is None:
        return TOO_LITTLE
    return f"before, about {analysis.enlarged:g}x" if analysis.enlarged > 1.0 else "no sign of it"


def _fail(name: str, error: Exception, *, as_json: bool) -> None:
    message, hint = report_failure(name, error, say)
    if as_json:
        _print(name, "failed", error=message, hint=hint, kind=type(error).__name__)


def _print(name: str, status: str, **fields: Any) -> None:
    typer.echo(json.dumps({"schema": SCHEMA, "input": name, "status": status, **fields}))
