"""ONNX files of others: what they take and give is found out by showing them pictures, and wrapped into our form.

| question                | how it is answered                                                          |
|-------------------------|-----------------------------------------------------------------------------|
| type, layout, channels  | by the declared input; by trying where sizes are not declared               |
| scale, margin, multiple | by running squares of several sizes                                         |
| range, order of colours | by what makes the result most like the picture that the input was shrunk of |
| halo                    | by the operators, or measured on strips whose ends are changed              |

Half-precision weights become float32, which processors compute faster; older operator sets are brought up to date.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert import halo, probe
from kakudai.convert.card import Converted, check_graph, graphs, nodes, parse, tensors
from kakudai.convert.graph import IR_VERSION, LUMA, OPSET, GraphBuilder
from kakudai.convert.packages import needed
from kakudai.convert.ports import KINDS, Port, Range, adapted, read, show
from kakudai.convert.windows import in_windows, overlap_of
from kakudai.errors import ModelInvalid
from kakudai.models.onnx_file import read_metadata

if TYPE_CHECKING:
    import onnx

MULTIPLES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
SIDES = ((64, 128), (96, 192))
"""Sizes from which scale and margin are computed; each of `MULTIPLES` divides those of one pair."""

LOWEST_PSNR = 14.0
"""Below this in decibels, what a network returns is not the picture that it was given."""

CLEARLY_BETTER = 0.3
"""Decibels by which another range than 0..1, or blue first, must win: many networks hardly care."""

FAR_OUT = 1e4
"""Pixels that no picture has: what comes out then shows where a network cuts off."""

SAME = 1e-4

LEAST_WINDOW = 32
"""Side of the smallest pictures that a network may be limited to."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a network does to the sides of pictures: n pixels become scale * n - 2 * offset.

    Args:
        multiple: Sides divide by this, after `pad` pixels were added at all sides.
        pad: Pixels that make up for the offset.
        only: The one side that pictures may have; 0 where they may have many.
    """

    scale: int
    offset: int
    multiple: int
    pad: int
    only: int = 0

    def side(self, least: int) -> int:
        """Return a side that the network itself takes, of `least` pixels or a few more."""
        return self.only or self.multiple * -(-least // self.multiple) + 2 * self.pad


def convert_onnx(data: bytes, name: str, open_network: probe.OpenNetwork) -> Converted:
    """Convert an ONNX file of another program.

    Args:
        data: The whole file.
        name: What to call the model.
        open_network: Runs ONNX files.

    Raises:
        ModelInvalid: It is damaged, keeps weights elsewhere, has operators of its own, takes or gives something else
            than one picture, or what it gives is not the picture enlarged.
    """
    read_metadata(data, name)
    model = _modern(_loaded(data, name), name)
    port = _declared(model, name)
    free = needed("onnx").ModelProto()
    free.CopyFrom(model)
    _free_sizes(free, port)
    try:
        run, port, sizes = _measured(free, port, open_network, name)
        model = free
    except ModelInvalid as error:
        run = adapted(open_network(model.SerializeToString()), port)
        sizes = _only_size(run, port, name, error)
    port, psnr = _best(run, port, sizes, name)
    graph = _wrapped(model, port, sizes)
    ours = open_network(graph.SerializeToString())
    _check_wrapping(run, ours, port, sizes, name)
    if sizes.only:
        reach: int | None = sizes.pad
        said = f"it takes {sizes.only}x{sizes.only} pixels only, and runs on overlapping windows"
    else:
        reach, said = halo.find_halo(graph, ours, scale=sizes.scale, multiple=sizes.multiple)
    card = {
        "name": name,
        "scale": str(sizes.scale),
        "halo": "none" if reach is None else str(reach),
        "multiple": str(sizes.multiple),
        "color": "luma" if port.channels == 1 else "rgb",
        "border": "edge" if sizes.offset else "mirror",
        "network": "onnx",
        "notes": "; ".join(note for note in (f"it takes {port}, found by pictures ({psnr:.1f} dB)", said) if note),
    }
    return Converted(graph, card)


def _loaded(data: bytes, name: str) -> Any:
    """Parse a file and refuse what is not plain ONNX."""
    model = parse(data, name)
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    check_graph(model, name)
    if model.graph.sparse_initializer:
        raise ModelInvalid(f"{name} has sparse weights", "export it with dense ones")
    return model


def _modern(model: "onnx.ModelProto", name: str) -> "onnx.ModelProto":
    """Bring a network to our operator set, and to float32."""
    onnx = needed("onnx")
    _to_float32(model.graph)
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
    if version < OPSET:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except Exception as error:  # the converter is C++ and raises whatever it likes
            raise ModelInvalid(
                f"{name} uses operator set {version}, which cannot be brought to {OPSET}",
                f"export it with operator set {OPSET}",
            ) from error
    return model


def _to_float32(graph: Any) -> None:
    """Make all half-precision weights, constants, casts and declarations single precision."""
    onnx = needed("onnx")
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    for tensor in tensors(graph):
        if tensor.data_type == half:
            values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    for node in nodes(graph):
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == half:
                attribute.i = single
    for inner in graphs(graph):
        for entry in (*inner.input, *inner.output, *inner.value_info):
            if entry.type.tensor_type.elem_type == half:
                entry.type.tensor_type.elem_type = single


def _declared(model: "onnx.ModelProto", name: str) -> Port:
    """Read what the network says about its input and its output."""
    onnx = needed("onnx")
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(entry.name for entry in inputs) or "nothing"
        raise ModelInvalid(f"{name} takes {names[:200]}", "accepted are networks that take one picture")
    outputs = [entry for entry in model.graph.output if len(entry.type.tensor_type.shape.dim) in (0, 4)]
    if not outputs:
        raise ModelInvalid(f"{name} gives no picture", "accepted are networks that give one")
    kept = outputs[0]
    del model.graph.output[:]
    model.graph.output.append(kept)
    kinds = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64", onnx.TensorProto.UINT8: "uint8"}
    kind = kinds.get(inputs[0].type.tensor_type.elem_type)
    if kind is None:
        raise ModelInvalid(
            f"{name} does not take numbers that pictures have", "accepted are float32, float16 and uint8"
        )
    dims = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    if dims and len(dims) != 4:
        raise ModelInvalid(f"{name} takes {len(dims)} dimensions", "accepted are pictures of four: N, C, H, W")
    dims = dims or [0, 0, 0, 0]
    last = dims[1] not in (1, 3) and dims[3] in (1, 3)
    channels = dims[3] if last else dims[1]
    if channels not in (0, 1, 3):
        raise ModelInvalid(f"{name} takes {channels} channels", "accepted are 3, red, green and blue, or 1, luma")
    fixed = (dims[1], dims[2]) if last else (dims[2], dims[3])
    return Port(inputs[0].name, kept.name, kind, channels, channels_last=last, fixed=fixed)


def _free_sizes(model: "onnx.ModelProto", port: Port) -> None:
    """Take declared sizes away: many networks are said to be of one size and are not."""
    entry = next(entry for entry in model.graph.input if entry.name == port.input)
    dims = entry.type.tensor_type.shape.dim
    free = {0: "n", 1: "h", 2: "w"} if port.channels_last else {0: "n", 2: "h", 3: "w"}
    for place, word in free.items():
        if place < len(dims):
            dims[place].dim_param = word
    model.graph.output[0].type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def _measured(
    model: "onnx.ModelProto", port: Port, open_network: probe.OpenNetwork, name: str
) -> tuple[probe.Run, Port, Sizes]:
    """Find layout, channels and sizes by running the network.

    Raises:
        ModelInvalid: It runs with none.
    """
    raw = open_network(model.SerializeToString())
    ports = [port] if port.channels else [
        replace(port, channels=channels, channels_last=last) for last in (False, True) for channels in (3, 1)
    ]  # fmt: skip
    problem = "it runs with no picture"
    for candidate in ports:
        run = adapted(raw, candidate)
        try:
            return run, candidate, _sizes(run, candidate)
        except ModelInvalid as error:
            problem = error.message
    raise ModelInvalid(f"{name}: {problem}", "accepted are networks that enlarge a picture by a whole number")


def _only_size(run: probe.Run, port: Port, name: str, problem: ModelInvalid) -> Sizes:
    """Measure a network that runs with no other size than the one that it declares.

    Raises:
        ModelInvalid: It declares none, or one that is too small or no square; or it does not run with that either.
    """
    height, width = port.fixed
    if not height or not width or not port.channels:
        raise problem
    if height != width or height < LEAST_WINDOW:
        raise ModelInvalid(
            f"{name} takes pictures of {width}x{height} pixels only",
            f"accepted are squares of {LEAST_WINDOW} pixels or more; export it with free sizes",
        )
    result = _side(run, port, height)
    scale = -(-result // height)
    offset, odd = divmod(scale * height - result, 2)
    pad = overlap_of(height, -(-offset // scale))
    if odd or not 1 <= scale <= 16 or height <= 2 * pad:
        raise ModelInvalid(f"{name} makes {result} pixels of {height}", "accepted are networks that enlarge a picture")
    return Sizes(scale, offset, height - 2 * pad, pad, height)


def _sizes(run: probe.Run, port: Port) -> Sizes:
    """Measure scale, offset and multiple.

    Raises:
        ModelInvalid: It does not run, or its output is not the picture enlarged.
    """
    try:
        scale, offset = _promise(run, port, *SIDES[0])
    except ModelInvalid:
        scale, offset = _promise(run, port, *SIDES[1])
    pad = -(-offset // scale)
    for multiple in MULTIPLES:
        sides = [multiple * (40 // multiple + more) + 2 * pad for more in (1, 2, 3)]
        try:
            if all(_side(run, port, side) == scale * side - 2 * offset for side in sides):
                return Sizes(scale, offset, multiple, pad)
        except ModelInvalid:
            continue
    raise ModelInvalid("it runs with hardly any size of picture", "")


def _promise(run: probe.Run, port: Port, less: int, more: int) -> tuple[int, int]:
    """Measure scale and offset by two sides."""
    small, large = (_side(run, port, side) for side in (less, more))
    scale, rest = divmod(large - small, more - less)
    offset, odd = divmod(scale * less - small, 2)
    if rest or odd or not 1 <= scale <= 16 or offset < 0:
        raise ModelInvalid(f"pictures of {less} and {more} pixels become {small} and {large}", "")
    return scale, offset


def _side(run: probe.Run, port: Port, side: int) -> int:
    """Run a square picture; return the side of the result."""
    y = run(np.full((1, port.channels, side, side), 0.5, np.float32))
    if y.ndim != 4 or y.shape[1] != port.channels or y.shape[2] != y.shape[3]:
        raise ModelInvalid(f"a picture of {port.channels}x{side}x{side} becomes {'x'.join(map(str, y.shape[1:]))}", "")
    return int(y.shape[2])


def _best(run: probe.Run, port: Port, sizes: Sizes, name: str) -> tuple[Port, float]:
    """Find the ranges and orders with which the result is most like the picture that the input was shrunk of.

    Returns:
        The port, and how like it is, in decibels.
    """
    high, low = _pictures(port, sizes)
    ranges = [KINDS["0..255"]] if port.dtype == "uint8" else list(KINDS.values())
    cut_off = _cut_off(run, port, sizes.side(64))
    found: list[tuple[float, Port]] = []
    for given in ranges:
        for reversed_in in (False, True) if port.channels == 3 else (False,):
            candidate = replace(port, given=given, reversed_in=reversed_in)
            y = _core(run, show(low, candidate))
            candidate = _fitted(candidate, y, high)
            unusual = reversed_in + (given is not ranges[0])
            score = _psnr(read(y, candidate), high) - CLEARLY_BETTER * unusual
            contradicts = cut_off is not None and candidate.returned is not cut_off
            found.append((score - 100 * contradicts, candidate))
    score, best = max(found, key=lambda entry: entry[0])
    if not score >= LOWEST_PSNR:
        raise ModelInvalid(
            f"{name} does not give back the picture that it is shown ({score:.1f} dB at best)",
            "accepted are networks that enlarge or clean pictures",
        )
    return best, score


def _cut_off(run: probe.Run, port: Port, side: int) -> Range | None:
    """Return the range that a network limits its output to; None where it does not."""
    if port.dtype == "uint8":
        return KINDS["0..255"]
    flat = np.ones((1, port.channels, side, side), np.float32)
    low, high = (float(np.median(np.asarray(run(flat * value), np.float64))) for value in (-FAR_OUT, FAR_OUT))
    matches = (kind for kind in KINDS.values() if abs(low - kind.start) + abs(high - kind.start - kind.factor) < SAME)
    return next(matches, None)


def _pictures(port: Port, sizes: Sizes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a picture without the margin that the network loses, and the same shrunk: both (C, H, W)."""
    side = sizes.side(96)
    high = probe.picture(side * sizes.scale, side * sizes.scale)
    low = probe.shrunk(high, sizes.scale)
    if port.channels == 1:
        high, low = _luma(high), _luma(low)
    edge = slice(sizes.offset, high.shape[1] - sizes.offset)
    return high[:, edge, edge], low


def _luma(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take (3, H, W) RGB to (1, H, W)."""
    return np.tensordot(LUMA, image, 1)[None].astype(np.float32)


def _core(run: probe.Run, x: NDArray[Any]) -> NDArray[np.float64]:
    """Run one picture without a batch."""
    y: NDArray[np.float64] = np.asarray(run(x[None])[0], np.float64)
    if not np.isfinite(y).all():
        return np.zeros_like(y)
    return y


def _fitted(port: Port, y: NDArray[np.float64], high: NDArray[np.float32]) -> Port:
    """Say which range the output has, and whether its colours are in reversed order."""
    reversed_out = False
    if port.channels == 3:
        straight, crossed = (float(np.vdot(y[0] - y[0].mean(), high[channel])) for channel in (0, 2))
        reversed_out = crossed > straight
    truth = high[::-1] if reversed_out else high
    factor, start = np.polyfit(truth.ravel(), y.ravel(), 1)
    wanted = min(KINDS.values(), key=lambda kind: _distance(kind, float(factor), float(start)))
    return replace(port, returned=wanted, reversed_out=reversed_out)


def _distance(kind: Range, factor: float, start: float) -> float:
    """Say how far a straight line is from what a range would give, relative to the range."""
    return abs(float(np.log(max(factor, 1e-9) / kind.factor))) + abs(start - kind.start) / kind.factor


def _psnr(image: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    error = float(np.mean((image.clip(0, 1).astype(np.float64) - truth) ** 2))
    return float(-10 * np.log10(max(error, 1e-10)))


def _wrapped(model: "onnx.ModelProto", port: Port, sizes: Sizes) -> "onnx.ModelProto":
    """Put everything around a network that makes it one of ours."""
    if sizes.only:
        inner = GraphBuilder()
        adapted_model = inner.model(_adapted(inner, model, port, inner.input), channels=port.channels)
        model = in_windows(_of_version(adapted_model, model), sizes.only, sizes.scale, sizes.offset)
        if port.channels == 3:
            return model
    builder = GraphBuilder()

    def network(x: str) -> str:
        if sizes.only:
            return builder.embed(model, x)
        y = _adapted(builder, model, port, builder.pad_edge(x, sizes.pad))
        return builder.crop(y, sizes.scale * sizes.pad - sizes.offset)

    if port.channels == 1:
        y = builder.luma_in_rgb(builder.input, network, sizes.scale, edge=bool(sizes.offset))
    else:
        y = network(builder.input)
    return _of_version(builder.model(y), model)


def _adapted(builder: GraphBuilder, model: "onnx.ModelProto", port: Port, x: str) -> str:
    """Add a network with what changes range, layout and order before and after it."""
    return port.back(builder, builder.embed(model, port.forth(builder, x)))


def _of_version(graph: "onnx.ModelProto", model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Say that a graph's operators are as new as those of the network inside it."""
    version = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    graph.opset_import[0].version = max(version, OPSET)
    graph.ir_version = max(IR_VERSION, min(model.ir_version, 10))
    return graph


def _check_wrapping(run: probe.Run, ours: probe.Run, port: Port, sizes: Sizes, name: str) -> None:
    """Compare the wrapped network with the original and what numpy makes of it."""
    side = sizes.multiple if sizes.only else 2 * sizes.multiple * (16 // sizes.multiple + 1)
    x = probe.picture(side, side)
    padded = np.pad(x, ((0, 0), (sizes.pad,) * 2, (sizes.pad,) * 2), mode="edge")
    given = padded if port.channels == 3 else _luma(padded)
    wanted = read(_core(run, show(given, port)), port)
    cut = sizes.scale * sizes.pad - sizes.offset
    wanted = wanted[:, cut : wanted.shape[1] - cut, cut : wanted.shape[2] - cut]
    found = ours(x[None])[0]
    if port.channels == 1:
        found = _luma(found)
    tolerance = 2 / 255 if port.dtype == "uint8" else SAME if port.channels == 3 else 50 * SAME
    if found.shape != wanted.shape or not float(np.abs(found - wanted).max()) <= tolerance:
        raise ModelInvalid(
            f"{name} gives another result inside our form than alone", "this is a fault of kakudai; report it"
        )
