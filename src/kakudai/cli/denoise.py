"""`kakudai denoise`."""

from typing import Annotated

import typer

from kakudai.cli.options import (
    AsJson,
    DryRun,
    Format,
    Inputs,
    OnExists,
    Output,
    Quality,
    Quiet,
    Recursive,
    Strip,
    Turns,
)
from kakudai.cli.upscale import upscale


def denoise(
    inputs: Inputs,
    output: Output = None,
    strength: Annotated[
        str, typer.Option("-d", "--denoise", help="0 to 100, or auto by the looks of each picture.")
    ] = "auto",
    model: Annotated[
        str, typer.Option("-m", "--model", help="auto, photo, art, or as for `kakudai upscale`.")
    ] = "auto",
    tta: Turns = 1,
    format: Format = None,  # noqa: A002 - the word of the command line
    quality: Quality = None,
    strip: Strip = False,
    on_exists: OnExists = "error",
    recursive: Recursive = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
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
