"""`kakudai evaluate`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.report import say
from kakudai.cli.table import print_table
from kakudai.errors import UsageError

if TYPE_CHECKING:
    from kakudai.evaluate.measure import SetScores


def evaluate(
    sets: Annotated[
        list[Path] | None,
        typer.Option("--set", metavar="DIR", help="Folder of high-resolution pictures; may be repeated."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="Name or path; may be repeated. All shipped ones of the scale if none."),
    ] = None,
    scale: Annotated[int, typer.Option("-s", "--scale", help="Enlargement factor, 2 to 4.")] = 2,
    runtime: Annotated[str, typer.Option(help="auto, onnxruntime or openvino.")] = "auto",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Also write all figures, picture by picture."),
    ] = None,
) -> int:
    """Measure PSNR and SSIM by the protocol of the literature, bicubic first.

    Pictures are cut to a multiple of the scale, shrunk as MATLAB does, enlarged, and compared on luma without a border.

    Example: kakudai evaluate --set ../shared/data/test/Set5 --set ../shared/data/test/Set14
    """
    from contextlib import ExitStack

    from kakudai.engine.upscaler import Upscaler
    from kakudai.evaluate.measure import BICUBIC, measure_set
    from kakudai.evaluate.published import bicubic_is_off
    from kakudai.models import list_models

    if not sets:
        raise UsageError("no test set is named", "for example: --set ../shared/data/test/Set5")
    if scale not in (2, 3, 4):
        raise UsageError(f"the scale is {scale}", "accepted are 2, 3 and 4")
    names = models or [model.name for model in list_models() if model.scale == scale]
    with ExitStack() as stack:
        upscalers = {name: stack.enter_context(Upscaler(scale, model=name, runtime=runtime)) for name in names}  # type: ignore[arg-type]
        methods = {name: upscaler.upscale for name, upscaler in upscalers.items()}
        measured = []
        for folder in sets:
            scores = measure_set(folder, scale, methods)
            if off := bicubic_is_off(scores.name, scale, scores.mean(BICUBIC).psnr):
                say(f"error: {off}")
                say("hint: the pictures are not those of the literature, or were changed; no figure can be compared")
                return 1
            measured.append(scores)
    show(measured)
    if json_file:
        json_file.write_text(json.dumps([scores.as_json() for scores in measured], indent=1))
    return 0


def show(measured: "list[SetScores]") -> None:
    """Print one row per method and one column per set."""
    headings = ["PSNR dB / SSIM", *(f"{scores.name} x{scores.scale}" for scores in measured)]
    rows = []
    for method in measured[0].pictures:
        means = [scores.mean(method) for scores in measured]
        rows.append([method, *(f"{mean.psnr:.2f} / {mean.ssim:.4f}" for mean in means)])
    print_table(headings, rows, title=f"protocol: {measured[0].protocol}")
