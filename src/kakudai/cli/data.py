"""`kakudai data`: pack."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


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
) -> None:
    """Read pictures and write them into one file that training maps into memory.

    Example: kakudai data pack photos/ -o packs/photos.pack
    """
    from kakudai.data.pack import pack_folders
    from kakudai.errors import PictureNotFound

    for folder in folders:
        if not folder.is_dir():
            raise PictureNotFound(f"{folder} is not a folder", "name folders that hold pictures directly")
    output.parent.mkdir(parents=True, exist_ok=True)
    packed = pack_folders(folders, output)
    pixels = sum(picture.height * picture.width for picture in packed.pictures)
    typer.echo(f"{output}: {len(packed.pictures)} pictures, {pixels / 1e6:.1f} megapixels")
    for licence, count in packed.licences().items():
        typer.echo(f"  {count:>5}  {licence}")
