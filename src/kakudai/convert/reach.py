"""How the features of every layer lie on the picture, read from the graph of a network without running it.

A feature is *clean* where it is what the same network would compute on a picture without borders: no padding that the
network adds has touched it. Near the borders of what the network is given features are not clean, and how many are not
follows from the operators alone. That is the halo of a network, exactly; and the squares of features that belong to a
tile follow from it, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, lcm
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.packages import needed

if TYPE_CHECKING:
    import onnx

SIDE = 2**9 * 3**3 * 5 * 7
"""Side of the square picture on which features are counted: whatever strides a network has, they divide it."""

ROWS, COLUMNS = 2, 3
"""Axes of (N, C, H, W). A graph is walked once for each, for some exporters cut rows first and columns then."""

LARGEST_CONSTANT = 4096
"""Values in a constant that is computed here; arguments of operators have far fewer."""

LARGEST_SLICE = 1 << 30
"""Slices that end behind this end with the picture."""

POINTWISE = frozenset({
    "Abs", "Add", "BatchNormalization", "Cast", "Ceil", "Clip", "Div", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu",
    "HardSigmoid", "HardSwish", "Identity", "IsNaN", "LeakyRelu", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow",
    "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Softplus", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu",
    "Where",
})  # fmt: skip
"""Operators that compute every feature from the ones at the same place."""


class Unknown(Exception):
    """The graph has something whose reach cannot be told from its structure."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How the rows, or the columns, of one tensor of features lie on a picture of `SIDE` of them.

    Args:
        size: Features along the axis.
        ratio: Pixels of the picture per feature.
        first: Features at the start that are not clean.
        tail: Features at the end that are not clean.
        level: How many averages over the whole picture had to be known before.
    """

    size: int
    ratio: Fraction
    first: int
    tail: int
    level: int

    @property
    def extra(self) -> int:
        """Features more than the picture has in this ratio; negative where a network loses its borders."""
        return self.size - int(SIDE / self.ratio)


@dataclass(frozen=True, slots=True)
class Single:
    """A tensor without places: computed from averages over the whole picture.

    Args:
        level: How many of them had to be known, one after the other.
    """

    level: int


Place = Reach | Single


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known about the tensors of a network.

    Args:
        output: How the first output lies on the picture.
        averages: For each average over the whole picture, in the order of the graph: the name of the node's output, and
            how the features lie that are averaged.
        multiple: Sides of a picture that this divides are divided by all strides.
    """

    output: Reach
    averages: dict[str, Reach]
    multiple: int


def layout(model: "onnx.ModelProto", *, edge_is_clean: bool = False) -> Layout:
    """Follow the features from the first input to the first output.

    Args:
        model: Takes a picture (N, C, H, W).
        edge_is_clean: The picture is known to go on as its edge pixels do, so that padding it by these changes
            nothing.

    Raises:
        Unknown: An operator is met whose reach is not known, or which treats rows and columns differently.
        RuntimeUnavailable: The package onnx is missing.
    """
    rows, columns = (_walked(model.graph, axis, edge_is_clean=edge_is_clean) for axis in (ROWS, COLUMNS))
    if rows != columns:
        raise Unknown("rows and columns lie differently")
    return rows


def _walked(graph: Any, axis: int, *, edge_is_clean: bool) -> Layout:
    walk = Walk(graph, axis, edge_is_clean=edge_is_clean)
    for node in graph.node:
        walk.visit(node)
    output = walk.places.get(graph.output[0].name)
    if not isinstance(output, Reach):
        raise Unknown("its output is no picture")
    strides = [place.ratio.numerator for place in walk.places.values() if isinstance(place, Reach)]
    return Layout(output, walk.averages, lcm(*strides))


class Walk:
    """One walk through a graph, in its order, that looks at rows or at columns."""

    def __init__(self, graph: Any, axis: int, *, edge_is_clean: bool) -> None:
        self._axis = axis
        self._onnx = needed("onnx")
        self._edge_is_clean = edge_is_clean
        self._values = {tensor.name: self._onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._picture = graph.input[0].name
        self._pads = {self._picture}
        self._opset = {"": 18}
        self.places: dict[str, Place] = {self._picture: Reach(SIDE, Fraction(1), 0, 0, 0)}
        self.averages: dict[str, Reach] = {}

    def visit(self, node: Any) -> None:
        """Learn how the outputs of one node lie.

        Raises:
            Unknown: Nothing is known about it.
        """
        given = [self.places[name] for name in node.input if name in self.places]
        if not given:
            self._evaluate(node)
            return
        if all(isinstance(place, Single) for place in given):
            place: Place = Single(max(place.level for place in given))
        else:
            place = self._reach(node, given)
        for name in node.output:
            self.places[name] = place

    def value(self, name: str) -> NDArray[Any]:
        """Return a constant of the graph."""
        if name not in self._values:
            raise Unknown(f"{name!r} is not a constant")
        value: NDArray[Any] = self._values[name]
        return value

    def argument(self, node: Any, index: int, default: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the input of a node that is a constant."""
        if index < len(node.input) and node.input[index]:
            return self.value(node.input[index])
        if default is None:
            raise Unknown(f"{node.op_type} has no argument {index}")
        return default

    def _evaluate(self, node: Any) -> None:
        """Compute a node that depends on constants alone; large ones are only ever weights."""
        arguments = {name: self.value(name) for name in node.input if name}
        if any(value.size > LARGEST_CONSTANT for value in arguments.values()):
            raise Unknown(f"{node.op_type} computes with large constants")
        from onnx.reference import ReferenceEvaluator

        results = ReferenceEvaluator(node, opsets=self._opset).run(None, arguments)
        self._values.update(zip(node.output, results, strict=True))

    def _reach(self, node: Any, given: list[Place]) -> Place:
        attributes = {entry.name: self._onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        kind = node.op_type
        among_channels = kind in ("Concat", "Split", "Gather") and attributes.get("axis", 0) in (1, -3)
        if kind in POINTWISE or among_channels:
            self._check_constants(node)
            return _together(given)
        (source,) = [place for place in given if isinstance(place, Reach)][:1]
        if len(given) > 1:
            raise Unknown(f"{kind} has several inputs that depend on the picture")
        if kind == "GlobalAveragePool" or (kind == "ReduceMean" and self._is_spatial(node, attributes)):
            self.averages[node.output[0]] = source
            return Single(source.level + 1)
        steps: dict[str, Callable[[], Reach]] = {
            "Conv": lambda: _window(source, Filter.of(attributes, self._axis, self.value(node.input[1]).shape[2:])),
            "MaxPool": lambda: _window(source, Filter.of(attributes, self._axis, attributes["kernel_shape"])),
            "AveragePool": lambda: _window(source, Filter.of(attributes, self._axis, attributes["kernel_shape"])),
            "ConvTranspose": lambda: _spread(
                source, Filter.of(attributes, self._axis, self.value(node.input[1]).shape[2:])
            ),
            "DepthToSpace": lambda: _shuffled(source, Fraction(attributes["blocksize"])),
            "SpaceToDepth": lambda: _shuffled(source, Fraction(1, attributes["blocksize"])),
            "Pad": lambda: self._pad(node, attributes, source),
            "Slice": lambda: self._slice(node, source),
            "Resize": lambda: self._resize(node, attributes, source),
        }
        if kind not in steps:
            raise Unknown(f"the reach of {kind} is not known")
        return steps[kind]()

    def _check_constants(self, node: Any) -> None:
        """Refuse constants that differ from place to place: they say where a tile lies."""
        for name in node.input:
            if not name or name in self.places:
                continue
            shape = self.value(name).shape
            lists_channels = len(shape) == 1 and node.op_type in ("BatchNormalization", "Gather", "Split")
            if max(shape[-2:], default=1) > 1 and not lists_channels:
                raise Unknown(f"{node.op_type} has a constant of shape {shape}")

    def _is_spatial(self, node: Any, attributes: dict[str, Any]) -> bool:
        axes = attributes.get("axes")
        axes = self.argument(node, 1) if axes is None else np.asarray(axes)
        return sorted(int(axis) % 4 for axis in axes) == [ROWS, COLUMNS]

    def _pad(self, node: Any, attributes: dict[str, Any], source: Reach) -> Reach:
        pads = self.argument(node, 1)
        axes = self.argument(node, 3, np.arange(4)) % 4
        before, after = np.zeros(4, int), np.zeros(4, int)
        before[axes], after[axes] = pads[: len(axes)], pads[len(axes) :]
        if before[:ROWS].any() or after[:ROWS].any():
            raise Unknown("Pad adds channels")
        start, end = int(before[self._axis]), int(after[self._axis])
        size = source.size + start + end
        if attributes.get("mode", b"constant") == b"edge" and self._edge_is_clean and node.input[0] in self._pads:
            self._pads.add(node.output[0])
            return replace(source, size=size)
        return replace(source, size=size, first=max(0, source.first + start), tail=max(0, source.tail + end))

    def _slice(self, node: Any, source: Reach) -> Reach:
        starts, ends = self.argument(node, 1), self.argument(node, 2)
        axes = self.argument(node, 3, np.arange(len(starts))) % 4
        steps = self.argument(node, 4, np.ones(len(starts), int))
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            if axis < ROWS or ((start, step) == (0, 1) and end > LARGEST_SLICE):
                continue
            if step != 1 or start < 0 or 0 <= end < LARGEST_SLICE:
                raise Unknown("Slice keeps a fixed number of features")
            if axis == self._axis:
                before, after = int(start), -int(end) if end < 0 else 0
                size, first, tail = source.size - before - after, source.first - before, source.tail - after
                source = replace(source, size=size, first=max(0, first), tail=max(0, tail))
        return source

    def _resize(self, node: Any, attributes: dict[str, Any], source: Reach) -> Reach:
        scales = self.argument(node, 2)
        mode = attributes.get("mode", b"nearest")
        origin = attributes.get("coordinate_transformation_mode", b"half_pixel")
        factor = float(scales[self._axis])
        if factor != int(factor) or factor < 1 or origin == b"align_corners" or (scales[:ROWS] != 1).any():
            raise Unknown(f"Resize by {scales.tolist()} is not known")
        whole = int(factor)
        support = {b"nearest": 1, b"linear": 1, b"cubic": 2}[mode]
        if mode == b"nearest" and origin == b"asymmetric" and attributes.get("nearest_mode") == b"floor":
            return _shuffled(source, Fraction(whole))
        # What is interpolated is not clean where the border of the picture stands in for a neighbour.
        return replace(
            source,
            size=source.size * whole,
            ratio=source.ratio / whole,
            first=whole * (source.first + support),
            tail=whole * (source.tail + support),
        )


def _together(given: list[Place]) -> Place:
    """Return the place of features that are computed from several at the same place."""
    spatial = [place for place in given if isinstance(place, Reach)]
    if len({(place.size, place.ratio) for place in spatial}) != 1:
        raise Unknown("features of different sizes are put together")
    return Reach(
        spatial[0].size,
        spatial[0].ratio,
        max(place.first for place in spatial),
        max(place.tail for place in spatial),
        max(place.level for place in given),
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """The arguments of a convolution or a pooling, along one axis."""

    side: int
    stride: int
    dilation: int
    before: int
    after: int
    more: int

    @classmethod
    def of(cls, attributes: dict[str, Any], axis: int, kernel: Any) -> "Filter":
        """Read the attributes of a node."""
        index = axis - ROWS
        if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or attributes.get("output_shape"):
            raise Unknown("its padding depends on the size of the picture")
        pads = attributes.get("pads", [0, 0, 0, 0])
        return cls(
            int(kernel[index]),
            attributes.get("strides", [1, 1])[index],
            attributes.get("dilations", [1, 1])[index],
            pads[index],
            pads[index + 2],
            attributes.get("output_padding", [0, 0])[index] + attributes.get("ceil_mode", 0),
        )


def _window(source: Reach, window: Filter) -> Reach:
    """Return the place of what a window sees that moves over features: convolution and pooling."""
    if window.more or (source.size - source.extra) % window.stride:
        raise Unknown("its strides do not divide the picture")
    reach = window.dilation * (window.side - 1)
    size = (source.size + window.before + window.after - reach - 1) // window.stride + 1
    first = max(0, -(-(source.first + window.before) // window.stride))
    last = (source.size - source.tail - 1 + window.before - reach) // window.stride
    return Reach(size, source.ratio * window.stride, first, max(0, size - 1 - last), source.level)


def _spread(source: Reach, window: Filter) -> Reach:
    """Return the place of what a transposed convolution makes."""
    reach = window.dilation * (window.side - 1)
    size = window.stride * (source.size - 1) + reach + 1 - window.before - window.after + window.more
    first = max(0, window.stride * (source.first - 1) + reach + 1 - window.before)
    last = window.stride * (source.size - source.tail) - window.before - 1
    return Reach(size, source.ratio / window.stride, first, max(0, size - 1 - last), source.level)


def _shuffled(source: Reach, factor: Fraction) -> Reach:
    """Return the place of features whose squares become channels, or the other way round."""
    size = source.size * factor
    if size.denominator != 1:
        raise Unknown("SpaceToDepth does not divide the picture")
    first, tail = ceil(source.first * factor), ceil(source.tail * factor)
    return replace(source, size=int(size), ratio=source.ratio / factor, first=first, tail=tail)
