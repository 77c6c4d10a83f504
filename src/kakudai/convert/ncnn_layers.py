"""The layers of ncnn, each as a few operators of ONNX."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.geometry import lengths
from kakudai.convert.graph import GraphBuilder, Interpolation
from kakudai.convert.ncnn_param import FROM_INPUT, HINT, Layer
from kakudai.errors import ModelInvalid

SIDES = (256, 320)
"""Pictures on which sizes are compared: what must not depend on the picture is the same on both."""

SAME_UPPER, SAME_LOWER = -233, -234
"""Padding that keeps the size, the odd pixel after or before the picture."""

MAX_CROPS = 100
"""Crops to the size of another blob; each of them takes a walk through the network."""

UNSUPPORTED = "this kind of setting is not known here; tell us about the model"


class Conversion:
    """Layers on their way into a graph.

    `tensors` and `channels` say for every blob where it is and how many channels it has; `flat` holds those that are
    one number per channel, which ONNX has as a picture of one pixel.
    """

    def __init__(self, builder: GraphBuilder, name: str, x: str, channels: int) -> None:
        self.builder, self.name, self.x, self.input_channels = builder, name, x, channels
        self.tensors: dict[str, str] = {}
        self.channels: dict[str, int] = {}
        self.flat: set[str] = set()
        self.crops = 0

    def add(self, layer: Layer) -> None:
        """Add one layer."""
        inputs, outputs = INPUTS.get(layer.kind, (1, 1))
        if (inputs and len(layer.inputs) != inputs) or (outputs and len(layer.outputs) != outputs):
            raise self.wrong(layer, f"{len(layer.inputs)} inputs and {len(layer.outputs)} outputs")
        y, channels = CONVERTERS[layer.kind](self, layer, [self.tensors[blob] for blob in layer.inputs])
        flat = bool(layer.inputs) and (all(blob in self.flat for blob in layer.inputs) or _makes_flat(layer))
        for blob in layer.outputs:
            self.tensors[blob], self.channels[blob] = y, channels
            if flat:
                self.flat.add(blob)

    def wrong(self, layer: Layer, what: str) -> ModelInvalid:
        """Return the error for a layer that cannot be converted."""
        return ModelInvalid(f"{self.name}: layer {layer.name!r} ({layer.kind}) has {what}", UNSUPPORTED)

    def into(self, layer: Layer) -> int:
        """Return the channels that a layer takes; where it takes several pictures, those of the first."""
        return self.channels[layer.inputs[0]]

    def sizes(self, blob: str) -> list[tuple[int, int]]:
        """Return height and width of a blob for two pictures."""
        self.crops += 1
        if self.crops > 2 * MAX_CROPS:
            raise ModelInvalid(f"{self.name} has more than {MAX_CROPS} crops", HINT)
        model = self.builder.model(self.tensors[blob])
        return [lengths(model, side)[model.graph.output[0].name] for side in SIDES]


Made = tuple[str, int]


def _input(conversion: Conversion, _layer: Layer, _given: list[str]) -> Made:
    return conversion.x, conversion.input_channels


def _same(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    if layer.kind == "Dropout" and layer.number(0, 1.0) != 1.0:
        raise conversion.wrong(layer, "a factor")
    return given[0], conversion.into(layer)


def _kernel(conversion: Conversion, layer: Layer) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return kernel, dilation and stride, each vertical and horizontal."""
    pairs = []
    for key in (1, 2, 3):
        across = layer.whole(key, 0 if key == 1 else 1, low=1, high=255)
        pairs.append((layer.whole(10 + key, across, low=1, high=255), across))
    kernel, dilation, stride = pairs
    outputs, groups = layer.whole(0, low=1, high=1 << 16), _groups(layer)
    channels = conversion.into(layer)
    expected = outputs * channels * kernel[0] * kernel[1] // groups
    if layer.weights[0].size != expected or channels % groups or outputs % groups:
        raise ModelInvalid(
            f"{conversion.name}: layer {layer.name!r} ({layer.kind}) has {layer.weights[0].size} weights; for "
            f"{channels} channels it needs {expected}",
            HINT,
        )
    return kernel, dilation, stride


def _groups(layer: Layer) -> int:
    return layer.whole(7, 1, low=1, high=1 << 16) if layer.kind.endswith("DepthWise") else 1


def _pads(layer: Layer) -> tuple[int, int, int, int]:
    """Return top, left, bottom, right as they stand in the file."""
    left = layer.whole(4, low=SAME_LOWER, high=4096)
    top = layer.whole(14, left, low=SAME_LOWER, high=4096)
    right, bottom = layer.whole(15, left, low=SAME_LOWER, high=4096), layer.whole(16, top, low=SAME_LOWER, high=4096)
    return top, left, bottom, right


def _convolution(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    kernel, dilation, stride = _kernel(conversion, layer)
    outputs, groups, pads = layer.whole(0), _groups(layer), _pads(layer)
    if pads[0] in (SAME_UPPER, SAME_LOWER):
        if stride != (1, 1):
            raise conversion.wrong(layer, "padding that depends on the size of the picture")
        total = [dilation[axis] * (kernel[axis] - 1) for axis in (0, 1)]
        less, more = [n // 2 for n in total], [n - n // 2 for n in total]
        pads = (*less, *more) if pads[0] == SAME_UPPER else (*more, *less)  # type: ignore[assignment]
    if min(pads) < 0:
        raise conversion.wrong(layer, f"a padding of {min(pads)}")
    weight = layer.weights[0].reshape(outputs, -1, *kernel)
    x, value = given[0], layer.number(18)
    if value:
        x, pads = conversion.builder.pad_value(x, pads, value), (0, 0, 0, 0)
    y = conversion.builder.conv(
        x, weight, _bias(layer), stride=stride, pad=pads, dilation=dilation, groups=groups
    )  # fmt: skip
    return _activated(conversion, layer, y), outputs


def _deconvolution(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    kernel, dilation, stride = _kernel(conversion, layer)
    outputs, groups, pads = layer.whole(0), _groups(layer), _pads(layer)
    more = (layer.whole(19, layer.whole(18), low=0, high=255), layer.whole(18, low=0, high=255))
    if layer.whole(20) or layer.whole(21) or min(pads) < 0:
        raise conversion.wrong(layer, "an output of fixed size")
    if max(more) and (more[0] >= stride[0] or more[1] >= stride[1]):
        raise conversion.wrong(layer, f"{max(more)} pixels more at the end than its stride allows")
    stored = layer.weights[0].reshape(groups, outputs // groups, -1, *kernel)
    weight = stored.transpose(0, 2, 1, 3, 4).reshape(-1, outputs // groups, *kernel)
    y = conversion.builder.transposed_conv(
        given[0], weight, _bias(layer), stride=stride, pad=pads, output_pad=more, dilation=dilation, groups=groups
    )
    return _activated(conversion, layer, y), outputs


def _inner_product(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    if layer.inputs[0] not in conversion.flat:
        raise conversion.wrong(layer, "a whole picture as its input, and so works for one size only")
    outputs, channels = layer.whole(0), conversion.into(layer)
    if layer.weights[0].size != outputs * channels:
        raise ModelInvalid(
            f"{conversion.name}: layer {layer.name!r} (InnerProduct) has {layer.weights[0].size} weights; for "
            f"{channels} channels it needs {outputs * channels}",
            HINT,
        )
    y = conversion.builder.conv(given[0], layer.weights[0].reshape(outputs, channels, 1, 1), _bias(layer))
    return _activated(conversion, layer, y), outputs


def _bias(layer: Layer) -> NDArray[np.float32] | None:
    return layer.weights[1] if len(layer.weights) > 1 else None


ACTIVATION_NUMBERS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 0, 5: 0, 6: 2}
"""Activation, as a setting of a convolution -> how many numbers it needs."""


def _activated(conversion: Conversion, layer: Layer, x: str) -> str:
    """Add the activation that is a setting of convolutions."""
    kind, numbers, builder = layer.whole(9), layer.numbers(10), conversion.builder
    if kind not in ACTIVATION_NUMBERS or len(numbers) < ACTIVATION_NUMBERS[kind]:
        raise conversion.wrong(layer, f"the activation {kind} with {len(numbers)} numbers")
    match kind:
        case 1:
            x = builder.relu(x)
        case 2:
            x = builder.leaky_relu(x, numbers[0])
        case 3:
            x = builder.clip(x, *numbers[:2])
        case 4:
            x = builder.sigmoid(x)
        case 5:
            x = builder.unary("Mish", x)
        case 6:
            x = builder.multiply(x, builder.unary("HardSigmoid", x, alpha=numbers[0], beta=numbers[1]))
    return x


def _relu(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    slope, builder = layer.number(0), conversion.builder
    return (builder.leaky_relu(given[0], slope) if slope else builder.relu(given[0])), conversion.into(layer)


def _prelu(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    _check_per_channel(conversion, layer, allowed=(1,))
    return conversion.builder.prelu(given[0], layer.weights[0]), conversion.into(layer)


def _check_per_channel(conversion: Conversion, layer: Layer, allowed: tuple[int, ...] = ()) -> None:
    size, channels = layer.weights[0].size, conversion.into(layer)
    if size != channels and size not in allowed:
        raise ModelInvalid(
            f"{conversion.name}: layer {layer.name!r} ({layer.kind}) has {size} numbers for {channels} channels", HINT
        )


def _clip(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    low, high = (layer.number(key, default) for key, default in ((0, -3.4e38), (1, 3.4e38)))
    return conversion.builder.clip(given[0], low, high), conversion.into(layer)


def _unary(kind: str) -> Callable[[Conversion, Layer, list[str]], Made]:
    return lambda conversion, layer, given: (conversion.builder.unary(kind, given[0]), conversion.into(layer))


def _batch_norm(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    _check_per_channel(conversion, layer)
    slope, mean, variance, bias = (array.astype(np.float64) for array in layer.weights)
    spread = variance + layer.number(1)
    if (spread <= 0).any():
        raise conversion.wrong(layer, "variances that are not positive")
    factor = slope / np.sqrt(spread)
    return conversion.builder.scale(given[0], factor, bias - mean * factor), conversion.into(layer)


def _scale(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    if layer.whole(0) == FROM_INPUT:
        if len(given) != 2 or layer.inputs[1] not in conversion.flat or layer.flag(1):
            raise conversion.wrong(layer, "factors that are not one for each channel")
        return conversion.builder.multiply(*given), conversion.into(layer)
    if len(given) != 1:
        raise conversion.wrong(layer, f"{len(given)} inputs")
    _check_per_channel(conversion, layer)
    return conversion.builder.scale(given[0], layer.weights[0], _bias(layer)), conversion.into(layer)


def _concat(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    flat = {blob in conversion.flat for blob in layer.inputs}
    if len(flat) != 1 or layer.whole(0) not in ((0, -1) if flat == {True} else (0, -3)):
        raise conversion.wrong(layer, f"the axis {layer.whole(0)}; channels alone can be put behind each other")
    return conversion.builder.concat(given), sum(conversion.channels[blob] for blob in layer.inputs)


def _eltwise(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    kind, coefficients, builder = layer.whole(0), layer.numbers(1), conversion.builder
    _check_broadcast(conversion, layer)
    if kind not in (0, 1, 2) or len(given) < 2 or (coefficients and (kind != 1 or len(coefficients) != len(given))):
        raise conversion.wrong(layer, f"the operation {kind} on {len(given)} inputs, {len(coefficients)} coefficients")
    if coefficients:
        pairs = zip(given, coefficients, strict=True)
        given = [x if c == 1 else builder.multiply(x, builder.constant(np.float32(c))) for x, c in pairs]
    y = given[0]
    for other in given[1:]:
        y = builder.binary(("Mul", "Add", "Max")[kind], y, other)
    return y, conversion.into(layer)


BINARY = {0: "Add", 1: "Sub", 2: "Mul", 3: "Div", 4: "Max", 5: "Min", 6: "Pow", 7: "Sub", 8: "Div"}
REVERSED = (7, 8)


def _binary(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    kind, builder = layer.whole(0), conversion.builder
    if layer.flag(1):
        given = [*given, builder.constant(np.float32(layer.number(2)))]
    if kind not in BINARY or len(given) != 2:
        raise conversion.wrong(layer, f"the operation {kind} on {len(given)} inputs")
    if kind in REVERSED:
        given.reverse()
    channels = _check_broadcast(conversion, layer)
    return builder.binary(BINARY[kind], *given), channels


def _check_broadcast(conversion: Conversion, layer: Layer) -> int:
    """Check that the inputs go together; return the channels of the result."""
    channels = {conversion.channels[blob] for blob in layer.inputs}
    if len(channels - {1}) > 1:
        raise ModelInvalid(
            f"{conversion.name}: layer {layer.name!r} ({layer.kind}) joins {' and '.join(map(str, sorted(channels)))} "
            "channels",
            HINT,
        )
    return max(channels)


def _pooling(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    builder, average = conversion.builder, layer.flag(0)
    if layer.flag(4):
        return builder.unary("GlobalAveragePool" if average else "GlobalMaxPool", given[0]), conversion.into(layer)
    kernel, stride = (layer.whole(key, 1, low=1, high=255) for key in (1, 2))
    kernels, strides = (layer.whole(11, kernel, low=1), kernel), (layer.whole(12, stride, low=1), stride)
    left = layer.whole(3, low=0, high=255)
    top = layer.whole(13, left, low=0, high=255)
    pads = [top, left, layer.whole(15, top, low=0, high=255), layer.whole(14, left, low=0, high=255)]
    if layer.flag(7) or layer.whole(5) not in (0, 1):
        raise conversion.wrong(layer, "an output of fixed size or padding that depends on the size of the picture")
    rest = [(pads[axis] + pads[axis + 2] - kernels[axis]) % strides[axis] for axis in (0, 1)]
    if layer.whole(5) == 0 and any(rest):  # ncnn would add a last window that hangs over the edge
        raise conversion.wrong(layer, "windows that do not end with the picture")
    settings: dict[str, Any] = {"kernel_shape": kernels, "strides": strides, "pads": pads}
    if average:
        settings["count_include_pad"] = layer.whole(6)
    return builder.unary("AveragePool" if average else "MaxPool", given[0], **settings), conversion.into(layer)


def _pixel_shuffle(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    factor, channels = layer.whole(0, 1, low=1, high=16), conversion.into(layer)
    if channels % factor**2:
        raise conversion.wrong(layer, f"{channels} channels, which do not divide by {factor**2}")
    y = conversion.builder.depth_to_space(given[0], factor, "DCR" if layer.flag(1) else "CRD")
    return y, channels // factor**2


def _reorg(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    factor, channels = layer.whole(0, 1, low=1, high=16), conversion.into(layer)
    if layer.flag(1):
        y = conversion.builder.unary("SpaceToDepth", given[0], blocksize=factor)
    else:
        y = conversion.builder.space_to_depth(given[0], factor, channels)
    return y, channels * factor**2


def _padding(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    top, bottom, left, right = (layer.whole(key, low=0, high=4096) for key in (0, 1, 2, 3))
    kind, builder, sides = layer.whole(4), conversion.builder, (top, left, bottom, right)
    if layer.weights or layer.whole(7) or layer.whole(8) or kind not in (0, 1, 2):
        raise conversion.wrong(layer, "padding of channels, one value for each channel, or an unknown kind of padding")
    if kind == 0:
        y = builder.pad_value(given[0], sides, layer.number(5))
    else:
        y = builder.pad_edge(given[0], sides) if kind == 1 else builder.pad_reflect(given[0], sides)
    return y, conversion.into(layer)


INTERPOLATIONS: dict[int, Interpolation] = {1: "nearest", 2: "linear", 3: "cubic"}


def _interp(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    kind = INTERPOLATIONS.get(layer.whole(0))
    vertical, horizontal = layer.number(1, 1.0), layer.number(2, 1.0)
    fixed = layer.whole(3) or layer.whole(4) or len(given) != 1
    if kind is None or layer.flag(6) or fixed or layer.inputs[0] in conversion.flat:
        raise conversion.wrong(layer, "an output of fixed size, corners that are aligned, or an unknown interpolation")
    if not (1 / 16 <= vertical <= 16 and 1 / 16 <= horizontal <= 16):
        raise conversion.wrong(layer, f"the factors {vertical:g} and {horizontal:g}")
    return conversion.builder.resize(given[0], (vertical, horizontal), kind), conversion.into(layer)


def _crop(conversion: Conversion, layer: Layer, given: list[str]) -> Made:
    left, top, first = (layer.whole(key, low=0, high=4096) for key in (0, 1, 2))
    channels, kept, builder = conversion.into(layer), conversion.into(layer), conversion.builder
    if len(given) == 2:
        mine, other = (conversion.sizes(blob) for blob in layer.inputs)
        bottoms = {a[0] - top - b[0] for a, b in zip(mine, other, strict=True)}
        rights = {a[1] - left - b[1] for a, b in zip(mine, other, strict=True)}
        if len(bottoms | rights) > 2 or len(bottoms) != 1 or len(rights) != 1 or min(bottoms | rights) < 0:
            raise conversion.wrong(layer, "a size that does not fit its inputs")
        kept = conversion.channels[layer.inputs[1]]
        bottom, right = bottoms.pop(), rights.pop()
    elif len(given) == 1:
        sizes = [layer.whole(key) for key in (3, 4, 5)]
        if layer.numbers(9) or layer.numbers(10) or any(size != FROM_INPUT for size in sizes[:2]):
            raise conversion.wrong(layer, "an output of fixed size")
        right, bottom, last = (layer.whole(key, low=0, high=4096) for key in (6, 7, 8))
        kept = channels - first - last if sizes[2] == FROM_INPUT else sizes[2]
    else:
        raise conversion.wrong(layer, f"{len(given)} inputs")
    if not 0 < kept <= channels - first:
        raise conversion.wrong(layer, f"{channels} channels, of which {kept} from number {first} on are taken")
    y = builder.crop(given[0], (top, left, bottom, right))
    return (y if kept == channels else builder.channels(y, first, first + kept)), kept


def _makes_flat(layer: Layer) -> bool:
    return layer.kind == "InnerProduct" or (layer.kind == "Pooling" and layer.flag(4))


INPUTS = {
    "Input": (0, 1), "Split": (1, 0), "Concat": (0, 1), "Eltwise": (0, 1), "BinaryOp": (0, 1), "Scale": (0, 1),
    "Crop": (0, 1), "Interp": (0, 1),
}  # fmt: skip
"""How many inputs and outputs a kind of layer has; 0 for any number, (1, 1) for all others."""

CONVERTERS: dict[str, Callable[[Conversion, Layer, list[str]], Made]] = {
    "BatchNorm": _batch_norm,
    "BinaryOp": _binary,
    "Clip": _clip,
    "Concat": _concat,
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "Crop": _crop,
    "Deconvolution": _deconvolution,
    "DeconvolutionDepthWise": _deconvolution,
    "Dropout": _same,
    "Eltwise": _eltwise,
    "InnerProduct": _inner_product,
    "Input": _input,
    "Interp": _interp,
    "Noop": _same,
    "PReLU": _prelu,
    "Padding": _padding,
    "PixelShuffle": _pixel_shuffle,
    "Pooling": _pooling,
    "ReLU": _relu,
    "Reorg": _reorg,
    "Scale": _scale,
    "Sigmoid": _unary("Sigmoid"),
    "Split": _same,
    "TanH": _unary("Tanh"),
}
