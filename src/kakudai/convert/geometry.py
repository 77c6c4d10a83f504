"""What a network does to places: which input pixels an output pixel was made of, told from its structure alone.

Along one axis, every tensor is a line of pixels, and for each of them the first and the last input pixel that it
depends on are known exactly. Nothing is computed with weights, so a measurement takes milliseconds, and a weight that
happens to be zero cannot hide anything.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.packages import needed

if TYPE_CHECKING:
    import onnx

LARGEST_SIDE = 8192
"""A network that looks further than a quarter of this many pixels is said to look at everything."""

LONGEST = 1 << 20
"""Pixels of a line; no network that enlarges 16 times makes more of `LARGEST_SIDE`."""

LARGEST_SCALE = 16

ELEMENTWISE = frozenset({
    "Abs", "Add", "BatchNormalization", "Cast", "Clip", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Relu", "Selu", "Sigmoid",
    "Softplus", "Sqrt", "Sub", "Sum", "Tanh", "Where",
})  # fmt: skip

POOLS_ALL = frozenset({"GlobalAveragePool", "GlobalMaxPool"})

RESIZE_TAPS = {"nearest": (0, 0), "linear": (0, 1), "cubic": (-1, 2)}
"""First and last neighbour of the pixel floor(position)."""


class UnknownGeometry(Exception):
    """An operator is met whose geometry is not known; the message is its name."""


@dataclass(frozen=True, slots=True)
class Line:
    """The pixels of a tensor along one axis, each with the input pixels first .. last that it depends on.

    Args:
        everything: It depends on all of the picture.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    everything: bool = False

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a network maps places.

    Args:
        scale: Output pixels per input pixel.
        offset: Output pixels that are missing on each side, because convolutions are unpadded: the output has
            scale * n - 2 * offset pixels.
        halo: Input pixels around one pixel that its enlargement depends on; None for the whole picture.
        multiple: The sides of pictures for which this holds divide by this.
    """

    scale: int
    offset: int
    halo: int | None
    multiple: int


def lengths(model: "onnx.ModelProto", side: int) -> dict[str, tuple[int, int]]:
    """Return height and width of all tensors that are pictures, for a square picture of that side.

    Raises:
        UnknownGeometry: There is an operator of which nothing is known.
    """
    tall, wide = (walk(model, side, axis) for axis in (2, 3))
    return {name: (len(line), len(wide[name])) for name, line in tall.items()}


def measure_geometry(model: "onnx.ModelProto") -> Geometry:
    """Measure scale, margin, halo and multiple of a network from `x` to `y`.

    Raises:
        UnknownGeometry: There is an operator of which nothing is known, or the output is no enlarged picture.
    """
    output = model.graph.output[0].name
    sizes = {side: _size(model, side, output) for side in (256, 320)}
    scale, rest = divmod(sizes[320] - sizes[256], 64)
    if rest or scale < 1:
        raise UnknownGeometry(f"a picture of 256 pixels becomes one of {sizes[256]}, one of 320 {sizes[320]}")
    if scale > LARGEST_SCALE:
        raise UnknownGeometry(f"it enlarges {scale} times, accepted are 1 to {LARGEST_SCALE}")
    offset, odd = divmod(scale * 256 - sizes[256], 2)
    if odd:
        raise UnknownGeometry(f"a picture of 256 pixels becomes one of {sizes[256]}, not the same margin on both sides")
    pad = max(0, math.ceil(offset / scale))
    multiple = next((m for m in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64) if _holds(model, m, pad, (scale, offset))), None)
    if multiple is None:
        raise UnknownGeometry("its output is the enlarged picture for no sides that divide by 64")
    return Geometry(scale, offset, measure_halo(model, scale, offset), multiple)


def measure_halo(model: "onnx.ModelProto", scale: int, offset: int = 0) -> int | None:
    """Return how many input pixels around one pixel its enlargement depends on; None for the whole picture.

    Args:
        offset: Output pixels missing on each side.

    Raises:
        UnknownGeometry: There is an operator of which nothing is known.
    """
    output, side = model.graph.output[0].name, 192
    while side <= LARGEST_SIDE:
        reaches = []
        for axis in (2, 3):
            line = walk(model, side, axis)[output]
            if line.everything:
                return None
            centre = (np.arange(len(line)) + offset) // scale
            middle = (centre >= side * 3 // 8) & (centre < side * 5 // 8)
            reach = np.maximum(centre - line.first, line.last - centre)[middle]
            reaches.append(int(reach.max(initial=0)))
        if max(reaches) < side // 4:
            return max(reaches)
        side *= 2
    return None


def _size(model: "onnx.ModelProto", side: int, output: str) -> int:
    height, width = lengths(model, side)[output]
    if height != width:
        raise UnknownGeometry(f"a square of {side} pixels becomes {width}x{height}")
    return height


def _holds(model: "onnx.ModelProto", multiple: int, pad: int, promise: tuple[int, int]) -> bool:
    """Say whether pictures whose sides divide by `multiple` come out as promised, once they are padded."""
    scale, offset = promise
    start = max(1, 60 // multiple)
    padded = [multiple * n + 2 * pad for n in range(start, start + 4)]
    try:
        return all(len(walk(model, n, 2)[model.graph.output[0].name]) == scale * n - 2 * offset for n in padded)
    except UnknownGeometry:
        return False


def walk(model: "onnx.ModelProto", side: int, axis: int) -> dict[str, Line]:
    """Follow a square picture through a network along one axis.

    Args:
        axis: 2 for rows, 3 for columns.

    Raises:
        UnknownGeometry: There is an operator of which nothing is known, or sizes do not fit.
    """
    to_array = needed("onnx").numpy_helper.to_array
    constants = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
    indices = np.arange(side)
    lines = {entry.name: Line(indices, indices) for entry in model.graph.input if entry.name not in constants}
    for node in model.graph.node:
        attributes = {entry.name: entry for entry in node.attribute}
        if node.op_type == "Constant" and "value" in attributes:
            constants[node.output[0]] = to_array(attributes["value"].t)
            continue
        given = [lines[name] for name in node.input if name in lines]
        if not given:
            raise UnknownGeometry(f"{node.op_type} without a picture")
        values = [constants.get(name) for name in node.input]
        result = _step(node.op_type, given, values, attributes, axis)
        lines.update(dict.fromkeys(node.output, result))
    return lines


def _step(  # noqa: PLR0911 - one line for every operator
    kind: str, given: list[Line], values: list[NDArray[Any] | None], attributes: dict[str, Any], axis: int
) -> Line:
    """Compute the line that one operator puts out."""
    line = given[0]
    if kind in ELEMENTWISE or (kind == "Concat" and _integer(attributes, "axis", 1) in (1, -3)):
        return _merged(given, kind)
    if kind in ("Gather", "Softmax", "Split") and _integer(attributes, "axis", 0) in (1, -3):
        return line
    if kind in POOLS_ALL or (kind == "ReduceMean" and _means_picture(values, attributes)):
        return Line(line.first.min(keepdims=True), line.last.max(keepdims=True), everything=True)
    if kind == "Conv":
        return _window(line, *_window_of(attributes, values[1], axis))
    if kind in ("AveragePool", "MaxPool"):
        return _window(line, *_window_of(attributes, None, axis))
    if kind == "ConvTranspose":
        return _spread(line, _window_of(attributes, values[1], axis), _of_axis(attributes, "output_padding", axis, 0))
    if kind == "DepthToSpace":
        block = attributes["blocksize"].i
        return _take(line, _places(len(line) * block) // block)
    if kind == "SpaceToDepth":
        block = attributes["blocksize"].i
        return _window(line, block, block, 1, (0, 0))
    if kind == "Pad":
        return _padded(line, values, attributes, axis)
    if kind == "Slice":
        return _sliced(line, values, axis)
    if kind == "Resize":
        return _resized(line, values, attributes, axis)
    raise UnknownGeometry(kind)


def _merged(given: list[Line], kind: str) -> Line:
    size = max(len(line) for line in given)
    if any(len(line) not in (1, size) for line in given):
        raise UnknownGeometry(f"{kind} of pictures of {' and '.join(str(len(line)) for line in given)} pixels")
    first = np.min([np.broadcast_to(line.first, size) for line in given], axis=0)
    last = np.max([np.broadcast_to(line.last, size) for line in given], axis=0)
    return Line(first, last, any(line.everything for line in given))


def _places(size: int) -> NDArray[np.int64]:
    if not 0 < size <= LONGEST:
        raise UnknownGeometry(f"a picture with a side of {size} pixels inside")
    return np.arange(size)


def _take(line: Line, index: NDArray[np.int64]) -> Line:
    return Line(line.first[index], line.last[index], line.everything)


def _window_of(
    attributes: dict[str, Any], weight: NDArray[Any] | None, axis: int
) -> tuple[int, int, int, tuple[int, int]]:
    """Return kernel, stride, dilation and pads along one axis."""
    if "auto_pad" in attributes and attributes["auto_pad"].s not in (b"NOTSET", b"VALID"):
        raise UnknownGeometry(f"auto_pad {attributes['auto_pad'].s.decode(errors='replace')}")
    if attributes.get("ceil_mode") is not None and attributes["ceil_mode"].i:
        raise UnknownGeometry("pooling with ceil_mode")
    kernel = weight.shape[axis] if weight is not None else _of_axis(attributes, "kernel_shape", axis, 0)
    if kernel < 1:
        raise UnknownGeometry("a convolution whose kernel is not constant")
    pads = tuple(attributes["pads"].ints) if "pads" in attributes else (0, 0, 0, 0)
    stride, dilation = _of_axis(attributes, "strides", axis, 1), _of_axis(attributes, "dilations", axis, 1)
    return kernel, stride, dilation, (pads[axis - 2], pads[axis])


def _window(line: Line, kernel: int, stride: int, dilation: int, pads: tuple[int, int]) -> Line:
    reach = dilation * (kernel - 1)
    size = (len(line) + sum(pads) - reach - 1) // stride + 1
    if size < 1:
        raise UnknownGeometry(f"a picture of {len(line)} pixels under a kernel of {reach + 1}")
    start = np.arange(size) * stride - pads[0]
    return _range(line, start, start + reach)


def _spread(line: Line, window: tuple[int, int, int, tuple[int, int]], more: int) -> Line:
    kernel, stride, dilation, pads = window
    reach = dilation * (kernel - 1)
    size = (len(line) - 1) * stride + reach + 1 - sum(pads) + more
    if size < 1:
        raise UnknownGeometry("a transposed convolution that leaves nothing")
    place = _places(size) + pads[0]
    return _range(line, -((reach - place) // stride), place // stride)


def _range(line: Line, start: NDArray[np.int64], end: NDArray[np.int64]) -> Line:
    """Join the pixels start .. end of a line, as far as they are inside; lines never go backwards."""
    far = len(line) - 1
    start, end = np.clip(start, 0, far), np.clip(end, 0, far)
    first = np.minimum.accumulate(line.first[::-1])[::-1][start]
    last = np.maximum.accumulate(line.last)[end]
    return Line(first, last, line.everything)


def _padded(line: Line, values: list[NDArray[Any] | None], attributes: dict[str, Any], axis: int) -> Line:
    mode = attributes["mode"].s.decode() if "mode" in attributes else "constant"
    if len(values) < 2 or values[1] is None or values[1].size != 8 or (len(values) > 3 and values[3] is not None):
        raise UnknownGeometry("padding that is not constant")
    before, after = int(values[1][axis]), int(values[1][axis + 4])
    index = _places(before + len(line) + after) - before
    if mode == "reflect":
        period = max(1, 2 * (len(line) - 1))
        index = np.abs(index) % period
        index = np.where(index < len(line), index, period - index)
    return _take(line, np.clip(index, 0, len(line) - 1))


def _sliced(line: Line, values: list[NDArray[Any] | None], axis: int) -> Line:
    if len(values) < 4 or any(value is None for value in values[1:]):
        raise UnknownGeometry("slices that are not constant")
    starts, ends, axes = (np.ravel(value) for value in values[1:4])  # type: ignore[arg-type]
    steps = np.ravel(values[4]) if len(values) > 4 else np.ones_like(axes)  # type: ignore[arg-type]
    for start, end, which, step in zip(starts, ends, axes, steps, strict=True):
        if which % 4 == axis:
            line = _take(line, np.arange(len(line))[slice(int(start), int(end), int(step))])
    if not len(line):
        raise UnknownGeometry("a slice that leaves nothing")
    return line


def _resized(line: Line, values: list[NDArray[Any] | None], attributes: dict[str, Any], axis: int) -> Line:
    scales = values[2] if len(values) > 2 else None
    if scales is None or scales.size != 4:
        raise UnknownGeometry("resizing by a factor that is not constant")
    factor = float(scales[axis])
    mode = attributes["mode"].s.decode() if "mode" in attributes else "nearest"
    how = attributes.get("coordinate_transformation_mode")
    how = how.s.decode() if how is not None else "half_pixel"
    size = int(len(line) * factor)
    place = _places(size)
    if how == "asymmetric":
        centre: NDArray[np.floating[Any]] = place / factor
    elif how == "align_corners":
        centre = place * (len(line) - 1) / max(1, size - 1)
    elif how in ("half_pixel", "pytorch_half_pixel"):
        centre = (place + 0.5) / factor - 0.5
    else:
        raise UnknownGeometry(f"resizing by {how}")
    low, high = RESIZE_TAPS[mode]
    if "antialias" in attributes and attributes["antialias"].i and factor < 1:
        low, high = math.floor((low - 1) / factor), math.ceil((high + 1) / factor)
    if mode == "nearest" and not (how == "asymmetric" and attributes["nearest_mode"].s == b"floor"):
        low, high = 0, 1
    floor = np.floor(centre + 1e-6).astype(np.int64)
    return _range(line, floor + low, floor + high)


def _means_picture(values: list[NDArray[Any] | None], attributes: dict[str, Any]) -> bool:
    """Say whether a mean is taken over height and width, and both are kept with one pixel."""
    axes = list(attributes["axes"].ints) if "axes" in attributes else None
    if axes is None and len(values) > 1 and values[1] is not None:
        axes = [int(n) for n in np.ravel(values[1])]
    return axes is not None and sorted(n % 4 for n in axes) == [2, 3] and _integer(attributes, "keepdims", 1) == 1


def _integer(attributes: dict[str, Any], name: str, default: int) -> int:
    return int(attributes[name].i) if name in attributes else default


def _of_axis(attributes: dict[str, Any], name: str, axis: int, default: int) -> int:
    return int(attributes[name].ints[axis - 2]) if name in attributes and attributes[name].ints else default
