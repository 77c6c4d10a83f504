"""Networks that average features over the whole picture, made so that tiles can give the same result.

Squeeze and excitation weighs channels by the mean of their features. A tile has other means than the picture, so that
tiles of such a network differ in colour and contrast. The graph is rewritten, once, so that an engine can ask for the
mean over the part of the features that belongs to a tile, and can say what the mean over the whole picture is. Every
other program runs `x` to `y` as before, and knows nothing of it.
"""

from itertools import takewhile
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.constants import Constants, NotConstant
from kakudai.convert.packages import needed
from kakudai.convert.reach import Layout, layout
from kakudai.convert.walk import UnknownGeometry
from kakudai.models.pools import END, MEAN, SEEN, START, Average, Pools

if TYPE_CHECKING:
    import onnx

EVERYTHING = np.iinfo(np.int64).max


def make_pools_exact(model: "onnx.ModelProto") -> tuple["onnx.ModelProto", Pools | None]:
    """Make every average over the whole picture one that can be had from tiles.

    Args:
        model: Takes `x` (N, 3, H, W) and gives `y` first.

    Returns:
        The rewritten network, which computes the same, and what an engine must know of it. The network itself and None
        where it has no such average, or an operator whose reach is not known.

    Raises:
        RuntimeUnavailable: The package onnx is missing.
    """
    onnx = needed("onnx")
    try:
        plane, continued = layout(model), layout(model, edge_is_clean=True)
    except UnknownGeometry:
        return model, None
    if not plane.averages:
        return model, None
    names = _free_names(model.graph, len(plane.averages))
    averages = tuple(
        Average(name, place.ratio, place.extra, place.level)
        for name, place in zip(names, plane.averages.values(), strict=True)
    )
    seamless = all(place.first == place.tail == 0 for place in (continued.output, *continued.averages.values()))
    pools = Pools(_halo(plane), seamless, averages, _added(model, plane))
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    if pools.added:
        _open_pads(rewritten.graph, pools)
    _rewrite(rewritten.graph, dict(zip(plane.averages, names, strict=True)))
    return rewritten, pools


def _added(model: "onnx.ModelProto", plane: Layout) -> int:
    """Return by how many pixels a network continues the picture before all else, where it can do without.

    0 where it does not, where the picture has another way into the network, and where features would lie elsewhere or
    would not be clean without.
    """
    pad = _first_pad(model.graph)
    if pad is None:
        return 0
    bare = needed("onnx").ModelProto()
    bare.CopyFrom(model)
    bare.graph.node.remove(pad)
    for node in bare.graph.node:
        node.input[:] = [model.graph.input[0].name if name == pad.output[0] else name for name in node.input]
    try:
        without = layout(bare)
    except UnknownGeometry:
        return 0
    pairs = [(plane.output, without.output), *zip(plane.averages.values(), without.averages.values(), strict=True)]
    pixels = {(full.extra - less.extra) * full.ratio / 2 for full, less in pairs}
    added = int(max(pixels))
    same = pixels == {added} and _pixels(model, pad) == added and added % plane.multiple == 0
    clean = all(less.first == less.tail == 0 for _, less in pairs)
    complete = plane.output.extra == 0 and all(place.extra >= 0 for place in plane.averages.values())
    return added if same and clean and complete and added <= _halo(plane) else 0


def _first_pad(graph: Any) -> Any:
    """Return the node that continues the picture, where nothing else takes it; or None."""
    users = [node for node in graph.node if graph.input[0].name in node.input]
    return users[0] if [node.op_type for node in users] == ["Pad"] else None


def _pixels(model: "onnx.ModelProto", pad: Any) -> int | None:
    """Return by how many pixels a node continues a picture on all four sides; None where they differ.

    Nothing before it depends on the picture.
    """
    constants = Constants(model)
    try:
        for node in takewhile(lambda node: node.output[0] != pad.output[0], model.graph.node):
            constants.compute(node)
        axes = constants.argument(pad, 3, range(4)) % 4
        pads = np.zeros((2, 4), np.int64)
        pads[:, axes] = constants.argument(pad, 1).reshape(2, len(axes))
    except (NotConstant, ValueError):
        return None
    pixels = int(pads[0, 2])
    return pixels if (pads == [0, 0, pixels, pixels]).all() else None


def _open_pads(graph: Any, pools: Pools) -> None:
    """Let the node that continues the picture be told by how much."""
    onnx = needed("onnx")
    pad = _first_pad(graph)
    pad.input[:] = [pad.input[0], pools.pads, *pad.input[2:3]]
    default = np.array([0, 0, pools.added, pools.added] * 2, np.int64)
    graph.input.append(onnx.helper.make_tensor_value_info(pools.pads, onnx.TensorProto.INT64, [8]))
    graph.initializer.append(onnx.numpy_helper.from_array(default, pools.pads))


def _halo(plane: Layout) -> int:
    """Return how many pixels a tile needs around it, so that everything that belongs to it is clean."""
    needs = [plane.output.ratio * max(plane.output.first, plane.output.tail)]
    for place in plane.averages.values():
        before = place.extra // 2
        unclean = (place.first, place.first - before, place.tail, place.tail + before - place.extra)
        needs.append(place.ratio * max(unclean))
    return plane.multiple * ceil(max(needs) / plane.multiple)


def _free_names(graph: Any, count: int) -> list[str]:
    taken = {name.split(".")[0] for node in graph.node for name in (*node.input, *node.output)}
    prefix = "pool"
    while any(f"{prefix}{index}" in taken for index in range(count)):
        prefix = f"_{prefix}"
    return [f"{prefix}{index}" for index in range(count)]


def _rewrite(graph: Any, names: dict[str, str]) -> None:
    """Replace the nodes whose outputs are given by nodes that can be asked and told."""
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        name = names.get(node.output[0])
        graph.node.extend([node] if name is None else _open_average(graph, node, name))


def _open_average(graph: Any, node: Any, name: str) -> list[Any]:
    """Return the nodes for one average, and give the graph their inputs and their output."""
    helper, types = needed("onnx").helper, needed("onnx").TensorProto
    to_array = needed("onnx").numpy_helper
    keeps = next((entry.i for entry in node.attribute if entry.name == "keepdims"), 1)
    defaults: dict[str, NDArray[Any]] = {
        START: np.zeros(2, np.int64),
        END: np.full(2, EVERYTHING, np.int64),
        MEAN: np.full((1, 1, 1, 1), np.nan, np.float32),
    }
    for part, value in defaults.items():
        floating = value.dtype == np.float32
        shape = [1, f"{name}_channels", 1, 1] if floating else [2]
        kind = types.FLOAT if floating else types.INT64
        graph.input.append(helper.make_tensor_value_info(f"{name}.{part}", kind, shape))
        graph.initializer.append(to_array.from_array(value, f"{name}.{part}"))
    graph.output.append(helper.make_tensor_value_info(f"{name}.{SEEN}", types.FLOAT, ["n", f"{name}_channels", 1, 1]))

    def constant(part: str, values: list[int]) -> Any:
        tensor = to_array.from_array(np.array(values, np.int64))
        return helper.make_node("Constant", [], [f"{name}.{part}"], value=tensor)

    chosen = f"{name}.chosen" if not keeps else node.output[0]
    nodes = [
        constant("axes", [2, 3]),
        constant("rows", [2]),
        constant("columns", [3]),
        helper.make_node(
            "Slice", [node.input[0], f"{name}.{START}", f"{name}.{END}", f"{name}.axes"], [f"{name}.part"]
        ),
        # Row by row, so that a large picture does not add its last pixel to the sum of millions.
        helper.make_node("ReduceMean", [f"{name}.part", f"{name}.columns"], [f"{name}.lines"], keepdims=1),
        helper.make_node("ReduceMean", [f"{name}.lines", f"{name}.rows"], [f"{name}.{SEEN}"], keepdims=1),
        helper.make_node("IsNaN", [f"{name}.{MEAN}"], [f"{name}.unknown"]),
        helper.make_node("Where", [f"{name}.unknown", f"{name}.{SEEN}", f"{name}.{MEAN}"], [chosen]),
    ]
    if not keeps:
        nodes.append(helper.make_node("Squeeze", [chosen, f"{name}.axes"], [node.output[0]]))
    return nodes
