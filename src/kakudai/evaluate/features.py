"""What a network makes of a picture, layer by layer: feature maps, first filters and the receptive field, as files."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.engine.loading import load_model
from kakudai.errors import ModelInvalid, ModelNotFound, UsageError
from kakudai.evaluate.choose import model_source
from kakudai.evaluate.layers import Graph, Layer
from kakudai.evaluate.maps import dead_maps, filters_sheet, maps_sheet
from kakudai.evaluate.receptive import ReceptiveField, field_sheet, measure_field
from kakudai.image.color import luma_bt601_full
from kakudai.image.files import write_image
from kakudai.image.picture import Picture, Pixels, full_scale
from kakudai.image.resize import fold

SCHEMA = 1
"""Version of index.json."""

GEOMETRY = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?(?:\+(\d{1,5})\+(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}+{self.left}+{self.top}"


def choose_area(text: str, height: int, width: int, graph: Graph) -> Area:
    """Return the part of a picture that a geometry means, cut to the picture and to what the network takes.

    Args:
        text: SIDE or WxH, from the middle; WxH+X+Y from there; 0 for all.

    Raises:
        UsageError: It is no geometry, or lies outside the picture.
    """
    match = GEOMETRY.fullmatch(text)
    if not match:
        raise UsageError(f"--crop is {text!r}", "accepted are SIDE, WxH, WxH+X+Y, and 0 for the whole picture")
    across, down = int(match[1]), int(match[2] or match[1])
    fixed_down, fixed_across = graph.size  # a network of a fixed size has the last word
    across, down = fixed_across or min(across or width, width), fixed_down or min(down or height, height)
    left, top = max(0, width - across) // 2, max(0, height - down) // 2
    if match[3]:
        left, top = int(match[3]), int(match[4])
    multiple = _geometry(graph)["multiple"]
    across, down = (
        min(size, room) // multiple * multiple for size, room in ((across, width - left), (down, height - top))
    )
    if across < 1 or down < 1:
        raise UsageError(f"--crop {text} has no pixel of the {width}x{height} picture", "choose a place inside it")
    if (fixed_across or across, fixed_down or down) != (across, down):
        raise UsageError(
            f"{graph.name} takes {fixed_across}x{fixed_down} pixels and nothing else", "use a larger picture"
        )
    return Area(left, top, across, down)


def open_graph(text: str) -> Graph:
    """Open a shipped or imported model, any model file, or the network of a run.

    Raises:
        ModelError: There is none, or it is not one picture in and one out.
    """
    source = model_source(text)
    path = Path(source)
    if path.suffix.lower() != ".onnx":
        model = load_model(source)
        return Graph(model.data, model.name)
    if not path.is_file():
        raise ModelNotFound(
            f"there is no model, file or folder {str(path)!r}", "see the shipped ones with: kakudai models list"
        )
    return Graph(path.read_bytes(), path.stem)


def network_input(color: Pixels, channels: int) -> NDArray[np.float32]:
    """Convert a picture to what a network takes. Shape: (H, W, 1 | 3) of any depth -> (1, channels, H, W) in [0, 1]."""
    values = color.astype(np.float32) / np.float32(full_scale(color.dtype))
    if channels == 1 and color.shape[2] == 3:
        values = luma_bt601_full(values).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(values.transpose(2, 0, 1), (channels, *values.shape[:2]))[None])


@dataclass(frozen=True, slots=True)
class Look:
    """What to look at.

    Args:
        everything: All operators and fixed filters, not only trained convolutions with their activations.
        same: The maps of a layer share one range of colours.
        pixel: (x, y) of the output pixel whose receptive field is drawn; the middle if None.
        picture: What the index calls the picture.
    """

    everything: bool = False
    same: bool = False
    pixel: tuple[int, int] | None = None
    picture: str = ""


def draw_features(
    graph: Graph,
    color: Pixels,
    area: Area,
    folder: Path,
    look: Look | None = None,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write a PNG for every layer, the first filters, the input, the output, the receptive field, and index.json.

    The network sees what lies around the part that is looked at, or its mirror image where the picture ends, as it
    does when it is used; all that is drawn is that part alone.

    Shape: color (H, W, 1 | 3).

    Args:
        folder: Where to; it must exist.
        say: Called with what cannot be drawn.

    Returns:
        What index.json holds.

    Raises:
        ModelInvalid: The network does not run on this picture.
    """
    look, margin = look or Look(), _margin(graph)
    x = network_input(_with_surroundings(color, area, margin), graph.channels)
    layers = _selected(graph, look)
    tensors = [*(layer.tensor for layer in layers), graph.output]
    values = graph.run(x, tensors)
    ratios = map_ratios(graph, tensors) if margin else {}

    def part(tensor: str) -> NDArray[np.float32]:
        maps: NDArray[np.float32] = values[tensor][0]
        return middle(maps, (area.height, area.width), ratios[tensor]) if margin else maps

    index: dict[str, Any] = {"schema": SCHEMA, "model": graph.name, "picture": look.picture, "area": str(area)}
    index["input"] = _written(middle(x[0], (area.height, area.width), 1.0), folder / "input.png")
    index["output"] = _written(part(graph.output), folder / "output.png")
    shown = [layer for layer in layers if _is_map(values[layer.tensor])]
    index["filters"] = _write_filters(shown, folder)
    index["layers"] = [
        _write_layer(layer, part(layer.tensor), folder, number, same=look.same) for number, layer in enumerate(shown, 1)
    ]
    field = _field(graph, x, values[graph.output].shape, look.pixel, margin, say=say)
    index["receptive_field"] = field and _write_field(field, x, folder, graph.name, margin)
    (folder / "index.json").write_text(json.dumps(index, indent=1))
    return index


def middle(maps: NDArray[np.float32], size: tuple[int, int], ratio: float) -> NDArray[np.float32]:
    """Cut the part that is looked at out of maps that are `ratio` times as large as the input.

    Shape: (C, H, W) -> (C, ratio height, ratio width), or less where the maps are smaller.

    Args:
        size: Height and width of the part, in input pixels.
    """
    for axis, wanted in enumerate(size, 1):
        kept = min(maps.shape[axis], max(1, round(wanted * ratio)))
        start = (maps.shape[axis] - kept) // 2
        maps = maps.take(range(start, start + kept), axis)
    return maps


def map_ratios(graph: Graph, tensors: Sequence[str]) -> dict[str, float]:
    """Return how much a side of each tensor grows with that of the input: 2 behind a twofold enlargement.

    Sizes themselves do not tell, for networks pad inside, and lose borders.
    """
    multiple = _geometry(graph)["multiple"]
    small = -(-32 // multiple) * multiple
    sides = (small, small + -(-16 // multiple) * multiple)
    runs = [graph.run(np.zeros((1, graph.channels, side, side), np.float32), tensors) for side in sides]
    return {
        name: (runs[1][name].shape[2] - runs[0][name].shape[2]) / (sides[1] - sides[0])
        for name in tensors
        if runs[0][name].ndim == 4
    }


def _margin(graph: Graph) -> int:
    """Return how many pixels around a part the network should see: its halo, where that is known."""
    if graph.size != (None, None):
        return 0
    facts = _geometry(graph)
    halo, multiple = int(facts["halo"] or 0), int(facts["multiple"])
    return -(-halo // multiple) * multiple


def _with_surroundings(color: Pixels, area: Area, margin: int) -> Pixels:
    rows = fold(np.arange(area.top - margin, area.top + area.height + margin), color.shape[0])
    columns = fold(np.arange(area.left - margin, area.left + area.width + margin), color.shape[1])
    return color[rows][:, columns]


def _selected(graph: Graph, look: Look) -> list[Layer]:
    if look.everything:
        return graph.everything()
    convolutions = graph.convolutions()
    return [layer for layer in convolutions if layer.trained] or convolutions


def _is_map(value: NDArray[Any]) -> bool:
    return value.dtype == np.float32 and value.ndim == 4 and value.shape[0] == 1 and min(value.shape) > 0


def _written(planes: NDArray[np.float32], path: Path) -> dict[str, Any]:
    """Write an input or output as a picture and say what it is. Shape: (1 | 3, H, W)."""
    write_image(Picture(_pixels(planes)), path, format="png")
    channels, height, width = planes.shape
    return {"file": path.name, "width": width, "height": height, "channels": channels}


def _pixels(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = (np.clip(planes.transpose(1, 2, 0), 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels


def _write_filters(layers: Sequence[Layer], folder: Path) -> str | None:
    """Draw the filters of the first trained layer; None where they look at something else than a picture."""
    first = next((layer for layer in layers if layer.trained and layer.weight is not None), None)
    if first is None or first.weight is None or first.weight.shape[1] not in (1, 3) or first.weight.ndim != 4:
        return None
    filters_sheet(first.name, first.kind, first.weight).save(folder / "filters.png")
    return "filters.png"


def _write_layer(layer: Layer, maps: NDArray[np.float32], folder: Path, number: int, *, same: bool) -> dict[str, Any]:
    name = re.sub(r"[^\w.-]+", "-", layer.name).strip("-.")
    file = f"{number:02}-{name[-60:]}.png"
    maps_sheet(layer.name, layer.kind, maps, same=same).save(folder / file)
    dead = dead_maps(maps)
    channels, height, width = maps.shape
    return {
        "name": layer.name,
        "kind": layer.kind,
        "file": file,
        "channels": channels,
        "width": width,
        "height": height,
        "min": float(maps.min()),
        "max": float(maps.max()),
        "mean": float(maps.mean()),
        "dead": float(dead.mean()),
        "zero": float((maps == 0).mean()),
    }


def _field(
    graph: Graph,
    x: NDArray[np.float32],
    shape: tuple[int, ...],
    pixel: tuple[int, int] | None,
    margin: int,
    *,
    say: Callable[[str], None],
) -> ReceptiveField | None:
    """Measure the receptive field of a pixel of the part; None, with a word, where that is not possible.

    Raises:
        UsageError: The pixel lies outside the part.
    """
    scale = shape[2] // x.shape[2]
    if scale < 1 or shape[2:] != (x.shape[2] * scale, x.shape[3] * scale):
        say("the receptive field is not drawn: the output is not the input enlarged")
        return None
    width, height = (size - 2 * margin * scale for size in (shape[3], shape[2]))
    column, row = pixel or (width // 2, height // 2)
    if column >= width or row >= height:
        part = f"{width // scale}x{height // scale} pixels that are looked at, enlarged {scale} times"
        hint = "pixels are counted in the output of that part; --crop chooses another, --crop 0 the whole picture"
        raise UsageError(f"--pixel {column},{row} is outside the output of {width}x{height}: the {part}", hint)
    try:
        return measure_field(graph, x, shape, (column + margin * scale, row + margin * scale), **_geometry(graph))
    except ModelInvalid as error:
        say(f"the receptive field is not drawn: {error.message}")
        return None


def _write_field(field: ReceptiveField, x: NDArray[np.float32], folder: Path, name: str, margin: int) -> dict[str, Any]:
    facts = field.as_json(margin)
    title = "{}: what the output pixel {}, {} was computed from".format(name, *facts["output_pixel"])
    image = np.repeat(_pixels(x[0]), 3 // x.shape[1], axis=2)
    field_sheet(field, image, title).save(folder / "receptive-field.png")
    return {"file": "receptive-field.png", **facts}


def _geometry(graph: Graph) -> dict[str, Any]:
    """Return halo and multiple where the file has our card."""
    halo, multiple = (graph.metadata.get(f"kakudai.{key}", "") for key in ("halo", "multiple"))
    return {
        "halo": int(halo) if halo.isdecimal() else None,
        "multiple": int(multiple) if multiple.isdecimal() and int(multiple) else 1,
    }
