"""`kakudai compare`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kakudai.cli.report import say
from kakudai.cli.table import print_table
from kakudai.errors import UsageError

SIDE, PLACES, ZOOM = 96, 4, 2
"""Side of the crops in pixels, how many there are, and how much each pixel is enlarged."""


def compare(
    a: Annotated[Path, typer.Argument(help="A picture.")],
    b: Annotated[Path, typer.Argument(help="Another of the same size.")],
    reference: Annotated[
        Path | None, typer.Option("--reference", help="The original both are measured against.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write a PNG with crops of where they differ most.")
    ] = None,
    shave: Annotated[int, typer.Option(help="Pixels cut off each side before measuring.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two pictures: PSNR and SSIM on luma and on RGB, and crops side by side.

    Example: kakudai compare bicubic.png kakudai.png --reference original.png -o sheet.png
    """
    from kakudai.image.files import read_image

    paths = [path for path in (reference, a, b) if path is not None]
    images = [read_image(path).color for path in paths]
    if len({image.shape for image in images}) > 1:
        found = ", ".join(
            f"{path.name} {image.shape[1]}x{image.shape[0]}x{image.shape[2]}"
            for path, image in zip(paths, images, strict=True)
        )
        raise UsageError(f"the pictures differ in size or channels: {found}", "bring them to one size first")
    first, others = (paths[0], paths[1:])
    rows = [_measure(images[0], image, shave) for image in images[1:]]
    if as_json:
        result = {path.name: row for path, row in zip(others, rows, strict=True)}
        typer.echo(json.dumps({"reference": str(first), "shave": shave, "pictures": result}))
    else:
        titles = ["against " + first.name, *rows[0]]
        print_table(
            titles,
            [[path.name, *(f"{value:.4g}" for value in row.values())] for path, row in zip(others, rows, strict=True)],
        )
    if output:
        _write_sheet(paths, images, output)
        say(f"crops: {output}")


def _measure(reference: Any, image: Any, shave: int) -> dict[str, float]:
    from kakudai.metrics import Protocol, psnr, ssim

    try:
        luma, rgb = Protocol("luma_bt601_studio", shave), Protocol("rgb", shave)
        return {
            "luma PSNR": psnr(image, reference, luma),
            "luma SSIM": ssim(image, reference, luma),
            "RGB PSNR": psnr(image, reference, rgb),
            "RGB SSIM": ssim(image, reference, rgb),
        }
    except ValueError as error:
        raise UsageError(str(error), "compare larger pictures, or shave less") from error


def _write_sheet(paths: list[Path], images: list[Any], output: Path) -> None:
    from kakudai.errors import OutputError
    from kakudai.evaluate.sheet import Column, contact_sheet, interesting_places

    places = interesting_places(images[-2], images[-1], SIDE, PLACES)
    columns = [Column(path.name, image) for path, image in zip(paths, images, strict=True)]
    try:
        contact_sheet(columns, places, side=SIDE, zoom=ZOOM).save(output, format="PNG")
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}", "choose another file") from error
