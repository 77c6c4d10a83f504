"""Small ONNX files for tests: good ones, and every way to be bad."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CARD = {
    "name": "test", "version": "1", "scale": "2", "halo": "0", "multiple": "1", "color": "rgb", "task": "upscale",
    "strength": "none", "network": "nearest", "arguments": "{}", "parameters": "0", "macs_per_output_pixel": "0",
    "recipe": "", "data": "", "data_licences": "", "licence": "CC0-1.0", "commit": "", "quality": "{}",
}  # fmt: skip

DARKER = 0.03
"""What the strength 1 takes away, of what the networks here are given."""


def build(
    nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], card: dict[str, str] | None = None, channels: int = 3
) -> bytes:
    """Make an ONNX file from x to y with our metadata."""
    shape = ["n", channels, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "sh", "sw"])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {f"kakudai.{key}": value for key, value in {**CARD, **(card or {})}.items()})
    return model.SerializeToString()


def nearest(factor: int = 2, *, after: list[onnx.NodeProto] | None = None, **card: str) -> bytes:
    """Nearest-neighbour enlargement; `after` are nodes from `enlarged` to `y`."""
    scales = np.array([1, 1, factor, factor], np.float32)
    resize = helper.make_node(
        "Resize", ["x", "", "scales"], ["enlarged"], mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip
    tail = after or [helper.make_node("Identity", ["enlarged"], ["y"])]
    return build([resize, *tail], {"scales": scales}, {"scale": str(factor), **card})


def spoiled(kind: str) -> bytes:
    """Return a network that fails in one way: nan, inf, zeros, shift, swap, half, square, wrong-size."""
    constants = {"nan": np.nan, "inf": np.inf, "zeros": 0.0, "half": 0.5}
    constant = helper.make_node(
        "Constant", [], ["k"], value=numpy_helper.from_array(np.float32(constants.get(kind, 0.06)))
    )
    if kind == "wrong-size":
        return nearest(3, scale="2")
    if kind == "swap":
        order = numpy_helper.from_array(np.array([2, 1, 0]))
        return nearest(after=[
            helper.make_node("Constant", [], ["order"], value=order),
            helper.make_node("Gather", ["enlarged", "order"], ["y"], axis=1),
        ])  # fmt: skip
    return nearest(after=[constant, helper.make_node("Add" if kind == "shift" else "Mul", ["enlarged", "k"], ["y"])])


def convolutional(halo: str = "3", *, channels: int = 16, seed: int = 0) -> bytes:
    """Three random 3x3 convolutions and a pixel shuffle, added to nearest-neighbour enlargement; it reaches three
    pixels.
    """
    rng = np.random.default_rng(seed)
    sizes = [(channels, 3), (channels, channels), (12, channels)]
    weights: dict[str, np.ndarray] = {"scales": np.array([1, 1, 2, 2], np.float32)}
    nodes, last = [], "x"
    for index, (out, into) in enumerate(sizes):
        gain = (0.02 if index == 2 else 1.4) / (9 * into) ** 0.5
        weights[f"w{index}"] = (gain * rng.standard_normal((out, into, 3, 3))).astype(np.float32)
        nodes.append(helper.make_node("Conv", [last, f"w{index}"], [f"c{index}"], pads=[1, 1, 1, 1]))
        if index < 2:
            nodes.append(helper.make_node("Relu", [f"c{index}"], [f"a{index}"]))
        last = f"a{index}"
    nodes += [
        helper.make_node("DepthToSpace", ["c2"], ["detail"], blocksize=2, mode="CRD"),
        helper.make_node(
            "Resize", ["x", "", "scales"], ["anchor"], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        ),
        helper.make_node("Add", ["anchor", "detail"], ["y"]),
    ]  # fmt: skip
    return build(nodes, weights, {"halo": halo, "name": "convolutional"})


def with_external_data() -> bytes:
    """A network whose weight claims to lie in another file."""
    model = onnx.load_from_string(convolutional())
    tensor = model.graph.initializer[1]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return model.SerializeToString()


def without_metadata() -> bytes:
    """A network as other programs write it."""
    model = onnx.load_from_string(nearest())
    del model.metadata_props[:]
    return model.SerializeToString()


def told(scale: int, name: str) -> bytes:
    """Return a network that makes nearest neighbours, the darker the stronger it is told to be."""
    weights = {
        "starts": np.array([0, 3]), "middle": np.array([3, 4]), "axes": np.array([1]),
        "scales": np.array([1, 1, scale, scale], np.float32), "k": np.float32(-DARKER), "zero": np.array([0]),
        "three": np.array([3]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Slice", ["x", "zero", "three", "axes"], ["picture"]),
        helper.make_node("Slice", ["x", "three", "four", "axes"], ["strength"]),
        helper.make_node("Constant", [], ["four"], value=numpy_helper.from_array(np.array([4]))),
        helper.make_node("Mul", ["strength", "k"], ["less"]),
        helper.make_node("Mul", ["picture", "less"], ["taken"]),
        helper.make_node("Add", ["picture", "taken"], ["small"]),
        helper.make_node(
            "Resize", ["small", "", "scales"], ["y"], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        ),
    ]  # fmt: skip
    nodes = [nodes[2], *nodes[:2], *nodes[3:]]
    card = {"strength": "plane", "task": "restore", "scale": str(scale), "name": name}
    return build(nodes, weights, card, channels=4)
