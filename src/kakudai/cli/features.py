"""`kakudai features`."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from kakudai.cli.report import say
from kakudai.cli.table import print_table
from kakudai.errors import OutputError, RuntimeUnavailable, UsageError


def features(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The picture that the network is to enlarge.")],
    model: Annotated[str, typer.Option("-m", "--model", help="Name, any ONNX file, or folder of a run.")] = "auto",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder for the pictures; features-MODEL if not given."),
    ] = None,
    crop: Annotated[
        str, typer.Option("--crop", help="What part: SIDE or WxH from the middle, WxH+X+Y, or 0 for all.")
    ] = "128",
    pixel: Annotated[
        str | None, typer.Option("--pixel", metavar="X,Y", help="Output pixel whose receptive field is drawn.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Draw the result of every operator, fixed filters included.")
    ] = False,
    same: Annotated[
        bool, typer.Option("--same-range", help="One range of colours for all maps of a layer, not one for each.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the index as JSON.")] = False,
) -> None:
    """Draw what every layer of a network makes of a picture, its first filters, and what one output pixel used.

    White is zero, red positive, blue negative. Writes a PNG for each layer, filters.png, receptive-field.png,
    input.png, output.png and index.json.

    Example: kakudai features photo.jpg --model photo-x2 -o features
    """
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise RuntimeUnavailable(f"this needs {package}, which is not installed", "pip install 'kakudai[train]'")
    from kakudai.evaluate.features import Look, choose_area, draw_features, open_graph
    from kakudai.image.files import read_image

    look = Look(everything, same, parse_pixel(pixel), str(image))
    picture, graph = read_image(image), open_graph(model)
    area = choose_area(crop, picture.height, picture.width, graph)
    if (area.width, area.height) != (picture.width, picture.height):
        say(f"of {picture.width}x{picture.height} pixels {area} are looked at; choose others with --crop")
    if picture.alpha is not None:
        say("transparency is not looked at")
    folder = output or Path(f"features-{graph.name}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}", "name another folder with -o") from error
    index = draw_features(graph, picture.color, area, folder, look, say=say)
    if as_json:
        typer.echo(json.dumps(index))
        return
    show(index)
    say(f"written: {folder}")


def parse_pixel(text: str | None) -> tuple[int, int] | None:
    """Read "X,Y".

    Raises:
        UsageError: It is something else.
    """
    if text is None:
        return None
    x, _, y = text.partition(",")
    if not (x.isdecimal() and y.isdecimal()):
        raise UsageError(f"--pixel is {text!r}", "accepted is X,Y, such as 120,80")
    return int(x), int(y)


def show(index: dict[str, Any]) -> None:
    """Print one line for each layer, and what is known about the receptive field."""
    rows = [
        [
            layer["file"],
            layer["kind"],
            f"{layer['channels']} x {layer['width']}x{layer['height']}",
            f"{layer['min']:.3g}",
            f"{layer['max']:.3g}",
            f"{layer['dead']:.0%}",
        ]
        for layer in index["layers"]
    ]
    print_table(["file", "layer", "maps", "least", "largest", "dead"], rows, title=index["model"])
    if field := index["receptive_field"]:
        shares = ", ".join(f"{float(share):.0%} of the influence in {n}x{n}" for share, n in field["squares"].items())
        typer.echo(f"receptive field: {field['size'][0]}x{field['size'][1]} input pixels; {shares}")
