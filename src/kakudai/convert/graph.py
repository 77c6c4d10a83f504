"""Write ONNX networks operator by operator, in our form: RGB `x` in, RGB `y` out, free batch and size, float32."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.packages import needed
from kakudai.image.resize import phase_kernels

if TYPE_CHECKING:
    import onnx

OPSET = 18
IR_VERSION = 8
"""What torch writes for this operator set: old enough for every runtime of today."""

LUMA = (0.299, 0.587, 0.114)
"""BT.601, full range."""

Sides: TypeAlias = int | tuple[int, int, int, int]
"""Pixels on all four sides, or at the top, left, bottom and right."""

Pair: TypeAlias = int | tuple[int, int]
"""One number for height and width, or one for each."""

Interpolation: TypeAlias = Literal["nearest", "linear", "cubic"]


class GraphBuilder:
    """A network in the making. Every method adds operators and returns the name of the tensor that holds the result.

    `self.input` is the first tensor: (N, 3, H, W) RGB in [0, 1]. Weights become initializers, so that they can be told
    from fixed filters and arguments, which become constants.
    """

    input = "x"

    def __init__(self) -> None:
        self._onnx = needed("onnx")
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._count: dict[str, int] = {}

    def conv(
        self,
        x: str,
        weight: NDArray[Any],
        bias: NDArray[Any] | None = None,
        *,
        stride: Pair = 1,
        pad: Sides = 0,
        dilation: Pair = 1,
        groups: int = 1,
        trained: bool = True,
    ) -> str:
        """Convolve; `pad` is zeros.

        Shape: weight (out, in / groups, height, width), bias (out,).

        Args:
            trained: The weights were learnt; False for a fixed filter.
        """
        name = self._name("conv")
        given = [x, self._weight(f"{name}.weight", weight, trained)]
        if bias is not None:
            given.append(self._weight(f"{name}.bias", bias, trained))
        return self._add(
            "Conv", given, name,
            kernel_shape=list(weight.shape[2:]), strides=_pair(stride), pads=_sides(pad), dilations=_pair(dilation),
            group=groups,
        )  # fmt: skip

    def transposed_conv(
        self,
        x: str,
        weight: NDArray[Any],
        bias: NDArray[Any] | None = None,
        *,
        stride: Pair = 1,
        pad: Sides = 0,
        output_pad: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
    ) -> str:
        """Convolve the other way round: every input pixel adds a kernel to the output, `pad` is cut off from that.

        Shape: weight (in, out / groups, height, width), bias (out,); a side of n pixels becomes
            (n - 1) stride + dilation (kernel - 1) + 1 - pads + output_pad.
        """
        name = self._name("transposed_conv")
        given = [x, self._weight(f"{name}.weight", weight)]
        if bias is not None:
            given.append(self._weight(f"{name}.bias", bias))
        return self._add(
            "ConvTranspose", given, name,
            kernel_shape=list(weight.shape[2:]), strides=_pair(stride), pads=_sides(pad), dilations=_pair(dilation),
            output_padding=_pair(output_pad), group=groups,
        )  # fmt: skip

    def relu(self, x: str) -> str:
        """Set what is negative to 0."""
        return self._add("Relu", [x])

    def leaky_relu(self, x: str, slope: float) -> str:
        """Multiply what is negative by `slope`."""
        return self._add("LeakyRelu", [x], alpha=float(slope))

    def prelu(self, x: str, slopes: NDArray[Any]) -> str:
        """Multiply what is negative by a learnt slope.

        Shape: slopes (channels,) or (1,).
        """
        name = self._name("prelu")
        return self._add("PRelu", [x, self._weight(f"{name}.slopes", slopes.reshape(-1, 1, 1))], name)

    def sigmoid(self, x: str) -> str:
        """Compute 1 / (1 + exp(-x))."""
        return self._add("Sigmoid", [x])

    def unary(self, kind: str, x: str, **attributes: Any) -> str:
        """Add any operator of ONNX that takes one tensor and gives one, such as "Tanh"."""
        return self._add(kind, [x], **attributes)

    def clip(self, x: str, low: float, high: float) -> str:
        """Bring values into a range."""
        return self._add("Clip", [x, self.constant(np.float32(low)), self.constant(np.float32(high))])

    def add(self, a: str, b: str) -> str:
        """Add two tensors."""
        return self._add("Add", [a, b])

    def subtract(self, a: str, b: str) -> str:
        """Subtract `b` from `a`."""
        return self._add("Sub", [a, b])

    def multiply(self, a: str, b: str) -> str:
        """Multiply two tensors."""
        return self._add("Mul", [a, b])

    def binary(self, kind: str, a: str, b: str) -> str:
        """Add any operator of ONNX that takes two tensors and gives one, such as "Max"."""
        return self._add(kind, [a, b])

    def scale(self, x: str, factors: NDArray[Any], bias: NDArray[Any] | None = None) -> str:
        """Multiply each channel by a learnt factor and add a learnt number.

        Shape: factors and bias (channels,).
        """
        name = self._name("scale")
        y = self._add("Mul", [x, self._weight(f"{name}.factors", factors.reshape(1, -1, 1, 1))], name)
        return y if bias is None else self.add(y, self._weight(f"{name}.bias", bias.reshape(1, -1, 1, 1)))

    def concat(self, parts: Sequence[str], axis: int = 1) -> str:
        """Put tensors behind each other, along the channels unless another axis is given."""
        return self._add("Concat", list(parts), axis=axis)

    def pad_edge(self, x: str, pixels: Sides) -> str:
        """Continue a picture by its edge pixels."""
        return self._pad(x, pixels, "edge")

    def pad_reflect(self, x: str, pixels: Sides) -> str:
        """Continue a picture by its mirror image, the edge pixel not repeated."""
        return self._pad(x, pixels, "reflect")

    def pad_value(self, x: str, pixels: Sides, value: float = 0.0) -> str:
        """Put a frame of one value around a picture."""
        return self._pad(x, pixels, "constant", value)

    def crop(self, x: str, pixels: Sides) -> str:
        """Cut pixels off the sides."""
        top, left, bottom, right = _sides(pixels)
        if not (top or left or bottom or right):
            return x
        far = np.iinfo(np.int64).max
        starts = self.constant(np.array([top, left], np.int64))
        ends = self.constant(np.array([-bottom or far, -right or far], np.int64))
        return self._add("Slice", [x, starts, ends, self.constant(np.array([2, 3], np.int64))])

    def channels(self, x: str, start: int, end: int) -> str:
        """Take the channels start .. end - 1."""
        bounds = [self.constant(np.array([n], np.int64)) for n in (start, end, 1)]
        return self._add("Slice", [x, *bounds])

    def global_average_pool(self, x: str) -> str:
        """Average each channel over the whole picture: (N, C, H, W) -> (N, C, 1, 1)."""
        return self._add("GlobalAveragePool", [x])

    def resize(self, x: str, factor: float | tuple[float, float], kind: Interpolation = "nearest") -> str:
        """Resample by a factor, or by one for the height and one for the width.

        Convention: pixel centres at half integers; "cubic" is Keys' kernel with a = -0.75; no antialiasing. "nearest"
            takes the pixel floor(x / factor).
        """
        vertical, horizontal = factor if isinstance(factor, tuple) else (factor, factor)
        scales = self.constant(np.array([1, 1, vertical, horizontal], np.float32))
        if kind == "nearest":
            settings: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        else:
            settings = {"coordinate_transformation_mode": "half_pixel"}
        return self._add("Resize", [x, "", scales], mode=kind, **settings)

    def depth_to_space(self, x: str, block: int, order: Literal["CRD", "DCR"] = "CRD") -> str:
        """Make (N, C block^2, H, W) to (N, C, block H, block W); CRD is torch's pixel shuffle."""
        return self._add("DepthToSpace", [x], blocksize=block, mode=order)

    def space_to_depth(self, x: str, block: int, channels: int) -> str:
        """Make (N, C, block H, block W) to (N, C block^2, H, W) as torch's pixel unshuffle does.

        The parts of one channel stay together; ONNX's own SpaceToDepth puts them in another order, so the channels
        are sorted afterwards.

        Args:
            channels: How many `x` has.
        """
        order = np.arange(channels * block**2).reshape(block**2, channels).T.ravel()
        return self._add("Gather", [self._add("SpaceToDepth", [x], blocksize=block), self.constant(order)], axis=1)

    def gather(self, x: str, indices: NDArray[np.int64], axis: int) -> str:
        """Take some rows, columns or channels, in any order."""
        return self._add("Gather", [x, self.constant(indices)], axis=axis)

    def transpose(self, x: str, order: tuple[int, ...]) -> str:
        """Put the axes into another order."""
        return self._add("Transpose", [x], perm=list(order))

    def cast(self, x: str, dtype: str) -> str:
        """Convert to another type of numbers, such as "float32" or "uint8"."""
        return self._add("Cast", [x], to=self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def embed(self, model: "onnx.ModelProto", x: str) -> str:
        """Add all operators of another network; its first input becomes `x`, its first output is returned."""
        inner = self._onnx.compose.add_prefix(model, f"{self._name('network')}/")
        weights = {tensor.name for tensor in inner.graph.initializer}
        first = next(entry.name for entry in inner.graph.input if entry.name not in weights)
        self._nodes.append(self._onnx.helper.make_node("Identity", [x], [first], name=f"{first}.in"))
        self._nodes.extend(inner.graph.node)
        self._weights.extend(inner.graph.initializer)
        return str(inner.graph.output[0].name)

    def constant(self, value: Any) -> str:
        """Add a constant; equal ones are stored once."""
        array = np.ascontiguousarray(value)
        array = array.reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self._constants[key] = self._name("constant")
            tensor = self._onnx.numpy_helper.from_array(array)
            self._nodes.append(self._onnx.helper.make_node("Constant", [], [name], name=name, value=tensor))
        return self._constants[key]

    def luma_in_rgb(self, x: str, network: Callable[[str], str], scale: int, *, edge: bool = False) -> str:
        """Run a network on luma and enlarge chroma by Lanczos-3: the arithmetic of `train.color.LumaInRGB`.

        Shape: x (N, 3, H, W) RGB -> (N, 3, scale H, scale W).

        Args:
            network: Adds operators that take (N, 1, H, W) luma to (N, 1, scale H, scale W).
            edge: Continue chroma outside the picture by its edge pixels instead of by zeros (no colour).
        """
        luma = self.conv(x, np.array(LUMA, np.float32).reshape(1, 3, 1, 1), trained=False)
        chroma = self.subtract(x, luma)
        if scale > 1:
            kernels = phase_kernels("lanczos3", scale)  # (scale^2, 7, 7)
            reach = kernels.shape[1] // 2
            weight = np.tile(kernels[:, None], (3, 1, 1, 1)).astype(np.float32)
            padded = self.pad_edge(chroma, reach) if edge else chroma
            phases = self.conv(padded, weight, pad=0 if edge else reach, groups=3, trained=False)
            chroma = self.depth_to_space(phases, scale)
        return self.add(network(luma), chroma)

    def model(self, y: str, *, channels: int = 3) -> "onnx.ModelProto":
        """Finish: the network from `x` to `y`.

        Args:
            channels: Of the input and of the output.
        """
        helper = self._onnx.helper
        nodes = [*self._nodes, helper.make_node("Identity", [y], ["y"], name="y")]
        if self._nodes and y in self._nodes[-1].output:
            nodes.pop()
            nodes[-1] = _copied(nodes[-1])
            nodes[-1].output[list(nodes[-1].output).index(y)] = "y"
        float32 = self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            nodes,
            "kakudai",
            [helper.make_tensor_value_info(self.input, float32, ["n", channels, "h", "w"])],
            [helper.make_tensor_value_info("y", float32, ["n", channels, "sh", "sw"])],
            self._weights,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model: onnx.ModelProto = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="kakudai"
        )
        return model

    def _pad(self, x: str, pixels: Sides, mode: str, value: float | None = None) -> str:
        top, left, bottom, right = _sides(pixels)
        if not (top or left or bottom or right):
            return x
        pads = self.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
        given = [x, pads] if value is None else [x, pads, self.constant(np.float32(value))]
        return self._add("Pad", given, mode=mode)

    def _weight(self, name: str, value: NDArray[Any], trained: bool = True) -> str:
        array = np.ascontiguousarray(value, np.float32)
        if not trained:
            return self.constant(array)
        self._weights.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def _add(self, kind: str, given: list[str], name: str | None = None, **attributes: Any) -> str:
        name = name or self._name(kind.lower())
        self._nodes.append(self._onnx.helper.make_node(kind, given, [name], name=name, **attributes))
        return name

    def _name(self, kind: str) -> str:
        self._count[kind] = self._count.get(kind, 0) + 1
        return f"{kind}_{self._count[kind]}"


def _copied(node: Any) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def _pair(value: Pair) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _sides(value: Sides) -> list[int]:
    return [value] * 4 if isinstance(value, int) else list(value)
