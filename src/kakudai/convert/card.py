"""The end of every conversion: a graph and what is known about it become one checked ONNX file with our metadata."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, lcm, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from kakudai.convert.packages import needed
from kakudai.convert.pooled import make_pools_exact
from kakudai.errors import ModelInvalid, RuntimeUnavailable
from kakudai.models.pools import to_json as pools_to_json

if TYPE_CHECKING:
    import onnx

PREFIX = "kakudai."

STANDARD = ("", "ai.onnx")
"""Operator sets that every runtime has."""

DEFAULTS = {
    "version": "1", "multiple": "1", "color": "rgb", "strength": "none", "enlarges": "no", "network": "unknown",
    "arguments": "{}", "recipe": "", "data": "", "data_licences": "unknown", "licence": "unknown", "commit": "",
    "quality": "{}", "border": "mirror", "source": "",
}  # fmt: skip
"""What a card says where a converter does not know."""

REQUIRED = ("name", "scale", "halo")

SIDE = 64
"""Pixels of the smallest picture that multiply-adds are counted on, times `multiple`."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A foreign network in our form.

    Args:
        graph: Takes `x` (N, 3, H, W) RGB in [0, 1], gives `y` (N, 3, scale H, scale W).
        card: What the metadata will say, without the prefix `kakudai.`; `name`, `scale` and `halo` at least. Others
            that are missing are measured or said to be unknown.
    """

    graph: "onnx.ModelProto"
    card: dict[str, str]


def finish(converted: Converted) -> bytes:
    """Check a converted network, complete its card and write it into an ONNX file.

    Raises:
        ModelInvalid: It is no valid ONNX, has a weight that is no number, weights in other files, or operators that are
            not part of ONNX.
        RuntimeUnavailable: The package onnx is missing.
    """
    onnx = needed("onnx")
    name = converted.card.get("name", "the network")
    model = onnx.ModelProto()
    model.CopyFrom(converted.graph)
    check_graph(model, name)
    card = {**DEFAULTS, **converted.card}
    missing = [key for key in REQUIRED if key not in card]
    if missing:
        raise ValueError(f"a converter left out {', '.join(missing)}")
    scale, multiple = int(card["scale"]), int(card["multiple"])
    card.setdefault("task", "upscale" if scale > 1 else "restore")
    card.setdefault("parameters", str(count_parameters(model)))
    if "macs_per_output_pixel" not in card:
        card["macs_per_output_pixel"] = f"{count_multiply_adds(model, scale, multiple):.1f}"
    card.setdefault("features", str(count_features(model, multiple)))
    if card["halo"] == "none" and "pools" not in card:
        model, pools = make_pools_exact(model)
        if pools:
            strides = (average.ratio.numerator for average in pools.averages)
            card |= {"pools": pools_to_json(pools), "multiple": str(lcm(multiple, *strides))}
    onnx.helper.set_model_props(model, {PREFIX + key: value for key, value in sorted(card.items())})
    try:
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise ModelInvalid(f"{name} is not a valid network: {reason}", "export it again") from error
    return data


def check_graph(model: "onnx.ModelProto", name: str) -> None:
    """Refuse what no file of ours may have.

    Raises:
        ModelInvalid: A weight is no number or lies in another file, or an operator is not part of ONNX.
    """
    foreign = sorted({entry.domain for entry in model.opset_import} - set(STANDARD))
    custom = sorted({f"{node.domain}.{node.op_type}" for node in nodes(model.graph) if node.domain not in STANDARD})
    if custom or foreign or len(model.functions):
        words = ", ".join(custom or foreign or [function.name for function in model.functions])
        raise ModelInvalid(
            f"{name} has operators that are not part of ONNX: {words[:200]}", "export it with standard operators only"
        )
    for tensor in tensors(model.graph):
        if tensor.data_location or len(tensor.external_data):
            raise ModelInvalid(f"{name} keeps weights in other files", "save it as one ONNX file and import that")
        if not _is_finite(tensor):
            where = f" in {tensor.name[:100]!r}" if tensor.name else ""
            raise ModelInvalid(f"{name} has weights that are not numbers{where}", "fetch or export it again")


def parse(data: bytes, name: str) -> Any:
    """Read an ONNX file.

    Raises:
        ModelInvalid: It is none.
    """
    try:
        return needed("onnx").load_from_string(data)
    except RuntimeUnavailable:
        raise
    except Exception as error:  # protobuf has errors of its own
        raise ModelInvalid(f"{name} is not an ONNX network, or is truncated", "fetch or export it again") from error


def read_card(model: "onnx.ModelProto") -> dict[str, str]:
    """Return what a file of ours says of itself, without the prefix `kakudai.`."""
    return {entry.key.removeprefix(PREFIX): entry.value for entry in model.metadata_props}


def graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph and all graphs inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from graphs(inner)


def nodes(graph: Any) -> Iterator[Any]:
    """Yield all nodes of a graph and of the graphs inside it."""
    for inner in graphs(graph):
        yield from inner.node


def tensors(graph: Any) -> Iterator[Any]:
    """Yield all constant tensors of a graph and of the graphs inside it."""
    for inner in graphs(graph):
        yield from inner.initializer
        for sparse in inner.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes(graph):
        for attribute in node.attribute:
            yield from (tensor for tensor in (attribute.t, *attribute.tensors) if tensor.data_type)


def count_parameters(model: "onnx.ModelProto") -> int:
    """Count weights and biases: floating-point initializers that are no argument of an operator that only reshapes.

    Fixed filters are constants and not initializers in all files that kakudai and torch write.
    """
    onnx = needed("onnx")
    reshaping = [node for node in nodes(model.graph) if node.op_type in ("Resize", "Clip", "Pad")]
    fixed = {name for node in reshaping for name in node.input[1:]}
    floating = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    open_inputs = {entry.name for entry in model.graph.input}
    return sum(
        prod(tensor.dims)
        for graph in graphs(model.graph)
        for tensor in graph.initializer
        if tensor.data_type in floating and tensor.name not in fixed | open_inputs
    )


def count_multiply_adds(model: "onnx.ModelProto", scale: int, multiple: int = 1) -> float:
    """Count multiply-adds of convolutions and matrix products for one pixel of the output, inside a large picture.

    Nothing is computed but shapes. The second difference over three sizes leaves out what is spent on padding. 0 where
    the shapes cannot be inferred.
    """
    side = SIDE * multiple
    counts = [_multiply_adds(model, factor * side) for factor in (1, 2, 3)]
    return max(0.0, (counts[2] - 2 * counts[1] + counts[0]) / 2 / (side * scale) ** 2)


def count_features(model: "onnx.ModelProto", multiple: int = 1) -> int:
    """Count the numbers that the hungriest operator takes and gives for one pixel of the input, in a large picture.

    Nothing is computed but shapes. 0 where the shapes cannot be inferred.
    """
    side = 3 * SIDE * multiple
    sized, shapes = _with_shapes(model, side)
    held = {tensor.name for tensor in sized.graph.initializer}
    counts = [
        sum(prod(shapes[name]) for name in {*node.input, *node.output} - held if shapes.get(name))
        for node in sized.graph.node
        if node.op_type != "Constant"
    ]
    return ceil(max(counts, default=0) / side**2)


def _multiply_adds(model: "onnx.ModelProto", side: int) -> float:
    sized, shapes = _with_shapes(model, side)
    return float(sum(_work(node, shapes) for node in sized.graph.node))


def _with_shapes(model: "onnx.ModelProto", side: int) -> tuple["onnx.ModelProto", dict[str, list[int]]]:
    """Return a copy for squares of that side, and the shapes of its tensors; none where they cannot be inferred."""
    onnx = needed("onnx")
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for entry in (*sized.graph.output, *sized.graph.value_info):
        entry.type.tensor_type.ClearField("shape")
    for index, size in enumerate((1, 3, side, side)):
        if index < len(sized.graph.input[0].type.tensor_type.shape.dim):
            sized.graph.input[0].type.tensor_type.shape.dim[index].dim_value = size
    try:
        sized = onnx.shape_inference.infer_shapes(sized, data_prop=True)
    except onnx.shape_inference.InferenceError:
        return sized, {}
    shapes = {
        entry.name: [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        for entry in (*sized.graph.input, *sized.graph.value_info, *sized.graph.output)
    }
    shapes.update((tensor.name, list(tensor.dims)) for tensor in sized.graph.initializer)
    for node in sized.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            shapes[node.output[0]] = list(node.attribute[0].t.dims)
    return sized, shapes


def _work(node: Any, shapes: dict[str, list[int]]) -> int:
    given, output = [shapes.get(name, []) for name in node.input], shapes.get(node.output[0], [])
    if node.op_type == "Conv":
        return prod(output[2:]) * prod(given[1]) if output and given[1] else 0
    if node.op_type == "ConvTranspose":
        return prod(given[0][2:]) * prod(given[1]) if given[0] and given[1] else 0
    if node.op_type in ("MatMul", "Gemm"):
        return prod(output) * given[0][-1] if output and given[0] else 0
    return 0


def _is_finite(tensor: Any) -> bool:
    """Say whether a tensor holds numbers only, as many as it says; a single infinity is a bound and no weight."""
    try:
        values = needed("onnx").numpy_helper.to_array(tensor)
    except Exception:  # every kind of number has its own reader, and its own errors
        return False
    if values.dtype.kind not in "fc":
        return True
    return bool(np.isfinite(values).all() or (values.size == 1 and not np.isnan(values).any()))
