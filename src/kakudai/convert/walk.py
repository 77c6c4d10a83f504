"""A picture followed through a network, along one axis: which of its pixels every pixel of every tensor was made of.

Every tensor is a line of pixels, and for each of them the first and the last input pixel that it depends on are known
exactly. Nothing is computed with weights, so a walk takes milliseconds, and a weight that happens to be zero cannot
hide anything.

A pixel is *clean* where it is what the same network would compute on a picture without borders: no padding that the
network adds has touched it.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.constants import Constants, NotConstant
from kakudai.convert.packages import needed

if TYPE_CHECKING:
    import onnx

LONGEST = 1 << 20
"""Pixels of a line; no network that enlarges 16 times makes more of the largest picture that is looked at."""

MOST = 1 << 25
"""Pixels of all lines together, at 16 bytes each; the deepest networks that people use have a tenth."""

LARGEST_FACTOR = 256.0
"""By which one operator may resize, up or down."""

LARGEST_SLICE = 1 << 30
"""Slices that end behind this end with the picture."""

POINTWISE = frozenset({
    "Abs", "Add", "BatchNormalization", "Cast", "Ceil", "Clip", "Div", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu",
    "HardSigmoid", "HardSwish", "Identity", "IsNaN", "LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "PRelu",
    "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Softplus", "Sqrt", "Sub", "Sum", "Tanh",
    "ThresholdedRelu", "Where",
})  # fmt: skip
"""Operators that compute every pixel from the ones at the same place."""

POOLS_ALL = frozenset({"GlobalAveragePool", "GlobalMaxPool"})

PADDINGS = (b"constant", b"edge", b"reflect")

RESIZE_TAPS = {b"nearest": (0, 0), b"linear": (0, 1), b"cubic": (-1, 2)}
"""First and last neighbour of the pixel floor(position)."""


class UnknownGeometry(Exception):
    """Something is met whose geometry cannot be told from the structure; the message says what."""


@dataclass(frozen=True, slots=True)
class Line:
    """The pixels of a tensor along one axis, each with the input pixels first .. last that it depends on.

    Args:
        clean: The first pixel that is clean, and the one behind the last; nothing is where these are not in order.
        ratio: Input pixels per pixel of this.
        level: How many averages over the whole picture had to be known before, one after the other.
        single: A tensor without places, computed from such averages alone.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    clean: tuple[int, int]
    ratio: Fraction = Fraction(1)
    level: int = 0
    single: bool = False

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class Window:
    """The arguments of a convolution or a pooling, along one axis.

    Args:
        reach: From its first pixel to its last.
        before: Pixels of padding at the start; `after` those at the end, and `more` those that are added to a result.
    """

    reach: int
    stride: int
    before: int = 0
    after: int = 0
    more: int = 0


class Walk:
    """A square picture, followed through a network along one axis.

    `lines` says how the pixels of every tensor lie, and `averages`, for the output of each operator that averages over
    the whole picture, how the features lie that it averages. `padded` says how many pixels are added to the picture
    itself, before and after it.

    Args:
        axis: 2 for rows, 3 for columns.
        edge_is_clean: The picture is known to go on as its edge pixels do, so that padding it by these changes
            nothing.

    Raises:
        UnknownGeometry: There is an operator of which nothing is known, or sizes do not fit.
    """

    def __init__(self, model: "onnx.ModelProto", side: int, axis: int, *, edge_is_clean: bool = False) -> None:
        self._axis, self._helper = axis, needed("onnx").helper
        self._constants = Constants(model)
        pictures = [entry.name for entry in model.graph.input if entry.name not in self._constants]
        whole = np.arange(side)
        self.lines = {name: Line(whole, whole, (0, side)) for name in pictures}
        self.averages: dict[str, Line] = {}
        self.padded, self._pictures = (0, 0), pictures
        self._goes_on = set(pictures) if edge_is_clean else set()
        self._output = model.graph.output[0].name
        try:
            self._follow(model.graph)
        except NotConstant as error:
            raise UnknownGeometry(str(error)) from error

    @property
    def output(self) -> Line:
        """How the output lies.

        Raises:
            UnknownGeometry: It does not depend on the picture, or has no places.
        """
        line = self.lines.get(self._output)
        if line is None or line.single:
            raise UnknownGeometry("an output that is no picture")
        return line

    def _follow(self, graph: Any) -> None:
        followed = 0
        for node in graph.node:
            given = [self.lines[name] for name in node.input if name in self.lines]
            if not given:
                self._constants.compute(node)
                continue
            line = self._step(node, given)
            followed += len(line)
            if followed > MOST:
                raise UnknownGeometry("too many pixels inside")
            self.lines.update(dict.fromkeys((name for name in node.output if name), line))

    def _step(self, node: Any, given: list[Line]) -> Line:
        """Return the line that one operator puts out."""
        attributes = {entry.name: self._helper.get_attribute_value(entry) for entry in node.attribute}
        kind, single = node.op_type, all(line.single for line in given)
        among_channels = attributes.get("axis", 0) in (1, -3)
        if kind in POINTWISE or (kind == "Concat" and among_channels):
            self._check_constants(node, single=single)
            return _merged(given, kind)
        if not single and (len(given) > 1 or node.input[0] not in self.lines):
            raise UnknownGeometry(f"{kind} whose arguments depend on the picture")
        line = replace(given[0], level=max(line.level for line in given))
        if kind in ("Gather", "Softmax", "Split") and among_channels:
            return line
        if kind in POOLS_ALL or (kind == "ReduceMean" and self._is_spatial(node, attributes)):
            return self._averaged(node, line)
        steps = {
            "AveragePool": self._pool, "Conv": self._convolution, "ConvTranspose": self._transposed,
            "DepthToSpace": self._enlarge, "MaxPool": self._pool, "Pad": self._pad, "Resize": self._resize,
            "Slice": self._slice, "SpaceToDepth": self._shrink,
        }  # fmt: skip
        if kind in steps and len(given) == 1:
            return steps[kind](node, attributes, line)
        if single:
            return line
        raise UnknownGeometry(kind)

    def _check_constants(self, node: Any, *, single: bool) -> None:
        """Refuse constants that differ from place to place: they say where a tile lies."""
        if single or node.op_type == "BatchNormalization":
            return
        for name in node.input:
            if name and name not in self.lines and max(self._constants.shape(name)[-2:], default=1) > 1:
                raise UnknownGeometry(f"{node.op_type} with a constant that is a picture")

    def _is_spatial(self, node: Any, attributes: dict[str, Any]) -> bool:
        """Say whether a mean is taken over height and width."""
        axes = attributes["axes"] if "axes" in attributes else self._constants.argument(node, 1, ())
        return sorted(int(axis) % 4 for axis in axes) == [2, 3]

    def _averaged(self, node: Any, line: Line) -> Line:
        if line.single:
            return line
        if node.op_type != "GlobalMaxPool":
            self.averages[node.output[0]] = line
        first, last = line.first.min(keepdims=True), line.last.max(keepdims=True)
        return Line(first, last, (0, 1), line.ratio, line.level + 1, single=True)

    def _window_of(self, kernel: Any, attributes: dict[str, Any]) -> Window:
        """Return the arguments of a convolution or a pooling along the axis.

        Args:
            kernel: Its height and width, behind anything else.
        """
        index = self._axis - 2
        if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or attributes.get("output_shape"):
            raise UnknownGeometry("padding that depends on the size of the picture")
        if attributes.get("ceil_mode"):
            raise UnknownGeometry("pooling with ceil_mode")
        pads = attributes.get("pads", (0, 0, 0, 0))
        strides, dilations = (attributes.get(name, (1, 1)) for name in ("strides", "dilations"))
        more = attributes.get("output_padding", (0, 0))
        if len(kernel) < 2 or len(pads) != 4 or {len(strides), len(dilations), len(more)} != {2}:
            raise UnknownGeometry("a convolution that is not of pictures")
        size, stride, dilation = int(kernel[index - 2]), int(strides[index]), int(dilations[index])
        if min(size, stride, dilation) < 1:
            raise UnknownGeometry(f"a kernel of {size} with the stride {stride} and the dilation {dilation}")
        return Window(dilation * (size - 1), stride, int(pads[index]), int(pads[index + 2]), int(more[index]))

    def _convolution(self, node: Any, attributes: dict[str, Any], line: Line) -> Line:
        return _moved(line, self._window_of(self._constants.shape(node.input[1]), attributes))

    def _pool(self, _node: Any, attributes: dict[str, Any], line: Line) -> Line:
        return _moved(line, self._window_of(attributes.get("kernel_shape", ()), attributes))

    def _transposed(self, node: Any, attributes: dict[str, Any], line: Line) -> Line:
        window = self._window_of(self._constants.shape(node.input[1]), attributes)
        size = (len(line) - 1) * window.stride + window.reach + 1 - window.before - window.after + window.more
        place = _places(size) + window.before
        start = -((window.reach - place) // window.stride)
        return _range(line, start, place // window.stride, line.ratio / window.stride)

    def _enlarge(self, _node: Any, attributes: dict[str, Any], line: Line) -> Line:
        block = max(1, attributes.get("blocksize", 1))
        return _take(line, _places(len(line) * block) // block, line.ratio / block)

    def _shrink(self, _node: Any, attributes: dict[str, Any], line: Line) -> Line:
        block = max(1, attributes.get("blocksize", 1))
        return _moved(line, Window(block - 1, block))

    def _pad(self, node: Any, attributes: dict[str, Any], line: Line) -> Line:
        pads, mode = self._constants.argument(node, 1), attributes.get("mode", b"constant")
        axes = [int(axis) % 4 for axis in self._constants.argument(node, 3, range(4))]
        if len(pads) != 2 * len(axes) or mode not in PADDINGS:
            raise UnknownGeometry("padding of an unknown kind")
        if self._axis not in axes:
            return line
        index = axes.index(self._axis)
        before, after = int(pads[index]), int(pads[index + len(axes)])
        place = _places(before + len(line) + after) - before
        if node.input[0] in self._pictures:
            self.padded = before, after
        if mode == b"edge" and node.input[0] in self._goes_on:
            self._goes_on.add(node.output[0])
            return replace(_take(line, place, line.ratio), clean=(0, len(place)))
        if mode != b"reflect":
            return _take(line, place, line.ratio)
        period = max(1, 2 * (len(line) - 1))
        mirrored = np.abs(place) % period
        mirrored = np.where(mirrored < len(line), mirrored, period - mirrored)
        return replace(_take(line, mirrored, line.ratio), clean=_take(line, place, line.ratio).clean)

    def _slice(self, node: Any, _attributes: dict[str, Any], line: Line) -> Line:
        starts, ends = self._constants.argument(node, 1), self._constants.argument(node, 2)
        axes = self._constants.argument(node, 3, range(len(starts)))
        steps = self._constants.argument(node, 4, [1] * len(starts))
        if not len(starts) == len(ends) == len(axes) == len(steps):
            raise UnknownGeometry("a slice that makes no sense")
        for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
            if axis % 4 != self._axis or line.single:
                continue
            if step < 1 or start < 0 or 0 <= end < LARGEST_SLICE:
                raise UnknownGeometry("a slice that keeps a fixed number of pixels")
            line = _take(line, np.arange(len(line))[start:end:step], line.ratio * step)
        if not len(line):
            raise UnknownGeometry("a slice that leaves nothing")
        return line

    def _resize(self, node: Any, attributes: dict[str, Any], line: Line) -> Line:
        scales = self._constants.argument(node, 2)
        factor = float(scales[self._axis]) if scales.size == 4 else 0.0
        mode = attributes.get("mode", b"nearest")
        how = attributes.get("coordinate_transformation_mode", b"half_pixel")
        if not 1 / LARGEST_FACTOR <= factor <= LARGEST_FACTOR or mode not in RESIZE_TAPS:
            raise UnknownGeometry("resizing by a factor that is not constant, or in an unknown way")
        place = _places(int(len(line) * factor))
        if how == b"asymmetric":
            centre: NDArray[np.floating[Any]] = place / factor
        elif how in (b"half_pixel", b"pytorch_half_pixel"):
            centre = (place + 0.5) / factor - 0.5
        else:  # where corners are aligned, a tile is resized by another factor than the picture
            raise UnknownGeometry(f"resizing by {how.decode(errors='replace')}")
        low, high = RESIZE_TAPS[mode]
        if attributes.get("antialias") and factor < 1:
            low, high = math.floor((low - 1) / factor), math.ceil((high + 1) / factor)
        if mode == b"nearest" and (how, attributes.get("nearest_mode")) != (b"asymmetric", b"floor"):
            low, high = 0, 1
        floor = np.floor(centre + 1e-6).astype(np.int64)
        return _range(line, floor + low, floor + high, line.ratio / Fraction(factor).limit_denominator(256))


def _merged(given: list[Line], kind: str) -> Line:
    """Return the line of what is computed from several at the same place; those without places go with all."""
    level = max(line.level for line in given)
    spatial = [line for line in given if not line.single] or given[:1]
    if len({(len(line), line.ratio) for line in spatial}) != 1:
        raise UnknownGeometry(f"{kind} of pictures of {' and '.join(str(len(line)) for line in given)} pixels")
    if len(spatial) == 1:
        return replace(spatial[0], level=level)
    first = np.min([line.first for line in spatial], axis=0)
    last = np.max([line.last for line in spatial], axis=0)
    clean = max(line.clean[0] for line in spatial), min(line.clean[1] for line in spatial)
    return Line(first, last, clean, spatial[0].ratio, level)


def _places(size: int) -> NDArray[np.int64]:
    if not 0 < size <= LONGEST:
        raise UnknownGeometry(f"a picture with a side of {size} pixels inside")
    return np.arange(size)


def _moved(line: Line, window: Window) -> Line:
    """Return the line of what a window sees that moves over a picture."""
    size = (len(line) + window.before + window.after - window.reach - 1) // window.stride + 1
    if size < 1:
        raise UnknownGeometry(f"a picture of {len(line)} pixels under a kernel of {window.reach + 1}")
    start = _places(size) * window.stride - window.before
    return _range(line, start, start + window.reach, line.ratio * window.stride)


def _take(line: Line, place: NDArray[np.int64], ratio: Fraction) -> Line:
    """Take pixels of a line; outside it goes on as its first and last do, and is not clean."""
    index = np.clip(place, 0, len(line) - 1)
    clean = _span((place >= line.clean[0]) & (place < line.clean[1]))
    return replace(line, first=line.first[index], last=line.last[index], clean=clean, ratio=ratio)


def _range(line: Line, start: NDArray[np.int64], end: NDArray[np.int64], ratio: Fraction) -> Line:
    """Join the pixels start .. end of a line, as far as they are inside; lines never go backwards."""
    clean, far = _span((start >= line.clean[0]) & (end < line.clean[1])), len(line) - 1
    first = np.minimum.accumulate(line.first[::-1])[::-1][np.clip(start, 0, far)]
    last = np.maximum.accumulate(line.last)[np.clip(end, 0, far)]
    return replace(line, first=first, last=last, clean=clean, ratio=ratio)


def _span(fine: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where a run of true values begins and where it has ended."""
    places = np.flatnonzero(fine)
    return (int(places[0]), int(places[-1]) + 1) if places.size else (0, 0)
