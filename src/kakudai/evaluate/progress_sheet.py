"""The progress pictures of runs on one sheet: how the same place looks after more and more epochs."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from kakudai.errors import UsageError
from kakudai.evaluate.markup import printable
from kakudai.evaluate.runs import Run
from kakudai.evaluate.sheet import GAP, LABEL, Column, contact_sheet, interesting_places
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels

SIDE = 96
"""Side of the place that is shown where none is named, in pixels."""


def progress_columns(run: Run, epochs: Sequence[int] | None = None) -> list[Column]:
    """Read the progress pictures of a run: original, bicubic, then the epochs in order.

    Raises:
        UsageError: The run has kept none, or they differ in size.
    """
    progress = run.progress
    named = [("original", progress.original), ("bicubic", progress.bicubic)]
    named += [(f"epoch {epoch}", path) for epoch, path in progress.epochs.items() if epochs is None or epoch in epochs]
    columns = [Column(title, read_image(path).color) for title, path in named if path is not None]
    if not progress.epochs:
        raise UsageError(
            f"{run.folder} has no progress pictures", "set progress_picture and progress_epochs in its recipe"
        )
    if epochs is not None and (missing := sorted(set(epochs) - set(progress.epochs))):
        raise UsageError(
            f"{run.folder} kept no picture of epoch {', '.join(map(str, missing))}",
            f"it has those of {', '.join(map(str, progress.epochs))}",
        )
    if len({column.image.shape[:2] for column in columns}) > 1:
        raise UsageError(f"the progress pictures in {run.folder} differ in size", "remove those of an earlier run")
    return columns


def progress_sheet(
    runs: Sequence[Run], crop: tuple[int, int, int] | None = None, *, zoom: int = 2, epochs: Sequence[int] | None = None
) -> Image.Image:
    """Draw one row per run and one column per epoch; every pixel becomes a square of `zoom` pixels.

    Args:
        runs: At least one; each in a row under its name.
        crop: Left, top and side of the place, in pixels; by default the square of 96 pixels where the first run's
            bicubic picture differs most from the original.
        zoom: Side of the square that a pixel becomes.
        epochs: Show only these.

    Raises:
        UsageError: A run has no such pictures, or they do not reach as far as the crop.
    """
    rows = [progress_columns(run, epochs) for run in runs]
    left, top, side = crop or _place(rows[0])
    strips = []
    for run, columns in zip(runs, rows, strict=True):
        _check_crop(run, columns[0].image, (left, top, side))
        strips.append((run.name, contact_sheet(columns, [(top, left)], side=side, zoom=zoom)))
    return _stacked(strips)


def _place(columns: Sequence[Column]) -> tuple[int, int, int]:
    first = columns[0].image
    side = min(SIDE, *first.shape[:2])
    top, left = interesting_places(first, columns[1].image if len(columns) > 1 else first, side, 1)[0]
    return left, top, side


def _check_crop(run: Run, image: Pixels, crop: tuple[int, int, int]) -> None:
    left, top, side = crop
    height, width = image.shape[:2]
    if left + side > width or top + side > height:
        raise UsageError(
            f"the crop {left},{top},{side} ends outside the progress pictures of {run.name}: {width}x{height}",
            "accepted is LEFT,TOP,SIDE in their pixels",
        )


def _stacked(strips: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    width = max(strip.width for _, strip in strips)
    sheet = Image.new("RGB", (width, sum(LABEL + strip.height for _, strip in strips)), (245, 245, 245))
    draw, font, y = ImageDraw.Draw(sheet), ImageFont.load_default(15), 0
    for name, strip in strips:
        draw.text((GAP, y + 4), printable(name), fill=(20, 20, 20), font=font)
        sheet.paste(strip, (0, y + LABEL))
        y += LABEL + strip.height
    return sheet
