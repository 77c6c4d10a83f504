"""`kakudai upscale`."""

from typing import Annotated

import typer

from kakudai.cli.batch import Batch
from kakudai.cli.endings import extension_of, readable_extensions, writable_extensions
from kakudai.cli.inputs import Assignment, Found, Naming, assign_targets, find_pictures
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
from kakudai.cli.results import Results
from kakudai.cli.wishes import check_options, parse_denoise, parse_fit, parse_tile, size_label


def upscale(
    inputs: Inputs,
    output: Output = None,
    scale: Annotated[
        float | None, typer.Option("-s", "--scale", help="Enlargement, 0.1 to 16; 2 if no size is given.")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Width of the result in pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Height of the result in pixels.")] = None,
    fit: Annotated[str | None, typer.Option(metavar="WxH", help="Box that the result fits into.")] = None,
    model: Annotated[
        str,
        typer.Option(
            "-m",
            "--model",
            help="Name from `kakudai models list`, model of any program, folder of networks or of a run.",
        ),
    ] = "auto",
    denoise: Annotated[
        str,
        typer.Option(
            "-d",
            "--denoise",
            help="0 to 100, or auto by the looks of each picture; 25, 50, 75, 100 are waifu2x's levels 0-3.",
        ),
    ] = "auto",
    tile: Annotated[
        str, typer.Option(help="Side of the tiles in pixels, auto, or whole. Changes time and memory only.")
    ] = "auto",
    tta: Turns = 1,
    runtime: Annotated[str, typer.Option(help="auto, onnxruntime, openvino or ncnn.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="float32, int8 (8-bit numbers), or auto: int8 where the runtime gains from it.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Processor threads; all if not given.")] = None,
    format: Format = None,  # noqa: A002 - the word of the command line
    quality: Quality = None,
    depth: Annotated[int | None, typer.Option(help="8, 10, 12 or 16 bits; else as the input.")] = None,
    dither: Annotated[
        bool | None,
        typer.Option(
            "--dither/--no-dither", help="Patterns for colours that a GIF lacks; else where bands would show."
        ),
    ] = None,
    still: Annotated[bool, typer.Option("--still", help="Take only the first frame of an animation.")] = False,
    strip: Strip = False,
    on_exists: OnExists = "error",
    recursive: Recursive = False,
    max_pixels: Annotated[
        int | None,
        typer.Option(help="Refuse larger inputs; 0 takes all; else 179 million, 1074 million where rows can be read."),
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first picture that fails.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Enlarge pictures.

    The result lies beside its input as NAME_2x.EXT, or in the folder that -o names under its own name. Colour profile,
    EXIF, XMP, resolution, bit depth and transparency are kept where the format can hold them; what it cannot is said.

    Example: kakudai upscale photo.jpg holiday/ -s 4 -o large/
    """
    from kakudai.engine.job import FileOptions
    from kakudai.engine.upscaler import Upscaler
    from kakudai.image.formats import find_output_format

    kind = find_output_format(format).name if format else None
    options = FileOptions(kind, quality, depth, strip, max_pixels, dither, still)
    check_options(options, on_exists, as_json=as_json, output=output)
    with Upscaler(
        scale,
        width=width,
        height=height,
        fit=parse_fit(fit),
        model=model,
        denoise=parse_denoise(denoise),
        tile=parse_tile(tile),
        tta=tta,
        runtime=runtime,  # type: ignore[arg-type]  # open_session names what is accepted
        device=device,
        threads=threads,
        precision=precision,  # type: ignore[arg-type]  # likewise Machine
    ) as upscaler:
        label = size_label(scale, width, height, fit)
        naming = Naming(output, label, extension_of(options.format), writable_extensions(), on_exists)  # type: ignore[arg-type]
        results = Results(as_json=as_json, quiet=quiet)
        batch = Batch(upscaler, options, results, fail_fast=fail_fast)
        results.note(upscaler.notes)
        endings = readable_extensions() | {".cbz"}  # a .zip may be anything: it has to be named
        found = list(find_pictures(inputs, endings, recursive=recursive))
        assignments = [problem for problem in found if isinstance(problem, Assignment)]
        assignments += assign_targets([picture for picture in found if isinstance(picture, Found)], naming)
        batch.refuse(assignments)
        return batch.plan(assignments) if dry_run else batch.run(assignments)
