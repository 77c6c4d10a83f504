"""Options that mean the same in several commands."""

from typing import Annotated

import typer

Inputs = Annotated[
    list[str], typer.Argument(metavar="IN...", help="Pictures, folders, patterns, or - for standard input.")
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="File, folder (with its / if it is new), or - for standard output."),
]
Turns = Annotated[
    int, typer.Option(help="1, 2, 4 or 8: mean over the picture turned and mirrored, at as many times the time.")
]
Format = Annotated[str | None, typer.Option(help="png, jpeg, webp, tiff, avif, gif or dzi; else the ending decides.")]
Quality = Annotated[int | None, typer.Option(help="1 to 100, for jpeg, webp and avif.")]
Strip = Annotated[bool, typer.Option("--strip", help="Leave out EXIF, XMP and resolution.")]
OnExists = Annotated[str, typer.Option(help="error, skip, overwrite or rename.")]
Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Look into folders below; -o keeps their tree.")]
MaxPixels = Annotated[int, typer.Option(help="Refuse larger inputs; 0 takes all.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per picture on standard output.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
