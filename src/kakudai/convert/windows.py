"""Networks that take pictures of one size only, made to take all: they run on overlapping windows, inside the graph.

A picture is cut into squares of `core` pixels. Each is given to the network with `overlap` pixels around it, and these
are cut off again. Windows begin at multiples of `core`, so tiles that begin there too change nothing.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from kakudai.convert.graph import IR_VERSION, OPSET
from kakudai.convert.packages import needed

if TYPE_CHECKING:
    import onnx


def overlap_of(side: int, offset: int = 0) -> int:
    """Return how many pixels windows overlap on each side: a sixteenth to a quarter, 16 if there is room.

    Args:
        side: Of the window.
        offset: Input pixels that the network's output lacks on each side.
    """
    return max(offset, min(16, side // 4))


def in_windows(model: "onnx.ModelProto", side: int, scale: int, offset: int = 0) -> "onnx.ModelProto":
    """Make a network from `x` to `y` of one size to one of all sizes that divide by `side - 2 * overlap_of(...)`.

    Shape: the network takes (1, C, side, side) and gives (1, C, scale side - 2 offset, ...); the result takes
        (N, C, H, W) and gives (N, C, scale H, scale W).

    Args:
        offset: Output pixels that the network's output lacks on each side.
    """
    overlap = overlap_of(side, -(-offset // scale))
    core = side - 2 * overlap
    writer = Writer("grid")
    channels = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    padded = writer.add("Pad", "x", np.array([0, 0, overlap, overlap] * 2, np.int64), mode="edge")
    counts = [writer.add("Div", writer.length("x", axis), np.array([core], np.int64)) for axis in (2, 3)]
    rows, columns = (writer.window_starts(count, core, side) for count in counts)
    tall = writer.add("Gather", padded, rows, axis=2)  # (N, C, rows, side, W)
    windows = writer.add("Gather", tall, columns, axis=4)  # (N, C, rows, side, columns, side)
    windows = writer.add("Transpose", windows, perm=[0, 2, 4, 1, 3, 5])
    windows = writer.add("Reshape", windows, np.array([-1, channels, side, side], np.int64))
    first = scale * overlap - offset
    cores = writer.each(model, windows, (first, first + scale * core))  # (windows, C, scale core, scale core)
    batch = writer.length("x", 0)
    shape = [batch, *counts, *(np.array([size], np.int64) for size in (channels, scale * core, scale * core))]
    grid = writer.add("Reshape", cores, writer.add("Concat", *shape, axis=0))
    grid = writer.add("Transpose", grid, perm=[0, 3, 1, 4, 2, 5])  # (N, C, rows, scale core, columns, scale core)
    sides = [writer.add("Mul", writer.length("x", axis), np.array([scale], np.int64)) for axis in (2, 3)]
    whole = writer.add("Concat", batch, np.array([channels], np.int64), *sides, axis=0)
    writer.add("Reshape", grid, whole, output="y")
    return writer.model(channels, model)


class Writer:
    """Nodes of a graph; arrays among arguments become constants.

    Args:
        prefix: Begins the names of all tensors; graphs inside graphs need names of their own.
    """

    def __init__(self, prefix: str) -> None:
        self.onnx, self.prefix = needed("onnx"), prefix
        self.nodes: list[Any] = []

    def add(self, kind: str, *given: Any, output: str = "", **attributes: Any) -> str:
        """Add an operator; return the name of its result."""
        names = [self.constant(value) if isinstance(value, np.ndarray) else value for value in given]
        name = output or f"{self.prefix}/{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, names, [name], name=name, **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Add a constant."""
        name = f"{self.prefix}/constant_{len(self.nodes)}"
        tensor = self.onnx.numpy_helper.from_array(np.asarray(value))
        self.nodes.append(self.onnx.helper.make_node("Constant", [], [name], name=name, value=tensor))
        return name

    def length(self, x: str, axis: int) -> str:
        """Return the size of one axis, as a tensor of one number."""
        return self.add("Shape", x, start=axis, end=axis + 1)

    def window_starts(self, count: str, core: int, side: int) -> str:
        """Return the rows (or columns) of all windows: (count, side) numbers."""
        number = self.add("Squeeze", count)
        steps = self.add("Range", np.array(0, np.int64), number, np.array(1, np.int64))
        starts = self.add("Mul", self.add("Unsqueeze", steps, np.array([1], np.int64)), np.array(core, np.int64))
        return self.add("Add", starts, np.arange(side, dtype=np.int64)[None])

    def each(self, model: "onnx.ModelProto", windows: str, kept: tuple[int, int]) -> str:
        """Run a network on each window by itself, and keep rows and columns `kept` of what it gives."""
        inner = self.onnx.compose.add_prefix(model, "window/")
        body = Writer("cut")
        weights = {tensor.name for tensor in inner.graph.initializer}
        given = next(entry.name for entry in inner.graph.input if entry.name not in weights)
        body.add("Unsqueeze", "one", np.array([0], np.int64), output=given)
        body.nodes.extend(inner.graph.node)
        bounds = (np.array([kept[end]] * 2, np.int64) for end in (0, 1))
        cut = body.add("Slice", inner.graph.output[0].name, *bounds, np.array([2, 3], np.int64))
        body.add("Squeeze", cut, np.array([0], np.int64), output="core")
        helper, single = self.onnx.helper, self.onnx.TensorProto.FLOAT
        dims = [dim.dim_value or None for dim in model.graph.input[0].type.tensor_type.shape.dim][1:]
        graph = helper.make_graph(
            body.nodes,
            "window",
            [helper.make_tensor_value_info("one", single, dims)],
            [helper.make_tensor_value_info("core", single, [dims[0], kept[1] - kept[0], kept[1] - kept[0]])],
            list(inner.graph.initializer),
        )
        return self.add("Scan", windows, body=graph, num_scan_inputs=1)

    def model(self, channels: int, inner: "onnx.ModelProto") -> "onnx.ModelProto":
        """Finish the graph from `x` to `y`; its operators are as new as those of the network inside."""
        helper, single = self.onnx.helper, self.onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "kakudai",
            [helper.make_tensor_value_info("x", single, ["n", channels, "h", "w"])],
            [helper.make_tensor_value_info("y", single, ["n", channels, "sh", "sw"])],
        )
        version = max(OPSET, *(entry.version for entry in inner.opset_import if entry.domain in ("", "ai.onnx")))
        opsets = [helper.make_opsetid("", version)]
        whole: onnx.ModelProto = helper.make_model(
            graph, opset_imports=opsets, ir_version=max(IR_VERSION, inner.ir_version)
        )
        return whole
