"""ONNX files as other programs write them: one network, asked for in every other way."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

REVERSED = np.array([2, 1, 0], np.int64)


class Foreign:
    """A network that enlarges twice: pixels repeated, and a little detail of two convolutions.

    Args:
        channels_last: (N, H, W, C) in and out.
        dtype: Of input and output.
        given: "0..1", "0..255" or "-1..1", what it wants.
        returned: What it gives; None for the same.
        bgr: Blue comes first, out as in; "out" for out only.
        luma: One channel.
        size: (height, width) that it claims to take; 0 for any.
        unpadded: Convolutions lose their border, as waifu2x's do.
        block: Sides must divide by this.
        opset: Version of the operators.
        half: Weights in half precision.
        warm: It expects red to be bright and blue to be dark, so that it cares which comes first.
    """

    def __init__(self, **wishes: Any) -> None:
        self.wishes = {
            "channels_last": False, "dtype": np.float32, "given": "0..1", "returned": None, "bgr": False, "luma": False,
            "size": (0, 0), "unpadded": False, "block": 1, "opset": 18, "half": False, "scale": 2, "warm": False,
            **wishes,
        }  # fmt: skip
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.type = np.float16 if self.wishes["half"] else np.float32

    def add(self, kind: str, given: list[str], **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, given, [name], **attributes))
        return name

    def weight(self, value: Any) -> str:
        array = np.asarray(value)
        if array.dtype.kind == "f" and array.ndim != 1:
            array = array.astype(self.type)
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def affine(self, x: str, factor: float, start: float) -> str:
        scaled = self.add("Mul", [x, self.weight(np.array(factor, self.type))])
        return self.add("Add", [scaled, self.weight(np.array(start, self.type))])

    def data(self) -> bytes:
        wishes, channels = self.wishes, 1 if self.wishes["luma"] else 3
        x = "image"
        if wishes["channels_last"]:
            x = self.add("Transpose", [x], perm=[0, 3, 1, 2])
        if wishes["dtype"] != self.type:
            x = self.add("Cast", [x], to=helper.np_dtype_to_tensor_dtype(np.dtype(self.type)))
        if wishes["given"] != "0..1":
            x = self.affine(x, *{"0..255": (1 / 255, 0.0), "-1..1": (0.5, 0.5)}[wishes["given"]])
        if wishes["bgr"] is True:
            x = self.add("Gather", [x, self.weight(REVERSED)], axis=1)
        y = self.enlarged(x, channels)
        if wishes["bgr"]:
            y = self.add("Gather", [y, self.weight(REVERSED)], axis=1)
        returned = wishes["returned"] or wishes["given"]
        if returned != "0..1":
            y = self.affine(y, *{"0..255": (255.0, 0.0), "-1..1": (2.0, -1.0)}[returned])
        if wishes["dtype"] == np.uint8:
            low, high = (self.weight(np.array(value, self.type)) for value in (0, 255))
            y = self.add("Clip", [y, low, high])
        if wishes["dtype"] != self.type:
            y = self.add("Cast", [y], to=helper.np_dtype_to_tensor_dtype(np.dtype(wishes["dtype"])))
        if wishes["channels_last"]:
            y = self.add("Transpose", [y], perm=[0, 2, 3, 1])
        return self.file(y, channels)

    def enlarged(self, x: str, channels: int) -> str:
        """The network itself, which ends where pixels do, as most do."""
        rng, wishes = np.random.default_rng(0), self.wishes
        pads = [0] * 4 if wishes["unpadded"] else [1] * 4
        first = (0.1 * rng.standard_normal((8, channels, 3, 3))).astype(self.type)
        second = (0.01 * rng.standard_normal((channels * wishes["scale"] ** 2, 8, 3, 3))).astype(self.type)
        detail = x
        if wishes["block"] > 1:
            packed = self.add("SpaceToDepth", [x], blocksize=wishes["block"])
            detail = self.add("DepthToSpace", [packed], blocksize=wishes["block"])
        detail = self.add("Relu", [self.add("Conv", [detail, self.weight(first)], pads=pads)])
        detail = self.add("Conv", [detail, self.weight(second)], pads=pads)
        detail = (
            self.add("DepthToSpace", [detail], blocksize=wishes["scale"], mode="CRD") if wishes["scale"] > 1 else detail
        )
        if wishes["unpadded"]:
            bounds = [self.weight(np.array(value, np.int64)) for value in ([2, 2], [-2, -2], [2, 3])]
            x = self.add("Slice", [x, *bounds])
        region = self.weight(np.zeros(0, np.float32)) if wishes["opset"] < 13 else ""
        scales = self.weight(np.array([1, 1, wishes["scale"], wishes["scale"]], np.float32))
        repeated = self.add(
            "Resize",
            [x, region, scales],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        y = self.add("Add", [repeated, detail])
        if wishes["warm"]:
            expected = self.weight(0.3 * np.array([0.6, 0.5, 0.35]).reshape(1, 3, 1, 1))
            y = self.add("Add", [self.add("Mul", [y, self.weight(np.array(0.7, self.type))]), expected])
        low, high = (self.weight(np.array(value, self.type)) for value in (0, 1))
        return self.add("Clip", [y, low, high])

    def file(self, y: str, channels: int) -> bytes:
        wishes = self.wishes
        height, width = (side or word for side, word in zip(wishes["size"], ("height", "width"), strict=True))
        batch = 1 if wishes["size"][0] else "batch"
        shape = [batch, height, width, channels] if wishes["channels_last"] else [batch, channels, height, width]
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(wishes["dtype"]))
        if wishes["size"][0]:
            large = [wishes["scale"] * side for side in wishes["size"]]
            result = [1, *large, channels] if wishes["channels_last"] else [1, channels, *large]
        else:
            result = [None] * 4
        graph = helper.make_graph(
            self.nodes,
            "foreign",
            [helper.make_tensor_value_info("image", kind, shape)],
            [helper.make_tensor_value_info(y, kind, result)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", wishes["opset"])], ir_version=8)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def with_custom_operator() -> bytes:
    model = onnx.load_from_string(Foreign().data())
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model.SerializeToString()


def with_a_weight_that_is_no_number() -> bytes:
    model = onnx.load_from_string(Foreign().data())
    bad = np.full((8, 3, 3, 3), np.nan, np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(bad, model.graph.initializer[0].name))
    return model.SerializeToString()


def with_external_data() -> bytes:
    model = onnx.load_from_string(Foreign().data())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return model.SerializeToString()
