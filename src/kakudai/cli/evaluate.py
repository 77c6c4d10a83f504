"""`kakudai evaluate`."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from kakudai.cli.progress import counting
from kakudai.cli.report import say
from kakudai.cli.table import print_table
from kakudai.cli.targets import check_output
from kakudai.errors import UsageError


def evaluate(
    sets: Annotated[
        list[Path] | None,
        typer.Option("--set", metavar="DIR", help="Folder of high-resolution pictures; may be repeated."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--model", help="Name, ONNX file or folder of a run; may be repeated. All shipped ones if none."
        ),
    ] = None,
    scales: Annotated[
        list[int] | None,
        typer.Option("-s", "--scale", help="Enlargement factor, 2 to 4; may be repeated. Those of the models if none."),
    ] = None,
    runtimes: Annotated[
        list[str] | None,
        typer.Option("--runtime", help="auto, onnxruntime or openvino; may be repeated. auto if none."),
    ] = None,
    compared: Annotated[
        bool, typer.Option("--published/--no-published", help="Show what the literature prints beside ours.")
    ] = True,
    speed: Annotated[
        bool, typer.Option("--speed", help="Measure time and peak memory too, each model in a process of its own.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the figures of every picture too; - prints them alone."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw PSNR on the first set against costs, as .png or .svg."),
    ] = None,
) -> None:
    """Measure PSNR and SSIM by the protocol of the literature, bicubic first.

    Pictures are cut to a multiple of the scale, shrunk as MATLAB does, enlarged, and compared on luma without a border.
    Stops where bicubic on a set of the literature does not give the published figure. Multiply-adds are for an output
    of 1280x720; --speed takes the median time of a few such outputs (other programs slow it down) and the most memory
    the process held, Python included.

    Example: kakudai evaluate --set ../shared/data/test/Set5 --set ../shared/data/test/Set14
    """
    from kakudai.evaluate.choose import SCALES, choose_models
    from kakudai.evaluate.comparison import Comparison, compare, methods_of
    from kakudai.evaluate.curves import need_matplotlib
    from kakudai.image.writing import write_whole

    if not sets:
        raise UsageError("no test set is named", "name a folder of PNG files, for example: --set Set5")
    if wrong := [scale for scale in scales or [] if scale not in SCALES]:
        raise UsageError(f"the scale is {wrong[0]}", "accepted are 2, 3 and 4")
    to_stdout = json_file == Path("-")
    if json_file and not to_stdout:
        check_output(json_file)
    if plot:
        check_output(plot, (".png", ".svg"))
        need_matplotlib()
    chosen, wanted, left_out = choose_models(models or [], list(dict.fromkeys(scales or [])))
    for sentence in left_out:
        say(sentence)
    methods = methods_of(chosen, list(dict.fromkeys(runtimes or ["auto"])))  # type: ignore[arg-type]
    result = {"machine": machine(), **compare(Comparison(sets, wanted, methods, speed), counting)}
    text = json.dumps(result, indent=1)
    if to_stdout:
        typer.echo(text)
    else:
        show(result, compared=compared)
        if json_file:
            write_whole(json_file, text.encode())
    if plot:
        from kakudai.evaluate.frontier import plot_results

        plot_results([result], plot, compared=compared)
        say(f"written: {plot}")


def machine() -> dict[str, Any]:
    """Say where this was measured."""
    from kakudai import __version__
    from kakudai.cli.doctor import processor_name
    from kakudai.engine.runtimes import usable_processors

    return {"kakudai": __version__, "processor": processor_name(), "processors": usable_processors()}


def show(result: dict[str, Any], *, compared: bool) -> None:
    """Print one table for each scale, then what its marks mean."""
    from kakudai.evaluate.published import sources
    from kakudai.evaluate.results import scales
    from kakudai.evaluate.tables import LEGEND, REMEMBERED, grid

    text = ""
    for scale in scales([result]):
        protocol = next(entry["protocol"] for entry in result["sets"] if entry["scale"] == scale)
        headings, rows = grid([result], scale, compared=compared)
        print_table(headings, rows, title=f"protocol: {protocol}")
        text += "".join(cell for row in rows for cell in row)
    for key, source in sources().items():
        if re.search(rf"[\[ ]{key}[\],]", text):
            typer.echo(f"[{key}] {source}")
    if REMEMBERED in text:
        typer.echo(LEGEND)
    if any("speed" in facts for facts in result["methods"].values()):
        place = result["machine"]
        typer.echo(f"measured on {place['processors']} x {place['processor']}, shared with whatever else ran on it")
