"""How much one output pixel of an ONNX network changes with every input pixel: its derivative, by the chain rule.

The graph is walked backwards, from the tensors that a forward run has left. Convolutions and activations have their
own rules; every operator that only moves values about (reshape, slice, pad, tile, pixel shuffle, ...) has one rule for
all: it is run once more on the numbers of its input's elements, which tells where each element went.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import ModelInvalid
from kakudai.evaluate.layers import Graph, Values

Array: TypeAlias = NDArray[Any]

MOVING = {
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Resize", "Slice",
    "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip
"""Operators whose every output element is one input element, or nothing; Resize only where it is "nearest"."""

UNDRAWN = "its receptive field cannot be drawn"

LARGEST = 1 << 24
"""Elements that float32 can number exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """What an operator on single elements took and gave, and its attribute alpha."""

    x: Array
    y: Array
    alpha: float | None


SLOPES: dict[str, Callable[[Local], Array]] = {
    "Relu": lambda at: np.greater(at.x, 0),
    "LeakyRelu": lambda at: np.where(at.x > 0, 1.0, 0.01 if at.alpha is None else at.alpha),
    "Elu": lambda at: np.where(at.x > 0, 1.0, at.y + (1.0 if at.alpha is None else at.alpha)),
    "Tanh": lambda at: 1.0 - at.y * at.y,
    "Sigmoid": lambda at: at.y * (1.0 - at.y),
    "Clip": lambda at: np.equal(at.x, at.y),
    "Abs": lambda at: np.sign(at.x),
    "Neg": lambda at: -np.ones_like(at.x),
    "Sqrt": lambda at: 0.5 / at.y,
    "Exp": lambda at: at.y,
    "Cast": lambda at: np.ones_like(at.x),
}
"""Derivatives of operators that look at one element each."""


def input_gradient(graph: Graph, x: Array, seed: Array) -> Array:
    """Return the derivative of sum(seed * output) by every element of the input.

    Shape: x (1, C, H, W), seed of the output's shape -> (1, C, H, W) float64.

    Raises:
        ModelInvalid: An operator has no rule here, or the network does not run.
    """
    nodes = list(graph.model.graph.node)
    values = graph.run(x, [name for node in nodes for name in node.output if name])
    gradients: dict[str, Array] = {graph.output: seed.astype(np.float64)}
    reached = _depends_on_input(graph)
    for node in reversed(nodes):
        arriving = [gradients.pop(name, None) for name in node.output]
        if all(gradient is None for gradient in arriving):
            continue
        for name, gradient in _backwards(graph, node, arriving, values, reached=reached):
            gradients[name] = gradients[name] + gradient if name in gradients else gradient
    return gradients.get(graph.input, np.zeros(x.shape))


def _depends_on_input(graph: Graph) -> set[str]:
    """Return the tensors whose values, and not only whose shape, come from the input."""
    reached = {graph.input}
    for node in graph.model.graph.node:
        if node.op_type != "Shape" and reached.intersection(node.input):
            reached.update(node.output)
    return reached


def _backwards(
    graph: Graph, node: Any, arriving: list[Array | None], values: Values, *, reached: set[str]
) -> list[tuple[str, Array]]:
    """Return, for each input of an operator that matters, what flows back into it."""
    inputs = [name for name in node.input if name in reached]
    if node.op_type in MOVING:
        return _moved(node, arriving, values, inputs, graph.model.opset_import)
    gradient = arriving[0]
    assert gradient is not None
    if node.op_type in ("Add", "Sub", "Mul", "Div"):
        return _arithmetic(node, gradient, values, inputs)
    if inputs != [node.input[0]]:
        raise ModelInvalid(f"the weights of {node.name or node.op_type} depend on the picture", UNDRAWN)
    return [(node.input[0], _through(node, gradient, values))]


def _through(node: Any, gradient: Array, values: Values) -> Array:
    """Return what flows back into the first input of an operator whose other inputs are constant."""
    import onnx

    attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    x, y = values[node.input[0]], values[node.output[0]]
    if node.op_type in SLOPES:
        slope = SLOPES[node.op_type](Local(x, y, attributes.get("alpha")))
        return np.multiply(gradient, slope)
    if node.op_type in ("Conv", "ConvTranspose"):
        rule = _convolution if node.op_type == "Conv" else _transposed
        weight, place = values[node.input[1]], Geometry.of(attributes)
        return np.stack([rule(picture, x.shape[1:], weight, place) for picture in gradient])
    if node.op_type == "PRelu":
        return np.multiply(gradient, np.where(x > 0, 1.0, values[node.input[1]]))
    if node.op_type == "BatchNormalization":
        scale, variance = values[node.input[1]], values[node.input[4]]
        factor: Array = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
        return np.multiply(gradient, factor[:, None, None])
    if node.op_type in ("GlobalAveragePool", "ReduceMean") and gradient.ndim == x.ndim:
        return np.broadcast_to(gradient * (y.size / x.size), x.shape)
    raise ModelInvalid(f"the operator {node.op_type} has no derivative here", UNDRAWN)


def _moved(
    node: Any, arriving: list[Array | None], values: Values, inputs: list[str], opsets: Any
) -> list[tuple[str, Array]]:
    """Send elements back to where they came from: the operator is run on their numbers."""
    mode = [entry.s for entry in node.attribute if entry.name == "mode"]
    if node.op_type == "Resize" and mode not in ([], [b"nearest"]):
        raise ModelInvalid(f"Resize is {mode[0].decode()}", UNDRAWN)
    feeds, start = {name: values[name] for name in node.input if name}, 1
    for name in inputs:
        size = feeds[name].size
        feeds[name] = np.arange(start, start + size, dtype=np.float32).reshape(feeds[name].shape)
        start += size
    if start > LARGEST:
        raise ModelInvalid(f"{node.op_type} moves {start} elements", "take a smaller --crop")
    flat = np.zeros(start)
    for gradient, numbers in zip(arriving, _run_alone(node, feeds, opsets), strict=True):
        if gradient is not None:
            flat += np.bincount(numbers.astype(np.int64).ravel(), gradient.ravel(), start)
    parts, at = [], 1
    for name in inputs:
        size = values[name].size
        parts.append((name, flat[at : at + size].reshape(values[name].shape)))
        at += size
    return parts


def _run_alone(node: Any, feeds: Values, opsets: Any) -> list[Array]:
    """Run one operator; what it fills with counts as nothing, number 0."""
    import onnx
    import onnxruntime
    from onnx.helper import make_graph, make_model, make_tensor_value_info, np_dtype_to_tensor_dtype

    if node.op_type == "Pad" and len(node.input) > 2 and node.input[2]:
        feeds[node.input[2]] = np.zeros((), np.float32)
    inputs = [
        make_tensor_value_info(name, np_dtype_to_tensor_dtype(np.asarray(value).dtype), np.shape(value))
        for name, value in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    lone = make_graph([node], "one", inputs, outputs)
    model = make_model(lone, opset_imports=opsets, ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def _arithmetic(node: Any, gradient: Array, values: Values, inputs: list[str]) -> list[tuple[str, Array]]:
    """Return what flows into the two sides of +, -, * or /."""
    first, second = (values[name] for name in node.input)
    if node.op_type == "Mul":
        sides = (gradient * second, gradient * first)
    elif node.op_type == "Div":
        sides = (gradient / second, -gradient * first / second**2)
    else:
        sides = (gradient, gradient if node.op_type == "Add" else -gradient)
    both = zip(node.input, sides, strict=True)
    return [(name, _summed(side, values[name].shape)) for name, side in both if name in inputs]


def _summed(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Add up what one element was spread over by broadcasting."""
    extra = gradient.ndim - len(shape)
    wide = tuple(k for k in range(gradient.ndim) if k < extra or (shape[k - extra] == 1 and gradient.shape[k] > 1))
    result: Array = gradient.sum(axis=wide, keepdims=True).reshape(shape)
    return result


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a kernel is put: pads are top, left, bottom, right."""

    pads: tuple[int, int, int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    groups: int

    @classmethod
    def of(cls, attributes: dict[str, Any]) -> "Geometry":
        """Read the attributes of a convolution."""
        if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            raise ModelInvalid("a convolution pads by auto_pad", UNDRAWN)
        top, left, bottom, right = attributes.get("pads", [0] * 4)
        down, across = attributes.get("strides", [1, 1])
        rows, columns = attributes.get("dilations", [1, 1])
        return cls((top, left, bottom, right), (down, across), (rows, columns), attributes.get("group", 1))

    def taps(self, kernel: tuple[int, ...], size: tuple[int, ...]) -> list[tuple[int, int, tuple[slice, slice]]]:
        """Return, for each weight of a kernel, the padded pixels that it meets when it is put at `size` places."""
        return [
            (i, j, (self._line(0, i, size[0]), self._line(1, j, size[1])))
            for i in range(kernel[0])
            for j in range(kernel[1])
        ]

    def _line(self, axis: int, tap: int, count: int) -> slice:
        start, step = tap * self.dilations[axis], self.strides[axis]
        return slice(start, start + (count - 1) * step + 1, step)


def _convolution(gradient: Array, shape: tuple[int, ...], weight: Array, place: Geometry) -> Array:
    """Return the gradient of a convolution's input: every weight sends back what it took.

    Shape: (out, H', W') -> `shape`, which is (in, H, W).
    """
    top, left, bottom, right = place.pads
    padded = np.zeros((shape[0], shape[1] + top + bottom, shape[2] + left + right))
    wide, deep = shape[0] // place.groups, weight.shape[0] // place.groups
    for group in range(place.groups):
        inner, outer = slice(group * wide, (group + 1) * wide), slice(group * deep, (group + 1) * deep)
        for i, j, where in place.taps(weight.shape[2:], gradient.shape[1:]):
            padded[inner, *where] += np.tensordot(weight[outer, :, i, j], gradient[outer], (0, 0))
    return padded[:, top : top + shape[1], left : left + shape[2]]


def _transposed(gradient: Array, shape: tuple[int, ...], weight: Array, place: Geometry) -> Array:
    """Return the gradient of a transposed convolution's input, which is a convolution.

    Shape: (out, H', W') -> `shape`, which is (in, H, W).
    """
    top, left, bottom, right = place.pads
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], place.dilations, strict=True)]
    full = [(n - 1) * s + r for n, s, r in zip(shape[1:], place.strides, reach, strict=True)]
    given = (gradient.shape[1] + top + bottom, gradient.shape[2] + left + right)
    padded = np.zeros((gradient.shape[0], max(full[0], given[0]), max(full[1], given[1])))
    padded[:, top : top + gradient.shape[1], left : left + gradient.shape[2]] = gradient
    result = np.zeros(shape)
    wide, deep = weight.shape[1], shape[0] // place.groups
    for group in range(place.groups):
        inner, outer = slice(group * deep, (group + 1) * deep), slice(group * wide, (group + 1) * wide)
        for i, j, where in place.taps(weight.shape[2:], shape[1:]):
            result[inner] += np.tensordot(weight[inner, :, i, j], padded[outer, *where], (1, 0))
    return result
