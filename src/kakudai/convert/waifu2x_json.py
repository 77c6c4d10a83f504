"""waifu2x's own JSON files: a list of layers with their weights, in the order in which waifu2x made them.

Only layers with weights are listed. What lies between them (activations, sums, poolings, crops) is known from the name
of the network in the first layer's `model_config`; files without it, which are the oldest, are plain stacks. vgg_7 does
not enlarge by itself: the program did, with nearest-neighbour interpolation, in front of a file called scale2.0x_model.

Source: nagadomi/waifu2x, tools/export_model.lua; shared/reference/waifu2x.md, 4.4 and 4.8.
"""

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from kakudai.convert.card import Converted
from kakudai.convert.geometry import measure_geometry
from kakudai.convert.graph import GraphBuilder
from kakudai.convert.naming import stated_scale
from kakudai.convert.walk import UnknownGeometry
from kakudai.errors import ModelInvalid

SLOPE = 0.1
STACKS = ("vgg_7", "upconv_7", "upconv_7l")
CASCADES = {"cunet": 1, "upcunet": 2}
"""Variant -> its scale."""

FULL = "FullConvolution"
ACCEPTED = f"accepted are {', '.join((*STACKS, *CASCADES))}"
SCALE_KEY = "kakudai_scale"
MAX_LAYERS = 100
MAX_BYTES = 128 << 20
"""Characters that mean nothing may take thirty times their size once they are read; upconv_7l has 50 MiB."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One convolution of a file.

    Args:
        transposed: It enlarges.
        weight: (out, in, height, width); where transposed (in, out, height, width).
        bias: (out,), or None.
        stride: In both directions.
    """

    transposed: bool
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    stride: int

    @property
    def into(self) -> int:
        """Channels that it takes."""
        return int(self.weight.shape[0 if self.transposed else 1])

    @property
    def out(self) -> int:
        """Channels that it gives."""
        return int(self.weight.shape[1 if self.transposed else 0])

    @property
    def kind(self) -> tuple[bool, int, int]:
        """What must be as the network wants it, beside the channels: transposed, kernel, stride."""
        return self.transposed, int(self.weight.shape[2]), self.stride


CONV, DOWN, UP, DOUBLE, ONE = (False, 3, 1), (False, 2, 2), (True, 2, 2), (True, 4, 2), (False, 1, 1)

FIRST = [CONV, CONV, DOWN, CONV, CONV, ONE, ONE, UP, CONV]
SECOND = [
    CONV, CONV, DOWN, CONV, CONV, ONE, ONE, DOWN, CONV, CONV, ONE, ONE, UP, CONV, CONV, ONE, ONE, UP, CONV, CONV,
]  # fmt: skip
"""Layers of the two U-nets of cunet; the first lacks its last, which differs."""


def convert_json(data: bytes, name: str) -> Converted:
    """Convert a waifu2x JSON file.

    Args:
        data: The file.
        name: Its name without the ending; "scale2.0x" in it says that vgg_7 and cunet get an enlarged picture.

    Raises:
        ModelInvalid: It is no JSON, no list of layers, damaged, or a network of another kind.
    """
    layers, config = read_layers(data, name)
    variant = _variant(layers, config, name)
    last = layers[-1]
    if last.transposed and last.bias is not None and not last.bias.any():  # it has none; the file has zeros instead
        layers[-1] = replace(last, bias=None)
    channels = layers[0].into
    if channels not in (1, 3) or layers[-1].out != channels:
        raise ModelInvalid(
            f"{name} takes {channels} channels and gives {layers[-1].out}", "accepted are 3 (RGB) and 1 (luma) for both"
        )
    own = CASCADES.get(variant, 2 if layers[-1].transposed else 1)
    stated = _own_scale(config, name) or stated_scale(name)
    before = (stated or (2 if variant == "vgg_7" else 1)) if own == 1 else 1
    if before > 16:
        raise ModelInvalid(f"{name} is called a network that enlarges {before} times", "accepted are 1 to 16")
    builder, scale = GraphBuilder(), own * before

    def network(x: str) -> str:
        enlarged = builder.resize(x, before) if before > 1 else x
        return _valid(builder, layers, variant, builder.pad_edge(enlarged, _margin(layers, variant)))

    y = network(builder.input) if channels == 3 else builder.luma_in_rgb(builder.input, network, scale, edge=True)
    try:
        geometry = measure_geometry(builder.model(y))
    except UnknownGeometry as error:
        raise ModelInvalid(f"{name} is not a network that enlarges pictures: {error}", ACCEPTED) from error
    arrays = [array for layer in layers for array in (layer.weight, layer.bias) if array is not None]
    card = {
        "name": name,
        "scale": str(scale),
        "halo": "none" if geometry.halo is None else str(geometry.halo),
        "multiple": str(geometry.multiple),
        "color": "rgb" if channels == 3 else "luma",
        "enlarges": "nearest" if before > 1 else "no",
        "network": "waifu2x",
        "arguments": json.dumps({"variant": variant}),
        "parameters": str(sum(array.size for array in arrays)),
        "border": "edge",
    }
    if variant == "vgg_7" and stated is None:
        card["notes"] = (
            "the file does not say whether it enlarges or only removes noise; it is taken to enlarge twice. Call it "
            "noise1_model.json where it does not"
        )
    return Converted(builder.model(y), card)


def read_layers(data: bytes, name: str) -> tuple[list[Layer], dict[str, Any]]:
    """Read all layers and the `model_config`, which is empty where there is none.

    Raises:
        ModelInvalid: It is no JSON, no list of layers, or damaged.
    """
    if len(data) > MAX_BYTES:
        _refuse(name, f"it has {len(data) >> 20} MiB, and they have up to {MAX_BYTES >> 20}")
    try:
        content = json.loads(data.decode("utf-8-sig"), parse_constant=_not_a_number)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
        raise ModelInvalid(f"{name} is not JSON, or is truncated: {reason[:200]}", "fetch it again") from error
    if not isinstance(content, list) or not content or not all(isinstance(entry, dict) for entry in content):
        _refuse(name, "it is not a list of layers")
    if len(content) > MAX_LAYERS:
        _refuse(name, f"it has {len(content)} layers")
    if not all("weight" in entry for entry in content):
        _refuse(name, "its entries have no weights")
    config = content[0].get("model_config", {})
    if not isinstance(config, dict):
        _refuse(name, "its model_config is not an object")
    layers = [_layer(entry, f"{name}, layer {number}") for number, entry in enumerate(content, 1)]
    return layers, config


def _own_scale(config: dict[str, Any], name: str) -> int | None:
    """Return the enlargement that kakudai has written into a file, for those whose layers do not say it."""
    scale = config.get(SCALE_KEY)
    if scale is not None and (isinstance(scale, bool) or scale not in range(1, 17)):
        raise ModelInvalid(f"{name} says it enlarges {str(scale)[:40]} times", "accepted are 1 to 16")
    return scale


def _not_a_number(word: str) -> NoReturn:
    raise ValueError(f"it has {word} for a number")


def _refuse(name: str, what: str) -> NoReturn:
    raise ModelInvalid(f"{name} is not a waifu2x network: {what}", "accepted are the JSON files of waifu2x")


def _layer(entry: dict[str, Any], where: str) -> Layer:
    kind = entry.get("class_name", "nn.SpatialConvolutionMM")
    if not isinstance(kind, str) or not kind.endswith(("Convolution", "ConvolutionMM", "Linear")):
        raise ModelInvalid(f"{where} is of the kind {str(kind)[:60]!r}, which waifu2x files do not have", ACCEPTED)
    transposed, linear = kind.endswith(FULL), kind.endswith("Linear")
    into, out = _whole(entry, "nInputPlane", where), _whole(entry, "nOutputPlane", where)
    width, height = (1, 1) if linear else (_whole(entry, "kW", where), _whole(entry, "kH", where))
    shape = (into, out, height, width) if transposed else (out, into, height, width)
    weight = _array(entry["weight"], shape[:2] if linear else shape, f"{where}: weight").reshape(shape)
    bias = _array(entry["bias"], (out,), f"{where}: bias") if "bias" in entry else np.zeros(out, np.float32)
    stride, pad = _whole(entry, "dW", where, 2 if transposed else 1), _whole(entry, "padW", where, -1)
    other, pad_other = _whole(entry, "dH", where, stride), _whole(entry, "padH", where, pad)
    expected = 3 if (transposed, height) == (True, 4) else 0
    dilations = {_whole(entry, key, where, 1) for key in ("dilationW", "dilationH")}
    if height != width or stride != other or {pad, pad_other} - {-1, expected} or dilations != {1}:
        raise ModelInvalid(
            f"{where} has a kernel of {width}x{height}, the strides {stride} and {other}, the paddings {pad} and "
            f"{pad_other} and the dilations {sorted(dilations)}, which no network of waifu2x has",
            ACCEPTED,
        )
    return Layer(transposed, weight, bias, stride)


def _whole(entry: dict[str, Any], key: str, where: str, default: int | None = None) -> int:
    value = entry.get(key, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= 1 << 16:
        raise ModelInvalid(f"{where} has {str(value)[:40]!r} for {key}", "fetch it again")
    return value


def _array(value: Any, shape: tuple[int, ...], where: str) -> NDArray[np.float32]:
    try:
        array = np.array(value, np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelInvalid(f"{where} is not an array of numbers", "fetch it again") from error
    if array.shape != shape:
        raise ModelInvalid(f"{where} has the shape {array.shape} and should have {shape}", "fetch it again")
    if not (np.abs(array) < np.finfo(np.float32).max).all():
        raise ModelInvalid(f"{where} has numbers that are none", "fetch it again")
    return array.astype(np.float32)


def _variant(layers: list[Layer], config: dict[str, Any], name: str) -> str:
    """Return which network a list of layers is, after checking that it is one."""
    kinds, stated = [layer.kind for layer in layers], config.get("arch_name")
    cascades = {"cunet": [*FIRST, CONV, *SECOND], "upcunet": [*FIRST, DOUBLE, *SECOND]}
    fitting = [variant for variant, expected in cascades.items() if kinds == expected]
    if not fitting and kinds in ([CONV] * len(kinds), [CONV] * (len(kinds) - 1) + [DOUBLE]):
        fitting = ["vgg_7"] if kinds[-1] == CONV else ["upconv_7", "upconv_7l"]
    if stated is not None and stated not in (*STACKS, *CASCADES):
        raise ModelInvalid(f"{name} is a network that is not known here: {str(stated)[:60]!r}", ACCEPTED)
    if stated is not None and stated not in fitting:
        raise ModelInvalid(f"{name} calls itself {stated} and has other layers than that", "fetch it again")
    if not fitting:
        _refuse(name, f"{len(layers)} layers of these kernels are no network that is known")
    variant = str(stated or fitting[0])
    _check_channels(layers, variant, name)
    if stated is None and variant == "upconv_7" and layers[0].out > 16:
        return "upconv_7l"
    return variant


def _check_channels(layers: list[Layer], variant: str, name: str) -> None:
    """Check that every layer takes what the one before it gives, and that sums are of equals."""
    pairs = list(pairwise(layers))
    if any(before.out != after.into for before, after in pairs):
        _refuse(name, "a layer takes other channels than the one before it gives")
    if variant not in CASCADES:
        return
    first, second = layers[: len(FIRST) + 1], layers[len(FIRST) + 1 :]
    sums = [(first[1], first[7]), (second[1], second[17]), (second[4], second[12]), (first[9], second[19])]
    if any(a.out != b.out for a, b in sums):
        _refuse(name, "a sum of different channels")


def _margin(layers: list[Layer], variant: str) -> int:
    """Return how many pixels of what the network takes have to be added on each side."""
    return {"cunet": 28, "upcunet": 18}.get(variant, len(layers))


def _valid(builder: GraphBuilder, layers: list[Layer], variant: str, x: str) -> str:
    """Add the network without any padding."""
    if variant not in CASCADES:
        for layer in layers[:-1]:
            x = _activated(builder, x, layer)
        return _convolved(builder, x, layers[-1])
    return _Cascade(builder, layers).run(x)


def _convolved(builder: GraphBuilder, x: str, layer: Layer) -> str:
    if layer.transposed:
        pad = 3 if layer.kind == DOUBLE else 0
        return builder.transposed_conv(x, layer.weight, layer.bias, stride=layer.stride, pad=pad)
    return builder.conv(x, layer.weight, layer.bias, stride=layer.stride)


def _activated(builder: GraphBuilder, x: str, layer: Layer) -> str:
    return builder.leaky_relu(_convolved(builder, x, layer), SLOPE)


class _Cascade:
    """cunet and upcunet, see networks/waifu2x.py; takes layer after layer from the list."""

    def __init__(self, builder: GraphBuilder, layers: list[Layer]) -> None:
        self.builder, self.layers = builder, iter(layers)

    def run(self, x: str) -> str:
        """Add both U-nets."""
        rough = self.last(self.conv(self.valley(self.pair(x), crop=4, deep=False)))
        fine = self.last(self.conv(self.valley(self.pair(rough), crop=16, deep=True)))
        return self.builder.add(self.builder.crop(rough, 20), fine)

    def valley(self, x: str, *, crop: int, deep: bool) -> str:
        """Go down to half the size, do something there, come up again and add what was there before."""
        y = self.weighed(self.pair(self.conv(x)))
        if deep:
            y = self.weighed(self.pair(self.valley(y, crop=4, deep=False)))
        y = self.conv(y)
        return self.builder.add(self.builder.crop(x, crop), y)

    def pair(self, x: str) -> str:
        return self.conv(self.conv(x))

    def conv(self, x: str) -> str:
        return _activated(self.builder, x, next(self.layers))

    def last(self, x: str) -> str:
        return _convolved(self.builder, x, next(self.layers))

    def weighed(self, x: str) -> str:
        """Multiply each channel by a factor that is computed from the means of all."""
        mean = self.builder.global_average_pool(x)
        squeezed = self.builder.relu(_convolved(self.builder, mean, next(self.layers)))
        return self.builder.multiply(x, self.builder.sigmoid(_convolved(self.builder, squeezed, next(self.layers))))
