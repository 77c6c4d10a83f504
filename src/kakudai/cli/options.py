"""Options that mean the same in several commands."""

from typing import Annotated

import typer

Inputs = Annotated[
    list[str], typer.Argument(metavar="IN...", help="Pictures, folders, patterns, or - for standard input.")
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="File, folder (with its / if it is new), address, or - for standard output."),
]
Scale = Annotated[float | None, typer.Option("-s", "--scale", help="Enlargement, 0.1 to 16; 2 if no size is given.")]
Width = Annotated[int | None, typer.Option(help="Width of the result in pixels.")]
Height = Annotated[int | None, typer.Option(help="Height of the result in pixels.")]
Fit = Annotated[str | None, typer.Option(metavar="WxH", help="Box that the result fits into.")]
ModelName = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        help="auto, photo, art, photo-fast, photo-best, art-fast, a name from `kakudai models list`, a file or folder.",
    ),
]
Denoise = Annotated[
    str,
    typer.Option(
        "-d",
        "--denoise",
        help="0 to 100, or auto by the looks of each picture; 25, 50, 75, 100 are waifu2x's levels 0-3.",
    ),
]
Tile = Annotated[str, typer.Option(help="auto, whole, or a side in pixels from 32. Changes time and memory only.")]
Turns = Annotated[
    int, typer.Option(help="1, 2, 4 or 8: mean over the picture turned and mirrored, at as many times the time.")
]
Runtime = Annotated[str, typer.Option(help="auto, onnxruntime, openvino or ncnn.")]
NumberFormat = Annotated[
    str,
    typer.Option("--precision", help="float32, bfloat16, float16, int8; auto: short ones where faster and as good."),
]
Device = Annotated[str, typer.Option(help="cpu, cuda (an NVIDIA GPU), or auto.")]
Ray = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Have a cluster do it: HOST:PORT, auto (the one here), or local (a new one)."),
]
Actors = Annotated[int | None, typer.Option(help="Of --ray, processes with loaded networks; all there is room for.")]
Threads = Annotated[int | None, typer.Option(help="Processor threads; all if not given.")]
Format = Annotated[str | None, typer.Option(help="png, jpeg, webp, tiff, avif, gif or dzi; else the ending decides.")]
Quality = Annotated[int | None, typer.Option(help="1 to 100, for jpeg, webp and avif.")]
Depth = Annotated[int | None, typer.Option(help="8, 10, 12 or 16 bits; else as the input.")]
Dither = Annotated[
    bool | None,
    typer.Option("--dither/--no-dither", help="Patterns for colours that a GIF lacks; else where bands would show."),
]
Still = Annotated[bool, typer.Option("--still", help="Take only the first frame of an animation.")]
Strip = Annotated[bool, typer.Option("--strip", help="Leave out EXIF, XMP and resolution.")]
OnExists = Annotated[str, typer.Option(help="error, skip, overwrite or rename.")]
Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Look into folders below; -o keeps their tree.")]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Of folders only pictures that fit, as scans/**/*.png; repeatable."),
]
Exclude = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Of folders no pictures that fit; repeatable.")
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE", help="How results are called: {stem}_{scale}x{ext}; also {label}, as 2x or 1920w."
    ),
]
LargestInput = Annotated[
    int | None,
    typer.Option(
        "--max-pixels", help="Refuse larger inputs; 0 takes all; else 179 million, 1074 million where rows can be read."
    ),
]
ManifestFile = Annotated[
    str | None,
    typer.Option("--manifest", metavar="FILE", help="Where what is done is kept; else in a folder's output folder."),
]
NoManifest = Annotated[bool, typer.Option("--no-manifest", help="Keep none: do everything, remember nothing.")]
Verify = Annotated[bool, typer.Option("--verify", help="Read what is done again, rather than trust sizes and times.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try again what failed in an earlier run.")]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first picture that fails.")]
MaxPixels = Annotated[int, typer.Option(help="Refuse larger inputs; 0 takes all.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per picture on standard output.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
