"""Look inside an ONNX network: its convolutions, and what every one of them puts out for a picture.

Works on any ONNX file of one picture in and one out; the `onnx` package makes inner tensors to outputs, ONNX Runtime
runs them. Nothing here needs torch.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import ModelInvalid
from kakudai.models.onnx_file import read_metadata

CONVOLUTIONS = ("Conv", "ConvTranspose")

ACTIVATIONS = (
    "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Tanh", "Sigmoid", "HardSigmoid", "HardSwish", "Softplus", "Gelu",
    "Mish", "Clip",
)  # fmt: skip
"""Operators that make a convolution's output its layer's output."""

Values = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One convolution with the activation behind it, or any other operator.

    Args:
        name: As the network calls it, without what the exporter adds.
        kind: What it does, in words.
        tensor: The tensor that holds its result.
        weight: The kernels, or None where it has none that are constant. Shape: (out, in, height, width), for
            transposed convolutions (in, out, height, width).
        trained: It has weights that were learnt; fixed filters, such as an enlargement, have none.
    """

    name: str
    kind: str
    tensor: str
    weight: NDArray[np.float32] | None = None
    trained: bool = False


class Graph:
    """An ONNX network whose inside can be seen.

    Args:
        data: The ONNX file.
        name: What to call it in errors.

    Raises:
        ModelInvalid: It is no ONNX network, or not one picture in and one out.
    """

    def __init__(self, data: bytes, name: str) -> None:
        import onnx
        from onnx import numpy_helper

        self.name, self.metadata = name, read_metadata(data, name)
        self.model = onnx.load_from_string(data)
        graph = self.model.graph
        self.initializers = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.constants: Values = dict(self.initializers)
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        inputs = [entry for entry in graph.input if entry.name not in self.initializers]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise ModelInvalid(f"{name} does not take one picture and give one", "accepted are networks that do")
        self.input, self.output = inputs[0].name, graph.output[0].name
        shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in inputs[0].type.tensor_type.shape.dim]
        if len(shape) != 4 or shape[1] not in (1, 3):
            raise ModelInvalid(f"{name} does not take grey or RGB pictures", "its input must be (N, 1 or 3, H, W)")
        self.channels, self.size = int(shape[1]), (shape[2], shape[3])

    def convolutions(self) -> list[Layer]:
        """Return all convolutions in the order of the file, each with the activation behind it."""
        consumers: dict[str, list[Any]] = {}
        for node in self.model.graph.node:
            for name in node.input:
                consumers.setdefault(name, []).append(node)
        nodes = [node for node in self.model.graph.node if node.op_type in CONVOLUTIONS]
        layers = [self._convolution(node, consumers, number) for number, node in enumerate(nodes, 1)]
        return _distinct(layers)

    def everything(self) -> list[Layer]:
        """Return the results of all operators, convolutions and activations apart."""
        layers = []
        for number, node in enumerate(self.model.graph.node, 1):
            if node.op_type != "Constant" and node.output[0]:
                weight, trained = self._weight(node)
                kind = _words(node, weight) if weight is not None else node.op_type
                layers.append(Layer(_clean(node, number), kind, node.output[0], weight, trained))
        return _distinct(layers)

    def run(self, x: NDArray[np.float32], tensors: Iterable[str]) -> Values:
        """Run the network and return the named tensors.

        Shape: (N, channels, H, W) in [0, 1].

        Raises:
            ModelInvalid: It does not run on such a picture.
        """
        import onnx
        import onnxruntime

        names = [name for name in dict.fromkeys(tensors) if name not in self.constants and name != self.input]
        open_model = onnx.ModelProto()
        open_model.CopyFrom(self.model)
        del open_model.graph.output[:]
        open_model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            session = onnxruntime.InferenceSession(
                open_model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            results = session.run(names, {self.input: x})
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
            raise ModelInvalid(
                f"ONNX Runtime cannot run {self.name}: {reason}", "try another size of --crop"
            ) from error
        return {self.input: x, **self.constants, **dict(zip(names, results, strict=True))}

    def _convolution(self, node: Any, consumers: dict[str, list[Any]], number: int) -> Layer:
        weight, trained = self._weight(node)
        kind, tensor = _words(node, weight), node.output[0]
        while follower := _follower(consumers.get(tensor, [])):
            kind, tensor = f"{kind}, {follower.op_type}", follower.output[0]
            if follower.op_type in ACTIVATIONS:
                break
        return Layer(_clean(node, number), kind, tensor, weight, trained)

    def _weight(self, node: Any) -> tuple[NDArray[np.float32] | None, bool]:
        if node.op_type not in CONVOLUTIONS:
            return None, False
        name = node.input[1]
        weight = self.constants.get(name)
        return weight, name in self.initializers


def _follower(nodes: Sequence[Any]) -> Any | None:
    """Return the activation among the operators that take a tensor, or the normalisation in front of one."""
    for kinds in (ACTIVATIONS, ("BatchNormalization",)):
        for node in nodes:
            if node.op_type in kinds:
                return node
    return None


def _words(node: Any, weight: NDArray[Any] | None) -> str:
    what = "convolution" if node.op_type == "Conv" else "transposed convolution"
    if weight is None:
        return what
    attributes = {entry.name: entry for entry in node.attribute}
    groups = attributes["group"].i if "group" in attributes else 1
    first, second, height, width = weight.shape
    inputs, outputs = (second * groups, first) if node.op_type == "Conv" else (first, second * groups)
    stride = attributes["strides"].ints[0] if "strides" in attributes else 1
    step = f", stride {stride}" if stride > 1 else ""
    return f"{height}x{width} {what}, {inputs} to {outputs}{step}"


def _clean(node: Any, number: int) -> str:
    """Return a node's name as the network's source has it: "/network/body.0/Conv" is body.0."""
    parts = [part for part in node.name.split("/") if part and part != "network"]
    if parts and re.fullmatch(rf"{node.op_type}(_\d+)?", parts[-1]) and len(parts) > 1:
        parts.pop()
    after = [*parts[1:], ""]
    kept = [part for part, inner in zip(parts, after, strict=False) if not inner.startswith(f"{part}.")]
    return ".".join(kept) or f"{node.op_type.lower()} {number}"


def _distinct(layers: Sequence[Layer]) -> list[Layer]:
    """Number the layers that share a name."""
    count: dict[str, int] = {}
    named = []
    for layer in layers:
        count[layer.name] = count.get(layer.name, 0) + 1
        name = layer.name if count[layer.name] == 1 else f"{layer.name} ({count[layer.name]})"
        named.append(Layer(name, layer.kind, layer.tensor, layer.weight, layer.trained))
    return named
