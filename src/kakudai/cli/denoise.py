"""`kakudai denoise`."""

from typing import Annotated

import typer

from kakudai.cli.upscale import upscale


def denoise(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IN...", help="Pictures, folders, patterns, or - for standard input."),
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="File, folder (with its / if it is new), or - for standard output."),
    ] = None,
    strength: Annotated[
        str, typer.Option("-d", "--denoise", help="0 to 100, or auto by the looks of each picture.")
    ] = "auto",
    model: Annotated[
        str, typer.Option("-m", "--model", help="auto, photo, art, or as for `kakudai upscale`.")
    ] = "auto",
    tta: Annotated[
        int, typer.Option(help="1, 2, 4 or 8: mean over the picture turned and mirrored, at as many times the time.")
    ] = 1,
    format: Annotated[  # noqa: A002 - the word of the command line
        str | None, typer.Option(help="png, jpeg, webp, tiff or avif; else the ending decides.")
    ] = None,
    quality: Annotated[int | None, typer.Option(help="1 to 100, for jpeg, webp and avif.")] = None,
    strip: Annotated[bool, typer.Option("--strip", help="Leave out EXIF, XMP and resolution.")] = False,
    on_exists: Annotated[str, typer.Option(help="error, skip, overwrite or rename.")] = "error",
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Look into folders below; -o keeps their tree.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per picture on standard output.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
) -> int:
    """Remove JPEG damage and noise from pictures, which keep their size.

    Short for `kakudai upscale --scale 1`, which knows more options. The result lies beside its input as
    NAME_clean.EXT. The pixels of what is clean already stay as they are. Pictures that are to be enlarged, too,
    are better given to `kakudai upscale`, which does both at once.

    Example: kakudai denoise old.jpg --format png
    """
    return upscale(
        inputs,
        output,
        1.0,
        model=model,
        denoise=strength,
        tta=tta,
        format=format,
        quality=quality,
        strip=strip,
        on_exists=on_exists,
        recursive=recursive,
        dry_run=dry_run,
        as_json=as_json,
        quiet=quiet,
    )
