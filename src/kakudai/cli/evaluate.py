"""`kakudai evaluate`."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from kakudai.cli.progress import counting
from kakudai.cli.report import say
from kakudai.cli.table import print_table
from kakudai.errors import OutputError, RuntimeUnavailable, UsageError


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

    if not sets:
        raise UsageError("no test set is named", "for example: --set ../shared/data/test/Set5")
    if wrong := [scale for scale in scales or [] if scale not in SCALES]:
        raise UsageError(f"the scale is {wrong[0]}", "accepted are 2, 3 and 4")
    to_stdout = json_file == Path("-")
    check_targets([path for path in (None if to_stdout else json_file, plot) if path])
    if plot:
        check_drawing(plot)
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
            json_file.write_text(text)
    if plot:
        from kakudai.evaluate.frontier import plot_results

        plot_results([result], plot, compared=compared)
        say(f"plot: {plot}")


def check_targets(paths: list[Path]) -> None:
    """Raise OutputError where a file could not be written after all the work, for its folder is missing."""
    for path in paths:
        if not path.parent.is_dir():
            raise OutputError(f"{path} cannot be written: there is no such folder", "make it first")


def check_drawing(plot: Path) -> None:
    """Raise an error where a plot could not be drawn after all the work."""
    if plot.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot is {plot}", "accepted are files that end with .png or .svg")
    if find_spec("matplotlib") is None:
        raise RuntimeUnavailable("drawing needs matplotlib, which is not installed", "pip install 'kakudai[train]'")


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
