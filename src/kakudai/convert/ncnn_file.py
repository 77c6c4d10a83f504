"""ncnn networks in our form; what each layer becomes stands in `ncnn_layers`.

waifu2x's networks lose their border, and the program around them feeds them a picture that is continued by its edge
pixels. Here that padding becomes the first operator of the network. It is recognised by measuring: a network whose
output is smaller than a whole multiple of its input gets what is missing.
"""

import json
import math

from kakudai.convert.card import Converted
from kakudai.convert.geometry import Geometry, measure_geometry
from kakudai.convert.graph import GraphBuilder
from kakudai.convert.naming import KNOWN, stated_scale
from kakudai.convert.ncnn_layers import Conversion
from kakudai.convert.ncnn_param import HINT, Layer, read_ncnn
from kakudai.convert.walk import UnknownGeometry
from kakudai.errors import ModelInvalid


def convert_ncnn(param: str, weights: bytes, name: str) -> Converted:
    """Convert an ncnn network.

    Args:
        param: Text of the .param file.
        weights: The .bin file.
        name: What to call it.

    Raises:
        ModelInvalid: The files are damaged, do not belong together, or hold what is not an enlarging network of the
            known kinds of layers.
    """
    layers = read_ncnn(param, weights, name)
    try:
        return _convert(layers, name)
    except UnknownGeometry as error:
        raise ModelInvalid(f"{name} is not a network that enlarges pictures: {error}", HINT) from error


def _convert(layers: list[Layer], name: str) -> Converted:
    """Build the network in our form.

    Raises:
        UnknownGeometry: It is not one that enlarges pictures.
    """
    geometry, channels = _measure(layers, name)
    pad = max(0, math.ceil(geometry.offset / geometry.scale))
    stated = stated_scale(name)
    before = stated if geometry.scale == 1 and stated else 1
    scale = geometry.scale * before
    builder = GraphBuilder()

    def network(x: str) -> str:
        enlarged = builder.resize(x, before) if before > 1 else x
        y = _build(builder, layers, name, builder.pad_edge(enlarged, pad))[0]
        return builder.crop(y, pad * geometry.scale - geometry.offset)

    y = network(builder.input) if channels == 3 else builder.luma_in_rgb(builder.input, network, scale, edge=True)
    whole = measure_geometry(builder.model(y))
    parameters = sum(array.size for layer in layers for array in layer.weights)
    variant = KNOWN.get(parameters)
    card = {
        "name": name,
        "scale": str(scale),
        "halo": "none" if whole.halo is None else str(whole.halo),
        "multiple": str(whole.multiple),
        "color": "rgb" if channels == 3 else "luma",
        "enlarges": "nearest" if before > 1 else "no",
        "network": "waifu2x" if variant else "unknown",
        "arguments": json.dumps({"variant": variant} if variant else {}),
        "parameters": str(parameters),
        "border": "edge" if pad else "mirror",
        "native_pad": str(pad) if channels == 3 and before == 1 else "none",
    }
    return Converted(builder.model(y), card)


def _measure(layers: list[Layer], name: str) -> tuple[Geometry, int]:
    """Build the network as it is and measure it; return its channels too."""
    builder = GraphBuilder()
    y, channels = _build(builder, layers, name, builder.input)
    return measure_geometry(builder.model(y, channels=channels)), channels


def _build(builder: GraphBuilder, layers: list[Layer], name: str, x: str) -> tuple[str, int]:
    """Add all layers; return the output and its channels."""
    conversion = Conversion(builder, name, x, _input_channels(layers))
    for layer in layers:
        conversion.add(layer)
    taken = {blob for layer in layers for blob in layer.inputs}
    outputs = [blob for layer in layers for blob in layer.outputs if blob not in taken]
    if len(outputs) != 1 or sum(layer.kind == "Input" for layer in layers) != 1:
        raise ModelInvalid(f"{name} does not take one picture and give one; it gives {', '.join(outputs)}", HINT)
    channels = conversion.channels[outputs[0]]
    if channels not in (1, 3) or channels != conversion.channels[layers[0].outputs[0] if layers[0].outputs else ""]:
        raise ModelInvalid(f"{name} does not take and give grey or RGB pictures; it gives {channels} channels", HINT)
    return conversion.tensors[outputs[0]], channels


def _input_channels(layers: list[Layer]) -> int:
    """Return the channels of the input: as the file says, or as many as the first convolution takes."""
    first = layers[0]
    if first.kind != "Input" or len(first.outputs) != 1 or first.inputs:
        raise ModelInvalid(f"the first layer is {first.kind} {first.name!r} and not the input", HINT)
    if (channels := first.whole(2, low=0, high=4096)) > 0:
        return channels
    for layer in layers:
        if layer.kind == "Convolution":
            kernel = layer.whole(1, low=1, high=255) * layer.whole(11, layer.whole(1), low=1, high=255)
            return max(1, layer.whole(6) // (layer.whole(0) * kernel))
    return 3
