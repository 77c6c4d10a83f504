"""PyTorch's weight files (.pth, .pt, .ckpt, .safetensors) become ONNX graphs."""

import json
from typing import Any

import torch
from torch import nn

from kakudai.convert import halo, probe, spandrel_file
from kakudai.convert.card import Converted
from kakudai.convert.packages import needed
from kakudai.convert.torch_color import LumaInRGB
from kakudai.convert.torch_export import merged_for_use, runner, to_onnx
from kakudai.convert.torch_layouts import Layout, Tensors, expected_shapes, recognise, unwrapped
from kakudai.convert.unpickle import read_tensors
from kakudai.errors import ModelInvalid
from kakudai.networks import find_network


def convert_torch(data: bytes, name: str, open_network: probe.OpenNetwork) -> Converted:
    """Convert a weight file of PyTorch.

    Weights of networks that kakudai has are put into those; all others are given to spandrel, where it is installed.

    Args:
        data: The whole file.
        name: What to call the model.
        open_network: Runs ONNX files.

    Raises:
        ModelInvalid: It is damaged, hostile, or of a network that neither knows.
        RuntimeUnavailable: torch is not installed, or too old.
    """
    tensors, plain = read_tensors(data, name)
    check_finite(tensors, name)
    layout = recognise(tensors, plain, name)
    if layout is None:
        return spandrel_file.convert(unwrapped(tensors), name, open_network)
    network = build(layout, name)
    channels, wrapped = in_rgb(network, layout)
    scale, multiple = int(network.scale), int(network.multiple)  # type: ignore[arg-type]
    planes = int(layout.arguments.get("planes", 0))
    reach: int | None = wrapped.halo  # type: ignore[assignment]  # torch knows of tensors only
    said = ""
    if reach is not None and reach > halo.DEEP:
        reach, said = halo.shorten(reach, runner(wrapped), scale=scale, multiple=multiple)
    arguments = {key: value for key, value in layout.arguments.items() if key not in ("scale", "in_channels")}
    card = {
        "name": name,
        "scale": str(scale),
        "halo": "none" if reach is None else str(reach),
        "multiple": str(multiple),
        "color": "luma" if channels == 1 else "rgb",
        "strength": "plane" if planes else "none",
        "enlarges": str(getattr(network, "enlarges", "no")),
        "network": layout.network,
        "arguments": json.dumps(arguments),
        "parameters": str(sum(parameter.numel() for parameter in network.parameters())),
        "border": "edge" if layout.network == "waifu2x" else "mirror",
        "notes": "; ".join(note for note in (layout.kind, layout.notes, said) if note),
        **layout.card,
    }
    return Converted(needed("onnx").load_from_string(to_onnx(wrapped, channels=3 + planes)), card)


def open_module(data: bytes, name: str) -> nn.Module:
    """Make the network of a weight file that kakudai has written: it takes and gives RGB.

    Raises:
        ModelInvalid: It is damaged, or of a network that kakudai does not have.
        RuntimeUnavailable: torch is not installed, or too old.
    """
    tensors, plain = read_tensors(data, name)
    check_finite(tensors, name)
    layout = recognise(tensors, plain, name)
    if layout is None:
        raise ModelInvalid(f"{name} is of no network that kakudai has", "see: kakudai networks")
    return in_rgb(build(layout, name), layout)[1]


def in_rgb(network: nn.Module, layout: Layout) -> tuple[int, nn.Module]:
    """Return how many channels a network takes, and what takes and gives RGB."""
    channels = int(layout.arguments["in_channels"] or _channels_of(network))
    return channels, LumaInRGB(network).eval() if channels == 1 else network


def check_finite(tensors: Tensors, name: str) -> None:
    """Refuse weights that are no numbers, and those of no size: shapes decide how large networks are made.

    Raises:
        ModelInvalid: One is.
    """
    for key, tensor in unwrapped(tensors).items():
        if not tensor.numel() or tensor.is_complex():
            raise ModelInvalid(f"{name} has no weights of a network in {key[:100]!r}", "fetch it again")
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise ModelInvalid(f"{name} has weights that are not numbers in {key[:100]!r}", "fetch it again")


def build(layout: Layout, name: str) -> nn.Module:
    """Make the network of a layout with its weights, ready for use.

    It is first made without memory, and names and shapes are compared, so that no file can make it larger than itself.

    Raises:
        ModelInvalid: They do not fit.
    """
    try:
        module = find_network(layout.network)
    except KeyError as error:
        raise ModelInvalid(f"{name}: {error.args[0]}", "it was made by a newer kakudai") from error
    network_class = getattr(module, module.__all__[0])
    mistakes = []
    for channels in [layout.arguments["in_channels"]] if layout.arguments["in_channels"] else [3, 1]:
        arguments = {**layout.arguments, "in_channels": channels}
        mistake = _mistake(layout, arguments)
        if mistake is None:
            network = network_class(**arguments)
            state = network.state_dict()
            network.load_state_dict({key: layout.tensors[key].to(value.dtype) for key, value in state.items()})
            return merged_for_use(network.eval())
        mistakes.append(mistake)
    raise ModelInvalid(f"{name} looks like {layout.kind} and does not fit: {mistakes[0]}", "fetch it again")


def _mistake(layout: Layout, arguments: dict[str, Any]) -> str | None:
    """Say why weights do not fit a network; None where they do."""
    try:
        wanted = expected_shapes(layout.network, arguments)
    except ValueError as error:
        return str(error)
    tensors = layout.tensors
    for key, shape in wanted.items():
        if key not in tensors:
            return f"{key} is missing"
        if tuple(tensors[key].shape) != shape:
            return f"{key} is {_words(tuple(tensors[key].shape))} and not {_words(shape)}"
    surplus = sorted(tensors.keys() - wanted.keys())
    return f"{surplus[0][:100]} has no place in it" if surplus else None


def _words(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def _channels_of(network: nn.Module) -> int:
    """Return how many channels a network takes: those that its first convolution does."""
    return int(next(value for value in network.state_dict().values() if value.dim() == 4).shape[1])
