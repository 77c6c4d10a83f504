"""`kakudai compare`."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from kakudai.cli.report import say
from kakudai.cli.table import print_table
from kakudai.cli.targets import check_output
from kakudai.errors import UsageError
from kakudai.jobs.address import refuse_addresses

SCHEMA = 1
"""Version of the object that --json prints."""

SIDE, PLACES, ZOOM = 96, 4, 2
"""Side of the crops in pixels, how many there are, and how much each pixel is enlarged."""


def compare(
    a: Annotated[Path, typer.Argument(help="A picture; with --models the one that they enlarge.")],
    b: Annotated[Path | None, typer.Argument(help="Another of the same size; not with --models.")] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="The original that all are measured against.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write a PNG: crops where A and B differ most, or the models side by side."
        ),
    ] = None,
    shave: Annotated[int, typer.Option(help="Pixels cut off each side before measuring.")] = 0,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            metavar="M,M@S,...",
            help="Enlarge A with these: names, files or folders; @0 to @100 is a strength of denoising.",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="X,Y,W,H", help="What is shown of A, in its pixels; the middle if not given."),
    ] = None,
    scale: Annotated[
        float | None, typer.Option("-s", "--scale", help="1 to 16, for the models; 2 if not given.")
    ] = None,
    fidelity: Annotated[
        bool, typer.Option("--fidelity", help="Shrink each result back to compare it with A; map what was added.")
    ] = False,
    consistent: Annotated[
        bool, typer.Option("--consistent", help="Show each result once more, changed so that it shrinks back to A.")
    ] = False,
    kernel: Annotated[
        str | None,
        typer.Option("--filter", help="How results are shrunk: bicubic if not given, lanczos3, box or triangle."),
    ] = None,
    background: Annotated[str | None, typer.Option(help="Of the models' sheet: dark if not given, or light.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two pictures, or what several models make of one.

    Two: PSNR and SSIM on luma and on RGB, and crops side by side. Models: one region enlarged by bicubic and by each,
    on one sheet; PSNR is then that of the region. --fidelity enlarges all of the picture and shrinks it by bicubic, as
    the published protocol does.

    Example: kakudai compare bicubic.png kakudai.png --reference original.png -o sheet.png

    Example: kakudai compare photo.jpg --models photo,models-cunet/@50 --fidelity -o sheet.png
    """
    refuse_addresses("compare", a, b, reference, output)
    if shave < 0:
        raise UsageError(f"--shave is {shave}", "accepted are whole numbers from 0")
    if models is not None:
        from kakudai.cli.compare_models import Options, compare_models

        if b is not None:
            raise UsageError(f"--models enlarges one picture, and {b} is another", "leave it out, or --models")
        looks = Options(region, 2.0 if scale is None else scale, fidelity, consistent, kernel, background or "dark")
        compare_models(a, models, looks, reference=reference, output=output, shave=shave, as_json=as_json)
        return
    for_models = {"region": region, "scale": scale, "filter": kernel, "background": background}
    for_models |= {"fidelity": fidelity or None, "consistent": consistent or None}
    if given := [name for name, value in for_models.items() if value is not None]:
        raise UsageError(f"--{given[0]} is for --models", "for example: --models photo")
    if b is None:
        raise UsageError("there is one picture to compare", "name another of the same size, or models with --models")
    compare_pictures(a, b, reference=reference, output=output, shave=shave, as_json=as_json)


def compare_pictures(
    a: Path, b: Path, *, reference: Path | None, output: Path | None, shave: int, as_json: bool
) -> None:
    """Compare two pictures, see `compare`."""
    paths = [path for path in (reference, a, b) if path is not None]
    if output and output.resolve() in [path.resolve() for path in paths]:
        raise UsageError(f"{output} is one of the pictures to compare", "write the crops into another file")
    if output:
        check_output(output, (".png",))
    images, notes = _read(paths)
    first, others = (paths[0], paths[1:])
    rows = [_measure(images[0], image, shave) for image in images[1:]]
    if as_json:
        # A list, for both may be the same file. JSON knows no infinity: equal pictures have a PSNR of null.
        pictures = [
            {"picture": str(path), **{key: value if math.isfinite(value) else None for key, value in row.items()}}
            for path, row in zip(others, rows, strict=True)
        ]
        facts = {"schema": SCHEMA, "reference": str(first), "shave": shave, "pictures": pictures, "notes": notes}
        typer.echo(json.dumps(facts))
    else:
        print_table(
            [f"against {first}", "luma PSNR", "luma SSIM", "RGB PSNR", "RGB SSIM"],
            [[str(path), *(f"{value:.4g}" for value in row.values())] for path, row in zip(others, rows, strict=True)],
        )
    if output:
        roles = ["reference", "A", "B"] if reference else ["A", "B"]
        titles = [f"{role}: {path.name}" for role, path in zip(roles, paths, strict=True)]
        _write_sheet(titles, images, output)
        say(f"crops: {output}")


def _read(paths: list[Path]) -> tuple[list[Any], list[str]]:
    """Read the colours of pictures that must have one size; grey is compared with RGB as RGB.

    Returns:
        The colours; and what is not compared, one sentence each, which is also said on stderr.
    """
    import numpy as np

    from kakudai.image.files import read_image

    pictures = [read_image(path) for path in paths]
    if len({(picture.height, picture.width) for picture in pictures}) > 1:
        found = ", ".join(
            f"{path} {picture.width}x{picture.height}" for path, picture in zip(paths, pictures, strict=True)
        )
        raise UsageError(f"the pictures differ in size: {found}", "bring them to one size first")
    notes = []
    for path, picture in zip(paths, pictures, strict=True):
        transparent = () if picture.alpha is None else ("transparency is not compared",)
        notes += [f"{path}: {note}" for note in (*picture.metadata.notes, *transparent)]
    notes = list(dict.fromkeys(notes))  # two of the paths may be the same
    for note in notes:
        say(f"warning: {note}")
    channels = max(picture.channels for picture in pictures)
    return [np.repeat(picture.color, channels // picture.channels, axis=2) for picture in pictures], notes


def _measure(reference: Any, image: Any, shave: int) -> dict[str, float]:
    from kakudai.metrics import Protocol, psnr, ssim

    try:
        luma, rgb = Protocol("luma_bt601_studio", shave), Protocol("rgb", shave)
        return {
            "luma_psnr": psnr(image, reference, luma),
            "luma_ssim": ssim(image, reference, luma),
            "rgb_psnr": psnr(image, reference, rgb),
            "rgb_ssim": ssim(image, reference, rgb),
        }
    except ValueError as error:
        raise UsageError(str(error), "compare larger pictures, or shave less") from error


def _write_sheet(titles: list[str], images: list[Any], output: Path) -> None:
    import numpy as np

    from kakudai.evaluate.sheet import Column, contact_sheet, interesting_places
    from kakudai.image.files import write_image
    from kakudai.image.picture import Picture

    places = interesting_places(images[-2], images[-1], SIDE, PLACES)
    columns = [Column(title, image) for title, image in zip(titles, images, strict=True)]
    sheet = contact_sheet(columns, places, side=SIDE, zoom=ZOOM)
    write_image(Picture(np.asarray(sheet)), output, format="png")
