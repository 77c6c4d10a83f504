"""`kakudai evaluate`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kakudai.cli.progress import counting
from kakudai.cli.table import print_table
from kakudai.errors import OutputError, UsageError

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
        typer.Option("--json", metavar="FILE", help="Write the figures of every picture too; - prints them alone."),
    ] = None,
) -> None:
    """Measure PSNR and SSIM by the protocol of the literature, bicubic first.

    Pictures are cut to a multiple of the scale, shrunk as MATLAB does, enlarged, and compared on luma without a border.
    Stops where bicubic on Set5, Set14 or BSD100 does not give the published figure.

    Example: kakudai evaluate --set ../shared/data/test/Set5 --set ../shared/data/test/Set14
    """
    from contextlib import ExitStack

    from kakudai.engine.upscaler import Upscaler
    from kakudai.evaluate.measure import measure_set, set_name
    from kakudai.models import list_models

    if not sets:
        raise UsageError("no test set is named", "for example: --set ../shared/data/test/Set5")
    if scale not in (2, 3, 4):
        raise UsageError(f"the scale is {scale}", "accepted are 2, 3 and 4")
    to_stdout = json_file == Path("-")
    if json_file and not to_stdout and not json_file.parent.is_dir():
        raise OutputError(f"{json_file} cannot be written: there is no such folder", "make it first")
    names = models or [model.name for model in list_models() if model.scale == scale]
    with ExitStack() as stack:
        upscalers = {name: stack.enter_context(Upscaler(scale, model=name, runtime=runtime)) for name in names}  # type: ignore[arg-type]
        methods = {name: upscaler.upscale for name, upscaler in upscalers.items()}
        measured = []
        for folder in sets:
            with counting(set_name(folder)) as progress:
                measured.append(measure_set(folder, scale, methods, published=True, progress=progress))
    text = json.dumps([scores.as_json() for scores in measured], indent=1)
    if to_stdout:
        typer.echo(text)
        return
    show(measured)
    if json_file:
        json_file.write_text(text)


def show(measured: "list[SetScores]") -> None:
    """Print one row per method and one column per set."""
    headings = ["PSNR dB / SSIM", *(f"{scores.name} x{scores.scale}" for scores in measured)]
    rows = []
    for method in measured[0].pictures:
        means = [scores.mean(method) for scores in measured]
        rows.append([method, *(f"{mean.psnr:.2f} / {mean.ssim:.4f}" for mean in means)])
    print_table(headings, rows, title=f"protocol: {measured[0].protocol}")
