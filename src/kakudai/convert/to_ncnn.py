"""Our networks as ncnn's two files, for waifu2x-ncnn-vulkan's relatives: realesrgan-ncnn-vulkan, Upscayl and others.

The input is called `data` and the output `output`, as those programs expect. Weights are float32, so nothing is lost.
What is written is read again and run beside the original before it is given out.
"""

import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.card import parse, read_card
from kakudai.convert.folded import EVERYTHING, Folded, Step, compute, fold_network
from kakudai.convert.ncnn_file import convert_ncnn
from kakudai.convert.ncnn_param import FROM_INPUT, MAGIC
from kakudai.errors import ModelInvalid

if TYPE_CHECKING:
    import onnx

INPUT, OUTPUT = "data", "output"
SIDE = 16
"""Pixels of the picture on which the result is compared with the original, times what its sides divide by."""

TOLERANCE = 1e-4
HINT = "it can be exported to ONNX"


@dataclass(frozen=True, slots=True)
class Line:
    """One layer to be written.

    Args:
        settings: Key -> number; whole numbers are written as such.
        weights: Bytes for the .bin.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    settings: dict[int, int | float] = field(default_factory=dict)
    weights: bytes = field(default=b"", repr=False)


def export_ncnn(data: bytes, name: str, *, check: bool = True) -> tuple[str, bytes]:
    """Write one of our networks in ncnn's form.

    Args:
        data: The ONNX file.
        name: What to call it in errors.
        check: Read it again and compare it with the original, which takes up to ten seconds.

    Returns:
        The text of the .param and the .bin.

    Raises:
        ModelInvalid: The network has an operator that ncnn, or this writer, does not know; or the result is for other
            programs, and they cannot tell it a strength.
        RuntimeUnavailable: The package onnx is missing.
    """
    model = parse(data, name)
    channels = int(model.graph.input[0].type.tensor_type.shape.dim[1].dim_value)
    if check and channels != 3:
        raise ModelInvalid(f"{name} is told a strength, which programs that use ncnn cannot do", HINT)
    folded = fold_network(model)
    try:
        lines = _Writer(folded, channels or 3).lines()
    except ModelInvalid as error:
        raise ModelInvalid(f"{name} cannot be written for ncnn: {error.message}", HINT) from error
    param, weights = _text(_with_splits(lines)), b"".join(line.weights for line in lines)
    if check:
        check_same(model, convert_ncnn(param, weights, name).graph, name)
    return param, weights


def check_same(original: "onnx.ModelProto", written: "onnx.ModelProto", name: str, *, inside: int = 0) -> None:
    """Run two networks on a small picture and compare.

    Args:
        inside: Pixels of the output's border that are not compared.

    Raises:
        ModelInvalid: They do not give the same.
    """
    multiple = int(read_card(original).get("multiple", "1"))
    side = -(-SIDE // multiple) * multiple
    x = np.random.default_rng(0).random((1, 3, side, side + multiple), np.float32)
    expected, y = compute(original, x), compute(written, x)
    if expected.shape == y.shape:
        part = np.s_[..., inside : y.shape[2] - inside, inside : y.shape[3] - inside]
        difference = float(np.abs(expected[part] - y[part]).max()) / max(1.0, float(np.abs(expected).max()))
        if difference <= TOLERANCE:
            return
    raise ModelInvalid(
        f"{name} is another network than this format can hold: written so, it computes something else", HINT
    )


class _Writer:
    """Makes layers of steps. `channels` says how many each tensor has; `flat` holds those with one number for each."""

    def __init__(self, folded: Folded, channels: int) -> None:
        self._folded = folded
        self._lines: list[Line] = []
        self.channels = {folded.input: channels}
        self.flat: set[str] = set()

    def lines(self) -> list[Line]:
        """Return all layers, the input first."""
        taken = self.channels[self._folded.input]
        for step in self._folded.steps:
            if step.kind not in STEPS:
                raise ModelInvalid(f"it has no layer for the operator {step.kind}", HINT)
            line = STEPS[step.kind](self, step)
            self._lines.append(line)
            if step.kind == "GlobalAveragePool" or all(name in self.flat for name in line.inputs):
                self.flat.add(step.output)
        names = {self._folded.input: INPUT, self._folded.output: OUTPUT}
        renamed = [Line("Input", (), INPUT, {0: 0, 1: 0, 2: taken})]
        for number, line in enumerate(self._lines, 1):
            names.setdefault(line.output, f"blob{number}")
            inputs = tuple(names[name] for name in line.inputs)
            renamed.append(replace(line, inputs=inputs, output=names[line.output]))
        return renamed

    def tensor(self, step: Step, index: int = 0) -> str:
        """Return the name of an input that depends on the picture."""
        name = step.given[index]
        if not isinstance(name, str):
            raise ModelInvalid(f"its operator {step.kind} takes a constant where a picture is expected", HINT)
        return name

    def same(self, step: Step, kind: str, settings: dict[int, int | float], weights: bytes = b"") -> Line:
        """Return a layer that leaves the number of channels as it is."""
        source = self.tensor(step)
        self.channels[step.output] = self.channels[source]
        return Line(kind, (source,), step.output, settings, weights)


def _convolution(writer: _Writer, step: Step) -> Line:
    weight, bias = step.constant(1), step.constant(2)
    source, transposed = writer.tensor(step), step.kind == "ConvTranspose"
    if weight is None or weight.ndim != 4 or step.attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ModelInvalid("it has a convolution whose weights or padding are not constant", HINT)
    groups = int(step.attributes.get("group", 1))
    outputs = int(weight.shape[1] * groups if transposed else weight.shape[0])
    height, width = (int(n) for n in weight.shape[2:])
    writer.channels[step.output] = outputs
    if transposed:  # (in, out / groups, ...) -> groups, out / groups, in / groups
        grouped = weight.reshape(groups, weight.shape[0] // groups, outputs // groups, height, width)
        weight = grouped.transpose(0, 2, 1, 3, 4)
    stored = _tagged(weight) + (_raw(bias) if bias is not None else b"")
    if source in writer.flat:
        if (height, width, groups, transposed) != (1, 1, 1, False):
            raise ModelInvalid("it has a convolution of averages that is larger than one pixel", HINT)
        settings: dict[int, int | float] = {0: outputs, 1: int(bias is not None), 2: int(weight.size)}
        return Line("InnerProduct", (source,), step.output, settings, stored)
    top, left, bottom, right = step.attributes.get("pads", [0, 0, 0, 0])
    down, across = step.attributes.get("strides", [1, 1])
    far, wide = step.attributes.get("dilations", [1, 1])
    settings = {
        0: outputs, 1: width, 11: height, 2: wide, 12: far, 3: across, 13: down, 4: left, 15: right, 14: top,
        16: bottom, 5: int(bias is not None), 6: int(weight.size),
    }  # fmt: skip
    kind = "Deconvolution" if transposed else "Convolution"
    if transposed:
        more = step.attributes.get("output_padding", [0, 0])
        settings |= {18: more[1], 19: more[0]}
    if groups > 1:
        kind, settings = f"{kind}DepthWise", settings | {7: groups}
    return Line(kind, (source,), step.output, settings, stored)


def _prelu(writer: _Writer, step: Step) -> Line:
    slopes = step.constant(1)
    if slopes is None or slopes.size not in (1, writer.channels[writer.tensor(step)]):
        raise ModelInvalid("it has a PReLU with other slopes than one for each channel", HINT)
    return writer.same(step, "PReLU", {0: int(slopes.size)}, _raw(slopes))


def _clip(writer: _Writer, step: Step) -> Line:
    low, high = step.constant(1), step.constant(2)
    bounds = (-3.4e38 if low is None else float(low), 3.4e38 if high is None else float(high))
    return writer.same(step, "Clip", {0: bounds[0], 1: bounds[1]})


OPERATIONS = {"Add": 0, "Sub": 1, "Mul": 2, "Div": 3, "Max": 4, "Min": 5, "Pow": 6}
REVERSED = {"Sub": 7, "Div": 8}


def _binary(writer: _Writer, step: Step) -> Line:
    if len(step.given) != 2:
        raise ModelInvalid(f"it has the operator {step.kind} of {len(step.given)} inputs", HINT)
    first, second = step.given
    if isinstance(first, str) and isinstance(second, str):
        return _of_two(writer, step, (first, second))
    constant, turned = (first, True) if isinstance(first, np.ndarray) else (second, False)
    if not isinstance(constant, np.ndarray):
        raise ModelInvalid(f"it has the operator {step.kind} without an input", HINT)
    source = writer.tensor(step, 1 if turned else 0)
    writer.channels[step.output] = channels = writer.channels[source]
    if constant.size == 1:
        operation = REVERSED.get(step.kind, OPERATIONS[step.kind]) if turned else OPERATIONS[step.kind]
        if turned and step.kind == "Pow":
            raise ModelInvalid("it has a power whose exponent is the picture", HINT)
        return Line("BinaryOp", (source,), step.output, {0: operation, 1: 1, 2: float(constant.reshape(()))})
    flat = constant.astype(np.float32).reshape(-1)
    if flat.size != channels or constant.shape[-3:] != (channels, 1, 1):
        raise ModelInvalid(f"it has the operator {step.kind} with a constant of the shape {constant.shape}", HINT)
    ones, zeros = np.ones_like(flat), np.zeros_like(flat)
    if step.kind not in ("Mul", "Add", "Sub", "Div") or (turned and step.kind == "Div"):
        raise ModelInvalid(f"it has the operator {step.kind} with one constant for each channel", HINT)
    factors, bias = {
        "Mul": (flat, zeros),
        "Add": (ones, flat),
        "Sub": (-ones, flat) if turned else (ones, -flat),
        "Div": (1 / flat if step.kind == "Div" else ones, zeros),
    }[step.kind]
    return Line("Scale", (source,), step.output, {0: channels, 1: 1}, _raw(factors) + _raw(bias))


def _of_two(writer: _Writer, step: Step, names: tuple[str, str]) -> Line:
    """Return the layer for an operator on two tensors; factors from averages are ncnn's Scale."""
    writer.channels[step.output] = max(writer.channels[name] for name in names)
    flat = [name in writer.flat for name in names]
    if step.kind == "Mul" and any(flat) and not all(flat):
        ordered = names if flat[1] else names[::-1]
        return Line("Scale", ordered, step.output, {0: FROM_INPUT})
    return Line("BinaryOp", names, step.output, {0: OPERATIONS[step.kind]})


def _concat(writer: _Writer, step: Step) -> Line:
    if step.attributes.get("axis") not in (1, -3):
        raise ModelInvalid("it puts pictures beside each other", HINT)
    names = tuple(writer.tensor(step, index) for index in range(len(step.given)))
    writer.channels[step.output] = sum(writer.channels[name] for name in names)
    return Line("Concat", names, step.output, {0: 0})


def _depth_to_space(writer: _Writer, step: Step) -> Line:
    block, source = int(step.attributes["blocksize"]), writer.tensor(step)
    writer.channels[step.output] = writer.channels[source] // block**2
    settings: dict[int, int | float] = {0: block, 1: int(step.attributes.get("mode", b"DCR") == b"DCR")}
    return Line("PixelShuffle", (source,), step.output, settings)


def _space_to_depth(writer: _Writer, step: Step) -> Line:
    block, source = int(step.attributes["blocksize"]), writer.tensor(step)
    writer.channels[step.output] = writer.channels[source] * block**2
    return Line("Reorg", (source,), step.output, {0: block, 1: 1})


def _repeat(writer: _Writer, step: Step) -> Line:
    factor = int(step.attributes["factor"])
    return _chosen(writer, step, np.arange(writer.channels[writer.tensor(step)]).repeat(factor))


def _chosen(writer: _Writer, step: Step, channels: NDArray[np.int64]) -> Line:
    """Return a convolution of one pixel that gives some of the channels, each as often as it is named."""
    source = writer.tensor(step)
    weight = np.eye(writer.channels[source], dtype=np.float32)[channels]
    writer.channels[step.output] = len(channels)
    settings: dict[int, int | float] = {0: len(channels), 1: 1, 6: int(weight.size)}
    return Line("Convolution", (source,), step.output, settings, _tagged(weight))


PADDING = {b"constant": 0, b"edge": 1, b"reflect": 2}


def _pad(writer: _Writer, step: Step) -> Line:
    pads, mode = step.constant(1), step.attributes.get("mode", b"constant")
    if pads is None or pads.size != 8 or pads[[0, 1, 4, 5]].any() or (pads < 0).any() or mode not in PADDING:
        raise ModelInvalid("it pads channels, or in an unknown way", HINT)
    value = step.constant(2)
    settings: dict[int, int | float] = {
        0: int(pads[2]), 1: int(pads[6]), 2: int(pads[3]), 3: int(pads[7]), 4: PADDING[mode],
        5: 0.0 if value is None else float(value.reshape(())),
    }  # fmt: skip
    return writer.same(step, "Padding", settings)


def _slice(writer: _Writer, step: Step) -> Line:
    values = [step.constant(index) for index in (1, 2, 3)]
    steps = step.constant(4)
    if any(value is None for value in values) or (steps is not None and (steps != 1).any()):
        raise ModelInvalid("it takes parts of a picture in an unknown way", HINT)
    parts = list(zip(*(np.ravel(value) for value in values), strict=True))  # type: ignore[arg-type]
    if len(parts) == 1 and parts[0][2] in (1, -3):
        start, end, _ = (int(number) for number in parts[0])
        return _chosen(writer, step, np.arange(writer.channels[writer.tensor(step)])[start:end])
    settings: dict[int, int | float] = {0: 0, 1: 0, 2: 0, 3: FROM_INPUT, 4: FROM_INPUT, 5: FROM_INPUT, 6: 0, 7: 0, 8: 0}
    for start, end, axis in parts:
        if axis % 4 not in (2, 3) or start < 0 or 0 <= end < EVERYTHING:
            raise ModelInvalid("it takes parts of a picture that depend on its size", HINT)
        first, last = (1, 7) if axis % 4 == 2 else (0, 6)
        settings[first], settings[last] = int(start), int(-end) if end < 0 else 0
    return writer.same(step, "Crop", settings)


INTERPOLATIONS = {
    (b"nearest", b"asymmetric"): 1, (b"linear", b"half_pixel"): 2, (b"linear", b"pytorch_half_pixel"): 2,
    (b"cubic", b"half_pixel"): 3, (b"cubic", b"pytorch_half_pixel"): 3,
}  # fmt: skip


def _resize(writer: _Writer, step: Step) -> Line:
    scales = step.constant(2)
    how = (
        step.attributes.get("mode", b"nearest"),
        step.attributes.get("coordinate_transformation_mode", b"half_pixel"),
    )
    exact = how[0] != b"nearest" or step.attributes.get("nearest_mode") == b"floor"
    keys = step.attributes.get("cubic_coeff_a", -0.75) == -0.75
    if scales is None or scales.size != 4 or how not in INTERPOLATIONS or not exact or not keys:
        raise ModelInvalid("it resizes in a way that ncnn has not", HINT)
    settings: dict[int, int | float] = {0: INTERPOLATIONS[how], 1: float(scales[2]), 2: float(scales[3])}
    return writer.same(step, "Interp", settings)


STEPS: dict[str, Callable[[_Writer, Step], Line]] = {
    **dict.fromkeys(OPERATIONS, _binary),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "DepthToSpace": _depth_to_space,
    "GlobalAveragePool": lambda writer, step: writer.same(step, "Pooling", {0: 1, 4: 1}),
    "LeakyRelu": lambda writer, step: writer.same(step, "ReLU", {0: float(step.attributes.get("alpha", 0.01))}),
    "PRelu": _prelu,
    "Pad": _pad,
    "Relu": lambda writer, step: writer.same(step, "ReLU", {}),
    "Repeat": _repeat,
    "Resize": _resize,
    "Sigmoid": lambda writer, step: writer.same(step, "Sigmoid", {}),
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Tanh": lambda writer, step: writer.same(step, "TanH", {}),
}


def _with_splits(lines: list[Line]) -> list[tuple[Line, tuple[str, ...]]]:
    """Return layers with their outputs; ncnn wants every blob to be taken once, so others are multiplied first."""
    uses = Counter(name for line in lines for name in line.inputs)
    taken = Counter[str]()
    complete: list[tuple[Line, tuple[str, ...]]] = []
    for line in lines:
        inputs = []
        for name in line.inputs:
            inputs.append(f"{name}_{taken[name]}" if uses[name] > 1 else name)
            taken[name] += 1
        complete.append((replace(line, inputs=tuple(inputs)), (line.output,)))
        if uses[line.output] > 1:
            copies = tuple(f"{line.output}_{number}" for number in range(uses[line.output]))
            complete.append((Line("Split", (line.output,), line.output), copies))
    return complete


def _text(lines: list[tuple[Line, tuple[str, ...]]]) -> str:
    rows = []
    for number, (line, outputs) in enumerate(lines):
        settings = " ".join(f"{key}={_number(value)}" for key, value in sorted(line.settings.items()))
        blobs = " ".join((*line.inputs, *outputs))
        name = f"{line.kind.lower()}_{number}"
        rows.append(f"{line.kind:<22} {name:<26} {len(line.inputs)} {len(outputs)} {blobs} {settings}".rstrip())
    count = sum(len(outputs) for _, outputs in lines)
    return "\n".join([MAGIC, f"{len(lines)} {count}", *rows]) + "\n"


def _number(value: float) -> str:
    """Write a number; ncnn takes one for a fraction where it has a point or an exponent."""
    return str(value) if isinstance(value, int) else f"{value:.8e}"


def _tagged(weight: NDArray[Any]) -> bytes:
    """Return weights behind the four bytes that say they are float32."""
    return struct.pack("<I", 0) + _raw(weight)


def _raw(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()
