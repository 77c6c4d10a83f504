"""`kakudai data`: pack, draw."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.report import say
from kakudai.errors import KakudaiError, OutputExists, PictureNotFound, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

app = typer.Typer(rich_markup_mode=None)

LARGEST_SHEET = 100_000_000
"""Pixels of a contact sheet."""
GAP = 4
"""Pixels between the pictures of a contact sheet."""


@app.callback()
def group() -> None:
    """Training pictures.

    Example: kakudai data pack photos/ -o packs/photos.pack
    """


@app.command()
def pack(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Folders of pictures, each with a SOURCES.tsv if licences are known."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PACK", help="The pack to write.")],
    without_licence: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Leave out pictures whose licence has this in it, as SA; repeatable."),
    ] = None,
) -> None:
    """Read pictures and write them into one file that training maps into memory.

    Files that are broken or transparent are named and left out; the exit code is 1 then.

    Example: kakudai data pack photos/ -o packs/photos.pack
    """
    from kakudai.cli.progress import counting
    from kakudai.data.pack import pack_folders

    for folder in folders:
        if not folder.is_dir():
            raise PictureNotFound(f"there is no folder {folder}", "name folders that hold pictures directly")
    skipped: list[KakudaiError] = []
    try:
        with counting("packing") as progress:
            packed = pack_folders(
                folders,
                output,
                without=without_licence or (),
                progress=progress,
                skip=lambda _, error: skipped.append(error),
            )
    finally:
        for error in skipped:
            say(f"skipped: {error.message}")
    pixels = sum(picture.height * picture.width for picture in packed.pictures)
    typer.echo(f"{output}: {len(packed.pictures)} pictures, {pixels / 1e6:.1f} megapixels")
    for licence, count in packed.licences().items():
        typer.echo(f"  {count:>5}  {licence}")
    if skipped:
        say(f"skipped {len(skipped)} of {len(skipped) + len(packed.pictures)} pictures")
        raise typer.Exit(1)


@app.command()
def draw(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="photo (dead leaves) or art (line art).")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="OUT", help="A sheet.png that shows all, or a folder of PNG files."),
    ],
    count: Annotated[int, typer.Option("-n", "--count", help="How many pictures.")] = 16,
    size: Annotated[int, typer.Option("--size", help="Rows and columns of a picture.")] = 256,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same pictures.")] = 0,
) -> None:
    """Draw training pictures from nothing but a seed: what "drawn:photo" and "drawn:art" mean in a recipe.

    Example: kakudai data draw art -n 25 -o sheet.png
    """
    import os

    from kakudai.cli.progress import counting
    from kakudai.data.drawn import draw_pictures
    from kakudai.data.pack import SUFFIXES
    from kakudai.image.picture import Picture
    from kakudai.image.writing import write_image

    sheet = output.suffix.lower() == ".png" and not output.is_dir()
    if not sheet and output.suffix.lower() in SUFFIXES:
        raise UsageError(f"{output} is neither a PNG file nor a folder", "write to sheet.png or into a folder")
    if sheet and count * size**2 > LARGEST_SHEET:
        raise UsageError(f"{count} pictures of {size} pixels are too many for a sheet", "write them into a folder")
    if seed < 0:
        raise UsageError(f"--seed is {seed}", "accepted are whole numbers from 0")
    images = draw_pictures(kind, count, size, seed=seed, threads=min(os.cpu_count() or 1, 8))
    with counting("drawing") as progress:
        if sheet:
            drawn = []
            for image in images:
                drawn.append(image)
                progress(len(drawn), count)
            write_image(Picture(_sheet(drawn)), output)
        else:
            names = [f"{kind}-{seed}-{number:05}.png" for number in range(count)]
            for done, (image, name) in enumerate(zip(images, names, strict=True), 1):
                if done == 1:
                    _make_folder(output, names)
                write_image(Picture(image), output / name)
                progress(done, count)
    typer.echo(f"{output}: {count} {'picture' if count == 1 else 'pictures'}")


def _sheet(images: "list[NDArray[np.uint8]]") -> "NDArray[np.uint8]":
    """Put pictures of one size beside and below each other, as square as they go, with white between them."""
    import math

    import numpy as np

    columns = math.ceil(math.sqrt(len(images)))
    pitch = images[0].shape[0] + GAP
    height, width = (pitch * number + GAP for number in (math.ceil(len(images) / columns), columns))
    sheet = np.full((height, width, 3), 255, np.uint8)
    for index, image in enumerate(images):
        y, x = (GAP + pitch * place for place in divmod(index, columns))
        sheet[y : y + pitch - GAP, x : x + pitch - GAP] = image
    return sheet


def _make_folder(folder: Path, names: list[str]) -> None:
    """Make a folder with the licences of the pictures to come, where `kakudai data pack` looks for them.

    Raises:
        OutputExists: There are files in it.
    """
    from kakudai.data.drawn import LICENCE

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise OutputExists(f"{folder} is not empty", "name a new folder")
    rows = ["file\tlicence", *(f"{name}\t{LICENCE}" for name in names)]
    (folder / "SOURCES.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
